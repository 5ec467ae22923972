//! Write a plugin for the StreamSpace host.
//!
//! A plugin is a dynamic library that the host loads as it was built: no source, no rebuild for a new host. It is
//! plain synchronous Rust; any blocking crate works in it.
//!
//! ```
//! use streamspace_plugin::prelude::*;
//!
//! #[derive(serde::Deserialize)]
//! #[serde(rename_all = "camelCase")]
//! struct Config {
//!     greeting: String,
//! }
//!
//! struct Greeter {
//!     config: Config,
//!     context: Context,
//! }
//!
//! impl Plugin for Greeter {
//!     type Config = Config; // valid against the manifest's configSchema already, defaults applied
//!
//!     fn load(context: &Context, config: Config) -> Result<Self> {
//!         Ok(Self { config, context: context.clone() })
//!     }
//!
//!     fn register(&self, on: &mut Registrar<Self>) {
//!         on.consumer("greet").topics(["session.created"]).durable().handle(Self::greet);
//!     }
//! }
//!
//! impl Greeter {
//!     fn greet(&self, event: &Event<'_>) -> Result<()> {
//!         let session: payload::Session = event.decode()?;
//!         info!(self.context.logger(), "{}", self.config.greeting; "user" => session.user);
//!         Ok(())
//!     }
//! }
//!
//! streamspace_plugin::export!(Greeter);
//! ```
//!
//! # Thread classes
//!
//! Every function says on which threads it runs or may be called:
//!
//! | class | what it is | may block |
//! |---|---|---|
//! | `[setup]` | [`Plugin::load`], [`enable`](Plugin::enable), [`configure`](Plugin::configure), [`disable`](Plugin::disable), [`unload`](Plugin::unload) and the drop of the plugin: one at a time, exclusive | yes, up to the host's deadline |
//! | `[worker]` | handlers of consumers: one call at a time per consumer, several consumers at once; successive calls may come from different threads | yes, up to the consumer's deadline |
//! | | handlers of jobs: one call at a time per job unless it may overlap, several jobs at once, each run on a thread of its own | yes, up to the job's deadline |
//! | `[request]` | handlers of [routes]: several calls at once, also of one handler | yes, up to the route's timeout |
//! | `[socket]` | handlers of [WebSockets](websocket): a thread of its own for each socket, for as long as it is open | yes, until the socket is closed, and then up to the host's deadline |
//! | `[inline]` | handlers of routes that promise not to block; a call of the host that could answers `WOULD_BLOCK` | no |
//! | `[stream]` | what [taps](streams) are called for: one call at a time per tap, all of one tap on one thread | yes, and what passes meanwhile waits, is lost, or holds the stream up, as the tap asked |
//! | `[any]` | callable from every thread, the plugin's own included; never blocks | – |
//!
//! Nothing of a plugin but `[inline]` runs on a thread of the host's network loop, and no future, runtime handle or logger type
//! crosses the interface: what the plugin uses inside is its own affair.

#![warn(missing_docs)]

pub mod abi;
pub mod config;
mod context;
pub mod database;
mod decode;
mod error;
pub mod events;
mod facts;
pub mod http;
pub mod lifecycle;
pub mod log;
pub mod manifest;
pub mod platform;
mod registrar;
pub mod routes;
pub mod scheduler;
pub mod storage;
pub mod streams;
pub mod ui;
pub mod websocket;

pub use self::{
    context::Context,
    error::{Error, Result},
    events::Event,
    facts::{CapabilityFacts, Facts, SDK_VERSION},
    lifecycle::Plugin,
    registrar::Registrar,
};

/// The logger that [`Context::logger`] answers with.
pub use slog::Logger;

/// Everything a plugin's source usually needs: `use streamspace_plugin::prelude::*;`.
pub mod prelude {
    pub use slog::{crit, debug, error, info, trace, warn};

    pub use crate::{
        Context, Error, Event, Logger, Plugin, Registrar, Result,
        database::DatabaseError,
        events::{Handled, payload},
        http::{HttpError, Request, Response},
        params,
        platform::PlatformError,
        scheduler::Run,
        storage::StorageError,
    };
}

