//! Another version takes over a plugin's consumers while events flow.

use super::*;

fn target(plugin: &Arc<Plugin>) -> Arc<dyn Target> {
    Arc::clone(plugin) as Arc<dyn Target>
}

impl House {
    /// Has a version take the places of what is there, without handing over anything yet.
    fn switch(&self, specs: &[ConsumerSpec]) -> (Vec<Arc<Consumer>>, Arc<Plugin>) {
        let plugin = Arc::new(Plugin::default());
        let consumers = self.bus.successors(&"p".into(), specs, false).expect("good consumers");
        let until = Instant::now() + Duration::from_secs(30);
        self.bus.switch("p", &consumers, Some(&target(&plugin)), until, false).expect("nothing hangs");
        (consumers, plugin)
    }
}

fn named(name: &str, durable: bool) -> ConsumerSpec {
    ConsumerSpec { name: name.into(), ..spec(durable) }
}

#[test]
fn what_waits_in_memory_goes_over_in_order_and_what_comes_meanwhile_comes_behind() {
    for durable in [true, false] {
        let house = House::new();
        let (old, before) = house.plugin(spec(durable), Plugin::default());
        house.run();
        house.emit_all("a b");
        let (consumers, after) = house.switch(&[spec(durable)]);
        house.emit_all("c");
        // An emitter that had found the old one. What is in the log is found there.
        let late = Event {
            id: uuid::Uuid::nil(),
            time_us: 0,
            topic: "t.x".into(),
            source: "test".into(),
            subject: "".into(),
            data: Bytes::from_static(b"late"),
            attributes: Bytes::new(),
        };
        assert!(old[0].offer(&Arc::new(late), 0).is_none(), "nobody is to be woken for it yet");
        house.run();
        assert!(after.seen().is_empty(), "nothing is handed over yet");
        house.bus.resume(&consumers, &target(&after));
        house.run();
        house.emit_all("d");
        house.run();
        let expected: &[&str] = if durable { &["a", "b", "c", "d"] } else { &["a", "b", "c", "late", "d"] };
        assert_eq!(after.data(), expected);
        assert!(before.seen().is_empty());
        assert_eq!(consumers[0].counts().pending, 0);
    }
}

#[test]
fn what_was_refused_goes_over_and_is_refused_after_a_crash_too() {
    let house = House::new();
    let (_, before) = house.plugin(spec(true), Plugin::default().refuse("a", [(Verdict::RETRY, 60_000)]));
    house.emit_all("a b");
    house.run();
    assert_eq!(before.data(), ["a"], "it is strictly in order");
    let (consumers, after) = house.switch(&[spec(true)]);
    consumers[0].make_due();
    house.bus.resume(&consumers, &target(&after));
    house.run();
    assert_eq!(after.seen(), [("a".to_owned(), 2), ("b".to_owned(), 1)]);
    let house = house.after_a_crash();
    assert_eq!(house.bus.consumers()[0].counts().pending, 0);
}

#[test]
fn other_filters_are_those_that_count_from_the_place_in_the_log() {
    let house = House::new();
    let (_, _) = house.plugin(spec(true), Plugin::default());
    house.run();
    house.emit_all("a");
    let other = ConsumerSpec { filters: vec!["other.>".into()].into(), ..spec(true) };
    let (consumers, after) = house.switch(&[other]);
    house.bus.resume(&consumers, &target(&after));
    house.run();
    assert!(after.seen().is_empty(), "{:?}", after.seen());
}

#[test]
fn a_durable_consumer_that_is_asked_for_no_more_waits_until_there_is_no_way_back() {
    let house = House::new();
    let (_, before) = house.plugin(named("gone", true), Plugin::default());
    house.run();
    let (consumers, after) = house.switch(&[named("new", true)]);
    house.bus.resume(&consumers, &target(&after));
    house.emit_all("a");
    house.run();
    assert!(before.seen().is_empty(), "it is given to nobody");
    // Back again.
    let (consumers, back) = house.switch(&[named("gone", true)]);
    house.bus.resume(&consumers, &target(&back));
    house.bus.keep_only("p", &consumers);
    house.run();
    assert_eq!((after.data(), back.data()), (vec!["a".to_owned()], vec!["a".to_owned()]));
    let house = house.after_a_crash();
    let names: Vec<String> =
        house.bus.consumers().iter().map(|consumer| consumer.options().name.clone()).collect();
    assert_eq!(names, ["gone"]);
}

#[test]
fn what_was_only_prepared_leaves_nothing() {
    let house = House::new();
    let (_, plugin) = house.plugin(spec(true), Plugin::default());
    house.run();
    let other = ConsumerSpec { filters: vec!["other.>".into()].into(), ..spec(true) };
    let prepared = house.bus.successors(&"p".into(), &[other, named("new", true)], false).expect("good");
    house.bus.withdraw("p", &prepared);
    house.emit_all("a");
    house.run();
    assert_eq!(plugin.data(), ["a"]);
    let house = house.after_a_crash();
    assert_eq!(house.bus.consumers().len(), 1);
    assert_eq!(
        house.bus.consumers()[0].filters(),
        spec(true).filters.iter().map(ToString::to_string).collect::<Vec<_>>()
    );
}
