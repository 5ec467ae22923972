//! An event is borrowed from the host for the call: what is to be kept of it is copied.

use std::{
    sync::{Mutex, PoisonError},
    thread,
};

use streamspace_plugin::prelude::*;

struct Collector {
    topics: Mutex<Vec<&'static str>>,
}

impl Plugin for Collector {
    type Config = ();

    fn load(_: &Context, (): ()) -> Result<Self> {
        Ok(Self { topics: Mutex::default() })
    }

    fn register(&self, on: &mut Registrar<Self>) {
        on.consumer("keep").topics(["user.*"]).handle(Self::keep);
        on.consumer("send").topics(["user.*"]).handle(Self::send);
    }
}

impl Collector {
    fn keep(&self, event: &Event<'_>) {
        self.topics.lock().unwrap_or_else(PoisonError::into_inner).push(event.topic());
    }

    fn send(&self, event: &Event<'_>) {
        let event = *event;
        thread::spawn(move || event.attempt());
    }
}

streamspace_plugin::export!(Collector);

fn main() {}
