//! Greetings: `greeter/1`.

mod table;

pub use self::table::{Greeter, GreeterRef, ID};
use crate::abi::{Bound, Fault, RStr};

/// Greets, where the host can.
#[derive(Debug, Clone, Copy)]
pub struct Greetings(pub(crate) Bound<GreeterRef>);

impl Greetings {
    /// `[any]` Greets somebody by name.
    ///
    /// # Errors
    ///
    /// What the host says.
    pub fn greet(&self, name: &str) -> Result<String, Fault> {
        let greeted = self.0.table.greet()(self.0.handle, RStr::from_str(name)).into_result();
        greeted.map(|greeting| greeting.into_string())
    }
}
