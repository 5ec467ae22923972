//! Nothing panics across the interface: every entry of either side runs inside [`guard`].

use std::{
    any::Any,
    backtrace::Backtrace,
    cell::{Cell, RefCell},
    panic::{self, AssertUnwindSafe, PanicHookInfo},
    sync::{Once, RwLock},
};

use super::{Fault, FaultKind};

thread_local! {
    /// How many guards this thread is inside.
    static DEPTH: Cell<u32> = const { Cell::new(0) };
    /// What the last panic on this thread said, and where.
    static LAST: RefCell<Option<String>> = const { RefCell::new(None) };
}

type Report = Box<dyn Fn(&str) + Send + Sync>;

/// Where panics go that no guard sees: those of threads that the plugin started itself.
static STRAY: RwLock<Option<Report>> = RwLock::new(None);

/// Runs `entry` and turns a panic in it into a [`Fault`] of kind [`FaultKind::PANICKED`] whose message has what the
/// panic said and the place in the source.
///
/// `what` names the entry for that message, e.g. ``"`load`"``.
///
/// A dynamic library has its own panic runtime, so a guard works only in code compiled into the library whose panics
/// it is to contain: the plugin's entries are guarded in the plugin, the host's in the host.
///
/// # Errors
///
/// The fault described above.
pub fn guard<T>(what: &str, entry: impl FnOnce() -> T) -> Result<T, Fault> {
    install_hook();
    if DEPTH.get() == 0 {
        // Of a panic that was caught further in, and was nobody's business.
        LAST.set(None);
    }
    DEPTH.set(DEPTH.get() + 1);
    // What `entry` captured may be left half changed. The callers give up on the object after a panic in an exclusive
    // entry, and shared entries have only `&` access, where a lock that matters is poisoned.
    let result = panic::catch_unwind(AssertUnwindSafe(entry));
    DEPTH.set(DEPTH.get() - 1);
    result.map_err(|payload| {
        // The destructor of what is no text is plugin code too, and could panic again outside of any guard.
        if !payload.is::<&'static str>() && !payload.is::<String>() {
            std::mem::forget(payload);
        }
        let said = LAST.take().unwrap_or_else(|| "(no message)".to_owned());
        Fault::new(FaultKind::PANICKED, format_args!("{what} panicked: {said}"))
    })
}

/// Sends panics of threads that are inside no guard to `report` from now on.
pub fn on_stray_panic(report: impl Fn(&str) + Send + Sync + 'static) {
    install_hook();
    if let Ok(mut stray) = STRAY.write() {
        *stray = Some(Box::new(report));
    }
}

/// Goes on with a panic that was held back while the host's code was on the stack.
pub(crate) fn resume(payload: Box<dyn Any + Send>) -> ! {
    // No guard is to see it: it goes where it would have gone without having been held back.
    if DEPTH.get() == 0
        && let Some(said) = LAST.take()
        && let Ok(stray) = STRAY.read()
        && let Some(report) = &*stray
    {
        report(&format!("A thread panicked: {said}"));
    }
    panic::resume_unwind(payload)
}

fn install_hook() {
    static HOOK: Once = Once::new();
    HOOK.call_once(|| {
        let before = panic::take_hook();
        panic::set_hook(Box::new(move |info| {
            if DEPTH.get() > 0 {
                let said = describe(info);
                LAST.with_borrow_mut(|last| *last = Some(said));
            } else if let Ok(stray) = STRAY.read()
                && let Some(report) = &*stray
            {
                report(&format!("A thread panicked: {}\n{}", describe(info), Backtrace::force_capture()));
            } else {
                before(info);
            }
        }));
    });
}

fn describe(info: &PanicHookInfo<'_>) -> String {
    let message = info.payload_as_str().unwrap_or("(not a text)");
    match info.location() {
        Some(place) => format!("{message}, at {place}"),
        None => message.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_panic_becomes_a_fault_with_message_and_place() {
        let fault = guard("`load`", || panic!("boom {}", 1)).expect_err("it panics");
        assert_eq!(fault.kind, FaultKind::PANICKED);
        assert!(fault.message.starts_with("`load` panicked: boom 1, at "), "{fault}");
        assert!(fault.message.contains("barrier.rs"), "{fault}");
    }

    #[test]
    fn a_payload_that_panics_when_dropped_is_contained() {
        struct Bomb;
        impl Drop for Bomb {
            fn drop(&mut self) {
                panic!("again");
            }
        }
        let fault = guard("`drop`", || panic::panic_any(Bomb)).expect_err("it panics");
        assert!(fault.message.contains("(not a text)"), "{fault}");
    }

    #[test]
    fn guards_nest() {
        let outer = guard("outer", || {
            guard("inner", || panic!("in")).expect_err("it panics");
            7
        });
        assert_eq!(outer, Ok(7));
    }
}
