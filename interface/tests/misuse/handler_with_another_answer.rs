//! Handlers whose answer does not say what is to become of the event.

use streamspace_plugin::prelude::*;

struct Audit;

struct Refused;

impl Plugin for Audit {
    type Config = ();

    fn load(_: &Context, (): ()) -> Result<Self> {
        Ok(Self)
    }

    fn register(&self, on: &mut Registrar<Self>) {
        on.consumer("number").topics(["user.*"]).handle(Self::answers_a_number);
        on.consumer("error").topics(["user.*"]).handle(Self::fails_with_its_own_error);
        on.consumer("future").topics(["user.*"]).handle(Self::answers_later);
    }
}

impl Audit {
    fn answers_a_number(&self, _event: &Event<'_>) -> Result<u32> {
        Ok(0)
    }

    fn fails_with_its_own_error(&self, _event: &Event<'_>) -> Result<(), Refused> {
        Err(Refused)
    }

    async fn answers_later(&self, _event: &Event<'_>) -> Result<()> {
        Ok(())
    }
}

streamspace_plugin::export!(Audit);

fn main() {}
