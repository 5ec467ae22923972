use serde::{Deserialize, Serialize};

/// `[packages]`: what may be installed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Packages {
    /// The largest package, in bytes. 1 MiB to 4 GiB, default 512 MiB.
    pub max_bytes: u64,
    /// What `--yes` may consent to, as plans name it: `permission:database`, or `permission:*` for all permissions. Default:
    /// nothing.
    pub preapproved: Vec<String>,
}

impl Default for Packages {
    fn default() -> Self {
        Self { max_bytes: 512 * 1024 * 1024, preapproved: Vec::new() }
    }
}

impl Packages {
    /// What an item of a plan begins with.
    pub const KINDS: [&'static str; 6] =
        ["permission", "dependency", "migration", "key", "unsigned", "content"];

    /// Whether a text can stand in `preapproved`.
    pub(super) fn is_item(text: &str) -> bool {
        text.split_once(':').is_some_and(|(kind, rest)| Self::KINDS.contains(&kind) && !rest.is_empty())
    }

    /// Whether `--yes` may consent to an item of a plan.
    #[must_use]
    pub fn approves(&self, item: &str) -> bool {
        let kind = item.split_once(':').map_or(item, |(kind, _)| kind);
        self.preapproved.iter().any(|approved| {
            approved == item || approved.strip_suffix(":*").is_some_and(|approved| approved == kind)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_item_is_approved_by_its_name_or_by_its_kind() {
        let packages = |preapproved: &[&str]| Packages {
            preapproved: preapproved.iter().map(ToString::to_string).collect(),
            ..Packages::default()
        };
        assert!(packages(&["permission:*"]).approves("permission:network"));
        assert!(packages(&["permission:network"]).approves("permission:network"));
        for approved in [&["permission:network"][..], &["dependency:*"], &["permission"], &[]] {
            assert!(!packages(approved).approves("permission:database"), "{approved:?}");
        }
    }
}
