//! The table of `storage/1`.

use std::{
    borrow::Cow,
    sync::{Arc, LazyLock},
};

use streamspace_plugin::{
    abi::{Capability, Fault, Handle, IntoTable, Outcome, ROption, RSlice, RStr, RVec, guard},
    storage::{
        Applied, ChangeKind, ChangeView, ExpectedKind, ListView, ListedValue, StorageRef, StorageTable,
        StoredValue,
    },
};

use super::{Action, Change, Expected, PluginStorage, StorageError};
use crate::{
    blocking,
    handles::{Handles, Opened},
};

static STORAGES: LazyLock<Handles<PluginStorage>> = LazyLock::new(Handles::new);

/// Gives a plugin its half.
pub fn open(storage: PluginStorage) -> (Capability, Opened) {
    let opened = STORAGES.open(Arc::new(storage));
    (Capability::new(table(), opened.handle()), opened)
}

fn table() -> StorageRef {
    static TABLE: LazyLock<StorageRef> =
        LazyLock::new(|| StorageTable { get, apply, list, remove_prefix }.leak_into_prefix());
    *TABLE
}

/// Runs a call, which may wait, with the storage that `handle` names.
fn call<T>(
    what: &str,
    handle: Handle,
    entry: impl FnOnce(&PluginStorage) -> Result<T, StorageError>,
) -> Outcome<T> {
    guard(what, || {
        blocking::check(what)?;
        let storage = STORAGES.get(handle)?;
        entry(&storage).map_err(|why| Fault::new(why.kind(), why))
    })
    .and_then(|answer| answer)
    .into()
}

extern "C" fn get(handle: Handle, key: RStr<'_>) -> Outcome<ROption<StoredValue>> {
    call("the host's `get`", handle, |storage| storage.get(key.as_str()).map(ROption::from))
}

extern "C" fn apply(handle: Handle, changes: RSlice<'_, ChangeView<'_>>) -> Outcome<RVec<Applied>> {
    call("the host's `apply`", handle, |storage| {
        let changes = changes.as_slice().iter().map(to_change).collect::<Result<_, _>>()?;
        storage.apply(changes).map(RVec::from)
    })
}

extern "C" fn list(handle: Handle, list: ListView<'_>) -> Outcome<RVec<ListedValue>> {
    call("the host's `list`", handle, |storage| {
        let limit = usize::try_from(list.limit).unwrap_or(usize::MAX);
        let (prefix, after) = (list.prefix.as_str(), list.after.as_str());
        storage.list(prefix, after, limit, list.with_values).map(RVec::from)
    })
}

extern "C" fn remove_prefix(handle: Handle, prefix: RStr<'_>) -> Outcome<u64> {
    call("the host's `remove_prefix`", handle, |storage| storage.remove_prefix(prefix.as_str()))
}

fn to_change<'a>(view: &ChangeView<'a>) -> Result<Change<'a>, StorageError> {
    let unknown = |what: &str, number: u32| StorageError::Invalid {
        what: format!("the {what} of a change"),
        reason: format!("this host does not know the number {number}"),
    };
    Ok(Change {
        key: Cow::Borrowed(view.key.as_str()),
        action: match view.kind {
            ChangeKind::SET => Action::Set(Cow::Borrowed(view.value.as_slice())),
            ChangeKind::DELETE => Action::Delete,
            ChangeKind::ADD => Action::Add(view.amount),
            ChangeKind(number) => return Err(unknown("kind", number)),
        },
        ttl_us: view.ttl_ms.saturating_mul(1000),
        expected: match view.expected.kind {
            ExpectedKind::ANY => Expected::Any,
            ExpectedKind::ABSENT => Expected::Absent,
            ExpectedKind::REVISION => Expected::Revision(view.expected.revision),
            ExpectedKind(number) => return Err(unknown("condition", number)),
        },
    })
}

#[cfg(test)]
mod tests {
    use streamspace_plugin::{
        abi::{Bound, FaultKind},
        storage::{Expected as ExpectedView, StorageRef},
    };

    use super::*;
    use crate::{config::Config, storage::Storage};

    fn bound(permissions: &[&str]) -> (Bound<StorageRef>, Opened, tempfile::TempDir) {
        let folder = tempfile::tempdir().expect("a folder");
        let config = Config { data_dir: folder.path().to_owned(), ..Config::default() };
        let storage = Arc::new(Storage::new(&config, None)).of("a-plugin");
        let (capability, opened) = open(storage.granted_by(permissions.iter().copied()));
        (capability.bind().expect("this table"), opened, folder)
    }

    fn view(kind: ChangeKind, expected: ExpectedKind) -> ChangeView<'static> {
        ChangeView {
            key: "a".into(),
            kind,
            value: RSlice::from_slice(b"1"),
            amount: 0,
            ttl_ms: 0,
            expected: ExpectedView { kind: expected, revision: 0 },
        }
    }

    #[test]
    fn a_plugin_without_the_permission_is_denied_everything_and_no_file_is_made() {
        let (storage, _opened, folder) = bound(&["events", "read:storage"]);
        let get = storage.table.get()(storage.handle, "a".into()).into_result().map(drop);
        let removed = storage.table.remove_prefix()(storage.handle, "".into()).into_result().map(drop);
        for answer in [get, removed] {
            let fault = answer.expect_err("no permission");
            assert_eq!(fault.kind, FaultKind::DENIED);
            assert!(fault.message.contains("\"storage\"") && fault.message.contains("manifest"), "{fault}");
        }
        assert!(!folder.path().join("plugin-data").exists());
    }

    #[test]
    fn either_permission_grants_it() {
        for permission in ["storage", "database"] {
            let (storage, _opened, _folder) = bound(&[permission]);
            let got = storage.table.get()(storage.handle, "a".into()).into_result();
            assert!(matches!(got, Ok(ROption::RNone)), "{permission}: {got:?}");
        }
    }

    #[test]
    fn a_handle_that_is_closed_names_nothing() {
        let (storage, opened, _folder) = bound(&["storage"]);
        drop(opened);
        let fault = storage.table.get()(storage.handle, "a".into()).into_result().expect_err("closed");
        assert_eq!(fault.kind, FaultKind::CLOSED);
    }

    #[test]
    fn a_kind_or_a_condition_that_this_host_does_not_know_is_refused() {
        let (storage, _opened, _folder) = bound(&["storage"]);
        for change in [view(ChangeKind(99), ExpectedKind::ANY), view(ChangeKind::SET, ExpectedKind(99))] {
            let changes = RSlice::from_slice(std::slice::from_ref(&change));
            let fault = storage.table.apply()(storage.handle, changes).into_result().expect_err("unknown");
            assert_eq!(fault.kind, FaultKind::INVALID);
            assert!(fault.message.contains("99"), "{fault}");
        }
    }
}
