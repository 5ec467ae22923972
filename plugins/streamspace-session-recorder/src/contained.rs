//! A panic on a thread of the plugin's own: it ends what was done there, and is told as any other failure.

use std::panic::{AssertUnwindSafe, catch_unwind};

/// Does it, and answers what a panic said if there was one. What was being changed then must not be used any more.
pub(crate) fn contained<T>(work: impl FnOnce() -> T) -> Result<T, String> {
    catch_unwind(AssertUnwindSafe(work)).map_err(|panic| {
        let said = panic.downcast_ref::<&str>().copied();
        said.or_else(|| panic.downcast_ref::<String>().map(String::as_str))
            .unwrap_or("it did not say why")
            .to_owned()
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_panic_says_is_told() {
        assert_eq!(contained(|| 7), Ok(7));
        assert_eq!(contained(|| panic!("a fault")), Err::<(), _>("a fault".into()));
        let number = 7;
        assert_eq!(contained(|| panic!("fault {number}")), Err::<(), _>("fault 7".into()));
        assert!(contained(|| std::panic::panic_any(7)).is_err_and(|why: String| why.contains("not say")));
    }
}
