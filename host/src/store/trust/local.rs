//! The key of this host, with which its operator signs what nobody else has signed.

use std::{
    fs, io,
    path::{Path, PathBuf},
};

use streamspace_package::{PublicKey, SecretKey};

use super::TrustError;
use crate::store::data_dir::write_private;

/// The file, in the data folder: as minisign writes a secret key without a password.
pub(super) const FILE: &str = "local-signing.key";
/// What a key file may have, in bytes.
const MAX_BYTES: u64 = 4096;

/// Where the key is.
#[derive(Debug, Clone)]
pub(super) struct LocalKey(PathBuf);

impl LocalKey {
    pub(super) fn new(data_dir: &Path) -> Self {
        Self(data_dir.join(FILE))
    }

    /// The key; `None` if none was made yet.
    pub(super) fn find(&self) -> Result<Option<SecretKey>, TrustError> {
        let metadata = match fs::metadata(&self.0) {
            Err(why) if why.kind() == io::ErrorKind::NotFound => return Ok(None),
            metadata => metadata.map_err(self.failed("read"))?,
        };
        check_mode(&self.0, &metadata)?;
        if metadata.len() > MAX_BYTES {
            return Err(self.failed("read")(io::Error::other(format!("it has more than {MAX_BYTES} bytes"))));
        }
        let text = fs::read_to_string(&self.0).map_err(self.failed("read"))?;
        Ok(Some(SecretKey::from_file_text(&text, None)?))
    }

    /// The key, which is made if there is none.
    pub(super) fn find_or_make(&self) -> Result<SecretKey, TrustError> {
        if let Some(key) = self.find()? {
            return Ok(key);
        }
        let new = SecretKey::generate(None)?;
        write_private(&self.0, new.secret_file.as_bytes()).map_err(self.failed("write"))?;
        Ok(SecretKey::from_file_text(&new.secret_file, None)?)
    }

    /// Its public half; `None` if none was made yet.
    pub(super) fn public(&self) -> Result<Option<PublicKey>, TrustError> {
        Ok(self.find()?.map(|key| key.public()).transpose()?)
    }

    fn failed(&self, what: &'static str) -> impl FnOnce(io::Error) -> TrustError {
        let path = self.0.clone();
        move |source| TrustError::LocalKey { what, path, source }
    }
}

#[cfg(unix)]
fn check_mode(path: &Path, metadata: &fs::Metadata) -> Result<(), TrustError> {
    use std::os::unix::fs::PermissionsExt;
    let mode = metadata.permissions().mode() & 0o777;
    if mode & 0o077 == 0 { Ok(()) } else { Err(TrustError::Exposed { path: path.to_owned(), mode }) }
}

#[cfg(not(unix))]
fn check_mode(_: &Path, _: &fs::Metadata) -> Result<(), TrustError> {
    Ok(())
}

#[cfg(all(test, unix))]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    #[test]
    fn the_key_is_made_once_and_is_its_owners_alone() {
        let folder = tempfile::tempdir().expect("a folder");
        let key = LocalKey::new(folder.path());
        assert!(key.public().expect("none yet").is_none());
        let made = key.find_or_make().expect("a key").public().expect("its public half");
        assert_eq!(key.find_or_make().expect("the same").public().expect("its public half"), made);
        let path = folder.path().join(FILE);
        let mode = |path: &Path| fs::metadata(path).expect("the file").permissions().mode() & 0o777;
        assert_eq!(mode(&path), 0o600);

        fs::set_permissions(&path, fs::Permissions::from_mode(0o644)).expect("changed");
        assert!(matches!(key.public(), Err(TrustError::Exposed { mode: 0o644, .. })));
    }
}
