//! Looking for recordings: filters, order, pages.

use serde::Deserialize;
use serde_json::{Value, json};
use streamspace_plugin::{
    database::{Database, Timestamp},
    prelude::*,
    routes::Problem,
};

use super::{
    Conditions, containing,
    recordings::{COLUMNS, Recording},
};
use crate::{config::Format, rules::state::State};

/// Recordings of a page unless another number is asked for, and at most.
const PAGE_SIZE: u32 = 20;
const MAX_PAGE_SIZE: u32 = 200;
/// Longest text that is looked for, in bytes.
const MAX_SEARCH: usize = 200;

/// What is looked for, with the platform's names.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct Wanted {
    session_id: Option<String>,
    status: Option<String>,
    format: Option<String>,
    start_date: Option<String>,
    end_date: Option<String>,
    created_by: Option<String>,
    user_id: Option<String>,
    policy_id: Option<String>,
    legal_hold: Option<bool>,
    search: Option<String>,
    sort: Option<String>,
    order: Option<String>,
    page: Option<u32>,
    page_size: Option<u32>,
    /// Only those of the caller's own sessions, whatever else the caller may see.
    pub(crate) mine: Option<bool>,
}

/// Whose recordings are found.
#[derive(Debug, Clone, Default)]
pub(crate) struct Sight {
    /// Of this user alone, and what is shared with them; none for everybody's.
    pub(crate) user: Option<String>,
    /// Sessions that are shared with the user.
    pub(crate) shared: Vec<String>,
}

/// A page, with the platform's names.
#[derive(Debug)]
pub(crate) struct Page {
    pub(crate) recordings: Vec<Recording>,
    pub(crate) total: u64,
    pub(crate) page: u32,
    pub(crate) page_size: u32,
}

impl Page {
    pub(crate) fn json(&self) -> Value {
        let pages = self.total.div_ceil(u64::from(self.page_size));
        json!({
            "recordings": self.recordings, "total": self.total, "page": self.page, "page_size": self.page_size,
            "total_pages": pages,
        })
    }
}

impl Wanted {
    fn conditions(&self, sight: &Sight) -> Result<Conditions, Problem> {
        let mut all = Conditions::default();
        if let Some(user) = &sight.user {
            let owner = all.param(user.clone());
            let mut of_user = format!("user_id = {owner}");
            if !sight.shared.is_empty() {
                let shared: Vec<_> = sight.shared.iter().map(|id| all.param(id.clone())).collect();
                of_user = format!("{of_user} OR session_id IN ({})", shared.join(", "));
            }
            all.and(format!("({of_user})"));
        }
        for (column, wanted) in [
            ("session_id", &self.session_id),
            ("created_by", &self.created_by),
            ("user_id", &self.user_id),
            ("policy_id", &self.policy_id),
        ] {
            if let Some(wanted) = wanted {
                all.compare(column, "=", wanted.clone());
            }
        }
        if let Some(name) = &self.status {
            let state = State::of(name).ok_or_else(|| {
                let known: Vec<_> = State::ALL.iter().map(|state| state.name()).collect();
                Problem::new(422, format!("`status`: expected one of {}", known.join(", ")))
            })?;
            all.compare("status", "=", state.name());
        }
        if let Some(name) = &self.format {
            let format =
                Format::of(name).ok_or_else(|| Problem::new(422, "`format`: expected webm, mp4 or vnc"))?;
            all.compare("format", "=", format.name());
        }
        if let Some(held) = self.legal_hold {
            all.compare("legal_hold", "=", held);
        }
        if let Some(from) = &self.start_date {
            all.compare("started_at", ">=", time("start_date", from, "T00:00:00Z")?);
        }
        if let Some(to) = &self.end_date {
            all.compare("started_at", "<=", time("end_date", to, "T23:59:59.999999Z")?);
        }
        if let Some(text) = &self.search {
            if text.len() > MAX_SEARCH {
                return Err(Problem::new(422, format!("`search`: expected up to {MAX_SEARCH} bytes")));
            }
            let pattern = all.param(containing(text));
            let any = ["id", "session_id", "user_id", "created_by", "template", "reason"]
                .map(|column| format!("LOWER({column}) LIKE {pattern} ESCAPE '!'"));
            all.and(format!("({})", any.join(" OR ")));
        }
        Ok(all)
    }

