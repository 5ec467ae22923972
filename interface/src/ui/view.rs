//! Views: what the console draws for a plugin.

use serde::{Deserialize, Serialize};

use super::{Chart, Form, Markdown, Stat, Table};

/// What the console draws, bound to the plugin's own routes. As JSON it has a member `type`; [`SCHEMA`](super::SCHEMA) is
/// its schema.
///
/// Where a view names a *source*, it is a path below `/api/plugins/NAME`, with a query or without: `/usage?days=7`. Where
/// it names a *pointer*, it is a JSON Pointer (RFC 6901) into what the source answers: `/items/0/name`, or empty for all
/// of it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "lowercase")]
#[non_exhaustive]
pub enum View {
    /// One number or word.
    Stat(Stat),
    /// Rows and columns.
    Table(Table),
    /// A diagram.
    Chart(Chart),
    /// Something to fill in and send.
    Form(Form),
    /// Text.
    Markdown(Markdown),
    /// Several of these.
    Stack(Stack),
}

impl View {
    /// As JSON.
    #[must_use]
    pub fn to_json(&self) -> Vec<u8> {
        // Nothing in it can fail to be written: an empty answer would be found out by the host.
        serde_json::to_vec(self).unwrap_or_default()
    }
}

/// Several views, one after the other. At most 20, and at most 4 stacks within each other.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Stack {
    /// How they follow each other.
    #[serde(default)]
    pub direction: Direction,
    /// A heading, at most 100 characters.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub title: Option<String>,
    /// The views.
    pub children: Vec<View>,
}

/// How the views of a [`Stack`] follow each other.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Direction {
    /// From top to bottom.
    #[default]
    Column,
    /// From one side to the other, wrapped where there is no room.
    Row,
}

impl Stack {
    /// Views from top to bottom.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Views from one side to the other.
    #[must_use]
    pub fn row() -> Self {
        Self { direction: Direction::Row, ..Self::default() }
    }

    /// A heading.
    #[must_use]
    pub fn title(mut self, title: &str) -> Self {
        self.title = Some(title.to_owned());
        self
    }

    /// One more view.
    #[must_use]
    pub fn child(mut self, view: impl Into<View>) -> Self {
        self.children.push(view.into());
        self
    }
}

impl From<Stat> for View {
    fn from(view: Stat) -> Self {
        Self::Stat(view)
    }
}

impl From<Table> for View {
    fn from(view: Table) -> Self {
        Self::Table(view)
    }
}

impl From<Chart> for View {
    fn from(view: Chart) -> Self {
        Self::Chart(view)
    }
}

impl From<Form> for View {
    fn from(view: Form) -> Self {
        Self::Form(view)
    }
}

impl From<Markdown> for View {
    fn from(view: Markdown) -> Self {
        Self::Markdown(view)
    }
}

impl From<Stack> for View {
    fn from(view: Stack) -> Self {
        Self::Stack(view)
    }
}
