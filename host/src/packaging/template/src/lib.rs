//! Greets whoever starts a session.
#![forbid(unsafe_code)]

use streamspace_plugin::prelude::*;

#[derive(serde::Deserialize)]
#[serde(rename_all = "camelCase")]
struct Config {
    greeting: String,
}

struct Greeter {
    config: Config,
    context: Context,
}

impl Plugin for Greeter {
    type Config = Config;

    fn load(context: &Context, config: Config) -> Result<Self> {
        Ok(Self { config, context: context.clone() })
    }

    fn register(&self, on: &mut Registrar<Self>) {
        on.consumer("greet").topics(["session.created"]).durable().max_deliver(3).handle_payload(Self::greet);
    }
}

impl Greeter {
    fn greet(&self, event: &Event<'_>, session: payload::Session) -> Result<()> {
        let words = words(&self.config.greeting, &session.user)?;
        info!(self.context.logger(), "{words}"; "attempt" => event.attempt());
        self.context.events().emit("greeted", Some(&session.id), &words)?;
        Ok(())
    }
}

fn words(greeting: &str, user: &str) -> Result<String> {
    if user.is_empty() {
        return Err(Error::permanent("the session has no user"));
    }
    Ok(format!("{greeting}, {user}."))
}

streamspace_plugin::export!(Greeter);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_user_is_greeted_by_name() {
        assert_eq!(words("Welcome", "ada").expect("a greeting"), "Welcome, ada.");
        assert!(words("Welcome", "").expect_err("nobody").is_permanent());
    }
}
