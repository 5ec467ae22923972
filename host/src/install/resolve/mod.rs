//! Which versions go together: what is asked for, with what it needs, beside what is installed.
//!
//! Pure: it is given what is installed and what is offered, and answers what to do, in which order. If nothing goes
//! together, the explanation is what the operator reads.

mod conflicts;
mod explain;
mod ranges;

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt,
    time::{Duration, Instant},
};

use pubgrub::{Dependencies, DependencyProvider, PackageResolutionStatistics, PubGrubError};
use semver::{Version, VersionReq};
use serde::Serialize;

pub use self::conflicts::{Clash, clash};
use self::{
    conflicts::{is_in, is_there},
    ranges::{Choice, Choices},
};

/// How long may be thought. What real catalogues hold takes milliseconds.
const DEADLINE: Duration = Duration::from_secs(20);

/// A version that is offered.
#[derive(Debug, Clone)]
pub struct Candidate {
    /// The version.
    pub version: Version,
    /// What it needs.
    pub dependencies: BTreeMap<String, VersionReq>,
    /// What it cannot be beside.
    pub conflicts: BTreeMap<String, VersionReq>,
    /// Why it cannot be installed here, as what follows "it": `has no library for …`.
    pub unusable: Option<String>,
}

/// A plugin that is installed.
#[derive(Debug, Clone)]
pub struct Present {
    /// Its version.
    pub version: Version,
    /// What it needs.
    pub dependencies: BTreeMap<String, VersionReq>,
    /// What it cannot be beside.
    pub conflicts: BTreeMap<String, VersionReq>,
    /// Whether it stays at its version.
    pub pinned: bool,
}

/// What is there, and what can be had.
#[derive(Debug, Clone, Default)]
pub struct World {
    /// The installed plugins.
    pub installed: BTreeMap<String, Present>,
    /// The versions that are offered, by plugin.
    pub offered: BTreeMap<String, Vec<Candidate>>,
}

/// A plugin that is asked for.
#[derive(Debug, Clone)]
pub struct Wish {
    /// Its name.
    pub name: String,
    /// Its version.
    pub range: VersionReq,
    /// Whether the newest is wanted although an installed one would do.
    pub newest: bool,
}

/// What is to be done, in this order: what is needed comes before what needs it.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Plan {
    /// One plugin each.
    pub steps: Vec<Step>,
}

/// A plugin that is installed, or changes its version.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Step {
    /// Its name.
    pub name: String,
    /// The version that is installed.
    pub from: Option<Version>,
    /// The version that will be.
    pub to: Version,
    /// Whether it was asked for, and not only needed.
    pub asked: bool,
    /// Which of the plugins that will be there need it.
    pub needed_by: Vec<String>,
}

/// Why there is no plan.
#[derive(Debug, thiserror::Error)]
pub enum Unresolved {
    /// Nothing goes together.
    #[error("{asked} cannot be installed beside what is there:\n{explanation}")]
    Impossible {
        /// What was asked for.
        asked: String,
        /// Why, a sentence a line.
        explanation: String,
    },
    /// The plugin stays at a version.
    #[error(
        "`{plugin}` is pinned to {version}, and {asked} was asked for. Take the pin away first: `streamspace plugin pin {plugin} --off`"
    )]
    Pinned {
        /// The plugin.
        plugin: String,
        /// Where it stays.
        version: Version,
        /// What was asked for.
        asked: String,
    },
    /// What is asked for is older than what is there.
    #[error(
        "{asked} was asked for, and `{plugin}` is installed in version {installed}: what is installed is never replaced by an \
         older version. Go back with `streamspace plugin rollback {plugin}`, as far as versions are kept"
    )]
    Older {
        /// The plugin.
        plugin: String,
        /// The version that is installed.
        installed: Version,
        /// What was asked for.
        asked: String,
    },
    /// It took too long.
    #[error(
        "no set of versions was found within {} s for {asked}. Ask for an exact version of what you need: `NAME@=1.2.3`",
        DEADLINE.as_secs()
    )]
    TooLong {
        /// What was asked for.
        asked: String,
    },
}

impl Unresolved {
    /// The stable code.
    #[must_use]
    pub fn code(&self) -> &'static str {
        match self {
            Self::Impossible { .. } => "SSP-DEP-001",
            Self::Pinned { .. } => "SSP-DEP-002",
            Self::TooLong { .. } => "SSP-DEP-003",
            Self::Older { .. } => "SSP-DEP-007",
        }
    }
}

