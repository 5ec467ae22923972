//! The journal: what was begun with a plugin and is not done. A row is written before each step and goes at the end, so
//! that a start after a crash knows what to take back or to finish.

use diesel::prelude::*;

use super::{Connection, Database, DatabaseError, database::on, schema::plugin_operations};
use crate::clock;

/// What was begun.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OperationKind {
    /// A plugin that is not there yet.
    Install,
    /// Another version in the place of one.
    Upgrade,
    /// A version that was there before.
    Rollback,
    /// A plugin goes.
    Uninstall,
}

/// How far it came: the step that was begun.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OperationStep {
    /// Files are put into the store. Nothing names them yet.
    Unpack,
    /// The new version takes the old one's place, if the host runs.
    Switch,
    /// It is written down as what is installed, and started. From here on it is the new.
    Start,
    /// Generations that are too old go.
    Prune,
    /// A plugin that goes is stopped.
    Stop,
    /// Nothing is written down of it any more. Its files go, and what it has stored where that was asked for.
    Remove,
}

/// Something that was begun.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Operation {
    /// The plugin.
    pub plugin: String,
    /// What.
    pub kind: OperationKind,
    /// How far.
    pub step: OperationStep,
    /// The content that was there before.
    pub from: Option<String>,
    /// The content that is to be there.
    pub to: Option<String>,
    /// Whether what is stored goes too.
    pub purge: bool,
}

#[derive(Queryable, Selectable, Insertable, AsChangeset)]
#[diesel(table_name = plugin_operations, treat_none_as_null = true)]
struct Row {
    plugin: String,
    kind: String,
    step: String,
    from_content: Option<String>,
    to_content: Option<String>,
    purge: bool,
    begun_us: i64,
}

impl Operation {
    /// Something that is about to begin.
    #[must_use]
    pub fn new(plugin: &str, kind: OperationKind, step: OperationStep) -> Self {
        Self { plugin: plugin.to_owned(), kind, step, from: None, to: None, purge: false }
    }

    fn row(&self) -> Row {
        Row {
            plugin: self.plugin.clone(),
            kind: self.kind.name().to_owned(),
            step: self.step.name().to_owned(),
            from_content: self.from.clone(),
            to_content: self.to.clone(),
            purge: self.purge,
            begun_us: i64::try_from(clock::unix_time_us()).unwrap_or(i64::MAX),
        }
    }

    fn read(row: Row) -> Option<Self> {
        Some(Self {
            kind: OperationKind::ALL.into_iter().find(|kind| kind.name() == row.kind)?,
            step: OperationStep::ALL.into_iter().find(|step| step.name() == row.step)?,
            plugin: row.plugin,
            from: row.from_content,
            to: row.to_content,
            purge: row.purge,
        })
    }
}

impl OperationKind {
    const ALL: [Self; 4] = [Self::Install, Self::Upgrade, Self::Rollback, Self::Uninstall];

    /// As it is written down and shown.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Install => "install",
            Self::Upgrade => "upgrade",
            Self::Rollback => "rollback",
            Self::Uninstall => "uninstall",
        }
    }

    /// What is done with the plugin, as it is said to those who wait.
    #[must_use]
    pub fn participle(self) -> &'static str {
        match self {
            Self::Install => "installed",
            Self::Upgrade => "upgraded",
            Self::Rollback => "brought back to an earlier version",
            Self::Uninstall => "uninstalled",
        }
    }

    /// The steps that are written into the journal, in their order. Each is one at which the suite of crashes kills the host.
    #[must_use]
    pub fn steps(self) -> &'static [OperationStep] {
        use OperationStep::{Prune, Remove, Start, Stop, Switch, Unpack};
        match self {
            Self::Install => &[Unpack, Start],
            Self::Upgrade => &[Unpack, Switch, Start, Prune],
            Self::Rollback => &[Switch, Start, Prune],
            Self::Uninstall => &[Stop, Remove],
        }
    }
}

impl OperationStep {
    const ALL: [Self; 6] = [Self::Unpack, Self::Switch, Self::Start, Self::Prune, Self::Stop, Self::Remove];

    /// As it is written down and shown.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Unpack => "unpack",
            Self::Switch => "switch",
            Self::Start => "start",
            Self::Prune => "prune",
            Self::Stop => "stop",
            Self::Remove => "remove",
        }
    }
}

/// Writes down how far something came, in a transaction of the caller's.
pub(super) fn note(connection: &mut Connection, operation: &Operation) -> QueryResult<()> {
    debug_assert!(operation.kind.steps().contains(&operation.step), "a step that no crash was tried at");
    let row = operation.row();
    on!(connection, |c| {
        diesel::insert_into(plugin_operations::table)
            .values(&row)
            .on_conflict(plugin_operations::plugin)
            .do_update()
            .set(&row)
            .execute(c)
    })?;
    Ok(())
}

/// Forgets it: it is done.
fn forget(connection: &mut Connection, plugin: &str) -> QueryResult<()> {
    on!(connection, |c| diesel::delete(plugin_operations::table.find(plugin)).execute(c))?;
    Ok(())
}

/// The journal of a database.
#[derive(Debug)]
pub(super) struct Operations<'a>(pub(super) &'a Database);

impl Operations<'_> {
    /// Writes down how far something came.
    pub(super) fn note(&self, operation: &Operation) -> Result<(), DatabaseError> {
        self.0.with("write down what is begun with a plugin", |connection| note(connection, operation))
    }

    /// It is done.
    pub(super) fn done(&self, plugin: &str) -> Result<(), DatabaseError> {
        self.0.with("write down what is done with a plugin", |connection| forget(connection, plugin))
    }

    /// What was begun with a plugin and is not done.
    pub(super) fn begun_with(&self, plugin: &str) -> Result<Option<Operation>, DatabaseError> {
        let row: Option<Row> = self.0.with("read what was begun with a plugin", |connection| {
            on!(connection, |c| {
                plugin_operations::table.find(plugin).select(Row::as_select()).first(c).optional()
            })
        })?;
        Ok(row.and_then(Operation::read))
    }

    /// What was begun and is not done. What a newer host wrote and this one does not know is left out.
    pub(super) fn begun(&self) -> Result<Vec<Operation>, DatabaseError> {
        let rows: Vec<Row> = self.0.with("read what was begun with plugins", |connection| {
            on!(connection, |c| {
                plugin_operations::table.order(plugin_operations::plugin).select(Row::as_select()).load(c)
            })
        })?;
        Ok(rows.into_iter().filter_map(Operation::read).collect())
    }
}
