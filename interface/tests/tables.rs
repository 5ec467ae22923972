//! A table is bound by whoever knows a revision of it, older or newer.

#![expect(dead_code, reason = "not every function of every generation is called")]
#![expect(
    unsafe_code,
    reason = "the derive's accessor of an appended function has an unsafe block with the span of the field"
)]

use abi_stable::StableAbi;
use streamspace_plugin::abi::{Bound, Capability, Handle, IntoTable};

extern "C" fn number(handle: Handle) -> u64 {
    handle.0
}

/// A generation of one table.
macro_rules! generation {
    ($name:ident { $($(#[$prefix:meta])? $function:ident,)+ }) => {
        mod $name {
            use super::*;

            #[repr(C)]
            #[derive(StableAbi)]
            #[sabi(kind(Prefix(prefix_ref = CounterRef)))]
            #[sabi(missing_field(option))]
            pub(super) struct Counter {
                $($(#[$prefix])? pub(super) $function: extern "C" fn(Handle) -> u64,)+
            }

            pub(super) fn offered() -> Capability {
                Capability::new(Counter { $($function: number),+ }.leak_into_prefix(), Handle(7))
            }
        }
    };
}

generation! { first { #[sabi(last_prefix_field)] count, } }
generation! { second { #[sabi(last_prefix_field)] count, reset, } }
generation! { third { #[sabi(last_prefix_field)] count, reset, forget, } }
generation! { rival { #[sabi(last_prefix_field)] count, discard, } }
generation! { stranger { #[sabi(last_prefix_field)] total, } }

#[test]
fn a_table_is_bound_by_older_and_newer_sides() {
    let older: Bound<second::CounterRef> = first::offered().bind().expect("an older one");
    assert_eq!((older.table.count()(older.handle), older.table.reset().is_some()), (7, false));
    let newer: Bound<second::CounterRef> = third::offered().bind().expect("a newer one");
    assert_eq!(newer.table.reset().map(|reset| reset(newer.handle)), Some(7));
}

#[test]
fn a_table_that_is_no_revision_is_refused_by_its_name() {
    let mismatch = stranger::offered().bind::<first::CounterRef>().expect_err("another function");
    assert!(mismatch.to_string().contains("`Counter`"), "{mismatch}");
    assert!(mismatch.detail().contains("total"), "{}", mismatch.detail());
}

#[test]
fn one_plugins_table_says_nothing_about_anothers() {
    second::offered().bind::<first::CounterRef>().expect("appended to");
    rival::offered().bind::<first::CounterRef>().expect("appended to in another way");
    third::offered().bind::<first::CounterRef>().expect("appended to twice");
    rival::offered().bind::<second::CounterRef>().expect_err("not a revision of one another");
}