/// Finds versions that go together: installed ones stay where they can, and of the others the newest that fit are taken.
///
/// # Errors
///
/// [`Unresolved`], with an explanation.
pub fn resolve(world: &World, wishes: &[Wish]) -> Result<Plan, Unresolved> {
    let asked = || wishes.iter().map(Wish::to_string).collect::<Vec<_>>().join(", ");
    for wish in wishes {
        if let Some(present) = world.installed.get(&wish.name).filter(|present| present.pinned)
            && !wish.range.matches(&present.version)
        {
            let (plugin, version) = (wish.name.clone(), present.version.clone());
            return Err(Unresolved::Pinned { plugin, version, asked: wish.to_string() });
        }
    }
    let problem = Problem::new(world, wishes);
    for wish in wishes {
        if let Some(installed) = problem.beyond(wish) {
            let (plugin, installed) = (wish.name.clone(), installed.clone());
            return Err(Unresolved::Older { plugin, installed, asked: wish.to_string() });
        }
    }
    let chosen = match pubgrub::resolve(&problem, Node::Goal, Choice::Absent) {
        Ok(chosen) => chosen,
        Err(PubGrubError::NoSolution(tree)) => {
            let explanation = explain::explain(&problem, tree);
            return Err(Unresolved::Impossible { asked: asked(), explanation });
        }
        Err(_) => return Err(Unresolved::TooLong { asked: asked() }),
    };
    let chosen: BTreeMap<String, Version> = chosen
        .into_iter()
        .filter_map(|(node, choice)| match (node, choice) {
            (Node::Plugin(name), Choice::Version(version)) => Some((name, version)),
            _ => None,
        })
        .collect();
    Ok(problem.plan(&chosen))
}

impl fmt::Display for Wish {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.range == VersionReq::STAR {
            write!(f, "`{}`", self.name)
        } else {
            write!(f, "`{}` {}", self.name, self.range)
        }
    }
}

/// What versions are looked for of.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
enum Node {
    /// All that has to come about.
    Goal,
    /// A plugin that is needed.
    Plugin(String),
    /// What there is of a plugin, be it nothing: conflicts are requirements on it, and need no plugin to be there.
    Presence(String),
}

impl fmt::Display for Node {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Goal => f.write_str("what is asked for"),
            Self::Plugin(name) | Self::Presence(name) => write!(f, "`{name}`"),
        }
    }
}

/// The problem as the solver sees it.
struct Problem<'a> {
    world: &'a World,
    wishes: &'a [Wish],
    /// Plugins that something conflicts with.
    contested: BTreeSet<&'a str>,
    until: Instant,
}

#[derive(Debug, thiserror::Error)]
#[error("it took too long")]
struct TookTooLong;

/// A version that may be chosen.
struct Possible<'a> {
    version: &'a Version,
    dependencies: &'a BTreeMap<String, VersionReq>,
    conflicts: &'a BTreeMap<String, VersionReq>,
    unusable: Option<&'a str>,
    installed: bool,
}

impl<'a> Problem<'a> {
    fn new(world: &'a World, wishes: &'a [Wish]) -> Self {
        let of_installed = world.installed.values().flat_map(|present| present.conflicts.keys());
        let of_offered = world.offered.values().flatten().flat_map(|candidate| candidate.conflicts.keys());
        let contested = of_installed.chain(of_offered).map(String::as_str).collect();
        Self { world, wishes, contested, until: Instant::now() + DEADLINE }
    }

