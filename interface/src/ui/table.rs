//! `ui/1`, offered by the plugin.

use abi_stable::{
    StableAbi,
    std_types::{ROption, RString, RVec},
};

use crate::abi::{Handle, Outcome};

/// The capability's id.
pub const ID: &str = "ui/1";

/// What a contribution is. A number and not an enum: a host that does not know one refuses the plugin.
#[repr(transparent)]
#[derive(StableAbi, Clone, Copy, PartialEq, Eq, Debug)]
pub struct ContributionKind(pub u32);

impl ContributionKind {
    /// A tile of the home dashboard.
    pub const WIDGET: Self = Self(1);
    /// A tile of the administration's dashboard.
    pub const ADMIN_WIDGET: Self = Self(2);
    /// A page for users.
    pub const PAGE: Self = Self(3);
    /// A page of the administration.
    pub const ADMIN_PAGE: Self = Self(4);
    /// An entry of the main navigation.
    pub const MENU_ITEM: Self = Self(5);
    /// The page where operators set the plugin up. One of a plugin.
    pub const SETTINGS_PAGE: Self = Self(6);
}

/// A contribution that a plugin asks for. A text that is empty is not said: the host's default holds. What does not belong
/// to its kind must not be said.
#[repr(C)]
#[derive(StableAbi, Clone, Debug)]
pub struct ContributionSpec {
    /// One of the constants of [`ContributionKind`].
    pub kind: ContributionKind,
    /// Unique among the plugin's contributions of its kind: kebab-case.
    pub id: RString,
    /// The heading; of a menu item its label.
    pub title: RString,
    /// One line under the heading.
    pub description: RString,
    /// The name of an icon.
    pub icon: RString,
    /// Of a page, below the plugin's own; of a menu item, where it leads.
    pub path: RString,
    /// Of a page: its text in the menu. Without one it is reached by its address only.
    pub menu_label: RString,
    /// Of a widget: `top`, `sidebar` or `bottom`.
    pub position: RString,
    /// Of a widget: `full`, `half` or `third`.
    pub width: RString,
    /// Its place among others, lower first.
    pub order: ROption<u32>,
    /// What the viewer must be permitted, all of it.
    pub permissions: RVec<RString>,
    /// The name of the custom element that draws it.
    pub component: RString,
    /// The file below the package's `ui/` that defines that element.
    pub module: RString,
    /// A [`View`](super::View) as JSON, or empty.
    pub view: RVec<u8>,
}

impl ContributionSpec {
    /// A contribution of which nothing else is said.
    #[must_use]
    pub fn new(kind: ContributionKind, id: &str, title: &str) -> Self {
        Self {
            kind,
            id: id.into(),
            title: title.into(),
            description: RString::new(),
            icon: RString::new(),
            path: RString::new(),
            menu_label: RString::new(),
            position: RString::new(),
            width: RString::new(),
            order: ROption::RNone,
            permissions: RVec::new(),
            component: RString::new(),
            module: RString::new(),
            view: RVec::new(),
        }
    }
}

/// `ui/1`, the plugin's half.
#[repr(C)]
#[derive(StableAbi, Debug)]
#[sabi(kind(Prefix(prefix_ref = ContributionsRef)))]
#[sabi(missing_field(option))]
pub struct Contributions {
    /// `[setup]` After `load`: the contributions that the plugin registers.
    #[sabi(last_prefix_field)]
    pub list: extern "C" fn(Handle) -> Outcome<RVec<ContributionSpec>>,
}
