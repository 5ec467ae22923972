//! The plugin's entries: every function of a plugin that the host can call. Each runs inside the panic barrier, and
//! each answers something that fails closed if the plugin panics.

use std::sync::{OnceLock, atomic::Ordering};

use abi_stable::{
    prefix_type::WithMetadata,
    staticref,
    std_types::{ROption, RResult, RSlice, RStr, RVec},
};

use super::{
    ABI_MAJOR, Capability, Export, Fault, FaultKind, Handle, Outcome, Peer, Responder, Root, guard,
    instance::{free_instance, new_instance, with_instance},
};
use crate::{
    Context, Event, Plugin, Registrar, config,
    config::{ConfigSink, ConfigSinkRef},
    events,
    events::{Batch, Consumer, ConsumerSpec, Consumers, ConsumersRef, Handled, Progress, Refusal, Verdict},
    lifecycle,
    lifecycle::{Lifecycle, LifecycleRef},
    routes,
    routes::{IncomingView, OutgoingAnswer, Request, RouteSet, RouteSpec, Routes, RoutesRef},
    scheduler,
    scheduler::{Job, JobSpec, Jobs, JobsRef, Run, RunView},
    streams,
    streams::{Chunk, ClosedView, StreamView, TapEntry, TapSpec, Taps, TapsRef},
    ui,
    ui::{ContributionSpec, Contributions, ContributionsRef},
    websocket,
    websocket::{WebSocketRoute, WebSocketSpec, WebSockets, WebSocketsRef},
};

/// The root of the library that exports `E`.
pub(super) fn root<E: Export>() -> Root {
    let _ = NAME.set(E::NAME);
    Root { abi: ABI_MAJOR, facts: RStr::from_str(E::facts()), create: create::<E::Plugin> }
}

/// The name of the one plugin of this library.
static NAME: OnceLock<&'static str> = OnceLock::new();

struct Instance<P> {
    context: Context,
    plugin: OnceLock<P>,
    consumers: OnceLock<Vec<Consumer<P>>>,
    jobs: OnceLock<Vec<Job<P>>>,
    routes: OnceLock<RouteSet<P>>,
    websockets: OnceLock<Vec<WebSocketRoute<P>>>,
    contributions: OnceLock<Vec<ContributionSpec>>,
    taps: OnceLock<Vec<TapEntry<P>>>,
}

struct Tables<P>(P);

impl<P: Plugin> Tables<P> {
    staticref!(const LIFECYCLE: WithMetadata<Lifecycle> = WithMetadata::new(Lifecycle {
        load: load::<P>,
        enable: enable::<P>,
        disable: disable::<P>,
        unload: unload::<P>,
        release: release::<P>,
    }));
    staticref!(const CONFIG: WithMetadata<ConfigSink> = WithMetadata::new(ConfigSink { changed: changed::<P> }));
    staticref!(const CONSUMERS: WithMetadata<Consumers> = WithMetadata::new(Consumers {
        list: list::<P>,
        deliver: deliver::<P>,
    }));
    staticref!(const JOBS: WithMetadata<Jobs> = WithMetadata::new(Jobs { list: jobs::<P>, run: run::<P> }));
    staticref!(const ROUTES: WithMetadata<Routes> = WithMetadata::new(Routes {
        list: list_routes::<P>,
        handle: handle::<P>,
    }));
    staticref!(const WEBSOCKETS: WithMetadata<WebSockets> = WithMetadata::new(WebSockets {
        list: list_websockets::<P>,
        serve: serve::<P>,
    }));
    staticref!(const CONTRIBUTIONS: WithMetadata<Contributions> = WithMetadata::new(Contributions {
        list: list_contributions::<P>,
    }));
    staticref!(const TAPS: WithMetadata<Taps> = WithMetadata::new(Taps {
        list: list_taps::<P>,
        open: open_stream::<P>,
        deliver: deliver_chunks::<P>,
        closed: closed_stream::<P>,
    }));
}