    fn wish(&self, name: &str) -> Option<&'a Wish> {
        self.wishes.iter().find(|wish| wish.name == name)
    }

    /// The versions of a plugin: what is installed, and what is offered. What is installed needs no second offer, and
    /// is usable whatever a catalogue says of it now.
    fn possible(&self, name: &str) -> Vec<Possible<'a>> {
        let present = self.world.installed.get(name);
        let wish = self.wish(name);
        let mut all: Vec<Possible<'a>> = Vec::new();
        for candidate in self.world.offered.get(name).into_iter().flatten() {
            let is_installed = present.is_some_and(|present| present.version == candidate.version);
            let is_wanted = candidate.version.pre.is_empty()
                || wish.is_some_and(|wish| wish.range.matches(&candidate.version));
            if !is_installed && is_wanted {
                all.push(Possible {
                    version: &candidate.version,
                    dependencies: &candidate.dependencies,
                    conflicts: &candidate.conflicts,
                    unusable: candidate.unusable.as_deref(),
                    installed: false,
                });
            }
        }
        if let Some(present) = present {
            all.push(Possible {
                version: &present.version,
                dependencies: &present.dependencies,
                conflicts: &present.conflicts,
                unusable: None,
                installed: true,
            });
        }
        all.sort_by(|one, other| one.version.cmp(other.version));
        all
    }

    /// The version that is installed, if what is asked for is there and is all older.
    fn beyond(&self, wish: &Wish) -> Option<&'a Version> {
        let installed = &self.world.installed.get(&wish.name)?.version;
        let all = self.possible(&wish.name);
        let mut asked = all.iter().filter(|possible| is_in(&wish.range, possible.version)).peekable();
        (asked.peek().is_some() && asked.all(|possible| possible.version < installed)).then_some(installed)
    }

    /// What a version cannot be beside. What an installed one is beside already is left out, as what it lacks is.
    fn conflicts(&self, possible: &Possible<'a>) -> impl Iterator<Item = (&'a String, &'a VersionReq)> {
        let is_old = possible.installed;
        let installed = &self.world.installed;
        possible.conflicts.iter().filter(move |(name, range)| !(is_old && is_there(installed, name, range)))
    }

    /// What a version needs. What an installed one lacks already is not asked for: it would stand in the way of
    /// everything else.
    fn needs(&self, possible: &Possible<'a>) -> impl Iterator<Item = (&'a String, &'a VersionReq)> {
        let lacks = |name: &str, range: &VersionReq| {
            let present = self.world.installed.get(name);
            present.is_none_or(|present| !range.matches(&present.version))
        };
        let installed = possible.installed;
        possible.dependencies.iter().filter(move |(name, range)| !(installed && lacks(name, range)))
    }

    /// What has to come about.
    fn goals(&self) -> BTreeMap<&'a str, Choices> {
        let mut goals = BTreeMap::new();
        for (name, present) in &self.world.installed {
            let goal = if present.pinned {
                ranges::exactly(&present.version)
            } else {
                ranges::from(&present.version)
            };
            goals.insert(name.as_str(), goal);
        }
        for wish in self.wishes {
            let pinned = self.world.installed.get(&wish.name).is_some_and(|present| present.pinned);
            if !pinned {
                let wanted = ranges::meeting(&wish.range);
                let wanted = match self.world.installed.get(&wish.name) {
                    Some(present) => wanted.intersection(&ranges::from(&present.version)),
                    None => wanted,
                };
                goals.insert(wish.name.as_str(), wanted);
            }
        }
        goals
    }

    fn plan(&self, chosen: &BTreeMap<String, Version>) -> Plan {
        let mut needs: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
        for (name, version) in chosen {
            let possible = self.possible(name).into_iter().find(|possible| possible.version == version);
            let needed =
                possible.map(|possible| self.needs(&possible).map(|(name, _)| name.as_str()).collect());
            needs.insert(name, needed.unwrap_or_default());
        }
        let mut first = needs.clone();
        for (name, version) in chosen {
            let changed = self.possible(name).into_iter().find(|possible| possible.version == version);
            let Some(changed) = changed.filter(|possible| !possible.installed) else { continue };
            // Of two that go together only as they will be, the one that is there becomes newer first.
            let others = self.world.installed.iter().filter(|(other, present)| {
                let mut said = changed.conflicts.iter();
                said.any(|(it, range)| it == *other && is_in(range, &present.version))
                    || present.conflicts.iter().any(|(it, range)| it == name && is_in(range, version))
            });
            first.entry(name).or_default().extend(others.map(|(other, _)| other.as_str()));
        }
        let mut ordered = Vec::new();
        let mut seen = BTreeSet::new();
        for name in chosen.keys() {
            before(name, &first, &mut seen, &mut ordered);
        }
        let steps = ordered.into_iter().filter_map(|name| {
            let to = chosen.get(name)?;
            let from = self.world.installed.get(name).map(|present| present.version.clone());
            let needing = needs.iter().filter(|(_, needed)| needed.contains(name));
            (from.as_ref() != Some(to)).then(|| Step {
                name: name.to_owned(),
                from,
                to: to.clone(),
                asked: self.wish(name).is_some(),
                needed_by: needing.map(|(other, _)| (*other).to_owned()).collect(),
            })
        });
        Plan { steps: steps.collect() }
    }
}

