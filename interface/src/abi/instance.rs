//! The plugin's side of a handle: one boxed instance between `create` and `release`.

use super::Handle;

/// Moves `instance` to the heap and gives it a handle.
pub(super) fn new_instance<T: Send + Sync + 'static>(instance: T) -> Handle {
    Handle(Box::into_raw(Box::new(instance)) as u64)
}

/// Runs `f` with the instance that `handle` names.
///
/// # Safety
///
/// `handle` came from [`new_instance::<T>`](new_instance) and was not given to [`free_instance`] yet. The host keeps
/// this: it calls a plugin only between `create` and `release`.
pub(super) unsafe fn with_instance<T: Send + Sync + 'static, R>(
    handle: Handle,
    f: impl FnOnce(&T) -> R,
) -> R {
    // SAFETY: the caller promises that the pointer came from `Box::into_raw` of a `T` and was not freed.
    f(unsafe { &*(handle.0 as *const T) })
}

/// Takes the instance that `handle` names back from the heap.
///
/// # Safety
///
/// As [`with_instance`]; and no other call with this handle is running or follows.
pub(super) unsafe fn free_instance<T: Send + Sync + 'static>(handle: Handle) -> Box<T> {
    // SAFETY: the caller promises that the pointer came from `Box::into_raw` of a `T` and that nobody else uses it.
    unsafe { Box::from_raw(handle.0 as *mut T) }
}
