//! How far something is, on a terminal.

use std::{
    io::IsTerminal,
    sync::{Mutex, PoisonError},
    time::Duration,
};

use indicatif::{ProgressBar, ProgressStyle};

use crate::progress::Progress;

/// A bar on the standard error; nothing if that is no terminal.
#[derive(Debug, Default)]
pub(super) struct Bars {
    bar: Mutex<Option<ProgressBar>>,
}

impl Bars {
    fn with(&self, act: impl FnOnce(&mut Option<ProgressBar>)) {
        act(&mut self.bar.lock().unwrap_or_else(PoisonError::into_inner));
    }
}

impl Progress for Bars {
    fn begin(&self, what: &str, bytes: u64) {
        if !std::io::stderr().is_terminal() {
            return;
        }
        let style = "{msg} {wide_bar} {bytes}/{total_bytes} {bytes_per_sec}";
        let bar = ProgressBar::new(bytes).with_message(what.to_owned());
        if let Ok(style) = ProgressStyle::with_template(style) {
            bar.set_style(style);
        }
        bar.enable_steady_tick(Duration::from_millis(200));
        self.with(|shown| *shown = Some(bar));
    }

    fn at(&self, bytes: u64) {
        self.with(|bar| {
            if let Some(bar) = bar {
                bar.set_position(bytes);
            }
        });
    }

    fn end(&self) {
        self.with(|bar| {
            if let Some(bar) = bar.take() {
                bar.finish_and_clear();
            }
        });
    }
}
