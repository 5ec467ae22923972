//! What the interface adds to a call of a handler: the same handler through the plugin's table, as a trait object, and
//! behind a bare symbol of the same library.

#![expect(unsafe_code, reason = "the bare symbol is looked up without the interface")]

mod support {
    pub(crate) mod payload;
    pub(crate) mod plugin;
    pub(crate) mod touch;
}

use std::{hint::black_box, sync::atomic::AtomicBool};

use bytes::Bytes;
use divan::{Bencher, counter::ItemsCount};
use streamspace_host::{events::Event, loader::Library};
use streamspace_plugin::{
    abi::{ROption, RSlice},
    events::{Batch, EventView},
};
use uuid::Uuid;

use self::support::{
    payload::payload,
    plugin,
    touch::{Handler, Touch},
};

const BATCHES: [usize; 2] = [1, 256];

fn main() {
    divan::main();
}

/// Distinct events that share one payload.
fn events(number: usize) -> Vec<Event> {
    let data = payload();
    (0..number)
        .map(|_| Event {
            id: Uuid::now_v7(),
            time_us: 0,
            topic: "bench.touch".into(),
            source: "/streamspace/bench".into(),
            subject: "".into(),
            data: Bytes::clone(&data),
            attributes: Bytes::new(),
        })
        .collect()
}

fn views(events: &[Event]) -> Vec<EventView<'_>> {
    events.iter().map(|event| event.view(1)).collect()
}

/// One call of `deliver` per batch: table, panic barrier, SDK, handler.
#[divan::bench(args = BATCHES)]
fn interface(bencher: Bencher<'_, '_>, batch: usize) {
    let plugin = plugin::start(&Library::open(plugin::library()).expect("a plugin"));
    let deliver = black_box(plugin.table.deliver());
    let events = events(batch);
    let views = views(&events);
    let stop = AtomicBool::new(false);
    bencher.counter(ItemsCount::new(batch)).bench_local(|| {
        let progress =
            deliver(plugin.handle, 0, Batch { events: RSlice::from_slice(black_box(&views)), stop: &stop });
        assert!(progress.acknowledged == batch as u64 && matches!(progress.stopped_at, ROption::RNone));
    });
}

/// One virtual call per event, within the program.
#[divan::bench(args = BATCHES)]
fn peer_dyn(bencher: Bencher<'_, '_>, batch: usize) {
    let handler: Box<dyn Handler> = black_box(Box::new(Touch::default()));
    let events = events(batch);
    let views = views(&events);
    bencher.counter(ItemsCount::new(batch)).bench_local(|| {
        for view in black_box(&views) {
            handler.handle(view.data.as_slice());
        }
    });
}

/// One call per event through a function pointer into the same library, with nothing around it.
#[divan::bench(args = BATCHES)]
fn peer_extern_c(bencher: Bencher<'_, '_>, batch: usize) {
    type Bare = extern "C" fn(RSlice<'_, u8>);
    // SAFETY: the library is loaded and initialized already, by `plugin::start`, or has no initializers of its own.
    let library = unsafe { libloading::Library::new(plugin::library()) }.expect("a library");
    // SAFETY: `fixture-touch` defines the symbol with this signature.
    let touch = black_box(*unsafe { library.get::<Bare>(b"fixture_touch_bare") }.expect("the symbol"));
    let events = events(batch);
    let views = views(&events);
    bencher.counter(ItemsCount::new(batch)).bench_local(|| {
        for view in black_box(&views) {
            touch(view.data);
        }
    });
    // A plugin's library is never unloaded.
    std::mem::forget(library);
}
