//! Events: `events/1`. A plugin consumes events through the consumers that it registers, and emits its own.

mod consumer;
mod emit;
mod event;
mod handled;
pub mod payload;
mod session;
mod table;

pub(crate) use self::consumer::Consumer;
pub use self::{
    consumer::ConsumerBuilder,
    emit::{EmitError, Events},
    event::{DecodeError, Event},
    handled::{Handled, IntoHandled},
    table::{
        Batch, ConsumerSpec, Consumers, ConsumersRef, EmissionView, Emitter, EmitterRef, EventView, ID,
        Progress, Refusal, Verdict,
    },
};
