//! Requirements on versions as sets, and sets in words.

use std::{fmt, ops::Bound};

use pubgrub::Ranges;
use semver::{BuildMetadata, Comparator, Op, Prerelease, Version, VersionReq};

/// What is there of a plugin: nothing, or a version.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Choice {
    Absent,
    Version(Version),
}

impl fmt::Display for Choice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Absent => f.write_str("none"),
            Self::Version(version) => version.fmt(f),
        }
    }
}

/// Some of what may be there of a plugin.
pub(super) type Choices = Ranges<Choice>;

/// Every version.
pub(super) fn any() -> Choices {
    Choices::strictly_higher_than(Choice::Absent)
}

/// One version.
pub(super) fn exactly(version: &Version) -> Choices {
    Choices::singleton(Choice::Version(version.clone()))
}

/// This version, and what is newer.
pub(super) fn from(version: &Version) -> Choices {
    Choices::higher_than(Choice::Version(version.clone()))
}

/// The versions that meet a requirement. Pre-releases of the first version beyond it are not among them.
pub(super) fn meeting(requirement: &VersionReq) -> Choices {
    requirement.comparators.iter().fold(any(), |set, comparator| set.intersection(&compared(comparator)))
}

fn compared(comparator: &Comparator) -> Choices {
    let Comparator { major, minor, patch, .. } = *comparator;
    let least = with(major, minor.unwrap_or(0), patch.unwrap_or(0), comparator.pre.clone());
    // The first version that is beyond all that begin as the comparator does.
    let beyond = match (minor, patch) {
        (None, _) => next(major, None, None),
        (Some(minor), None) => next(major, Some(minor), None),
        (Some(minor), Some(patch)) => next(major, Some(minor), Some(patch)),
    };
    let is_whole = patch.is_some();
    match comparator.op {
        Op::Exact if is_whole => exactly(&least),
        Op::Greater if is_whole => any().intersection(&Choices::strictly_higher_than(Choice::Version(least))),
        Op::Greater => from(&beyond),
        Op::GreaterEq => from(&least),
        Op::Less => below(&if least.pre.is_empty() { lowest(&least) } else { least }),
        Op::LessEq if is_whole => any().intersection(&Choices::lower_than(Choice::Version(least))),
        Op::LessEq => below(&beyond),
        Op::Tilde => from(&least).intersection(&below(&next(major, minor, None))),
        Op::Caret => {
            let beyond = match (major, minor, patch) {
                (1.., ..) | (0, None, _) => next(major, None, None),
                (0, Some(1..), _) | (0, Some(0), None) => next(0, minor, None),
                (0, Some(0), Some(_)) => next(0, minor, patch),
            };
            from(&least).intersection(&below(&beyond))
        }
        // `=1.2`, `1.*`, and operators that come later.
        _ => from(&least).intersection(&below(&beyond)),
    }
}

fn below(version: &Version) -> Choices {
    any().intersection(&Choices::strictly_lower_than(Choice::Version(version.clone())))
}

fn with(major: u64, minor: u64, patch: u64, pre: Prerelease) -> Version {
    Version { major, minor, patch, pre, build: BuildMetadata::EMPTY }
}

/// The lowest version after all those with the same beginning.
fn next(major: u64, minor: Option<u64>, patch: Option<u64>) -> Version {
    let version = match (minor, patch) {
        (None, _) => Version::new(major.saturating_add(1), 0, 0),
        (Some(minor), None) => Version::new(major, minor.saturating_add(1), 0),
        (Some(minor), Some(patch)) => Version::new(major, minor, patch.saturating_add(1)),
    };
    lowest(&version)
}

/// The lowest pre-release of a version, which lies before all others.
fn lowest(version: &Version) -> Version {
    let pre = Prerelease::new("0").unwrap_or_default();
    with(version.major, version.minor, version.patch, pre)
}

