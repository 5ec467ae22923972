//! Which messages a destination wants.

use serde::Deserialize;

use crate::message::About;

/// How much a message matters.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Severity {
    /// Good to know.
    #[default]
    Info,
    /// Somebody should look at it.
    Warning,
    /// Somebody cannot work.
    Critical,
}

/// What a destination asks for beyond its topics. An empty list asks for nothing.
#[derive(Debug, Clone, Default)]
pub(crate) struct Route {
    pub(crate) users: Vec<String>,
    pub(crate) templates: Vec<String>,
    pub(crate) min_severity: Severity,
}

impl Route {
    /// Whether a message of this severity about this user and template is wanted. One that is about no user is not
    /// wanted where users are listed, and likewise for templates.
    pub(crate) fn wants(&self, severity: Severity, about: &About) -> bool {
        let listed =
            |list: &[String], of: &[String]| list.is_empty() || of.iter().any(|one| list.contains(one));
        severity >= self.min_severity
            && listed(&self.users, &about.users)
            && listed(&self.templates, &about.templates)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn about(users: &[&str], templates: &[&str]) -> About {
        let owned = |texts: &[&str]| texts.iter().map(|&text| text.to_owned()).collect();
        About { users: owned(users), templates: owned(templates) }
    }

    fn route(users: &[&str], templates: &[&str], min_severity: Severity) -> Route {
        let About { users, templates } = about(users, templates);
        Route { users, templates, min_severity }
    }

    #[test]
    fn an_empty_route_wants_everything() {
        assert!(Route::default().wants(Severity::Info, &about(&[], &[])));
    }

    #[test]
    fn severity_is_a_lower_bound() {
        let route = route(&[], &[], Severity::Warning);
        let wanted = [Severity::Info, Severity::Warning, Severity::Critical]
            .map(|severity| route.wants(severity, &about(&["ada"], &[])));
        assert_eq!(wanted, [false, true, true]);
    }

    #[test]
    fn every_list_that_is_not_empty_must_match() {
        let route = route(&["ada", "u-1"], &["firefox", "gimp"], Severity::Info);
        for (event, wanted) in [
            (about(&["ada"], &["gimp"]), true),
            (about(&["u-1", "Ada Lovelace"], &["firefox"]), true),
            (about(&["Ada"], &["gimp"]), false),
            (about(&["ada"], &["blender"]), false),
            (about(&["ada"], &[]), false),
            (about(&[], &["gimp"]), false),
        ] {
            assert_eq!(route.wants(Severity::Info, &event), wanted, "{event:?}");
        }
    }
}
