//! Handlers of routes whose answer is none, or that take another request.

use streamspace_plugin::{prelude::*, routes::Request};

struct Shop;

impl Plugin for Shop {
    type Config = ();

    fn load(_: &Context, (): ()) -> Result<Self> {
        Ok(Self)
    }

    fn register(&self, on: &mut Registrar<Self>) {
        on.get("/count", Self::answers_a_number);
        on.get("/later", Self::answers_later);
        on.post("/things", Self::takes_an_event);
    }
}

impl Shop {
    fn answers_a_number(&self, _request: &Request<'_>) -> Result<u32> {
        Ok(0)
    }

    async fn answers_later(&self, _request: &Request<'_>) -> Result<()> {
        Ok(())
    }

    fn takes_an_event(&self, _event: &Event<'_>) {}
}

streamspace_plugin::export!(Shop);

fn main() {}
