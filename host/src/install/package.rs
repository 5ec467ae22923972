//! Opening a package: whose it is, whether it is for this machine, and what it says.

use std::{
    fs::File,
    path::{Path, PathBuf},
};

use streamspace_package::{KeyId, Keyring, PackageError, Target, Unverified, Verified};
use streamspace_plugin::manifest::Manifest;

use super::{InstallError, Plugins};
use crate::{
    clock,
    store::{DataDir, Provenance, StoreError, Successor, TrustError, TrustLevel, local_key, open_regular},
};

/// Where a package is.
#[derive(Debug, Clone)]
pub enum Source {
    /// A file on the host's machine.
    File(PathBuf),
    /// One that was uploaded: the SHA-256 of its file.
    Uploaded(String),
}

/// That a plugin may be unsigned.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AllowUnsigned {
    /// The plugin.
    pub plugin: String,
    /// Until when, microseconds since 1970-01-01 UTC.
    pub until_us: u64,
}

/// A package that this host would take, and what it would take of it.
#[derive(Debug)]
pub(super) struct Opened {
    /// The file that errors name.
    pub(super) file: PathBuf,
    pub(super) package: Verified<File>,
    pub(super) manifest: Manifest,
    pub(super) target: Target,
    pub(super) provenance: Provenance,
    /// To be written down with the package.
    pub(super) allow: Option<AllowUnsigned>,
}

impl Plugins {
    /// Opens a package and verifies it: nothing but its first MiB is read before.
    pub(super) fn open(
        &self,
        source: &Source,
        allow: Option<&AllowUnsigned>,
    ) -> Result<Opened, InstallError> {
        let path = match source {
            Source::File(path) => path.clone(),
            Source::Uploaded(hash) => self
                .packages
                .incoming
                .find(hash)
                .ok_or_else(|| InstallError::NotUploaded { package: hash.chars().take(80).collect() })?,
        };
        let refused = |source| InstallError::Package { file: path.clone(), source: Box::new(source) };
        let open = || -> Result<Unverified<File>, InstallError> {
            let file = open_regular(&path, self.packages.settings.max_bytes)?;
            Unverified::open(file).map_err(refused)
        };
        let keyring = self.packages.trust.keyring()?;
        let mut successor = None;
        let verified = match open()?.verify(&keyring) {
            Err(PackageError::UnknownKey { trusted, found }) => {
                match self.by_successor(&open, &keyring, &found)? {
                    Some(Ok((package, next))) => {
                        successor = Some(next);
                        Ok(package)
                    }
                    Some(Err(why)) => Err(why),
                    None => Err(PackageError::UnknownKey { trusted, found }),
                }
            }
            verified => verified,
        };
        let (mut package, allow) = match verified {
            Ok(package) => (package, None),
            Err(why @ (PackageError::NoSignature | PackageError::UnknownKey { .. })) => {
                // Which plugin it is of, nobody has vouched for: only its name is taken from it before that is allowed.
                let allowed = self.packages.trust.unsigned()?;
                if allow.is_none() && allowed.is_empty() {
                    return Err(refused(why));
                }
                let package = open()?.accept_unsigned(&keyring).map_err(refused)?;
                let name = package.document().name.as_str();
                match allow {
                    Some(allow) if allow.plugin == name => (package, Some(allow.clone())),
                    Some(allow) => {
                        let (allowed, found) = (allow.plugin.clone(), name.to_owned());
                        return Err(InstallError::OtherUnsigned { file: path, allowed, found });
                    }
                    None if allowed
                        .iter()
                        .any(|(it, until)| it == name && *until > clock::unix_time_us()) =>
                    {
                        (package, None)
                    }
                    None => return Err(refused(why)),
                }
            }
            Err(why) => return Err(refused(why)),
        };
        let target = package.document().target_for(&self.loader.machine()).map_err(refused)?.clone();
        let manifest = package.manifest().map_err(refused)?;
        let provenance = self.provenance(&package, successor)?;
        Ok(Opened { file: path.clone(), package, manifest, target, provenance, allow })
    }

