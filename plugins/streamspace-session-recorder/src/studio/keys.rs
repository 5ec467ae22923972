//! The keys of recordings, sealed with the master key.

use std::path::Path;

use sha2::{Digest, Sha256};
use streamspace_plugin::prelude::*;

use crate::{
    config::MasterKey,
    master::KEY_BYTES,
    store::{self, DataKey, WrappedKey},
};

/// With which master key a recording is sealed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Sealed {
    /// With none: it is not encrypted, or there is nothing of it.
    Not,
    /// With the one that seals.
    Current,
    /// With one that was it before.
    Formerly,
}

/// A master key as the store has it. Its name is made of it, and tells nothing of it.
fn master(key: &[u8; KEY_BYTES]) -> Result<store::MasterKey> {
    let digest =
        Sha256::new().chain_update(b"streamspace-session-recorder master key").chain_update(key).finalize();
    let id: String = digest.iter().take(8).map(|byte| format!("{byte:02x}")).collect();
    store::MasterKey::from_bytes(&id, *key).map_err(Error::new)
}

/// The master key that a key is sealed with.
fn sealer(wrapped: &WrappedKey, key: &MasterKey) -> Result<store::MasterKey> {
    for one in key.all() {
        let master = master(one)?;
        if master.id() == wrapped.master() {
            return Ok(master);
        }
    }
    Err(Error::new(format!(
        "its key is sealed with the master key {}, which is not there: give it as `masterKey`, or with `previousMasterKeys`",
        wrapped.master().escape_debug()
    )))
}

/// Makes a key for a recording, and keeps it in its folder, sealed.
pub(super) fn make(id: &str, folder: &Path, key: &MasterKey) -> Result<DataKey> {
    let data = DataKey::generate().map_err(Error::new)?;
    let wrapped = data.wrap(&master(key.bytes())?, id).map_err(Error::new)?;
    store::keep_key(folder, &wrapped).map_err(Error::new)?;
    Ok(data)
}

/// The key of a recording; none if it is not encrypted.
pub(super) fn open(id: &str, folder: &Path, key: &MasterKey) -> Result<Option<DataKey>> {
    let Some(wrapped) = read(folder)? else { return Ok(None) };
    wrapped.unwrap(&sealer(&wrapped, key)?, id).map(Some).map_err(Error::new)
}

/// With which master key the files in a folder are sealed.
///
/// # Errors
///
/// When that cannot be read, or with none that is there.
pub(super) fn sealed(id: &str, folder: &Path, key: &MasterKey) -> Result<Sealed> {
    let Some(wrapped) = read(folder)? else { return Ok(Sealed::Not) };
    let sealer = sealer(&wrapped, key)?;
    // That it says so is not enough: the other one is given up for it.
    wrapped.unwrap(&sealer, id).map_err(Error::new)?;
    let is_current = sealer.id() == master(key.bytes())?.id();
    Ok(if is_current { Sealed::Current } else { Sealed::Formerly })
}

/// Seals the key in a folder with the current master key. It is sealed with either at any time.
///
/// # Errors
///
/// When it cannot be read or written, or is sealed with none that is there.
pub(super) fn rewrap(id: &str, folder: &Path, key: &MasterKey) -> Result<()> {
    let Some(wrapped) = read(folder)? else { return Ok(()) };
    store::rewrap(folder, id, &sealer(&wrapped, key)?, &master(key.bytes())?).map_err(Error::new)
}

fn read(folder: &Path) -> Result<Option<WrappedKey>> {
    let path = folder.join("key");
    let is_there = path.try_exists().map_err(|why| Error::new(format!("{}: {why}", path.display())))?;
    is_there.then(|| store::read_key(folder).map_err(Error::new)).transpose()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_found_again_and_by_the_same_master_key_alone() {
        let folder = tempfile::tempdir().expect("a folder");
        let (right, wrong) = (MasterKey::new([1; 32]), MasterKey::new([2; 32]));
        assert!(open("rec", folder.path(), &right).expect("none").is_none());
        make("rec", folder.path(), &right).expect("a key");
        assert!(open("rec", folder.path(), &right).expect("a key").is_some());
        let why = open("rec", folder.path(), &wrong).expect_err("another one").to_string();
        assert!(why.contains("`previousMasterKeys`"), "{why}");
        assert!(open("other", folder.path(), &right).is_err());
    }

    #[test]
    fn a_former_master_key_opens_until_it_is_taken_away() {
        let folder = tempfile::tempdir().expect("a folder");
        let of = folder.path();
        let (old, new) = (MasterKey::new([1; 32]), MasterKey::new([2; 32]));
        let both = new.clone().after([MasterKey::new([3; 32]), old.clone()]);
        let sealed = |key| sealed("rec", of, key).map_err(|why| why.to_string());
        assert_eq!(sealed(&both), Ok(Sealed::Not));
        make("rec", of, &old).expect("a key");
        assert_eq!((sealed(&old), sealed(&both)), (Ok(Sealed::Current), Ok(Sealed::Formerly)));
        assert!(sealed(&new).is_err() && rewrap("rec", of, &new).is_err());
        assert!(open("rec", of, &both).expect("a key").is_some());

        rewrap("rec", of, &both).expect("it is sealed anew");
        assert_eq!((sealed(&both), sealed(&new)), (Ok(Sealed::Current), Ok(Sealed::Current)));
        assert!(open("rec", of, &new).expect("a key").is_some());
        assert!(open("rec", of, &old).is_err());
        rewrap("rec", of, &new).expect("nothing to do");
    }

    #[test]
    fn what_new_recordings_are_sealed_with_is_the_current_one() {
        let folder = tempfile::tempdir().expect("a folder");
        let new = MasterKey::new([2; 32]);
        make("rec", folder.path(), &new.clone().after([MasterKey::new([1; 32])])).expect("a key");
        assert_eq!(sealed("rec", folder.path(), &new).expect("the new one"), Sealed::Current);
    }

    #[test]
    fn a_key_that_was_changed_is_not_taken_for_a_sealed_one() {
        let folder = tempfile::tempdir().expect("a folder");
        let key = MasterKey::new([1; 32]);
        make("rec", folder.path(), &key).expect("a key");
        assert!(sealed("another", folder.path(), &key).is_err());
    }
}