/// Exports the type given, a [`Plugin`], from the library. Once per crate, whose `crate-type` is `["cdylib"]`:
/// a second time does not compile.
///
/// The plugin's name and version are the crate's. The crate must be built with `panic = "unwind"`, which is the
/// default: with `abort`, a panic of the plugin would end the host.
///
/// ```
/// # use streamspace_plugin::prelude::*;
/// struct Idle;
///
/// impl Plugin for Idle {
///     type Config = ();
///     fn load(_: &Context, _: ()) -> Result<Self> { Ok(Self) }
/// }
///
/// streamspace_plugin::export!(Idle);
/// ```
#[macro_export]
macro_rules! export {
    ($plugin:ty) => {
        // Whatever module it stands in, an exported macro is an item of the crate's root: a second `export!` is an
        // error already for `cargo check`, and this name tells why. The symbol below would be one only at code
        // generation.
        #[doc(hidden)]
        #[macro_export]
        #[allow(non_local_definitions, reason = "from within a function too, the crate's root is meant")]
        macro_rules! a_library_exports_one_plugin {
            () => {};
        }

        const _: () = {
            #[cfg(panic = "abort")]
            compile_error!(
                "a plugin must be built with panic = \"unwind\": with \"abort\" its panics would end the host"
            );

            struct Exported;

            impl $crate::abi::Export for Exported {
                type Plugin = $plugin;
                const NAME: &'static str = env!("CARGO_PKG_NAME");
                const VERSION: &'static str = env!("CARGO_PKG_VERSION");
                const PANIC: &'static str = if cfg!(panic = "unwind") { "unwind" } else { "abort" };
                const CPU_FEATURES: &'static [(&'static str, bool)] = $crate::cpu_features!();
                fn facts() -> &'static str {
                    NOTE.facts()
                }
            }

            #[used]
            #[cfg_attr(target_vendor = "apple", unsafe(link_section = "__TEXT,__streamspace"))]
            #[cfg_attr(windows, unsafe(link_section = ".sspnote"))]
            #[cfg_attr(
                not(any(target_vendor = "apple", windows)),
                unsafe(link_section = ".note.streamspace")
            )]
            static NOTE: $crate::abi::Note<{ $crate::abi::note_size::<Exported>() }> =
                $crate::abi::Note::new::<Exported>();

            #[unsafe(no_mangle)]
            #[expect(non_upper_case_globals, reason = "the name is part of the binary interface")]
            pub static _1as_0lib_1header_0root_bmodule_bloader: $crate::abi::Header =
                $crate::abi::header::<Exported>();
        };
    };
}

/// The features of processors that a host can tell, and whether the crate that asks was compiled to use them.
#[doc(hidden)]
#[macro_export]
macro_rules! cpu_features {
    () => {
        $crate::cpu_features! {
            // What the levels x86-64-v2, -v3 and -v4 add, and what is often switched on besides.
            "sse3" "ssse3" "sse4.1" "sse4.2" "popcnt" "cmpxchg16b" "avx" "avx2" "bmi1" "bmi2" "f16c" "fma"
            "lzcnt" "movbe" "avx512f" "avx512bw" "avx512cd" "avx512dq" "avx512vl" "avx512vnni" "aes" "sha"
            "pclmulqdq" "vaes" "vpclmulqdq" "gfni" "adx" "rdrand" "rdseed"
            // What `target-cpu=native` switches on where the vendors' processors differ.
            "avx512ifma" "avx512vbmi" "avx512vbmi2" "avx512bitalg" "avx512vpopcntdq" "avx512bf16" "avx512fp16"
            "avx512vp2intersect" "avxvnni" "sse4a" "tbm"
            // AArch64.
            "lse" "rdm" "rcpc" "dotprod" "fp16" "sha2" "sha3" "sve" "sve2" "crc" "bf16" "i8mm"
        }
    };
    ($($feature:literal)+) => {
        &[$(($feature, cfg!(target_feature = $feature))),+]
    };
}