/// Puts `name` behind all that it needs. In a circle, the first that is met comes last.
fn before<'a>(
    name: &'a str,
    needs: &BTreeMap<&'a str, BTreeSet<&'a str>>,
    seen: &mut BTreeSet<&'a str>,
    ordered: &mut Vec<&'a str>,
) {
    // A list of what is still to be done instead of calls in calls: a catalogue says how long a chain is.
    let mut open = vec![(name, false)];
    while let Some((name, is_done)) = open.pop() {
        if is_done {
            ordered.push(name);
        } else if seen.insert(name) {
            open.push((name, true));
            open.extend(needs.get(name).into_iter().flatten().rev().map(|needed| (*needed, false)));
        }
    }
}

impl DependencyProvider for Problem<'_> {
    type P = Node;
    type V = Choice;
    type VS = Choices;
    type Priority = (u8, u32);
    type M = String;
    type Err = TookTooLong;

    fn prioritize(&self, node: &Node, _: &Choices, statistics: &PackageResolutionStatistics) -> (u8, u32) {
        let class = match node {
            Node::Goal => 3,
            Node::Plugin(name) if self.wish(name).is_some() => 2,
            Node::Plugin(_) => 1,
            // When all plugins are chosen, it is known what there is of each.
            Node::Presence(_) => 0,
        };
        (class, statistics.conflict_count())
    }

    fn choose_version(&self, node: &Node, range: &Choices) -> Result<Option<Choice>, TookTooLong> {
        let name = match node {
            Node::Goal => return Ok(Some(Choice::Absent)),
            Node::Presence(_) if range.contains(&Choice::Absent) => return Ok(Some(Choice::Absent)),
            Node::Presence(name) | Node::Plugin(name) => name,
        };
        let fitting = || {
            let all = self.possible(name).into_iter();
            all.filter(|possible| range.contains(&Choice::Version(possible.version.clone())))
        };
        let keep = !self.wish(name).is_some_and(|wish| wish.newest);
        let installed = fitting().find(|possible| possible.installed).filter(|_| keep);
        let newest = || fitting().rfind(|possible| possible.unusable.is_none());
        // One that is unusable is chosen only if nothing else is left: that it is, belongs to the explanation.
        let chosen = installed.or_else(newest).or_else(|| fitting().next_back());
        Ok(chosen.map(|possible| Choice::Version(possible.version.clone())))
    }

    fn get_dependencies(
        &self,
        node: &Node,
        choice: &Choice,
    ) -> Result<Dependencies<Node, Choices, String>, TookTooLong> {
        let goals = || {
            let goals = self.goals().into_iter();
            goals.map(|(name, set)| (Node::Plugin(name.to_owned()), set)).collect()
        };
        let (name, version) = match (node, choice) {
            (Node::Goal, _) => return Ok(Dependencies::Available(goals())),
            (Node::Plugin(name), Choice::Version(version)) => (name, version),
            _ => return Ok(Dependencies::Available(std::iter::empty().collect())),
        };
        let possible = self.possible(name).into_iter().find(|possible| possible.version == version);
        let Some(possible) = possible else {
            return Ok(Dependencies::Unavailable("is not offered".to_owned()));
        };
        if let Some(reason) = possible.unusable {
            return Ok(Dependencies::Unavailable(reason.to_owned()));
        }
        let mut all: BTreeMap<Node, Choices> = self
            .needs(&possible)
            .map(|(name, range)| (Node::Plugin(name.clone()), ranges::meeting(range)))
            .collect();
        for (other, range) in self.conflicts(&possible) {
            all.insert(Node::Presence(other.clone()), ranges::meeting(range).complement());
        }
        if self.contested.contains(name.as_str()) {
            all.insert(Node::Presence(name.clone()), ranges::exactly(version));
        }
        Ok(Dependencies::Available(all.into_iter().collect()))
    }

    fn should_cancel(&self) -> Result<(), TookTooLong> {
        if Instant::now() < self.until { Ok(()) } else { Err(TookTooLong) }
    }
}

#[cfg(test)]
mod tests;
