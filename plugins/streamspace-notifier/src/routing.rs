//! Which messages a destination wants.

use crate::notification::{About, Severity};

/// What a destination asks for beyond its topics. An empty list asks for nothing.
#[derive(Debug, Clone, Default)]
pub struct Route {
    /// Names or ids of users.
    pub users: Vec<String>,
    /// Groups of the platform that the user is in.
    pub teams: Vec<String>,
    /// Names of templates.
    pub templates: Vec<String>,
    /// What matters less is not wanted.
    pub min_severity: Severity,
}

impl Route {
    /// Whether a message of this severity about this user, team and template is wanted. One that is about no user is not
    /// wanted where users are listed, and likewise for the others.
    #[must_use]
    pub fn wants(&self, severity: Severity, about: &About) -> bool {
        let listed =
            |list: &[String], of: &[String]| list.is_empty() || of.iter().any(|one| list.contains(one));
        severity >= self.min_severity
            && listed(&self.users, &about.users)
            && listed(&self.teams, &about.teams)
            && listed(&self.templates, &about.templates)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn about(users: &[&str], teams: &[&str], templates: &[&str]) -> About {
        let owned = |texts: &[&str]| texts.iter().map(|&text| text.to_owned()).collect();
        About { users: owned(users), teams: owned(teams), templates: owned(templates) }
    }

    fn route(users: &[&str], teams: &[&str], templates: &[&str], min_severity: Severity) -> Route {
        let About { users, teams, templates } = about(users, teams, templates);
        Route { users, teams, templates, min_severity }
    }

    #[test]
    fn an_empty_route_wants_everything() {
        assert!(Route::default().wants(Severity::Info, &about(&[], &[], &[])));
    }

    #[test]
    fn severity_is_a_lower_bound() {
        let route = route(&[], &[], &[], Severity::Error);
        let wanted = [Severity::Info, Severity::Warning, Severity::Error, Severity::Critical]
            .map(|severity| route.wants(severity, &about(&["ada"], &[], &[])));
        assert_eq!(wanted, [false, false, true, true]);
    }

    #[test]
    fn every_list_that_is_not_empty_must_match() {
        let route = route(&["ada", "u-1"], &["design"], &["firefox", "gimp"], Severity::Info);
        for (event, wanted) in [
            (about(&["ada"], &["design"], &["gimp"]), true),
            (about(&["u-1", "Ada Lovelace"], &["ops", "design"], &["firefox"]), true),
            (about(&["Ada"], &["design"], &["gimp"]), false),
            (about(&["ada"], &["ops"], &["gimp"]), false),
            (about(&["ada"], &[], &["gimp"]), false),
            (about(&["ada"], &["design"], &["blender"]), false),
            (about(&["ada"], &["design"], &[]), false),
            (about(&[], &["design"], &["gimp"]), false),
        ] {
            assert_eq!(route.wants(Severity::Info, &event), wanted, "{event:?}");
        }
    }
}
