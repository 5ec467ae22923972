//! A plugin as what its taps hand over to.

use std::sync::{Arc, Weak};

use slog::{error, warn};
use streamspace_plugin::{
    abi::{Bound, Fault, FaultKind, RSlice},
    streams::{Chunk, ClosedView, StreamView, TapsRef},
};

use super::{Runtime, failures::Failures};
use crate::{
    log::PluginLog,
    streams::{Tap, Target},
};

/// Calls the plugin, and tells what went wrong.
pub(super) struct Tapper {
    taps: Bound<TapsRef>,
    failures: Arc<Failures>,
    log: Arc<PluginLog>,
    logger: slog::Logger,
    runtime: Weak<Runtime>,
}

impl Tapper {
    pub(super) fn new(
        taps: Bound<TapsRef>,
        failures: &Arc<Failures>,
        log: &Arc<PluginLog>,
        logger: &slog::Logger,
        runtime: &Weak<Runtime>,
    ) -> Self {
        Self {
            taps,
            failures: Arc::clone(failures),
            log: Arc::clone(log),
            logger: logger.clone(),
            runtime: Weak::clone(runtime),
        }
    }
}

impl std::fmt::Debug for Tapper {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Tapper").finish_non_exhaustive()
    }
}

impl Target for Tapper {
    fn open(&self, tap: u32, stream: StreamView<'_>) -> Result<bool, Fault> {
        self.taps.table.open()(self.taps.handle, tap, stream).into_result()
    }

    fn deliver(&self, tap: u32, stream: u64, chunks: &[Chunk<'_>]) -> Result<bool, Fault> {
        self.taps.table.deliver()(self.taps.handle, tap, stream, RSlice::from_slice(chunks)).into_result()
    }

    fn closed(&self, tap: u32, stream: u64, closed: ClosedView<'_>) -> Result<(), Fault> {
        self.taps.table.closed()(self.taps.handle, tap, stream, closed).into_result()
    }

    fn failed(&self, tap: &Tap, session: &str, fault: &Fault) {
        let (name, said) = (&tap.options().name, self.log.redact(&fault.message));
        let panicked = fault.kind == FaultKind::PANICKED;
        self.failures.note(&format!("tap `{name}`: {said}"));
        // A handler that fails at full speed must not push others' records out of the log.
        if self.log.admits() {
            let fields = slog::o!(
                "reason" => said.clone(), "session" => session.to_owned(), "tap" => name.clone(),
                "plugin" => tap.plugin().to_string(),
            );
            if panicked {
                error!(self.logger, "A tap panicked, and gets no more of this stream."; fields);
            } else {
                warn!(self.logger, "A tap failed, and gets no more of this stream."; fields);
            }
        }
        if panicked && let Some(runtime) = self.runtime.upgrade() {
            runtime.note_panic(tap.plugin(), &said);
        }
    }
}
