//! What a plugin wants to be called for.

use std::fmt;

use crate::{
    Result,
    events::{Consumer, ConsumerBuilder},
    routes::{After, Before, IntoAnswer, Request, Response, Route, RouteBuilder, RouteSet},
    scheduler::{IntoRan, Job, JobBuilder, Run},
    streams::{Stream, Tap, TapBuilder, TapEntry},
    ui::{
        AdminPage, AdminWidget, ContributionBuilder, ContributionKind, ContributionSpec, MenuItem, Page,
        SettingsPage, Widget,
    },
    websocket::{IntoServed, Upgrade, WebSocketBuilder, WebSocketRoute},
};

/// Collects a plugin's registrations in [`Plugin::register`](crate::Plugin::register). They belong to the host: when
/// the plugin goes, all of them go.
pub struct Registrar<P> {
    pub(crate) consumers: Vec<Consumer<P>>,
    pub(crate) jobs: Vec<Job<P>>,
    pub(crate) routes: RouteSet<P>,
    pub(crate) websockets: Vec<WebSocketRoute<P>>,
    pub(crate) contributions: Vec<ContributionSpec>,
    pub(crate) taps: Vec<TapEntry<P>>,
}

impl<P> Registrar<P> {
    pub(crate) fn new() -> Self {
        Self {
            consumers: Vec::new(),
            jobs: Vec::new(),
            routes: RouteSet::default(),
            websockets: Vec::new(),
            contributions: Vec::new(),
            taps: Vec::new(),
        }
    }

