//! What a plugin's root says about itself.

use std::borrow::Cow;

use serde::{Deserialize, Serialize};

use crate::{abi, config, events, http, lifecycle, log};

/// Who a plugin is and what it was built with: the JSON in [`abi::Root::facts`].
#[derive(Debug, Clone, Serialize, Deserialize, PartialEq, Eq)]
pub struct Facts {
    /// The crate's name, which is the plugin's.
    pub name: Cow<'static, str>,
    /// The crate's version, semver.
    pub version: Cow<'static, str>,
    /// The version of this SDK.
    pub sdk: Cow<'static, str>,
    /// [`abi::ABI_MAJOR`].
    pub abi: u32,
    /// What `rustc --version` printed.
    pub rustc: Cow<'static, str>,
    /// The panic strategy: `unwind`.
    pub panic: Cow<'static, str>,
    /// The target triple.
    pub target: Cow<'static, str>,
    /// Capabilities of the host that it does not load without.
    pub needs: Vec<Cow<'static, str>>,
    /// Capabilities of the host that it uses if they are there.
    pub uses: Vec<Cow<'static, str>>,
    /// Capabilities that it offers to the host.
    pub offers: Vec<Cow<'static, str>>,
}

impl Facts {
    /// The facts of a plugin built with this SDK.
    #[must_use]
    pub fn of(name: &'static str, version: &'static str) -> Self {
        Self {
            name: name.into(),
            version: version.into(),
            sdk: env!("STREAMSPACE_SDK_VERSION").into(),
            abi: abi::ABI_MAJOR,
            rustc: env!("STREAMSPACE_RUSTC").into(),
            panic: if cfg!(panic = "unwind") { "unwind" } else { "abort" }.into(),
            target: env!("STREAMSPACE_TARGET").into(),
            needs: vec![log::ID.into(), config::ID.into()],
            uses: vec![events::ID.into(), http::ID.into()],
            offers: vec![lifecycle::ID.into(), config::ID.into(), events::ID.into()],
        }
    }
}
