//! The way to a session's desktop: who may take it, and who is on it.

use uuid::Uuid;

use super::{
    Access, Caller, MAX_CONNECTIONS, NewConnection, Right, SessionError, Sessions, Viewer, changes, input,
    now_us,
    rows::{self, ConnectionRow, Row},
    told,
};
use crate::{events::Stop, store::Connection};

/// What ids of connections through the host begin with: at a start, those that an earlier process had are over.
pub(super) const THROUGH_HOST: &str = "host-";

/// Somebody's way to a desktop.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Desktop {
    /// The session.
    pub session: String,
    /// Whose it is.
    pub owner: String,
    /// What its desktop is made from.
    pub template: String,
    /// Where it speaks RFB.
    pub address: String,
    /// Whether the viewer may use it, or only look.
    pub access: Access,
    /// The connection, as the session lists it.
    pub connection: String,
}

impl Sessions {
    /// What `viewer` may do with a session's desktop.
    ///
    /// # Errors
    ///
    /// [`SessionError`]; of the kind `NotFound` also for one that `viewer` may not see.
    pub fn may_enter(&self, viewer: &Viewer, id: &str) -> Result<Access, SessionError> {
        let (viewer, id) = (viewer.clone(), id.to_owned());
        self.database.with("look who may see a desktop", move |connection| {
            let found = if input::check_id("id", &id).is_ok() { rows::find(connection, &id)? } else { None };
            let Some(row) = found else { return Ok(Err(SessionError::NotFound { id })) };
            Ok(access(connection, &viewer, &row)?.ok_or(SessionError::NotFound { id }))
        })?
    }

    /// Lets somebody to the desktop of a session that runs, and notes the connection.
    ///
    /// # Errors
    ///
    /// [`SessionError`].
    pub fn enter(&self, caller: &Caller, id: &str, new: NewConnection) -> Result<Desktop, SessionError> {
        new.check()?;
        let (id, viewer) = (id.to_owned(), caller.sees.clone());
        self.change(caller, move |connection, emitted| {
            let missing = || Stop::Refused(SessionError::NotFound { id: id.clone() });
            input::check_id("id", &id).map_err(|_| missing())?;
            let row = rows::find(connection, &id)?.ok_or_else(missing)?;
            let access = access(connection, &viewer, &row)?.ok_or_else(missing)?;
            changes::in_state(&row, "a viewer", "`running`", changes::is_running)?;
            let Some(address) = row.rfb_address.clone() else {
                return Err(Stop::Refused(SessionError::NoDesktop { id: id.clone() }));
            };
            let others = rows::connections(connection, &id)?.len() as u64;
            changes::full(&id, "connections", changes::signed(others), MAX_CONNECTIONS)?;
            let connected = ConnectionRow {
                session: id.clone(),
                id: format!("{THROUGH_HOST}{}", Uuid::now_v7()),
                client_address: new.client_address.map(|address| address.to_string()).unwrap_or_default(),
                user_agent: new.user_agent.clone(),
                connected_us: now_us(),
            };
            rows::add_connection(connection, &connected)?;
            told::connected(emitted, &row, &connected);
            changes::be_active(connection, emitted, &row)?;
            Ok(Desktop {
                session: id.clone(),
                owner: row.owner.clone(),
                template: row.template.clone(),
                address,
                access,
                connection: connected.id,
            })
        })
    }

    /// Where the desktop of a session that runs speaks RFB. Whoever goes there is no viewer of the session.
    ///
    /// # Errors
    ///
    /// [`SessionError`].
    pub fn desktop_address(&self, id: &str) -> Result<String, SessionError> {
        let id = id.to_owned();
        self.database.with("look where a desktop is", move |connection| {
            let found = if input::check_id("id", &id).is_ok() { rows::find(connection, &id)? } else { None };
            let Some(row) = found else { return Ok(Err(SessionError::NotFound { id })) };
            let state = row.state();
            Ok(if !changes::is_running(state) {
                Err(SessionError::State { id, state, what: "a connection", expected: "`running`" })
            } else {
                row.rfb_address.ok_or(SessionError::NoDesktop { id })
            })
        })?
    }

    /// Whether somebody who was let in may still be there: the session runs, and nothing was taken back.
    ///
    /// # Errors
    ///
    /// [`SessionError`].
    pub fn is_there(&self, viewer: &Viewer, desktop: &Desktop) -> Result<bool, SessionError> {
        let (viewer, desktop) = (viewer.clone(), desktop.clone());
        self.database
            .with("look whether a viewer may stay", move |connection| {
                let Some(row) = rows::find(connection, &desktop.session)? else { return Ok(false) };
                let known = rows::connections(connection, &desktop.session)?;
                Ok(known.iter().any(|known| known.id == desktop.connection)
                    && access(connection, &viewer, &row)? == Some(desktop.access))
            })
            .map_err(Into::into)
    }

    /// Says that somebody who was let in is there no more. Nothing happens if the session has ended meanwhile.
    ///
    /// # Errors
    ///
    /// [`SessionError`].
    pub fn leave(&self, caller: &Caller, desktop: &Desktop) -> Result<(), SessionError> {
        let (id, left) = (desktop.session.clone(), desktop.connection.clone());
        self.change(caller, move |connection, emitted| {
            let Some(row) = rows::find(connection, &id)? else { return Ok(()) };
            let known = rows::connections(connection, &id)?;
            if let Some(known) = known.iter().find(|known| known.id == left) {
                rows::remove_connection(connection, &id, &left)?;
                told::disconnected(emitted, &row, known, now_us());
            }
            Ok(())
        })
    }

    /// Ends the connections that went through an earlier process of the host, which are over since that is.
    ///
    /// # Errors
    ///
    /// [`SessionError`].
    pub fn end_left_over(&self) -> Result<usize, SessionError> {
        let over = self.change(&Caller::administrator(), |connection, emitted| {
            let over = rows::connections_beginning(connection, THROUGH_HOST)?;
            for known in &over {
                rows::remove_connection(connection, &known.session, &known.id)?;
                if let Some(row) = rows::find(connection, &known.session)? {
                    told::disconnected(emitted, &row, known, now_us());
                }
            }
            Ok(over)
        })?;
        for known in &over {
            // Whether its user is idle is for the host to say still.
            let _ = self.input(&known.session);
        }
        Ok(over.len())
    }
}

/// Who manages sessions or owns this one uses it; whom it is shared with does what the share says; who only reads sessions looks
/// on.
fn access(connection: &mut Connection, viewer: &Viewer, row: &Row) -> diesel::QueryResult<Option<Access>> {
    Ok(match Right::of(connection, viewer, row)? {
        Right::Manage | Right::Own => Some(Access::Control),
        Right::Shared => match viewer {
            Viewer::User(user) | Viewer::All(Some(user)) => {
                let share = rows::share(connection, &row.id, user)?;
                share.map(|share| share.access()).or(matches!(viewer, Viewer::All(_)).then_some(Access::View))
            }
            Viewer::All(None) => Some(Access::View),
            Viewer::Everything => Some(Access::Control),
        },
        Right::None => None,
    })
}
