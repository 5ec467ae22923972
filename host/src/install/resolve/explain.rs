//! Why versions do not go together, in sentences.

use std::sync::Arc;

use pubgrub::{
    DefaultStringReporter, DerivationTree, Derived, External, Map, ReportFormatter, Reporter, Term,
};

use super::{
    Node, Problem,
    ranges::{self, Choice, Choices},
};

type Tree = DerivationTree<Node, Choices, String>;
type Fact = External<Node, Choices, String>;

pub(super) fn explain(problem: &Problem<'_>, tree: Tree) -> String {
    let words = Words { problem };
    let text = DefaultStringReporter::report_with_formatter(&words.shortened(&tree), &words);
    let mut text = text.trim().to_owned();
    if !text.ends_with('.') {
        text.push('.');
    }
    text
}

struct Words<'a> {
    problem: &'a Problem<'a>,
}

impl Words<'_> {
    /// The same without what goes without saying.
    fn shortened(&self, tree: &Tree) -> Tree {
        let DerivationTree::Derived(derived) = tree else { return tree.clone() };
        if self.goes_without_saying(&derived.cause1) {
            return self.shortened(&derived.cause2);
        }
        if self.goes_without_saying(&derived.cause2) {
            return self.shortened(&derived.cause1);
        }
        DerivationTree::Derived(Derived {
            terms: derived.terms.clone(),
            shared_id: derived.shared_id,
            cause1: Arc::new(self.shortened(&derived.cause1)),
            cause2: Arc::new(self.shortened(&derived.cause2)),
        })
    }

    /// That what there is of a plugin is the version that was chosen of it; and that it has no versions but those that are
    /// spoken of anyway.
    fn goes_without_saying(&self, tree: &Tree) -> bool {
        match tree {
            DerivationTree::External(External::FromDependencyOf(
                Node::Plugin(one),
                _,
                Node::Presence(other),
                _,
            )) => one == other,
            DerivationTree::External(External::NoVersions(node, set)) => is_gap(&self.versions(node), set),
            DerivationTree::Derived(derived) => {
                self.goes_without_saying(&derived.cause1) && self.goes_without_saying(&derived.cause2)
            }
            DerivationTree::External(_) => false,
        }
    }

    /// A plugin with some of its versions.
    fn of(&self, node: &Node, set: &Choices) -> String {
        // Between two versions that exist, it does not matter where the border is.
        let known: Vec<Choice> = self.versions(node);
        let set = if known.is_empty() { set.clone() } else { set.simplify(known.iter()) };
        named(node, &set)
    }

    fn versions(&self, node: &Node) -> Vec<Choice> {
        let (Node::Plugin(name) | Node::Presence(name)) = node else { return Vec::new() };
        let possible = self.problem.possible(name);
        possible.into_iter().map(|possible| Choice::Version(possible.version.clone())).collect()
    }

    /// Why a plugin has to be there.
    fn goal(&self, node: &Node, set: &Choices) -> String {
        let Node::Plugin(name) = node else { return named(node, set) };
        let present = self.problem.world.installed.get(name);
        match present {
            Some(present) if present.pinned => format!("`{name}` is pinned to {}", present.version),
            Some(present) if self.problem.wish(name).is_none() => {
                format!("`{name}` {} is installed and must stay or become newer", present.version)
            }
            _ => format!("{} is asked for", named(node, set)),
        }
    }

    fn missing(&self, node: &Node, set: &Choices) -> String {
        let known = self.versions(node);
        if known.is_empty() {
            return format!("no catalogue has a release of {node}");
        }
        let known: Vec<String> = known.iter().map(Choice::to_string).collect();
        format!("there is no {}, only {}", named(node, set), listed(&known))
    }
}

/// Whether a set that has none of the known versions lies around some of them.
fn is_gap(known: &[Choice], set: &Choices) -> bool {
    let hull = set.bounding_range();
    let hull = hull.map(|(low, high)| Choices::from_range_bounds::<_, Choice>((low.cloned(), high.cloned())));
    hull.is_some_and(|hull| known.iter().any(|version| hull.contains(version)))
}

fn named(node: &Node, set: &Choices) -> String {
    let words = ranges::in_words(set);
    if words.is_empty() { node.to_string() } else { format!("{node} {words}") }
}

/// `a`, `a and b`, `a, b and c`.
fn listed(items: &[String]) -> String {
    match items {
        [] => String::new(),
        [one] => one.clone(),
        [first @ .., last] => format!("{} and {last}", first.join(", ")),
    }
}

