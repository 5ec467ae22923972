//! Describing a contribution.

use std::{fmt, marker::PhantomData};

use super::{ContributionSpec, Position, View, Width};
use crate::abi::ROption;

/// The kinds of contributions, as types: what a builder can say depends on them.
pub mod kinds {
    /// A tile of a dashboard.
    #[derive(Debug)]
    pub struct Widget;
    /// A page with an address of its own.
    #[derive(Debug)]
    pub struct Page;
    /// An entry of the main navigation.
    #[derive(Debug)]
    pub struct MenuItem;
    /// The page where operators set the plugin up.
    #[derive(Debug)]
    pub struct SettingsPage;
}

/// What has a view of its own: all but menu items.
pub trait HasView: sealed::Sealed {}

mod sealed {
    pub trait Sealed {}
    impl Sealed for super::kinds::Widget {}
    impl Sealed for super::kinds::Page {}
    impl Sealed for super::kinds::SettingsPage {}
}

impl HasView for kinds::Widget {}
impl HasView for kinds::Page {}
impl HasView for kinds::SettingsPage {}

/// Describes a contribution that was registered. What is not said has the host's default.
pub struct ContributionBuilder<'r, K> {
    spec: &'r mut ContributionSpec,
    kind: PhantomData<K>,
}

/// Describes a widget of the home dashboard. Default: at the top, the full width.
pub type Widget<'r> = ContributionBuilder<'r, kinds::Widget>;
/// Describes a widget of the administration's dashboard. Default: at the top, the full width.
pub type AdminWidget<'r> = ContributionBuilder<'r, kinds::Widget>;
/// Describes a page for users.
pub type Page<'r> = ContributionBuilder<'r, kinds::Page>;
/// Describes a page of the administration.
pub type AdminPage<'r> = ContributionBuilder<'r, kinds::Page>;
/// Describes an entry of the main navigation.
pub type MenuItem<'r> = ContributionBuilder<'r, kinds::MenuItem>;
/// Describes the settings page. Default: the form that the manifest's `configSchema` makes.
pub type SettingsPage<'r> = ContributionBuilder<'r, kinds::SettingsPage>;

impl<'r, K> ContributionBuilder<'r, K> {
    pub(crate) fn new(spec: &'r mut ContributionSpec) -> Self {
        Self { spec, kind: PhantomData }
    }

    /// Says in a line what it is for. At most 300 characters.
    pub fn description(self, description: &str) -> Self {
        self.spec.description = description.into();
        self
    }

    /// The name of an icon, such as `account_balance`: letters, digits, `_` and `-`, at most 64.
    pub fn icon(self, icon: &str) -> Self {
        self.spec.icon = icon.into();
        self
    }

    /// Its place among others of its kind, lower first: 0 to 1000, default 1000; of menu items 1000 to 9999, default
    /// 1000, since what is below 1000 is the console's own.
    pub fn order(self, order: u32) -> Self {
        self.spec.order = ROption::RSome(order);
        self
    }

    /// Shows it only to viewers who are permitted this; said several times, all of it. What belongs to the administration
    /// is shown only to those who are permitted `admin`, without being said.
    pub fn permission(self, permission: &str) -> Self {
        self.spec.permissions.push(permission.into());
        self
    }

    /// Has a web component draw it. `element` is the name of the custom element, such as `acme-usage`; `module` is the
    /// JavaScript file below the package's `ui/` that defines it, such as `usage.js`.
    pub fn component(self, element: &str, module: &str) -> Self {
        self.spec.component = element.into();
        self.spec.module = module.into();
        self
    }
}

impl ContributionBuilder<'_, kinds::MenuItem> {
    pub(crate) fn leads_to(self, path: &str) -> Self {
        self.spec.path = path.into();
        self
    }
}

impl<K: HasView> ContributionBuilder<'_, K> {
    /// Has the console draw it. At most 64 KiB as JSON.
    pub fn view(self, view: impl Into<View>) -> Self {
        self.spec.view = view.into().to_json().into();
        self
    }
}

impl ContributionBuilder<'_, kinds::Widget> {
    /// Where it stands.
    pub fn position(self, position: Position) -> Self {
        self.spec.position = position.as_str().into();
        self
    }

    /// How much of the width it takes.
    pub fn width(self, width: Width) -> Self {
        self.spec.width = width.as_str().into();
        self
    }
}

impl ContributionBuilder<'_, kinds::Page> {
    /// Its address below the plugin's own, such as `reports/monthly`: `/plugins/NAME/reports/monthly`, or
    /// `/admin/plugins/NAME/reports/monthly` of an admin page. Default: its id.
    pub fn path(self, path: &str) -> Self {
        self.spec.path = path.into();
        self
    }

    /// Puts it into the menu, with this text. Without, it is reached by its address only. At most 60 characters.
    pub fn menu_label(self, label: &str) -> Self {
        self.spec.menu_label = label.into();
        self
    }
}

impl<K> fmt::Debug for ContributionBuilder<'_, K> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ContributionBuilder").field("spec", &self.spec).finish()
    }
}
