//! The keys of recordings, sealed with the master key.

use std::path::Path;

use sha2::{Digest, Sha256};
use streamspace_plugin::prelude::*;

use crate::{
    config::MasterKey,
    store::{self, DataKey},
};

/// The master key as the store has it. Its name is made of it, and tells nothing of it.
fn master(key: &MasterKey) -> Result<store::MasterKey> {
    let digest =
        Sha256::new().chain_update(b"streamspace-session-recorder master key").chain_update(key.0).finalize();
    let id: String = digest.iter().take(8).map(|byte| format!("{byte:02x}")).collect();
    store::MasterKey::from_bytes(&id, key.0).map_err(Error::new)
}

/// Makes a key for a recording, and keeps it in its folder, sealed.
pub(super) fn make(id: &str, folder: &Path, key: &MasterKey) -> Result<DataKey> {
    let data = DataKey::generate().map_err(Error::new)?;
    let wrapped = data.wrap(&master(key)?, id).map_err(Error::new)?;
    store::keep_key(folder, &wrapped).map_err(Error::new)?;
    Ok(data)
}

/// The key of a recording; none if it is not encrypted.
pub(super) fn open(id: &str, folder: &Path, key: &MasterKey) -> Result<Option<DataKey>> {
    if !folder.join("key").exists() {
        return Ok(None);
    }
    let wrapped = store::read_key(folder).map_err(Error::new)?;
    wrapped.unwrap(&master(key)?, id).map(Some).map_err(Error::new)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_found_again_and_by_the_same_master_key_alone() {
        let folder = tempfile::tempdir().expect("a folder");
        let (right, wrong) = (MasterKey([1; 32]), MasterKey([2; 32]));
        assert!(open("rec", folder.path(), &right).expect("none").is_none());
        make("rec", folder.path(), &right).expect("a key");
        assert!(open("rec", folder.path(), &right).expect("a key").is_some());
        assert!(open("rec", folder.path(), &wrong).is_err());
        assert!(open("other", folder.path(), &right).is_err());
    }
}