extern "C" fn create<P: Plugin>(host: Peer) -> Outcome<Peer> {
    let created = guard("`create`", || {
        let context = Context::connect(NAME.get().copied().unwrap_or_default(), host, P::NEEDS)?;
        Ok(Peer {
            handle: new_instance(Instance::<P> {
                context,
                plugin: OnceLock::new(),
                consumers: OnceLock::new(),
                jobs: OnceLock::new(),
                routes: OnceLock::new(),
                websockets: OnceLock::new(),
                contributions: OnceLock::new(),
                taps: OnceLock::new(),
            }),
            lookup: lookup::<P>,
        })
    });
    created.and_then(|peer| peer).into()
}

extern "C" fn lookup<P: Plugin>(instance: Handle, id: RStr<'_>) -> ROption<Capability> {
    match id.as_str() {
        lifecycle::ID => {
            ROption::RSome(Capability::new(LifecycleRef(Tables::<P>::LIFECYCLE.as_prefix()), instance))
        }
        config::ID => {
            ROption::RSome(Capability::new(ConfigSinkRef(Tables::<P>::CONFIG.as_prefix()), instance))
        }
        events::ID => {
            ROption::RSome(Capability::new(ConsumersRef(Tables::<P>::CONSUMERS.as_prefix()), instance))
        }
        scheduler::ID => ROption::RSome(Capability::new(JobsRef(Tables::<P>::JOBS.as_prefix()), instance)),
        routes::ID => ROption::RSome(Capability::new(RoutesRef(Tables::<P>::ROUTES.as_prefix()), instance)),
        websocket::ID => {
            ROption::RSome(Capability::new(WebSocketsRef(Tables::<P>::WEBSOCKETS.as_prefix()), instance))
        }
        ui::ID => ROption::RSome(Capability::new(
            ContributionsRef(Tables::<P>::CONTRIBUTIONS.as_prefix()),
            instance,
        )),
        streams::ID => ROption::RSome(Capability::new(TapsRef(Tables::<P>::TAPS.as_prefix()), instance)),
        _ => ROption::RNone,
    }
}

/// Runs one entry with its instance, inside the barrier.
fn enter<P: Plugin, T>(
    what: &str,
    instance: Handle,
    entry: impl FnOnce(&Instance<P>) -> Result<T, Fault>,
) -> Outcome<T> {
    let result = guard(what, || {
        // SAFETY: `create` made the handle from an `Instance<P>`, and the host uses it only until `release`.
        unsafe { with_instance(instance, entry) }
    });
    result.and_then(|answer| answer).into()
}

/// As [`enter`], for the entries that come after `load`.
fn enter_loaded<P: Plugin, T>(
    what: &str,
    instance: Handle,
    entry: impl FnOnce(&P, &Instance<P>) -> Result<T, Fault>,
) -> Outcome<T> {
    enter(what, instance, |instance: &Instance<P>| match instance.plugin.get() {
        Some(plugin) => entry(plugin, instance),
        None => Err(Fault::new(FaultKind::CLOSED, "the plugin is not loaded")),
    })
}

fn failed(error: crate::Error) -> Fault {
    Fault::new(FaultKind::FAILED, error)
}

extern "C" fn load<P: Plugin>(instance: Handle) -> Outcome<()> {
    enter("`load`", instance, |instance: &Instance<P>| {
        let config = config::read(&instance.context).map_err(failed)?;
        let plugin = P::load(&instance.context, config).map_err(failed)?;
        let mut registrar = Registrar::new();
        plugin.register(&mut registrar);
        let Registrar { consumers, jobs, routes, websockets, contributions, taps } = registrar;
        let again = instance.consumers.set(consumers).is_err()
            || instance.jobs.set(jobs).is_err()
            || instance.routes.set(routes).is_err()
            || instance.websockets.set(websockets).is_err()
            || instance.contributions.set(contributions).is_err()
            || instance.taps.set(taps).is_err()
            || instance.plugin.set(plugin).is_err();
        if again {
            return Err(Fault::new(FaultKind::INVALID, "the plugin is loaded already"));
        }
        Ok(())
    })
}

extern "C" fn enable<P: Plugin>(instance: Handle) -> Outcome<()> {
    enter_loaded("`enable`", instance, |plugin: &P, _| plugin.enable().map_err(failed))
}

