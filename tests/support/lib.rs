//! What the suites stand on: the release builds, a host in a directory of its own, and a provider to send to.
//!
//! A suite knows the host only as an operator does: by its command line, its HTTP interface, its log and its files.
//! Every wait has a deadline and a name, so that a test that fails says what did not come about.
#![forbid(unsafe_code)]
#![expect(clippy::unwrap_used, reason = "a test that cannot go on panics")]

mod api;
mod backend;
mod browser;
mod builds;
mod cargo;
mod catalogue;
mod desktop;
mod events;
mod folder;
mod generations;
mod host;
mod installation;
mod log;
mod mail;
mod note;
mod novnc;
mod package;
mod painted;
mod postgres;
mod process;
mod provider;
mod screen;
mod wait;
mod watch;
mod web_folder;
mod xvnc;
mod zlib;

pub use self::{
    api::{Answer, Api},
    backend::Backend,
    browser::{Browser, password_of},
    builds::{Builds, assemble, builds, workspace},
    cargo::Cargo,
    catalogue::{Hosted, ICON, Listed, new_key},
    desktop::{Desktop, Viewer, read_exactly},
    events::{Emitter, cloud_event},
    folder::{Folder, replace},
    generations::{NextGeneration, fixture_host, library_in, next_generation, run_fixture_host},
    host::{Host, Stopped},
    installation::{Installation, Output},
    log::{Log, LogLine},
    mail::{Mail, MailOptions, MailServer, Protection},
    note::{change_note, note_in},
    novnc::NoVnc,
    package::{Packing, Vendor},
    painted::PaintedDesktop,
    postgres::{PostgresDatabase, PostgresServer},
    process::Process,
    provider::{Alert, Provider, Reply, Request},
    screen::Screen,
    wait::{DEADLINE, wait_for},
    watch::{Change, Watch},
    web_folder::{Asked, Fault, WebFolder},
    xvnc::{Picture, Xvnc},
    zlib::zlib_stored,
};
