//! `greeter/1`, offered by the host.

use abi_stable::{
    StableAbi,
    std_types::{RStr, RString},
};

use crate::abi::{Handle, Outcome};

/// The capability's id.
pub const ID: &str = "greeter/1";

/// `greeter/1`, the host's half.
#[repr(C)]
#[derive(StableAbi, Debug)]
#[sabi(kind(Prefix(prefix_ref = GreeterRef)))]
#[sabi(missing_field(option))]
pub struct Greeter {
    /// `[any]` Greets somebody by name.
    #[sabi(last_prefix_field)]
    pub greet: extern "C" fn(Handle, RStr<'_>) -> Outcome<RString>,
}