/// A set in words: `1.2.0`, `>=1.2.0, <2.0.0`; nothing for all versions.
pub(super) fn in_words(set: &Choices) -> String {
    let mut parts = Vec::new();
    for (low, high) in set.iter() {
        let version = |choice: &Choice| match choice {
            Choice::Absent => None,
            // The lowest pre-release stands for the version itself.
            Choice::Version(version) if version.pre.as_str() == "0" => {
                Some(Version::new(version.major, version.minor, version.patch).to_string())
            }
            Choice::Version(version) => Some(version.to_string()),
        };
        let low = match low {
            Bound::Included(choice) => version(choice).map(|version| (">=", version)),
            Bound::Excluded(choice) => version(choice).map(|version| (">", version)),
            Bound::Unbounded => None,
        };
        let high = match high {
            Bound::Included(choice) => version(choice).map(|version| ("<=", version)),
            Bound::Excluded(choice) => version(choice).map(|version| ("<", version)),
            Bound::Unbounded => None,
        };
        parts.push(match (low, high) {
            (Some((">=", low)), Some(("<=", high))) if low == high => low,
            (Some((sign, low)), Some((other, high))) => format!("{sign}{low}, {other}{high}"),
            (Some((sign, bound)), None) | (None, Some((sign, bound))) => format!("{sign}{bound}"),
            (None, None) => return String::new(),
        });
    }
    parts.join(" or ")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn version(text: &str) -> Version {
        text.parse().expect("a version")
    }

    fn requirement(text: &str) -> VersionReq {
        text.parse().expect("a requirement")
    }

    #[test]
    fn a_set_has_the_versions_that_the_requirement_has() {
        let versions = [
            "0.0.1", "0.0.2", "0.1.0", "0.1.9", "0.2.0", "1.0.0", "1.0.1", "1.2.0", "1.2.3", "1.2.4",
            "1.3.0", "1.9.0", "2.0.0", "2.1.0", "3.0.0",
        ];
        let requirements = [
            "*",
            "1",
            "1.2",
            "1.2.3",
            "^0.0.1",
            "^0.0",
            "^0",
            "^0.1",
            "^0.1.2",
            "~1",
            "~1.2",
            "~1.2.3",
            "=1",
            "=1.2",
            "=1.2.3",
            ">1",
            ">1.2",
            ">1.2.3",
            ">=1.2",
            "<1.2",
            "<2",
            "<1.2.3",
            "<=1",
            "<=1.2",
            "<=1.2.3",
            "1.*",
            "1.2.*",
            ">=1.0.1, <1.3",
            ">=2, <2",
        ];
        for text in requirements {
            let (requirement, set) = (requirement(text), meeting(&requirement(text)));
            for version in versions.map(version) {
                let within = set.contains(&Choice::Version(version.clone()));
                assert_eq!(within, requirement.matches(&version), "{text} and {version}");
            }
            assert!(!set.contains(&Choice::Absent), "{text}");
        }
    }

    #[test]
    fn a_prerelease_of_what_is_beyond_is_not_in_the_set() {
        let rc = Choice::Version(version("2.0.0-rc.1"));
        assert!(!meeting(&requirement("^1.2")).contains(&rc));
        assert!(!meeting(&requirement("<2")).contains(&rc));
        assert!(meeting(&requirement(">=2.0.0-rc.1")).contains(&rc));
    }

    #[test]
    fn the_largest_numbers_overflow_nothing() {
        let huge = u64::MAX;
        for text in
            [format!("^{huge}"), format!("~{huge}.{huge}"), format!("={huge}.{huge}"), format!(">{huge}")]
        {
            let _ = meeting(&requirement(&text));
        }
    }

    #[test]
    fn words_are_those_of_a_manifest() {
        for (text, words) in [
            ("*", ""),
            ("^1.2", ">=1.2.0, <2.0.0"),
            ("=1.2.3", "1.2.3"),
            (">=1.2", ">=1.2.0"),
            ("<2", "<2.0.0"),
            ("~1.2.3", ">=1.2.3, <1.3.0"),
        ] {
            assert_eq!(in_words(&meeting(&requirement(text))), words, "{text}");
        }
    }
}
