//! Uses every capability of the interface: an event on `golden.NAME` asks for one thing after the other. What came of it
//! is in the log.
#![forbid(unsafe_code)]

use std::{
    sync::{
        Mutex, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    thread,
    time::Duration,
};

use serde::Deserialize;
use serde_json::{Value, json};
use streamspace_plugin::{http, prelude::*};

#[derive(Deserialize)]
struct Config {
    greeting: String,
    token: Option<String>,
}

struct Every {
    context: Context,
    config: Mutex<Config>,
    deferred: AtomicBool,
}

impl Plugin for Every {
    type Config = Config;
    const NEEDS: &'static [&'static str] = &[http::ID];

    fn load(context: &Context, config: Config) -> Result<Self> {
        info!(context.logger(), "Golden: load."; "name" => context.name(), "greeting" => &config.greeting);
        Ok(Self { context: context.clone(), config: Mutex::new(config), deferred: AtomicBool::new(false) })
    }

    fn register(&self, on: &mut Registrar<Self>) {
        on.consumer("asked")
            .topics(["golden.>"])
            .durable()
            .max_deliver(3)
            .backoff([Duration::from_millis(10)])
            .max_in_flight(1)
            .batch(8)
            .max_pending(1000)
            .deadline(Duration::from_secs(30))
            .handle(Self::asked);
        on.consumer("answered").topics(["plugin.golden-every.*"]).handle(Self::answered);
    }

    fn enable(&self) -> Result<()> {
        info!(self.context.logger(), "Golden: enable.");
        Ok(())
    }

    fn configure(&self, config: Config) -> Result<bool> {
        info!(self.context.logger(), "Golden: configure."; "greeting" => &config.greeting);
        let taken = config.greeting != "start anew";
        *self.config.lock().unwrap_or_else(PoisonError::into_inner) = config;
        Ok(taken)
    }

    fn disable(&self) {
        info!(self.context.logger(), "Golden: disable.");
    }

    fn unload(&self) {
        info!(self.context.logger(), "Golden: unload.");
    }
}

impl Every {
    fn asked(&self, event: &Event<'_>) -> Result<Handled> {
        let logger = self.context.logger();
        let data: Value = event.decode()?;
        match event.topic().trim_start_matches("golden.") {
            "log" => {
                warn!(logger, "Golden: log."; "text" => "a \"text\"", "number" => 7, "float" => 0.5, "flag" => true);
                debug!(logger, "Golden: debug.");
                log::info!(target: "golden", "Golden: through the log crate.");
                let config = self.config.lock().unwrap_or_else(PoisonError::into_inner);
                info!(logger, "Golden: config."; "greeting" => &config.greeting, "token" => config.token.as_deref());
            }
            "emit" => {
                let id = self.context.events().emit("answer", Some("a subject"), &json!({"asked": data}))?;
                info!(logger, "Golden: emitted."; "id" => id.to_string());
            }
            "http" => {
                let request = Request::post(data["url"].as_str().unwrap_or_default())
                    .header("X-Golden", "yes")
                    .json(&json!({"golden": true}))
                    .timeout(Duration::from_secs(5))
                    .max_response_bytes(4096)
                    .follow_redirects(1);
                match self.context.http().send(&request) {
                    Ok(response) => info!(logger, "Golden: http."; "status" => response.status(),
                        "body" => response.text(), "header" => response.header("x-answer").map(ToOwned::to_owned)),
                    Err(why) => info!(logger, "Golden: http failed."; "error" => why.to_string()),
                }
            }
            "retry" if event.attempt() == 1 => return Ok(Handled::retry("once more")),
            // A deferred event comes back as the same try.
            "defer" if !self.deferred.swap(true, Ordering::Relaxed) => {
                return Ok(Handled::defer(Duration::from_millis(10), "a moment"));
            }
            "reject" => return Ok(Handled::reject("never")),
            "panic" => panic!("golden panic"),
            "thread" => {
                let logger = logger.clone();
                let _ = thread::spawn(move || {
                    info!(logger, "Golden: from a thread.");
                    panic!("golden panic of a thread");
                })
                .join();
            }
            what => info!(logger, "Golden: done."; "what" => what, "attempt" => event.attempt()),
        }
        Ok(Handled::Ack)
    }

    fn answered(&self, event: &Event<'_>) {
        info!(self.context.logger(), "Golden: answered."; "id" => event.id().to_string(), "topic" => event.topic(),
            "source" => event.source(), "subject" => event.subject(), "attempt" => event.attempt(),
            "data" => String::from_utf8_lossy(event.data()).into_owned());
    }
}

streamspace_plugin::export!(Every);
