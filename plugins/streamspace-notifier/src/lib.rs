//! What the plugins that notify people share.
//!
//! An event's way: [`message`] says it in plain text, with the operator's words ([`wording`]); [`routing`] decides whether the
//! destination wants it; the destination whether it may go now, has to wait, or becomes a line of a digest ([`pace`],
//! [`quiet`], [`digest`]); the [`Provider`] renders and sends it; the [`ledger`] knows what became of it. Queues, tries and
//! dead letters are the host's: each destination has a durable consumer of its own.
//!
//! A plugin is a type that implements [`Provider`], and `streamspace_plugin::export!(Notifier<ThatType>)`.
#![forbid(unsafe_code)]

mod console;
mod destination;
pub mod digest;
mod figures;
mod generic;
pub mod http;
mod keys;
pub mod ledger;
pub mod message;
pub mod notification;
mod notifier;
pub mod pace;
mod plugins;
pub mod problem;
pub mod provider;
pub mod quiet;
mod routes;
pub mod routing;
pub mod settings;
#[cfg(any(test, feature = "testing"))]
pub mod testing;
pub mod text;
pub mod topics;
pub mod wording;

pub use self::{
    notification::{Claim, Color, Field, Kind, Link, Notification, Phase, Problem, Severity},
    notifier::Notifier,
    pace::Limit,
    provider::{Delivery, Outcome, Provider, Verdict},
    settings::{Common, DEFAULT, Entry, Secret, Settings, switched},
};