    /// Describes a consumer of events. `name` is unique within the plugin and stays the same over its versions: it is
    /// what a durable consumer is recognised by. Lower-case letters, digits and `-`, at most 64.
    pub fn consumer(&mut self, name: &str) -> ConsumerBuilder<'_, P> {
        ConsumerBuilder::new(self, name)
    }

    /// Registers a job that runs by an [expression](crate::scheduler). `name` is unique within the plugin and stays the same
    /// over its versions: it is what its history is kept under. Letters, digits, `-` and `_`, at most 64. What is answered
    /// takes further wishes.
    ///
    /// `handler` runs as `[worker]`, on a thread of its own, one call at a time unless the job may overlap. An error or a
    /// panic is the run's outcome, and nothing else.
    ///
    /// ```
    /// # use std::time::Duration;
    /// # use streamspace_plugin::prelude::*;
    /// # struct Digest;
    /// # impl Plugin for Digest {
    /// #     type Config = ();
    /// #     fn load(_: &Context, _: ()) -> Result<Self> { Ok(Self) }
    /// fn register(&self, on: &mut Registrar<Self>) {
    ///     on.job("flush", "*/5 * * * *", Self::flush);
    ///     on.job("report", "0 9 * * MON-FRI", Self::report)
    ///         .time_zone("Europe/Berlin")
    ///         .run_missed_once()
    ///         .deadline(Duration::from_secs(600));
    /// }
    /// # }
    /// # impl Digest {
    /// fn flush(&self, _run: &Run<'_>) {}
    ///
    /// fn report(&self, run: &Run<'_>) -> Result<()> {
    ///     log::info!("Due at {:?}.", run.scheduled());
    ///     Ok(())
    /// }
    /// # }
    /// ```
    pub fn job<R: IntoRan>(
        &mut self,
        name: &str,
        schedule: &str,
        handler: impl Fn(&P, &Run<'_>) -> R + Send + Sync + 'static,
    ) -> JobBuilder<'_> {
        let job = self.jobs.len();
        self.jobs.push(Job::new(name, schedule, handler));
        JobBuilder::new(&mut self.jobs[job].spec)
    }

    /// As [`job`](Self::job), with the expression that the manifest has for a job of this name (`scheduler.jobs`).
    pub fn job_of_manifest<R: IntoRan>(
        &mut self,
        name: &str,
        handler: impl Fn(&P, &Run<'_>) -> R + Send + Sync + 'static,
    ) -> JobBuilder<'_> {
        self.job(name, "", handler)
    }

    /// Describes a route that answers `GET` at `path` below `/api/plugins/NAME`. `{name}` is one segment of the path, a
    /// final `{*name}` the rest. See [`routes`](crate::routes).
    pub fn get<R: IntoAnswer>(
        &mut self,
        path: &str,
        handler: impl Fn(&P, &Request<'_>) -> R + Send + Sync + 'static,
    ) -> RouteBuilder<'_> {
        self.route("GET", path, handler)
    }

    /// As [`get`](Self::get), for `POST`.
    pub fn post<R: IntoAnswer>(
        &mut self,
        path: &str,
        handler: impl Fn(&P, &Request<'_>) -> R + Send + Sync + 'static,
    ) -> RouteBuilder<'_> {
        self.route("POST", path, handler)
    }

    /// As [`get`](Self::get), for `PUT`.
    pub fn put<R: IntoAnswer>(
        &mut self,
        path: &str,
        handler: impl Fn(&P, &Request<'_>) -> R + Send + Sync + 'static,
    ) -> RouteBuilder<'_> {
        self.route("PUT", path, handler)
    }

    /// As [`get`](Self::get), for `PATCH`.
    pub fn patch<R: IntoAnswer>(
        &mut self,
        path: &str,
        handler: impl Fn(&P, &Request<'_>) -> R + Send + Sync + 'static,
    ) -> RouteBuilder<'_> {
        self.route("PATCH", path, handler)
    }

    /// As [`get`](Self::get), for `DELETE`.
    pub fn delete<R: IntoAnswer>(
        &mut self,
        path: &str,
        handler: impl Fn(&P, &Request<'_>) -> R + Send + Sync + 'static,
    ) -> RouteBuilder<'_> {
        self.route("DELETE", path, handler)
    }

    /// Describes a WebSocket route at `path` below `/api/plugins/NAME`, as [`get`](Self::get), whose path it cannot share. The
    /// handler is `[socket]`: it has a thread of its own for as long as the socket is open. See [`websocket`](crate::websocket).
    pub fn websocket<R: IntoServed>(
        &mut self,
        path: &str,
        handler: impl Fn(&P, &Request<'_>, Upgrade) -> R + Send + Sync + 'static,
    ) -> WebSocketBuilder<'_> {
        self.websockets.push(WebSocketRoute::new(path, handler));
        let last = self.websockets.last_mut().expect("it was just pushed");
        WebSocketBuilder::new(&mut last.spec)
    }

    /// Runs `before` ahead of every route's handler, in the order of registration. What it answers with is the answer,
    /// and neither the handler nor the rest of these run; with `None` the request goes on.
    pub fn before(
        &mut self,
        before: impl Fn(&P, &Request<'_>) -> Result<Option<Response>> + Send + Sync + 'static,
    ) {
        self.routes.before.push(Box::new(before) as Before<P>);
    }

    /// Runs `after` on every answer, problems among them, in the order of registration. Of a stream, before it begins.
    pub fn after(&mut self, after: impl Fn(&P, &Request<'_>, Response) -> Response + Send + Sync + 'static) {
        self.routes.after.push(Box::new(after) as After<P>);
    }

    /// Describes a widget of the home dashboard. `id` is unique among the plugin's widgets: lower-case words joined by `-`,
    /// at most 64 characters. See [`ui`](crate::ui).
    pub fn widget(&mut self, id: &str, title: &str) -> Widget<'_> {
        self.contribution(ContributionKind::WIDGET, id, title)
    }

    /// Describes a widget of the administration's dashboard, as [`widget`](Self::widget).
    pub fn admin_widget(&mut self, id: &str, title: &str) -> AdminWidget<'_> {
        self.contribution(ContributionKind::ADMIN_WIDGET, id, title)
    }

    /// Describes a page for users, as [`widget`](Self::widget).
    pub fn page(&mut self, id: &str, title: &str) -> Page<'_> {
        self.contribution(ContributionKind::PAGE, id, title)
    }

    /// Describes a page of the administration, as [`widget`](Self::widget).
    pub fn admin_page(&mut self, id: &str, title: &str) -> AdminPage<'_> {
        self.contribution(ContributionKind::ADMIN_PAGE, id, title)
    }

    /// Describes an entry of the main navigation, as [`widget`](Self::widget). It leads to `path`: one of the console's,
    /// which begins with `/`, or an `https` address.
    pub fn menu_item(&mut self, id: &str, label: &str, path: &str) -> MenuItem<'_> {
        let item = self.contribution(ContributionKind::MENU_ITEM, id, label);
        item.leads_to(path)
    }

    /// Describes the page where operators set the plugin up, once. Without a view or a component it is the form that the
    /// manifest's `configSchema` makes.
    pub fn settings_page(&mut self, title: &str) -> SettingsPage<'_> {
        self.contribution(ContributionKind::SETTINGS_PAGE, "settings", title)
    }

    /// Registers a tap: `open` is asked for each stream between a viewer and a desktop whether the plugin wants it, and answers
    /// what is to be called with its bytes. `name` is unique within the plugin: lower-case letters, digits and `-`, at most 64.
    /// What is answered takes further wishes. The manifest needs the permission `streams:tap`. See [`streams`](crate::streams).
    ///
    /// `open` runs as `[stream]`. If it panics, the stream goes on without the tap.
    pub fn tap(
        &mut self,
        name: &str,
        open: impl Fn(&P, &Stream<'_>) -> Option<Box<dyn Tap>> + Send + Sync + 'static,
    ) -> TapBuilder<'_> {
        self.taps.push(TapEntry::new(name, Box::new(open)));
        TapBuilder::new(&mut self.taps.last_mut().expect("it was just pushed").spec)
    }

    fn contribution<K>(
        &mut self,
        kind: ContributionKind,
        id: &str,
        title: &str,
    ) -> ContributionBuilder<'_, K> {
        self.contributions.push(ContributionSpec::new(kind, id, title));
        ContributionBuilder::new(self.contributions.last_mut().expect("it was just pushed"))
    }

    fn route<R: IntoAnswer>(
        &mut self,
        method: &str,
        path: &str,
        handler: impl Fn(&P, &Request<'_>) -> R + Send + Sync + 'static,
    ) -> RouteBuilder<'_> {
        let handler =
            Box::new(move |plugin: &P, request: &Request<'_>| handler(plugin, request).into_answer());
        self.routes.routes.push(Route::new(method, path, handler));
        let last = self.routes.routes.last_mut().expect("it was just pushed");
        RouteBuilder::new(&mut last.spec)
    }

    pub(crate) fn add_consumer(&mut self, consumer: Consumer<P>) {
        self.consumers.push(consumer);
    }
}

impl<P> fmt::Debug for Registrar<P> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Registrar")
            .field("consumers", &self.consumers.len())
            .field("jobs", &self.jobs.len())
            .field("routes", &self.routes.routes.len())
            .field("websockets", &self.websockets.len())
            .field("contributions", &self.contributions.len())
            .field("taps", &self.taps.len())
            .finish()
    }
}
