//! Which plugins of the catalogues are wanted, and in which order.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::{
    index::Listing,
    view::{CatalogPage, CatalogPlugin},
};

/// Which plugins, in which order, from which on. What is absent does not narrow.
#[derive(Debug, Clone, Default)]
pub struct Search {
    /// Words that all stand in the name, the description or a tag.
    pub text: Option<String>,
    /// The category.
    pub category: Option<String>,
    /// A tag.
    pub tag: Option<String>,
    /// The type.
    pub kind: Option<String>,
    /// The order.
    pub sort: Sort,
    /// How many of the first are left out.
    pub skip: usize,
    /// How many at most.
    pub limit: usize,
}

/// An order of plugins.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, ToSchema, clap::ValueEnum)]
#[serde(rename_all = "lowercase")]
pub enum Sort {
    /// Those that were installed here most often first, then the best rated.
    #[default]
    Popular,
    /// The best rated first, then those that more users rated.
    Rating,
    /// What came out last first.
    Newest,
    /// By their names for people.
    Name,
}

impl Sort {
    /// Its name.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Popular => "popular",
            Self::Rating => "rating",
            Self::Newest => "newest",
            Self::Name => "name",
        }
    }
}

impl Search {
    pub(super) fn finds(&self, listing: &Listing) -> bool {
        let same = |one: &str, other: &str| one.to_lowercase() == other.to_lowercase();
        let is = |asked: &Option<String>, found: &str| asked.as_ref().is_none_or(|asked| same(asked, found));
        let has_tag = |asked: &String| listing.tags.iter().any(|tag| same(asked, tag));
        is(&self.category, &listing.category)
            && is(&self.kind, &listing.kind)
            && self.tag.as_ref().is_none_or(has_tag)
            && self.text.as_deref().is_none_or(|text| has_words(listing, text))
    }

    /// Those that were found, in order, and of them the page that is asked for.
    pub(super) fn page(&self, mut found: Vec<CatalogPlugin>) -> CatalogPage {
        let average = |plugin: &CatalogPlugin| plugin.avg_rating;
        found.sort_by(|one, other| {
            let (a, b) = (one, other);
            let order = match self.sort {
                Sort::Popular => {
                    b.install_count.cmp(&a.install_count).then(average(b).total_cmp(&average(a)))
                }
                Sort::Rating => average(b).total_cmp(&average(a)).then(b.rating_count.cmp(&a.rating_count)),
                Sort::Newest => b.released_at.cmp(&a.released_at),
                Sort::Name => a.display_name.to_lowercase().cmp(&b.display_name.to_lowercase()),
            };
            order.then_with(|| a.name.cmp(&b.name))
        });
        let total = found.len() as u64;
        let plugins = found.into_iter().skip(self.skip).take(self.limit).collect();
        CatalogPage { plugins, total }
    }
}

fn has_words(listing: &Listing, text: &str) -> bool {
    let fields = [listing.name.as_str(), &listing.display_name, &listing.description];
    let fields = fields.into_iter().chain(listing.tags.iter().map(String::as_str));
    let fields: Vec<String> = fields.map(str::to_lowercase).collect();
    let text = text.to_lowercase();
    text.split_whitespace().all(|word| fields.iter().any(|field| field.contains(word)))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::catalog::view::Local;

    fn listing(name: &str, display_name: &str, tags: &[&str], released: &str) -> Listing {
        serde_json::from_value(json!({
            "name": name, "display_name": display_name, "type": "webhook", "category": "Chat", "tags": tags,
            "description": "Sends notifications",
            "versions": [{"version": "1.0.0", "released_at": released}],
        }))
        .expect("a listing")
    }

    #[test]
    fn every_word_is_looked_for_in_names_descriptions_and_tags() {
        let listing = listing("streamspace-slack", "Slack", &["messaging"], "2026-01-01T00:00:00Z");
        for (text, is_found) in
            [("slack", true), ("SLACK notif", true), ("messag", true), ("slack teams", false), ("  ", true)]
        {
            let search = Search { text: Some(text.to_owned()), ..Search::default() };
            assert_eq!(search.finds(&listing), is_found, "{text:?}");
        }
        let search = |tag: &str| Search { tag: Some(tag.to_owned()), ..Search::default() };
        assert!(search("Messaging").finds(&listing));
        assert!(!search("messag").finds(&listing), "a tag is whole");
        let search =
            Search { category: Some("chat".to_owned()), kind: Some("theme".to_owned()), ..Search::default() };
        assert!(!search.finds(&listing));
    }

    #[test]
    fn pages_follow_each_other_in_the_order_that_is_asked_for() {
        let plugin = |name: &str, installs, ratings, sum, released: &str| {
            let local = Local { installed: None, installs, ratings, sum };
            CatalogPlugin::new("c", Vec::new(), &listing(name, name, &[], released), &local)
        };
        let all = vec![
            plugin("aa", 1, 1, 5, "2026-01-01T00:00:00Z"),
            plugin("bb", 5, 2, 4, "2026-01-03T00:00:00Z"),
            plugin("cc", 1, 9, 45, "2026-01-02T00:00:00Z"),
        ];
        for (sort, order) in [
            (Sort::Popular, "bb aa cc"),
            (Sort::Rating, "cc aa bb"),
            (Sort::Newest, "bb cc aa"),
            (Sort::Name, "aa bb cc"),
        ] {
            let mut seen = Vec::new();
            for skip in 0..4 {
                let page = Search { sort, skip, limit: 1, ..Search::default() }.page(all.clone());
                assert_eq!(page.total, 3);
                seen.extend(page.plugins.into_iter().map(|plugin| plugin.name));
            }
            assert_eq!(seen.join(" "), order, "{sort:?}");
        }
    }
}