    /// Verifies a package that is signed by nobody who is trusted (`found` are the ids of the keys), with the keys that
    /// installed versions announced for their own plugins. `None`: it is of none of them.
    #[expect(clippy::type_complexity, reason = "an outer error says that it was not tried")]
    fn by_successor(
        &self,
        open: &dyn Fn() -> Result<Unverified<File>, InstallError>,
        keyring: &Keyring,
        found: &[KeyId],
    ) -> Result<Option<Result<(Verified<File>, Successor), PackageError>>, InstallError> {
        let mut announced = Vec::new();
        for listed in self.store.list()? {
            let Ok(plugin) = listed.plugin else { continue };
            let all = self.store.generations(&listed.name)?;
            let current = all.iter().find(|generation| generation.content == plugin.record.content);
            let Some(current) = current else { continue };
            let next = self.packages.trust.successor(current, keyring)?;
            let next = next.filter(|next| found.contains(&next.key.id()));
            announced.extend(next.map(|next| (listed.name, next)));
        }
        if announced.is_empty() {
            return Ok(None);
        }
        let mut wider = keyring.clone();
        for (_, next) in &announced {
            wider.trust(next.key.clone(), next.name.clone());
        }
        let package = match open()?.verify(&wider) {
            Ok(package) => package,
            Err(why) => return Ok(Some(Err(why))),
        };
        // What one plugin's vendor announced says nothing about another plugin.
        let name = package.document().name.as_str();
        let next = announced.into_iter().find(|(plugin, next)| {
            plugin == name && package.signers().iter().any(|signer| signer.key == next.key)
        });
        Ok(next.map(|(_, next)| Ok((package, next))))
    }

    /// Who answers for a package: of the trusted keys that have signed it, the one that is trusted most.
    fn provenance(
        &self,
        package: &Verified<File>,
        successor: Option<Successor>,
    ) -> Result<Provenance, TrustError> {
        let document = package.document();
        let mut best = None;
        if let Some(next) = &successor {
            best = Some((TrustLevel::Vendor, next.key.id(), next.name.clone()));
        } else {
            for signer in package.signers() {
                let trust = self.packages.trust.level_of(&signer.key)?;
                if best.as_ref().is_none_or(|(best, ..)| rank(trust) < rank(*best)) {
                    best = Some((trust, signer.key_id(), signer.name.clone()));
                }
            }
        }
        // Whoever only adds a signature does not answer for what the vendor will do later.
        let of_vendor = best.as_ref().is_some_and(|(_, key, _)| document.signing_key_id == Some(*key));
        let next_key = document.next_key.as_ref().filter(|_| of_vendor).map(ToString::to_string);
        let (trust, key, signer) = match best {
            Some((trust, key, signer)) => (trust, Some(key.to_string()), Some(signer)),
            None => (TrustLevel::Unsigned, None, None),
        };
        Ok(Provenance { trust, key, signer, package: Some(package.hash().to_string()), next_key, successor })
    }
}

/// Signs the package in `file` with the own key of the host of this data folder, beside the signatures that it has. It is a
/// new file then, in place of the old one. Answers with the id of the key.
///
/// # Errors
///
/// [`InstallError`]; the file is as it was then.
pub fn sign_locally(data: &DataDir, file: &Path, max_bytes: u64) -> Result<String, InstallError> {
    let refused = |source| InstallError::Package { file: file.to_owned(), source: Box::new(source) };
    let mut package = Unverified::open(open_regular(file, max_bytes)?).map_err(refused)?;
    let key = local_key(data.path())?;
    let id = key.public().map_err(refused)?.id();
    let comment = "signed by the operator of a host\tfile:package.json";
    let signature = key.sign(package.document_bytes(), comment).map_err(refused)?;
    package.add_signature(signature).map_err(refused)?;
    let failed = |what: &'static str| {
        move |source| InstallError::Store(StoreError::Io { what, path: file.to_owned(), source })
    };
    let folder = file.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let signed = tempfile::NamedTempFile::new_in(folder).map_err(failed("make a file beside"))?;
    package.write(signed.as_file()).map_err(refused)?;
    signed.as_file().sync_all().map_err(failed("write"))?;
    let mode = std::fs::metadata(file).map_err(failed("read"))?.permissions();
    signed.as_file().set_permissions(mode).map_err(failed("write"))?;
    signed.persist(file).map_err(|why| failed("write")(why.error))?;
    Ok(id.to_string())
}

/// The lower, the more it is trusted.
fn rank(level: TrustLevel) -> u8 {
    match level {
        TrustLevel::BuiltIn => 0,
        TrustLevel::Vendor => 1,
        TrustLevel::Local => 2,
        TrustLevel::Unsigned | TrustLevel::Folder => 3,
    }
}
