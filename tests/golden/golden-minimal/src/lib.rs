//! The least that a plugin can be.
#![forbid(unsafe_code)]

use streamspace_plugin::prelude::*;

struct Minimal;

impl Plugin for Minimal {
    type Config = ();

    fn load(_: &Context, (): ()) -> Result<Self> {
        Ok(Self)
    }
}

streamspace_plugin::export!(Minimal);