/// A term whose set has nothing to do with a plugin that is absent.
fn plain(term: &Term<Choices>) -> Term<Choices> {
    match term {
        Term::Positive(set) if set.contains(&Choice::Absent) => Term::Negative(set.complement()),
        Term::Negative(set) if set.contains(&Choice::Absent) => Term::Positive(set.complement()),
        term => term.clone(),
    }
}

impl ReportFormatter<Node, Choices, String> for Words<'_> {
    type Output = String;

    fn format_external(&self, fact: &Fact) -> String {
        match fact {
            External::NotRoot(..) => "something is asked for".to_owned(),
            External::NoVersions(node, set) => self.missing(node, set),
            External::Custom(node, set, reason) => format!("{} {reason}", self.of(node, set)),
            External::FromDependencyOf(Node::Goal, _, node, set) => self.goal(node, set),
            External::FromDependencyOf(node, set, other @ Node::Presence(_), beside) => {
                format!("{} conflicts with {}", self.of(node, set), named(other, &beside.complement()))
            }
            External::FromDependencyOf(node, set, other, needed) => {
                format!("{} needs {}", self.of(node, set), named(other, needed))
            }
        }
    }

    fn format_terms(&self, terms: &Map<Node, Term<Choices>>) -> String {
        let mut terms: Vec<(&Node, Term<Choices>)> = terms
            .iter()
            .filter(|(node, _)| **node != Node::Goal)
            .map(|(node, term)| (node, plain(term)))
            .collect();
        terms.sort_by_key(|(node, term)| (matches!(term, Term::Negative(_)), (*node).clone()));
        match terms.as_slice() {
            [] => "this cannot be done".to_owned(),
            [(node, Term::Positive(set))] => format!("{} cannot be used", self.of(node, set)),
            [(node, Term::Negative(set))] => format!("{} is needed", named(node, set)),
            [(node, Term::Positive(set)), (other, Term::Negative(needed))] => {
                format!("{} needs {}", self.of(node, set), named(other, needed))
            }
            [(one, Term::Positive(set)), (other, Term::Positive(beside))] => {
                format!("{} cannot be beside {}", self.of(one, set), self.of(other, beside))
            }
            terms => {
                let named = terms.iter().map(|(node, term)| match term {
                    Term::Positive(set) => self.of(node, set),
                    Term::Negative(set) => format!("no {}", named(node, set)),
                });
                format!("{} do not go together", listed(&named.collect::<Vec<_>>()))
            }
        }
    }

    fn explain_both_external(&self, one: &Fact, other: &Fact, terms: &Map<Node, Term<Choices>>) -> String {
        let (one, other) = (self.format_external(one), self.format_external(other));
        format!("Because {one} and {other}, {}.", self.format_terms(terms))
    }

    fn explain_both_ref(
        &self,
        id: usize,
        one: &Derived<Node, Choices, String>,
        other_id: usize,
        other: &Derived<Node, Choices, String>,
        terms: &Map<Node, Term<Choices>>,
    ) -> String {
        let (one, other) = (self.format_terms(&one.terms), self.format_terms(&other.terms));
        format!("Because {one} ({id}) and {other} ({other_id}), {}.", self.format_terms(terms))
    }

    fn explain_ref_and_external(
        &self,
        id: usize,
        derived: &Derived<Node, Choices, String>,
        fact: &Fact,
        terms: &Map<Node, Term<Choices>>,
    ) -> String {
        let (derived, fact) = (self.format_terms(&derived.terms), self.format_external(fact));
        format!("Because {derived} ({id}) and {fact}, {}.", self.format_terms(terms))
    }

    fn and_explain_external(&self, fact: &Fact, terms: &Map<Node, Term<Choices>>) -> String {
        format!("And because {}, {}.", self.format_external(fact), self.format_terms(terms))
    }

    fn and_explain_ref(
        &self,
        id: usize,
        derived: &Derived<Node, Choices, String>,
        terms: &Map<Node, Term<Choices>>,
    ) -> String {
        format!("And because {} ({id}), {}.", self.format_terms(&derived.terms), self.format_terms(terms))
    }

    fn and_explain_prior_and_external(
        &self,
        prior: &Fact,
        fact: &Fact,
        terms: &Map<Node, Term<Choices>>,
    ) -> String {
        let (prior, fact) = (self.format_external(prior), self.format_external(fact));
        format!("And because {prior} and {fact}, {}.", self.format_terms(terms))
    }
}
