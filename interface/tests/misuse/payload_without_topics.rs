//! `handle_payload` needs a type that says which topics carry it.

use streamspace_plugin::prelude::*;

struct Audit;

#[derive(serde::Deserialize)]
struct Login {
    user: String,
}

impl Plugin for Audit {
    type Config = ();

    fn load(_: &Context, (): ()) -> Result<Self> {
        Ok(Self)
    }

    fn register(&self, on: &mut Registrar<Self>) {
        on.consumer("audit").topics(["login"]).handle_payload(Self::audit);
    }
}

impl Audit {
    fn audit(&self, _event: &Event<'_>, login: Login) {
        drop(login.user);
    }
}

streamspace_plugin::export!(Audit);

fn main() {}
