//! What the taps of a plugin asked for.

use std::{collections::HashSet, time::Duration};

use streamspace_plugin::streams::{Overflow, TapSpec};

/// Most taps of one plugin: each has a thread.
const MOST_TAPS: usize = 16;
/// What may be asked for of each stream, in bytes, and what is given where nothing is asked for.
const RING_BYTES: (u64, u64) = (64 * 1024, 256 * 1024 * 1024);
const DEFAULT_RING_BYTES: u64 = 8 * 1024 * 1024;
/// The permission without which nothing is tapped.
pub(crate) const PERMISSION: &str = "streams:tap";

/// Why a plugin's taps are not taken.
#[derive(Debug, thiserror::Error)]
pub enum TapError {
    /// It is not permitted.
    #[error(
        "the plugin taps the streams of sessions, which it may not: add \"{PERMISSION}\" to the `permissions` of its manifest"
    )]
    NotPermitted,
    /// What it asks for cannot be had.
    #[error("the tap `{tap:.80}` is not usable: {why}")]
    Invalid {
        /// Its name.
        tap: String,
        /// What is expected.
        why: String,
    },
}

impl TapError {
    /// Its stable code.
    #[must_use]
    pub fn code(&self) -> &'static str {
        match self {
            Self::NotPermitted => "SSP-TAP-001",
            Self::Invalid { .. } => "SSP-TAP-002",
        }
    }
}

/// What a tap asked for, made sure of.
#[derive(Debug, Clone)]
pub struct TapOptions {
    /// Its name.
    pub name: String,
    /// What becomes of bytes for which there is no room.
    pub overflow: Overflow,
    /// How many bytes of each stream may wait.
    pub ring_bytes: u64,
    /// What it is for.
    pub description: String,
    /// After what time a call of its handler hangs.
    pub deadline: Duration,
}

impl TapOptions {
    /// Reads what a plugin asks for.
    ///
    /// # Errors
    ///
    /// [`TapError`].
    pub fn read<'p>(
        specs: &[TapSpec],
        mut permissions: impl Iterator<Item = &'p str>,
        deadline: Duration,
    ) -> Result<Vec<Self>, TapError> {
        if specs.is_empty() {
            return Ok(Vec::new());
        }
        if !permissions.any(|permission| permission == PERMISSION) {
            return Err(TapError::NotPermitted);
        }
        let invalid =
            |spec: &TapSpec, why: String| Err(TapError::Invalid { tap: spec.name.to_string(), why });
        let mut names = HashSet::new();
        for spec in specs {
            let is_letter = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
            if !(1..=64).contains(&spec.name.len()) || !spec.name.bytes().all(is_letter) {
                return invalid(
                    spec,
                    "expected a name of lower-case letters, digits and `-`, at most 64".to_owned(),
                );
            }
            if !names.insert(spec.name.as_str()) {
                return invalid(spec, "there are two of this name".to_owned());
            }
            if names.len() > MOST_TAPS {
                return invalid(spec, format!("a plugin may have {MOST_TAPS} taps"));
            }
            let (least, most) = RING_BYTES;
            if spec.ring_bytes != 0 && !(least..=most).contains(&spec.ring_bytes) {
                let asked = spec.ring_bytes;
                return invalid(spec, format!("expected a ring of {least} to {most} bytes, found {asked}"));
            }
        }
        let options = |spec: &TapSpec| Self {
            name: spec.name.to_string(),
            overflow: if spec.overflow == Overflow::BLOCK { Overflow::BLOCK } else { Overflow::GAP },
            ring_bytes: if spec.ring_bytes == 0 { DEFAULT_RING_BYTES } else { spec.ring_bytes },
            description: spec.description.to_string(),
            deadline,
        };
        Ok(specs.iter().map(options).collect())
    }
}
