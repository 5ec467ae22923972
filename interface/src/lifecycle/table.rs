//! `lifecycle/1`, offered by the plugin.

use abi_stable::StableAbi;

use crate::abi::{Handle, Outcome};

/// The capability's id.
pub const ID: &str = "lifecycle/1";

/// `lifecycle/1`, the plugin's half: the calls that move a plugin through its life. All `[setup]`: one at a time, and
/// none while a handler runs, except that `enable` may overlap with the first events.
#[repr(C)]
#[derive(StableAbi, Debug)]
#[sabi(kind(Prefix(prefix_ref = LifecycleRef)))]
#[sabi(missing_field(option))]
pub struct Lifecycle {
    /// Reads the configuration, builds the plugin's state and makes its registrations ready to be listed.
    pub load: extern "C" fn(Handle) -> Outcome<()>,
    /// The registrations are live.
    pub enable: extern "C" fn(Handle) -> Outcome<()>,
    /// Intake was stopped and the handlers are done.
    pub disable: extern "C" fn(Handle) -> Outcome<()>,
    /// The last call before `release`; the host's capabilities still work.
    pub unload: extern "C" fn(Handle) -> Outcome<()>,
    /// Drops the instance. The handle is dead afterwards, whatever the answer. May come at any point after `create`.
    #[sabi(last_prefix_field)]
    pub release: extern "C" fn(Handle) -> Outcome<()>,
}
