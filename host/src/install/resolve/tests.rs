use super::*;

/// A requirement on a plugin.
fn needs(all: &[(&str, &str)]) -> BTreeMap<String, VersionReq> {
    let parsed = all.iter().map(|(name, range)| ((*name).to_owned(), range.parse().expect("a range")));
    parsed.collect()
}

fn version(text: &str) -> Version {
    text.parse().expect("a version")
}

impl World {
    fn offering(mut self, name: &str, text: &str, dependencies: &[(&str, &str)]) -> Self {
        let candidate = Candidate {
            version: version(text),
            dependencies: needs(dependencies),
            conflicts: BTreeMap::new(),
            unusable: None,
        };
        self.offered.entry(name.to_owned()).or_default().push(candidate);
        self
    }

    fn last_offered(&mut self, name: &str) -> &mut Candidate {
        self.offered.get_mut(name).and_then(|all| all.last_mut()).expect("an offer")
    }

    fn conflicting(mut self, name: &str, conflicts: &[(&str, &str)]) -> Self {
        self.last_offered(name).conflicts = needs(conflicts);
        self
    }

    fn unusable(mut self, name: &str, reason: &str) -> Self {
        self.last_offered(name).unusable = Some(reason.to_owned());
        self
    }

    fn having(mut self, name: &str, text: &str, dependencies: &[(&str, &str)]) -> Self {
        let present = Present {
            version: version(text),
            dependencies: needs(dependencies),
            conflicts: BTreeMap::new(),
            pinned: false,
        };
        self.installed.insert(name.to_owned(), present);
        self
    }

    fn excluding(mut self, name: &str, conflicts: &[(&str, &str)]) -> Self {
        self.installed.get_mut(name).expect("an installed plugin").conflicts = needs(conflicts);
        self
    }

    fn pinned(mut self, name: &str) -> Self {
        self.installed.get_mut(name).expect("an installed plugin").pinned = true;
        self
    }
}

fn wish(name: &str, range: &str) -> Wish {
    Wish { name: name.to_owned(), range: range.parse().expect("a range"), newest: false }
}

fn newest(name: &str) -> Wish {
    Wish { newest: true, ..wish(name, "*") }
}

/// The steps, as `name from→to`.
fn steps(world: &World, wishes: &[Wish]) -> Vec<String> {
    let plan = resolve(world, wishes).unwrap_or_else(|why| panic!("{why}"));
    let told = plan.steps.into_iter().map(|step| match step.from {
        Some(from) => format!("{} {from}→{}", step.name, step.to),
        None => format!("{} {}", step.name, step.to),
    });
    told.collect()
}

#[track_caller]
fn explained(world: &World, wishes: &[Wish], expected: &str) {
    let why = resolve(world, wishes).expect_err("there is no such set").to_string();
    assert_eq!(why, expected, "\n--- found\n{why}\n--- expected\n{expected}\n");
}

#[test]
fn what_is_needed_comes_first_and_each_is_the_newest_that_fits() {
    let world = World::default()
        .offering("c", "1.0.0", &[])
        .offering("b", "1.1.0", &[("c", "1")])
        .offering("b", "1.2.0", &[("c", "1")])
        .offering("b", "2.0.0", &[])
        .offering("a", "1.0.0", &[("b", "1")]);
    assert_eq!(steps(&world, &[wish("a", "*")]), ["c 1.0.0", "b 1.2.0", "a 1.0.0"]);
}

#[test]
fn what_is_installed_stays_where_it_can() {
    let world = World::default()
        .having("b", "1.1.0", &[])
        .offering("b", "1.2.0", &[])
        .offering("a", "1.0.0", &[("b", "1")])
        .offering("a", "1.1.0", &[("b", "1.2")]);
    assert_eq!(steps(&world, &[wish("a", "=1.0.0")]), ["a 1.0.0"]);
    assert_eq!(steps(&world, &[wish("a", "*")]), ["b 1.1.0→1.2.0", "a 1.1.0"]);
}

#[test]
fn a_pin_is_kept_and_an_older_version_of_what_is_asked_for_is_taken() {
    let world = World::default()
        .having("b", "1.1.0", &[])
        .pinned("b")
        .offering("b", "1.2.0", &[])
        .offering("a", "1.0.0", &[("b", "1")])
        .offering("a", "1.1.0", &[("b", "1.2")]);
    assert_eq!(steps(&world, &[wish("a", "*")]), ["a 1.0.0"]);
}

#[test]
fn the_newest_is_taken_where_it_is_wanted() {
    let world = World::default()
        .having("a", "1.0.0", &[])
        .having("b", "1.0.0", &[])
        .offering("a", "1.0.0", &[])
        .offering("a", "1.5.0", &[])
        .offering("b", "1.5.0", &[]);
    assert_eq!(steps(&world, &[newest("a")]), ["a 1.0.0→1.5.0"]);
    assert!(steps(&world, &[wish("a", "*")]).is_empty());
}

