//! What the plugin shows: `ui` and `adminUI`.

use serde::Deserialize;

use super::Permission;

/// `ui`: pages, widgets and login buttons.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase", default, expecting = "an object")]
#[non_exhaustive]
pub struct Ui {
    /// `adminPages`: pages of the administration.
    pub admin_pages: Vec<Page>,
    /// `pages`: pages for everyone.
    pub pages: Vec<Page>,
    /// `userPages`: pages about the user who is signed in.
    pub user_pages: Vec<Page>,
    /// `widgets`: tiles of the home dashboard.
    pub widgets: Vec<Widget>,
    /// `loginButton`: one more way to sign in.
    pub login_button: Option<LoginButton>,
    /// `loginButtons`: several more ways to sign in.
    pub login_buttons: Vec<LoginButton>,
}

/// `adminUI`: the other spelling of the administration's pages, with its widgets.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase", default, expecting = "an object")]
#[non_exhaustive]
pub struct AdminUi {
    /// `pages`: pages of the administration.
    pub pages: Vec<Page>,
    /// `widgets`: tiles of the administration's dashboard.
    pub widgets: Vec<Widget>,
}

/// A page. `route` and `path` are two spellings of the same; see [`Page::location`].
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase", expecting = "an object")]
#[non_exhaustive]
pub struct Page {
    /// `id`, required: kebab-case, unique among the plugin's pages of its kind.
    pub id: String,
    /// `title`, required: heading of the page.
    pub title: String,
    /// `route`: absolute path in the browser, such as `/admin/billing`.
    pub route: Option<String>,
    /// `path`: the same as `route`.
    pub path: Option<String>,
    /// `component`: name of the component that draws the page, or address of its bundle.
    pub component: Option<String>,
    /// `icon`: name of a Material icon.
    pub icon: Option<String>,
    /// `description`: one line under the title.
    pub description: Option<String>,
    /// `menuLabel`: text in the menu. Default: the title.
    pub menu_label: Option<String>,
    /// `order`: place in the menu, 0 to 1000, lower first. Default: after those with one.
    pub order: Option<u16>,
    /// `permissions`: what the viewer must hold, all of them. Default: none.
    #[serde(default)]
    pub permissions: Vec<Permission>,
}

impl Page {
    /// `route`, or else `path`.
    #[must_use]
    pub fn location(&self) -> Option<&str> {
        self.route.as_deref().or(self.path.as_deref())
    }
}

/// A tile of a dashboard.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase", expecting = "an object")]
#[non_exhaustive]
pub struct Widget {
    /// `id`, required: kebab-case, unique among the plugin's widgets.
    pub id: String,
    /// `title`, required: heading of the tile.
    pub title: String,
    /// `component`: name of the component that draws the tile, or address of its bundle.
    pub component: Option<String>,
    /// `icon`: name of a Material icon.
    pub icon: Option<String>,
    /// `description`: one line under the title.
    pub description: Option<String>,
    /// `position`: `top`, `sidebar`, `right-sidebar`, `bottom` or another place of the interface. Default: `top`.
    pub position: Option<String>,
    /// `width`: `full`, `half` or `third`. Default: `full`.
    pub width: Option<String>,
    /// `permissions`: what the viewer must hold, all of them. Default: none.
    #[serde(default)]
    pub permissions: Vec<Permission>,
}

/// A button on the sign-in page.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase", default, expecting = "an object")]
#[non_exhaustive]
pub struct LoginButton {
    /// `enabled`: whether it is shown. Default: shown.
    pub enabled: Option<bool>,
    /// `provider`: which of several services it signs in with.
    pub provider: Option<String>,
    /// `label`: text of the button.
    pub label: Option<String>,
    /// `icon`: name of an icon.
    pub icon: Option<String>,
}
