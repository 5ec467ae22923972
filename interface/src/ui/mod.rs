//! What a plugin shows in the console: `ui/1`.
//!
//! A plugin contributes widgets of the two dashboards, pages for users and for administrators, entries of the menu, and a
//! page for its settings. The host checks them when the plugin is loaded, and lists them for those who may see them, sorted
//! by their order, at `GET /api/plugins/ui`. They go when the plugin goes.
//!
//! ```
//! use streamspace_plugin::{
//!     prelude::*,
//!     ui::{Chart, ChartKind, Form, FormField, Format, Position, Stack, Stat, Table, Width},
//! };
//!
//! # struct Usage;
//! # impl Plugin for Usage {
//! #     type Config = ();
//! #     fn load(_: &Context, _: ()) -> Result<Self> { Ok(Self) }
//! fn register(&self, on: &mut Registrar<Self>) {
//!     on.widget("usage", "Usage")
//!         .position(Position::Sidebar)
//!         .width(Width::Half)
//!         .view(Stat::new("/usage", "/total").format(Format::Bytes));
//!     on.page("report", "My usage").menu_label("Usage").view(
//!         Stack::new()
//!             .child(Chart::new(ChartKind::Line, "/days", "/day").series("Hours", "/hours"))
//!             .child(Table::new("/sessions").rows("/items").column("Template", "/template")),
//!     );
//!     on.admin_page("quotas", "Quotas").order(200).permission("usage.write").view(
//!         Form::new("/quotas").load("/quotas").field(FormField::number("hours", "Hours a month").min(1.0)),
//!     );
//!     // Draws itself: `ui/rates.js` of the package defines the element `usage-rates`.
//!     on.admin_widget("rates", "Rates").component("usage-rates", "rates.js");
//!     on.menu_item("prices", "Prices", "https://example.com/prices").icon("euro");
//!     on.settings_page("Usage");
//! }
//! # }
//! ```
//!
//! A contribution is either declarative, a [`View`] that the console draws from what the plugin's own [routes](crate::routes)
//! answer, or a web component: a JavaScript module below the package's folder `ui/`, which defines a custom element.
//! A view cannot name another plugin or another host: its sources are paths below the plugin's own.
//!
//! What is not valid is an error of loading, which names the contribution, its field, what was expected and what was found.

mod builder;
mod data_views;
mod forms;
mod table;
mod view;

pub use self::{
    builder::{
        AdminPage, AdminWidget, ContributionBuilder, HasView, MenuItem, Page, SettingsPage, Widget, kinds,
    },
    data_views::{Chart, ChartKind, ChartSeries, Column, Format, Markdown, Stat, Table, XAxis},
    forms::{Choice, Form, FormField, Input, Submit, SubmitMethod},
    table::{ContributionKind, ContributionSpec, Contributions, ContributionsRef, ID},
    view::{Direction, Stack, View},
};

use serde::{Deserialize, Serialize};

/// The JSON Schema (draft 2020-12) of a [`View`]. The host serves it at `GET /api/v1/schemas/ui.json`.
pub const SCHEMA: &str = include_str!("schema.json");

/// Where on a dashboard a widget stands.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Position {
    /// Above the rest.
    #[default]
    Top,
    /// Beside it.
    Sidebar,
    /// Below it.
    Bottom,
}

impl Position {
    /// As it is written.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Top => "top",
            Self::Sidebar => "sidebar",
            Self::Bottom => "bottom",
        }
    }
}

/// How much of the dashboard's width a widget takes.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Width {
    /// All of it.
    #[default]
    Full,
    /// A half.
    Half,
    /// A third.
    Third,
}

impl Width {
    /// As it is written.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Full => "full",
            Self::Half => "half",
            Self::Third => "third",
        }
    }
}