#[test]
fn a_prerelease_is_taken_only_if_it_is_asked_for() {
    let world = World::default().offering("a", "1.0.0", &[]).offering("a", "1.1.0-rc.1", &[]);
    assert_eq!(steps(&world, &[wish("a", "*")]), ["a 1.0.0"]);
    assert_eq!(steps(&world, &[wish("a", "=1.1.0-rc.1")]), ["a 1.1.0-rc.1"]);
}

#[test]
fn a_circle_is_a_plan_too() {
    let world = World::default().offering("a", "1.0.0", &[("b", "1")]).offering("b", "1.0.0", &[("a", "1")]);
    assert_eq!(steps(&world, &[wish("a", "*")]), ["b 1.0.0", "a 1.0.0"]);
}

#[test]
fn what_an_installed_plugin_lacks_already_stands_in_nobodys_way() {
    let world = World::default().having("broken", "1.0.0", &[("nowhere", "1")]).offering("a", "1.0.0", &[]);
    assert_eq!(steps(&world, &[wish("a", "*")]), ["a 1.0.0"]);
}

#[test]
fn an_upgrade_takes_nothing_from_those_that_need_the_old_version() {
    let world = World::default()
        .having("b", "1.0.0", &[])
        .having("a", "1.0.0", &[("b", "1")])
        .offering("b", "1.4.0", &[])
        .offering("b", "2.0.0", &[]);
    assert_eq!(steps(&world, &[newest("b")]), ["b 1.0.0→1.4.0"]);
}

#[test]
fn conflicts_are_avoided_by_another_version_where_there_is_one() {
    let world = World::default()
        .having("old", "1.0.0", &[])
        .offering("a", "1.0.0", &[])
        .offering("a", "2.0.0", &[])
        .conflicting("a", &[("old", "*")]);
    assert_eq!(steps(&world, &[wish("a", "*")]), ["a 1.0.0"]);
    // With what is not there, nothing conflicts.
    let world = World::default().offering("a", "2.0.0", &[]).conflicting("a", &[("old", "*")]);
    assert_eq!(steps(&world, &[wish("a", "*")]), ["a 2.0.0"]);
}

#[test]
fn what_an_installed_plugin_excludes_is_not_put_beside_it() {
    let world = World::default().having("old", "1.0.0", &[]).excluding("old", &[("a", "<2")]).offering(
        "a",
        "1.0.0",
        &[],
    );
    explained(
        &world,
        &[wish("a", "*")],
        "`a` cannot be installed beside what is there:\n\
         Because `old` 1.0.0 conflicts with `a` <2.0.0 and there is no `old` >1.0.0, only 1.0.0, `a` cannot be beside `old`.\n\
         And because `a` is asked for and `old` 1.0.0 is installed and must stay or become newer, this cannot be done.",
    );
    // What goes with it is taken, of the one or of the other.
    let newer = world.clone().offering("a", "2.0.0", &[]);
    assert_eq!(steps(&newer, &[wish("a", "*")]), ["a 2.0.0"]);
    let newer = world.offering("old", "1.1.0", &[]);
    assert_eq!(steps(&newer, &[wish("a", "*")]), ["old 1.0.0→1.1.0", "a 1.0.0"]);
}

#[test]
fn what_is_beside_each_other_already_stands_in_nobodys_way() {
    let world = World::default()
        .having("a", "1.0.0", &[])
        .excluding("a", &[("b", "*")])
        .having("b", "1.0.0", &[])
        .offering("b", "1.1.0", &[])
        .offering("c", "1.0.0", &[]);
    assert_eq!(steps(&world, &[wish("c", "*")]), ["c 1.0.0"]);
    assert_eq!(steps(&world, &[newest("b")]), ["b 1.0.0→1.1.0"]);
}

#[test]
fn what_is_in_the_way_becomes_newer_first() {
    let world = World::default()
        .having("z", "1.0.0", &[])
        .offering("z", "2.0.0", &[])
        .offering("a", "1.0.0", &[])
        .conflicting("a", &[("z", "<2")]);
    assert_eq!(steps(&world, &[wish("a", "*")]), ["z 1.0.0→2.0.0", "a 1.0.0"]);
}

#[test]
fn a_clash_is_found_in_both_directions_and_only_if_it_is_new() {
    let before =
        World::default().having("a", "1.0.0", &[]).having("b", "1.0.0", &[]).excluding("b", &[("c", "<2")]);
    let of =
        |world: World| clash(&before.installed, &world.installed).map(|clash| (clash.plugin, clash.other));
    let with = |version: &str| before.clone().having("c", version, &[]);
    let found = |one: &str, other: &str| Some((one.to_owned(), other.to_owned()));
    assert_eq!(of(with("1.0.0")), found("b", "c"));
    assert_eq!(of(with("1.5.0-rc.1")), found("b", "c"), "a pre-release is there as well");
    assert_eq!(of(with("2.0.0")), None);
    assert_eq!(of(with("2.0.0").excluding("c", &[("a", "*")])), found("c", "a"));
    assert_eq!(
        of(with("2.0.0").excluding("c", &[("c", "*"), ("d", "*")])),
        None,
        "itself, and what is not there"
    );
    // It has come about before.
    let there = with("1.0.0");
    let newer = there.clone().having("c", "1.1.0", &[]);
    assert_eq!(clash(&there.installed, &newer.installed), None);
    let again = there.clone().having("b", "1.1.0", &[]).excluding("b", &[("c", "<2")]);
    assert!(clash(&there.installed, &again.installed).is_some(), "it is said anew");
}

