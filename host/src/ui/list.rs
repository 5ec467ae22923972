//! What is listed: contributions as the console and operators read them.

use serde::{Deserialize, Serialize};
use streamspace_plugin::ui::{Position, View, Width};

/// What every contribution has.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, utoipa::ToSchema)]
#[schema(as = ContributionCommon)]
pub struct Common {
    /// The plugin that it is of.
    pub plugin: String,
    /// Unique among the plugin's contributions of its kind.
    pub id: String,
    /// One line about it.
    pub description: Option<String>,
    /// The name of an icon.
    pub icon: Option<String>,
    /// Its place among others of its kind, lower first.
    pub order: u32,
    /// What the viewer must be permitted, all of it. Of what belongs to the administration, `admin` among it.
    pub permissions: Vec<String>,
    /// The web component that draws it.
    pub component: Option<ComponentView>,
    /// Where the sources of its view are below, and the requests of its component should be: `/api/plugins/NAME`.
    pub api_base: String,
}

/// A web component.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct ComponentView {
    /// The name of the custom element, or whatever name the manifest has.
    pub name: String,
    /// The path of the JavaScript module that defines it. Without one there is nothing to be loaded.
    pub module: Option<String>,
}

/// A widget of a dashboard.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct WidgetView {
    /// What every contribution has.
    #[serde(flatten)]
    pub common: Common,
    /// The heading.
    pub title: String,
    /// Where it stands.
    #[schema(value_type = String, pattern = "^(top|sidebar|bottom)$")]
    pub position: Position,
    /// How much of the width it takes.
    #[schema(value_type = String, pattern = "^(full|half|third)$")]
    pub width: Width,
    /// What the console draws, as `GET /api/v1/schemas/ui.json` has it.
    #[schema(value_type = Option<Object>)]
    pub view: Option<View>,
}

/// A page.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct PageView {
    /// What every contribution has.
    #[serde(flatten)]
    pub common: Common,
    /// The heading.
    pub title: String,
    /// Its whole path in the console.
    pub path: String,
    /// Its text in the menu. Without one it is reached by its path only.
    pub menu_label: Option<String>,
    /// What the console draws, as `GET /api/v1/schemas/ui.json` has it. With neither a view nor a component, a settings page is the form of the `configSchema`.
    #[schema(value_type = Option<Object>)]
    pub view: Option<View>,
}

/// An entry of the main navigation.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct MenuItemView {
    /// What every contribution has.
    #[serde(flatten)]
    pub common: Common,
    /// Its text.
    pub label: String,
    /// Where it leads: a path of the console, or an https address.
    pub path: String,
    /// Whether that is an address elsewhere.
    pub external: bool,
}

/// Contributions of every kind, each list sorted by order, then by plugin and id.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct ContributionsView {
    /// Widgets of the home dashboard.
    pub widgets: Vec<WidgetView>,
    /// Widgets of the administration's dashboard.
    pub admin_widgets: Vec<WidgetView>,
    /// Pages for users.
    pub pages: Vec<PageView>,
    /// Pages of the administration.
    pub admin_pages: Vec<PageView>,
    /// Entries of the main navigation.
    pub menu_items: Vec<MenuItemView>,
    /// The pages where operators set plugins up.
    pub settings_pages: Vec<PageView>,
}

impl ContributionsView {
    /// How many there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.widgets.len()
            + self.admin_widgets.len()
            + self.pages.len()
            + self.admin_pages.len()
            + self.menu_items.len()
            + self.settings_pages.len()
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Adds those of `other` that `shown` lets through.
    pub(super) fn add(&mut self, other: &Self, shown: impl Fn(&Common) -> bool) {
        fn add<T: Clone>(to: &mut Vec<T>, from: &[T], shown: impl Fn(&T) -> bool) {
            to.extend(from.iter().filter(|one| shown(one)).cloned());
        }
        add(&mut self.widgets, &other.widgets, |one| shown(&one.common));
        add(&mut self.admin_widgets, &other.admin_widgets, |one| shown(&one.common));
        add(&mut self.pages, &other.pages, |one| shown(&one.common));
        add(&mut self.admin_pages, &other.admin_pages, |one| shown(&one.common));
        add(&mut self.menu_items, &other.menu_items, |one| shown(&one.common));
        add(&mut self.settings_pages, &other.settings_pages, |one| shown(&one.common));
    }

    pub(super) fn sort(&mut self) {
        fn sort<T>(list: &mut [T], common: impl Fn(&T) -> &Common) {
            list.sort_by(|a, b| {
                let (a, b) = (common(a), common(b));
                (a.order, &a.plugin, &a.id).cmp(&(b.order, &b.plugin, &b.id))
            });
        }
        sort(&mut self.widgets, |one| &one.common);
        sort(&mut self.admin_widgets, |one| &one.common);
        sort(&mut self.pages, |one| &one.common);
        sort(&mut self.admin_pages, |one| &one.common);
        sort(&mut self.menu_items, |one| &one.common);
        sort(&mut self.settings_pages, |one| &one.common);
    }
}
