//! What the plugin shows: `ui` and `adminUI`.

use serde::Deserialize;
use serde_json::Value;

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
    /// `adminWidgets`: tiles of the administration's dashboard.
    pub admin_widgets: Vec<Widget>,
    /// `menuItems`: entries of the main navigation.
    pub menu_items: Vec<MenuItem>,
    /// `settingsPage`: the page where operators set the plugin up.
    pub settings_page: Option<SettingsPage>,
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

/// An entry of the main navigation.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase", expecting = "an object")]
#[non_exhaustive]
pub struct MenuItem {
    /// `id`, required: kebab-case, unique among the plugin's menu items.
    pub id: String,
    /// `label`, required: its text.
    pub label: String,
    /// `path`, required: where it leads, a path of the console or an https address.
    pub path: String,
    /// `description`: one line about it.
    pub description: Option<String>,
    /// `component`: name of the component that draws it. Default: as the others.
    pub component: Option<String>,
    /// `module`: file below `ui/` that defines the component.
    pub module: Option<String>,
    /// `icon`: name of a Material icon.
    pub icon: Option<String>,
    /// `order`: place in the menu, 1000 to 9999, lower first. Default: 1000.
    pub order: Option<u16>,
    /// `permissions`: what the viewer must hold, all of them. Default: none.
    #[serde(default)]
    pub permissions: Vec<Permission>,
}

/// The page where operators set the plugin up.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase", expecting = "an object")]
#[non_exhaustive]
pub struct SettingsPage {
    /// `title`, required: heading of the page.
    pub title: String,
    /// `description`: one line under the title.
    pub description: Option<String>,
    /// `component`: name of the component that draws it. Default: the form of the `configSchema`.
    pub component: Option<String>,
    /// `module`: file below `ui/` that defines the component.
    pub module: Option<String>,
    /// `view`: what the host's console draws, instead of a component.
    pub view: Option<Value>,
    /// `icon`: name of a Material icon.
    pub icon: Option<String>,
    /// `permissions`: what the viewer must hold, all of them. Default: none but `admin`.
    #[serde(default)]
    pub permissions: Vec<Permission>,
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
    /// `module`: file below `ui/` that defines the component.
    pub module: Option<String>,
    /// `view`: what the host's console draws, instead of a component.
    pub view: Option<Value>,
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
    /// `module`: file below `ui/` that defines the component.
    pub module: Option<String>,
    /// `view`: what the host's console draws, instead of a component.
    pub view: Option<Value>,
    /// `icon`: name of a Material icon.
    pub icon: Option<String>,
    /// `description`: one line under the title.
    pub description: Option<String>,
    /// `position`: `top`, `sidebar`, `right-sidebar`, `bottom` or another place of the interface. Default: `top`.
    pub position: Option<String>,
    /// `width`: `full`, `half` or `third`. Default: `full`.
    pub width: Option<String>,
    /// `order`: place among other widgets, 0 to 1000, lower first. Default: 1000.
    pub order: Option<u16>,
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
