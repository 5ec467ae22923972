//! Handlers that do not take what a consumer gives.

use streamspace_plugin::prelude::*;

struct Audit;

impl Plugin for Audit {
    type Config = ();

    fn load(_: &Context, (): ()) -> Result<Self> {
        Ok(Self)
    }

    fn register(&self, on: &mut Registrar<Self>) {
        on.consumer("owned").topics(["user.*"]).handle(Self::takes_the_event_owned);
        on.consumer("mutable").topics(["user.*"]).handle(Self::takes_the_plugin_mutably);
        on.consumer("alone").topics(["user.*"]).handle(Self::takes_no_event);
    }
}

impl Audit {
    fn takes_the_event_owned(&self, _event: Event<'_>) -> Result<()> {
        Ok(())
    }

    fn takes_the_plugin_mutably(&mut self, _event: &Event<'_>) -> Result<()> {
        Ok(())
    }

    fn takes_no_event(&self) -> Result<()> {
        Ok(())
    }
}

streamspace_plugin::export!(Audit);

fn main() {}