    fn order(&self) -> Result<String, Problem> {
        let column = match self.sort.as_deref().unwrap_or("started_at") {
            "started_at" | "date" | "created_at" => "started_at",
            "duration" | "duration_seconds" => "duration_seconds",
            "size" | "file_size_bytes" => "file_size_bytes",
            "status" => "status",
            "user" | "user_id" => "user_id",
            "session" | "session_id" => "session_id",
            "expires_at" => "expires_at",
            _ => {
                return Err(Problem::new(
                    422,
                    "`sort`: expected started_at, duration, size, status, user, session or expires_at",
                ));
            }
        };
        let direction = match self.order.as_deref().unwrap_or("desc") {
            "asc" => "ASC",
            "desc" => "DESC",
            _ => return Err(Problem::new(422, "`order`: expected asc or desc")),
        };
        // What is the same in the column has an order too, so that nobody is on two pages.
        Ok(format!(" ORDER BY {column} {direction}, id {direction}"))
    }
}

/// A day, or a moment.
fn time(field: &str, text: &str, rest: &str) -> Result<Timestamp, Problem> {
    let whole = if text.len() == 10 { format!("{text}{rest}") } else { text.to_owned() };
    whole.parse().map_err(|_| {
        Problem::new(422, format!("`{field}`: expected such as 2026-01-31 or 2026-01-31T12:00:00Z"))
    })
}

/// A page of what is wanted, of what may be seen.
pub(crate) fn page(database: &Database, wanted: &Wanted, sight: &Sight) -> Result<Page> {
    let page = wanted.page.unwrap_or(1);
    let page_size = wanted.page_size.unwrap_or(PAGE_SIZE);
    if page == 0 || page > 1_000_000 || !(1..=MAX_PAGE_SIZE).contains(&page_size) {
        let why = format!("`page` begins with 1, and `page_size` is 1 to {MAX_PAGE_SIZE}");
        return Err(Problem::new(422, why).into());
    }
    let mut conditions = wanted.conditions(sight)?;
    let order = wanted.order()?;
    let count = format!("SELECT COUNT(*) FROM session_recordings{}", conditions.sql());
    let total: Option<u64> = database.query_one(&count, &conditions.params())?;
    let sql = conditions.sql();
    let limit = conditions.param(page_size);
    let skip = conditions.param(u64::from(page - 1) * u64::from(page_size));
    let sql = format!("SELECT {COLUMNS} FROM session_recordings{sql}{order} LIMIT {limit} OFFSET {skip}");
    let recordings = database.query(&sql, &conditions.params())?;
    Ok(Page { recordings, total: total.unwrap_or(0), page, page_size })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_user_sees_what_is_theirs_whatever_is_wanted() {
        let sight = Sight { user: Some("ada".into()), shared: vec!["s-1".into(), "s-2".into()] };
        let wanted = Wanted {
            user_id: Some("bob".into()),
            search: Some("x".into()),
            start_date: Some("2026-01-31".into()),
            status: Some("processing".into()),
            ..Wanted::default()
        };
        let conditions = wanted.conditions(&sight).expect("conditions");
        let sql = conditions.sql();
        assert!(
            sql.starts_with(
                " WHERE (user_id = $1 OR session_id IN ($2, $3)) AND user_id = $4 AND status = $5 AND \
                 started_at >= $6 AND (LOWER(id) LIKE $7"
            ),
            "{sql}"
        );
        assert_eq!(conditions.params().len(), 7);
    }

    #[test]
    fn nothing_of_a_client_becomes_sql() {
        let evil = "id; DROP TABLE session_recordings";
        for wanted in [
            Wanted { sort: Some(evil.into()), ..Wanted::default() },
            Wanted { order: Some(evil.into()), ..Wanted::default() },
        ] {
            assert!(wanted.order().is_err());
        }
        for wanted in [
            Wanted { status: Some(evil.into()), ..Wanted::default() },
            Wanted { format: Some(evil.into()), ..Wanted::default() },
            Wanted { start_date: Some(evil.into()), ..Wanted::default() },
            Wanted { search: Some("x".repeat(300)), ..Wanted::default() },
        ] {
            assert!(wanted.conditions(&Sight::default()).is_err());
        }
        let wanted = Wanted { session_id: Some(evil.into()), ..Wanted::default() };
        assert_eq!(wanted.conditions(&Sight::default()).expect("valid").sql(), " WHERE session_id = $1");
    }
}
