//! Threads that must not wait: those of the HTTP server, while an `[inline]` handler of a plugin runs on one.

use std::cell::Cell;

use streamspace_plugin::abi::{Fault, FaultKind};

thread_local! {
    static FORBIDDEN: Cell<bool> = const { Cell::new(false) };
}

/// Runs `code` on a thread that must not wait.
pub(crate) fn forbidden<T>(code: impl FnOnce() -> T) -> T {
    /// Takes the mark away also when `code` panics.
    struct Mark;
    impl Drop for Mark {
        fn drop(&mut self) {
            FORBIDDEN.set(false);
        }
    }
    FORBIDDEN.set(true);
    let _mark = Mark;
    code()
}

/// Whether this thread must not wait now.
pub(crate) fn is_forbidden() -> bool {
    FORBIDDEN.get()
}

/// What a call that could wait begins with.
pub(crate) fn check(call: &str) -> Result<(), Fault> {
    if !is_forbidden() {
        return Ok(());
    }
    Err(Fault::new(
        FaultKind::WOULD_BLOCK,
        format_args!(
            "{call} could block, which an inline route must not: let the route be one that is not inline"
        ),
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waiting_is_forbidden_for_as_long_as_the_code_runs() {
        assert_eq!(check("`x`"), Ok(()));
        assert_eq!(forbidden(|| check("`x`")).expect_err("forbidden").kind, FaultKind::WOULD_BLOCK);
        let _ = std::panic::catch_unwind(|| forbidden(|| panic!("boom")));
        assert_eq!(check("`x`"), Ok(()));
    }
}
