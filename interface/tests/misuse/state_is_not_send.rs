//! The plugin's state is used by several threads at once, and `RefCell` and `Rc` are for one.

use std::{cell::RefCell, rc::Rc};

use streamspace_plugin::prelude::*;

struct Counter {
    seen: RefCell<u64>,
    names: Rc<str>,
}

impl Plugin for Counter {
    type Config = ();

    fn load(_: &Context, (): ()) -> Result<Self> {
        Ok(Self { seen: RefCell::new(0), names: Rc::from("") })
    }
}

streamspace_plugin::export!(Counter);

fn main() {}