extern "C" fn changed<P: Plugin>(instance: Handle) -> Outcome<bool> {
    enter_loaded("`configure`", instance, |plugin: &P, instance| {
        let config = config::read(&instance.context).map_err(failed)?;
        plugin.configure(config).map_err(failed)
    })
}

extern "C" fn disable<P: Plugin>(instance: Handle) -> Outcome<()> {
    enter_loaded("`disable`", instance, |plugin: &P, _| {
        plugin.disable();
        Ok(())
    })
}

extern "C" fn unload<P: Plugin>(instance: Handle) -> Outcome<()> {
    enter_loaded("`unload`", instance, |plugin: &P, _| {
        plugin.unload();
        Ok(())
    })
}

extern "C" fn release<P: Plugin>(instance: Handle) -> Outcome<()> {
    // SAFETY: as in `enter`; and the host calls nothing of this instance while and after it calls `release`.
    let instance = unsafe { free_instance::<Instance<P>>(instance) };
    // The author's types one after the other, so that a panic in one leaves the others to be dropped in peace.
    // What it contributes to the console is plain data.
    let Instance { context, plugin, consumers, jobs, routes, websockets, contributions: _, taps } = *instance;
    let plugin = guard("`drop`", || drop(plugin));
    let handlers = guard("`drop` of a handler", || drop(consumers));
    let jobs = guard("`drop` of a job's handler", || drop(jobs));
    let routes = guard("`drop` of a route", || drop(routes));
    let websockets = guard("`drop` of a WebSocket's handler", || drop(websockets));
    let taps = guard("`drop` of a tap", || drop(taps));
    drop(context);
    plugin.and(handlers).and(jobs).and(routes).and(websockets).and(taps).into()
}

extern "C" fn list<P: Plugin>(instance: Handle) -> Outcome<RVec<ConsumerSpec>> {
    enter_loaded("the list of consumers", instance, |_: &P, instance| {
        Ok(instance.consumers.get().into_iter().flatten().map(|consumer| consumer.spec.clone()).collect())
    })
}

extern "C" fn deliver<P: Plugin>(instance: Handle, consumer: u32, batch: Batch<'_>) -> Progress {
    let mut acknowledged = 0;
    let outcome = enter_loaded("the handler", instance, |plugin: &P, instance| {
        let consumer =
            instance.consumers.get().and_then(|consumers| consumers.get(consumer as usize)).ok_or_else(
                || Fault::new(FaultKind::INVALID, format_args!("there is no consumer number {consumer}")),
            )?;
        for view in batch.events.as_slice() {
            // Only a hint when to stop: nothing else is read on the strength of it.
            if acknowledged > 0 && batch.stop.load(Ordering::Relaxed) {
                break;
            }
            match (consumer.handler)(plugin, &Event::new(view)) {
                Handled::Ack => acknowledged += 1,
                refused => return Ok(refused.into_refusal()),
            }
        }
        Ok(None)
    });
    let stopped_at = match outcome {
        RResult::ROk(refusal) => refusal.into(),
        RResult::RErr(Fault { kind, message }) => ROption::RSome(Refusal {
            verdict: if kind == FaultKind::PANICKED { Verdict::PANICKED } else { Verdict::RETRY },
            after_ms: Refusal::BACKOFF,
            reason: message,
        }),
    };
    Progress { acknowledged, stopped_at }
}

extern "C" fn jobs<P: Plugin>(instance: Handle) -> Outcome<RVec<JobSpec>> {
    enter_loaded("the list of jobs", instance, |_: &P, instance| {
        Ok(instance.jobs.get().into_iter().flatten().map(|job| job.spec.clone()).collect())
    })
}

extern "C" fn run<P: Plugin>(instance: Handle, job: u32, view: RunView) -> Outcome<()> {
    enter_loaded("the job", instance, |plugin: &P, instance| {
        let job = instance.jobs.get().and_then(|jobs| jobs.get(job as usize));
        let job = job.ok_or_else(|| Fault::new(FaultKind::INVALID, "there is no job of this number"))?;
        (job.handler)(plugin, &Run::new(&view)).map_err(failed)
    })
}

