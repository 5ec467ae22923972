//! The plugin: what the host loads, and what it calls it for.

use std::{
    sync::{Arc, Mutex, PoisonError},
    thread::{self, JoinHandle},
    time::Duration,
};

use streamspace_plugin::{prelude::*, streams::Overflow};

use crate::{
    config::{Config, MasterKey, Way},
    desk::Desk,
    master::KEY_BYTES,
    mount, routes, studio, ui,
};

/// The key of the storage that has the master key, where the operator gives none.
const KEY: &str = "master-key";

/// Records sessions.
pub(crate) struct SessionRecorder {
    desk: Arc<Desk>,
    /// Looks after what was left by an earlier process.
    first_watch: Mutex<Option<JoinHandle<()>>>,
}

impl SessionRecorder {
    pub(crate) fn desk(&self) -> &Desk {
        &self.desk
    }

    fn follow(&self, event: &Event<'_>) -> Result<()> {
        self.desk.follow(event)
    }

    fn clean_up(&self, run: &Run<'_>) -> Result<()> {
        if !self.desk.config.retention.auto_purge && !run.is_by_hand() {
            return Ok(());
        }
        let cleaned = self.desk.clean_up("retention")?;
        info!(self.desk.context.logger(), "Expired recordings were deleted."; "count" => cleaned.deleted, "bytes" => cleaned.freed_bytes);
        Ok(())
    }

    fn sweep(&self, _: &Run<'_>) -> Result<()> {
        let swept = self.desk.sweep()?;
        if swept.removed + swept.put_aside + swept.without_files + swept.brought_back > 0 {
            warn!(
                self.desk.context.logger(), "Files and recordings did not belong together.";
                "removed" => swept.removed, "put_aside" => swept.put_aside, "without_files" => swept.without_files,
                "brought_back" => swept.brought_back
            );
        }
        if swept.not_mounted > 0 {
            warn!(self.desk.context.logger(), "Recordings were not looked for, since their folder is not mounted."; "count" => swept.not_mounted);
        }
        Ok(())
    }

    fn keep_watch(&self, _: &Run<'_>) -> Result<()> {
        self.desk.keep_watch_once()?;
        self.desk.wake_exports();
        self.desk.expire_exports()?;
        Ok(())
    }
}

impl Plugin for SessionRecorder {
    type Config = Config;

    const NEEDS: &'static [&'static str] = &[
        streamspace_plugin::database::ID,
        streamspace_plugin::platform::ID,
        streamspace_plugin::storage::ID,
    ];

    fn load(context: &Context, config: Config) -> Result<Self> {
        studio::check(&config)?;
        let folder = config.folder();
        mount::prepare(context, &folder)?;
        let key = match config.master_key()? {
            // Before the operator gave one, recordings were sealed with this.
            Some(key) => key.after(kept_key(context)?),
            None => own_key(context)?,
        };
        let key = key.after(config.previous_master_keys()?);
        if config.default_format == crate::config::Format::Mp4 {
            info!(context.logger(), "Recordings are exported as WebM: mp4 is not made.");
        }
        Ok(Self { desk: Desk::new(context.clone(), config, key), first_watch: Mutex::default() })
    }

    fn register(&self, on: &mut Registrar<Self>) {
        on.consumer("sessions")
            .topics([
                "session.started",
                "session.woken",
                "session.updated",
                "session.stopped",
                "session.hibernated",
                "session.terminated",
                "session.deleted",
                "session.shared",
                "session.unshared",
            ])
            .durable()
            .max_deliver(4)
            .handle(Self::follow);
        on.job_of_manifest("cleanup-expired-recordings", Self::clean_up)
            .deadline(Duration::from_secs(1800))
            .run_missed_once();
        on.job_of_manifest("sweep-orphans", Self::sweep).deadline(Duration::from_secs(1800));
        on.job_of_manifest("keep-watch", Self::keep_watch).deadline(Duration::from_secs(300));
        if self.desk.config.capture != Way::Viewer {
            on.tap(studio::TAP, |plugin: &Self, stream| plugin.desk.studio.offered(stream))
                .overflow(Overflow::GAP)
                .ring_bytes(self.desk.config.ring_bytes)
                .describe("Records what goes to viewers of sessions that are to be recorded");
        }
        routes::register(on);
        ui::register(on);
    }

    fn enable(&self) -> Result<()> {
        let desk = Arc::clone(&self.desk);
        // What an earlier process has left may be large, and the host waits for this function.
        let watch = thread::Builder::new().name("recorder-watch".into()).spawn(move || {
            if let Err(why) = desk.begin_watching() {
                warn!(desk.context.logger(), "What an earlier process has left cannot be looked after."; "reason" => %why);
            }
        });
        let watch = watch.map_err(|why| Error::new(format!("a thread cannot be started: {why}")))?;
        *self.first_watch.lock().unwrap_or_else(PoisonError::into_inner) = Some(watch);
        Ok(())
    }

    fn disable(&self) {
        self.desk.close();
        let watch = self.first_watch.lock().unwrap_or_else(PoisonError::into_inner).take();
        // It looks at `is_closed` between two sessions: what takes longer is left to end by itself.
        if let Some(watch) = watch.filter(JoinHandle::is_finished) {
            let _ = watch.join();
        }
    }
}

/// The key that this plugin has made for itself; made now, if there is none. It is in the host's database, and not beside what it seals.
fn own_key(context: &Context) -> Result<MasterKey> {
    let storage = context.storage();
    let mut bytes = [0; KEY_BYTES];
    studio::random(&mut bytes)?;
    storage.insert(KEY, &MasterKey::new(bytes).digits())?;
    kept_key(context)?
        .ok_or_else(|| Error::permanent("what is stored as `master-key` is none: give `masterKey`"))
}

/// The key that this plugin has once made for itself, if it has.
fn kept_key(context: &Context) -> Result<Option<MasterKey>> {
    let digits: Option<String> = context.storage().get(KEY)?;
    Ok(digits.as_deref().and_then(MasterKey::of))
}

streamspace_plugin::export!(SessionRecorder);
