//! A plugin's life: `lifecycle/1` and the [`Plugin`] trait.
//!
//! `create → load → enable → … → disable → unload → drop`. If `load` or `enable` fails, the plugin is dropped and
//! nothing of it stays registered.

mod table;

use serde::de::DeserializeOwned;

pub use self::table::{ID, Lifecycle, LifecycleRef};
use crate::{Context, Registrar, Result};

/// A plugin: the type given to [`export!`](crate::export).
///
/// All of it may panic; the host contains that, names the plugin and the place, and treats it as a failure.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not a plugin",
    label = "does not implement `Plugin`",
    note = "`export!` takes the type that implements `streamspace_plugin::Plugin`"
)]
pub trait Plugin: Send + Sync + Sized + 'static {
    /// The configuration. What arrives is valid against the manifest's `configSchema`, with the defaults applied. Use
    /// `()` for a plugin without one, or `serde_json::Value` for the document as it is.
    type Config: DeserializeOwned;

    /// The capabilities of the host that the plugin cannot do without, by their ids: `&[http::ID]`. A host that lacks
    /// one refuses the plugin before any of its code runs, and says which version has it. What is not named here is
    /// used where the host has it, and answers with an error where it does not.
    const NEEDS: &'static [&'static str] = &[];

    /// `[setup]` Builds the plugin's state. No event arrives yet.
    ///
    /// # Errors
    ///
    /// Whatever makes the plugin unable to run. The operator reads the message.
    fn load(context: &Context, config: Self::Config) -> Result<Self>;

    /// `[setup]` After `load`: declares what the plugin wants to be called for.
    fn register(&self, on: &mut Registrar<Self>) {
        let _ = on;
    }

    /// `[setup]` The registrations are live; events may already be arriving.
    ///
    /// # Errors
    ///
    /// As [`load`](Self::load).
    fn enable(&self) -> Result<()> {
        Ok(())
    }

    /// `[setup]` The configuration changed. Answer `true` if it is taken over; with `false`, which is the default, the
    /// host unloads this instance and loads a new one. Consumers registered before stay as they are.
    ///
    /// # Errors
    ///
    /// When the configuration cannot be used; the host ends this instance and loads a new one.
    fn configure(&self, config: Self::Config) -> Result<bool> {
        drop(config);
        Ok(false)
    }

    /// `[setup]` No handler runs any more and none will: the plugin is being disabled, replaced, or the host stops.
    fn disable(&self) {}

    /// `[setup]` The last call before the plugin is dropped; the [`Context`] still works.
    fn unload(&self) {}
}