extern "C" fn list_routes<P: Plugin>(instance: Handle) -> Outcome<RVec<RouteSpec>> {
    enter_loaded("the list of routes", instance, |_: &P, instance| {
        let routes = instance.routes.get().map(|set| set.routes.as_slice()).unwrap_or_default();
        Ok(routes.iter().map(|route| route.spec.clone()).collect())
    })
}

extern "C" fn list_websockets<P: Plugin>(instance: Handle) -> Outcome<RVec<WebSocketSpec>> {
    enter_loaded("the list of WebSockets", instance, |_: &P, instance| {
        Ok(instance.websockets.get().into_iter().flatten().map(|route| route.spec.clone()).collect())
    })
}

extern "C" fn serve<P: Plugin>(
    instance: Handle,
    route: u32,
    view: IncomingView<'_>,
    socket: Handle,
) -> Outcome<ROption<OutgoingAnswer>> {
    enter_loaded("the handler", instance, |plugin: &P, instance| {
        let websocket = instance.websockets.get().and_then(|websockets| websockets.get(route as usize));
        let websocket = websocket.ok_or_else(|| {
            Fault::new(FaultKind::INVALID, format_args!("there is no WebSocket number {route}"))
        })?;
        let (routes, host) = (instance.routes.get(), instance.context.sockets());
        websocket.serve(plugin, routes, &Request::new(&view), host, socket).map(ROption::from)
    })
}

extern "C" fn list_contributions<P: Plugin>(instance: Handle) -> Outcome<RVec<ContributionSpec>> {
    enter_loaded("the list of contributions", instance, |_: &P, instance| {
        Ok(instance.contributions.get().cloned().unwrap_or_default().into())
    })
}

extern "C" fn handle<P: Plugin>(
    instance: Handle,
    route: u32,
    view: IncomingView<'_>,
    responder: Responder<'_>,
) -> Outcome<OutgoingAnswer> {
    enter_loaded("the handler", instance, |plugin: &P, instance| {
        let no_such = || Fault::new(FaultKind::INVALID, format_args!("there is no route number {route}"));
        let routes = instance.routes.get().ok_or_else(no_such)?;
        routes.answer(plugin, route, &Request::new(&view), responder).ok_or_else(no_such)?
    })
}

extern "C" fn list_taps<P: Plugin>(instance: Handle) -> Outcome<RVec<TapSpec>> {
    enter_loaded("the list of taps", instance, |_: &P, instance| {
        Ok(instance.taps.get().into_iter().flatten().map(|tap| tap.spec.clone()).collect())
    })
}

fn tap<P>(instance: &Instance<P>, number: u32) -> Result<&TapEntry<P>, Fault> {
    let tap = instance.taps.get().and_then(|taps| taps.get(number as usize));
    tap.ok_or_else(|| Fault::new(FaultKind::INVALID, format_args!("there is no tap number {number}")))
}

extern "C" fn open_stream<P: Plugin>(instance: Handle, number: u32, view: StreamView<'_>) -> Outcome<bool> {
    enter_loaded("the tap", instance, |plugin: &P, instance| Ok(tap(instance, number)?.open(plugin, &view)))
}

extern "C" fn deliver_chunks<P: Plugin>(
    instance: Handle,
    number: u32,
    stream: u64,
    chunks: RSlice<'_, Chunk<'_>>,
) -> Outcome<bool> {
    enter_loaded("the tap", instance, |_: &P, instance| {
        tap(instance, number)?.deliver(stream, chunks.as_slice())
    })
}

extern "C" fn closed_stream<P: Plugin>(
    instance: Handle,
    number: u32,
    stream: u64,
    view: ClosedView<'_>,
) -> Outcome<()> {
    enter_loaded("the tap", instance, |_: &P, instance| {
        let Some(mut state) = tap(instance, number)?.take(stream) else { return Ok(()) };
        // One after the other: a drop that panics while a panic unwinds would end the process.
        let told = guard("the end of a tap", || streams::close(&mut *state, &view));
        let dropped = guard("`drop` of a tap", || drop(state));
        told.and(dropped)
    })
}