#[test]
fn what_is_installed_is_not_replaced_by_an_older_version() {
    let world = World::default()
        .having("a", "2.0.0", &[])
        .offering("a", "1.0.0", &[])
        .offering("a", "1.1.0", &[])
        .offering("a", "2.1.0", &[]);
    explained(
        &world,
        &[wish("a", "1")],
        "`a` ^1 was asked for, and `a` is installed in version 2.0.0: what is installed is never replaced by an older version. \
         Go back with `streamspace plugin rollback a`, as far as versions are kept",
    );
    assert_eq!(steps(&world, &[wish("a", ">=1")]), Vec::<String>::new());
    assert_eq!(steps(&world, &[Wish { newest: true, ..wish("a", ">=1") }]), ["a 2.0.0→2.1.0"]);
}

#[test]
fn what_no_catalogue_has_is_said() {
    explained(
        &World::default(),
        &[wish("a", "*")],
        "`a` cannot be installed beside what is there:\n\
         Because no catalogue has a release of `a` and `a` is asked for, this cannot be done.",
    );
}

#[test]
fn a_range_without_a_version_is_said_with_the_versions_that_there_are() {
    let world = World::default().offering("a", "1.0.0", &[]).offering("a", "1.1.0", &[]);
    explained(
        &world,
        &[wish("a", ">=2")],
        "`a` >=2 cannot be installed beside what is there:\n\
         Because there is no `a` >=2.0.0, only 1.0.0 and 1.1.0 and `a` >=2.0.0 is asked for, this cannot be done.",
    );
}

#[test]
fn a_missing_dependency_is_said() {
    let world = World::default().offering("a", "1.0.0", &[("b", "1")]);
    explained(
        &world,
        &[wish("a", "*")],
        "`a` cannot be installed beside what is there:\n\
         Because no catalogue has a release of `b` and `a` 1.0.0 needs `b` >=1.0.0, <2.0.0, `a` 1.0.0 cannot be used.\n\
         And because `a` is asked for, this cannot be done.",
    );
}

#[test]
fn a_conflict_is_said() {
    let world = World::default()
        .having("old", "1.0.0", &[])
        .offering("a", "2.0.0", &[])
        .conflicting("a", &[("old", "<3")]);
    explained(
        &world,
        &[wish("a", "*")],
        "`a` cannot be installed beside what is there:\n\
         Because `a` 2.0.0 conflicts with `old` <3.0.0 and there is no `old` >1.0.0, only 1.0.0, `a` cannot be beside `old`.\n\
         And because `a` is asked for and `old` 1.0.0 is installed and must stay or become newer, this cannot be done.",
    );
}

#[test]
fn a_pin_in_the_way_is_said() {
    let world = World::default().having("b", "1.1.0", &[]).pinned("b").offering("b", "2.0.0", &[]).offering(
        "a",
        "1.0.0",
        &[("b", "2")],
    );
    explained(
        &world,
        &[wish("a", "*")],
        "`a` cannot be installed beside what is there:\n\
         Because `a` 1.0.0 needs `b` >=2.0.0, <3.0.0 and `a` is asked for, `b` >=2.0.0, <3.0.0 is needed.\n\
         And because `b` is pinned to 1.1.0, this cannot be done.",
    );
    explained(
        &world,
        &[wish("b", "2")],
        "`b` is pinned to 1.1.0, and `b` ^2 was asked for. Take the pin away first: `streamspace plugin pin b --off`",
    );
}

#[test]
fn two_that_need_different_versions_of_a_third_are_said() {
    let world = World::default()
        .offering("c", "1.0.0", &[])
        .offering("c", "2.0.0", &[])
        .offering("a", "1.0.0", &[("c", "1")])
        .offering("b", "1.0.0", &[("c", "2")]);
    explained(
        &world,
        &[wish("a", "*"), wish("b", "*")],
        "`a`, `b` cannot be installed beside what is there:\n\
         Because `a` 1.0.0 needs `c` >=1.0.0, <2.0.0 and `b` 1.0.0 needs `c` >=2.0.0, <3.0.0, `a` cannot be beside `b` 1.0.0.\n\
         And because `a` is asked for and `b` is asked for, this cannot be done.",
    );
}

#[test]
fn what_keeps_each_version_from_being_used_is_said() {
    let world = World::default()
        .offering("a", "1.0.0", &[])
        .unusable("a", "was withdrawn by its vendor")
        .offering("a", "1.1.0", &[])
        .unusable("a", "has no library for x86_64-unknown-linux-gnu");
    explained(
        &world,
        &[wish("a", "*")],
        "`a` cannot be installed beside what is there:\n\
         Because `a` 1.0.0 was withdrawn by its vendor and `a` 1.1.0 has no library for x86_64-unknown-linux-gnu, \
         `a` cannot be used.\n\
         And because `a` is asked for, this cannot be done.",
    );
}
