//! `config/1`, a half on either side.

use abi_stable::{StableAbi, std_types::RString};

use crate::abi::{Handle, Outcome};

/// The capability's id, on both sides.
pub const ID: &str = "config/1";

/// `config/1`, the host's half.
#[repr(C)]
#[derive(StableAbi, Debug)]
#[sabi(kind(Prefix(prefix_ref = ConfigSourceRef)))]
#[sabi(missing_field(option))]
pub struct ConfigSource {
    /// `[any]` The configuration as a JSON object: defaults applied, valid against the manifest's `configSchema`,
    /// secrets in clear.
    #[sabi(last_prefix_field)]
    pub current: extern "C" fn(Handle) -> Outcome<RString>,
}

/// `config/1`, the plugin's half.
#[repr(C)]
#[derive(StableAbi, Debug)]
#[sabi(kind(Prefix(prefix_ref = ConfigSinkRef)))]
#[sabi(missing_field(option))]
pub struct ConfigSink {
    /// `[setup]` The configuration changed; no handler runs. `true`: taken over. `false`: the host is to unload this
    /// instance and to load a new one.
    #[sabi(last_prefix_field)]
    pub changed: extern "C" fn(Handle) -> Outcome<bool>,
}
