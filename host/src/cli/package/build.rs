//! `streamspace package build DIR`

use std::path::{Path, PathBuf};

use anyhow::ensure;
use clap::Args;
use serde_json::json;
use streamspace_package::CpuLevel;

use super::{Coded, Global, at, bytes, keys};
use crate::{
    packaging::{Assembled, Choices, Compile, MAX_SBOM_BYTES, Prebuilt, Source, has_auditable, write_whole},
    store::{Store, read_bounded},
};

#[derive(Debug, Args)]
pub(in crate::cli) struct Build {
    /// The plugin's crate, or a folder with manifest.json and the library
    dir: PathBuf,
    /// What to build for; with a library, what that was built for. May be given several times [default: this machine]
    #[arg(long = "target", value_name = "TRIPLE[=LIBRARY]")]
    targets: Vec<String>,
    /// The profile in Cargo.toml to build with
    #[arg(long, value_name = "PROFILE", default_value = "plugin")]
    release_profile: String,
    /// The lowest level of x86-64 that the libraries take, x86-64-v1 to x86-64-v4 [default: what they say]
    #[arg(long, value_name = "LEVEL")]
    cpu: Option<CpuLevel>,
    /// What the package is made of, CycloneDX as JSON [default: from what cargo-auditable left in the libraries]
    #[arg(long, value_name = "FILE")]
    sbom: Option<PathBuf>,
    /// The secret key to sign with [default: it is not signed]
    #[arg(long, value_name = "FILE")]
    key: Option<PathBuf>,
    /// The public key that it will be signed with later, elsewhere: a file, or the key itself
    #[arg(long, value_name = "PUBLIC", conflicts_with = "key")]
    signing_key: Option<String>,
    /// The public key that later versions will be signed with: a file, or the key itself
    #[arg(long, value_name = "PUBLIC")]
    next_key: Option<String>,
    /// Where NAME-VERSION.sspkg goes
    #[arg(long, value_name = "DIR", default_value = ".")]
    out: PathBuf,
}

impl Build {
    pub(super) fn run(&self, global: &Global) -> anyhow::Result<()> {
        let source = Source::read(&self.dir).map_err(Coded)?;
        // Asked for first: nobody waits for a build to be asked for a password then.
        let key = self.key.as_deref().map(keys::secret).transpose()?;
        let public = key.as_ref().map(|key| key.public()).transpose().map_err(at(&self.dir))?;
        let later = self.signing_key.as_deref().map(keys::public).transpose()?;
        let choices = Choices {
            cpu: self.cpu,
            sbom: self.sbom.as_deref().map(|file| read_bounded(file, MAX_SBOM_BYTES)).transpose()?,
            signing_key: public.or(later).map(|key| key.id()),
            next_key: self.next_key.as_deref().map(keys::public).transpose()?,
        };
        let libraries = self.libraries(&source)?;
        let mut assembled = source.assemble(&libraries, choices).map_err(Coded)?;
        if let Some(key) = &key {
            assembled.package.sign(key).map_err(at(&self.dir))?;
        }
        let file = self.out.join(assembled.package.file_name());
        let mut size = 0;
        write_whole(&file, |out| {
            let mut counted = Counted { out, size: 0 };
            assembled.package.write(&mut counted)?;
            size = counted.size;
            Ok(())
        })
        .map_err(Coded)?;
        self.answer(global, &assembled, &file, size)
    }

    fn libraries(&self, source: &Source) -> anyhow::Result<Vec<Prebuilt>> {
        let is_crate = self.dir.join("Cargo.toml").is_file();
        if self.targets.is_empty() && !is_crate {
            let path = Store::library_in(&self.dir, source.manifest()).map_err(|why| Coded(why.into()))?;
            return Ok(vec![Prebuilt { path, triple: None }]);
        }
        let auditable = is_crate && has_auditable();
        let compile = Compile { folder: &self.dir, profile: &self.release_profile, auditable };
        if self.targets.is_empty() {
            let path = compile.run(None).map_err(Coded)?;
            return Ok(vec![Prebuilt { path, triple: None }]);
        }
        let mut libraries = Vec::new();
        for target in &self.targets {
            let (triple, path) = match target.split_once('=') {
                Some((triple, library)) => (triple, PathBuf::from(library)),
                None => {
                    ensure!(
                        is_crate,
                        "{} has no Cargo.toml, so there is nothing to build: expected --target {target}=LIBRARY",
                        self.dir.display()
                    );
                    (target.as_str(), compile.run(Some(target)).map_err(Coded)?)
                }
            };
            libraries.push(Prebuilt { path, triple: Some(triple.to_owned()) });
        }
        Ok(libraries)
    }

    fn answer(&self, global: &Global, assembled: &Assembled, file: &Path, size: u64) -> anyhow::Result<()> {
        let document = assembled.package.document();
        let sbom = match (&self.sbom, assembled.crates) {
            (Some(_), _) => Some("given"),
            (None, Some(_)) => Some("cargo-auditable"),
            (None, None) => None,
        };
        let answer = json!({
            "file": file,
            "size": size,
            "hash": assembled.package.hash(),
            "name": document.name,
            "version": document.version,
            "targets": document.targets.iter().map(|target| json!({
                "triple": target.triple,
                "cpu": target.cpu,
                "glibc_min": target.glibc_min,
                "library": target.library.path,
                "size": target.library.blob.size,
            })).collect::<Vec<_>>(),
            "files": document.files.iter().map(|file| &file.path).collect::<Vec<_>>(),
            "sbom": sbom,
            "crates": assembled.crates,
            "signed_by": self.key.is_some().then_some(document.signing_key_id),
        });
        global.answer(&answer, |_| {
            let mut lines = vec![format!("{} is built, {}.", file.display(), bytes(size))];
            for target in &document.targets {
                let mut needs: Vec<String> = target.cpu.iter().map(ToString::to_string).collect();
                needs.extend(target.glibc_min.map(|glibc| format!("glibc {glibc} or newer")));
                needs.push(bytes(target.library.blob.size));
                lines.push(format!("  {}  {}", target.triple, needs.join(", ")));
            }
            if !assembled.assumed.is_empty() {
                lines.push(format!(
                    "  The libraries for {} ask for no more than x86-64-v1, which is written down. Say --cpu if that is not so.",
                    assembled.assumed.join(", ")
                ));
            }
            lines.push(match assembled.crates {
                _ if self.sbom.is_some() => "  The bill of materials is the one that was given.".to_owned(),
                Some(count) => format!("  The bill of materials is from cargo-auditable's list, crates: {count}."),
                None => "  There is no bill of materials: install cargo-auditable (`cargo install --locked cargo-auditable`) and build \
                         anew, or give one with --sbom."
                    .to_owned(),
            });
            let shown = file.display();
            lines.push(match (&self.key, document.signing_key_id) {
                (Some(_), Some(key)) => format!("  It is signed with {key}."),
                _ => format!("  It is not signed: `streamspace package sign {shown} --key FILE`."),
            });
            lines.join("\n")
        })
    }
}

/// Counts what is written.
struct Counted<'a> {
    out: &'a mut dyn std::io::Write,
    size: u64,
}

impl std::io::Write for Counted<'_> {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        let written = self.out.write(bytes)?;
        self.size += written as u64;
        Ok(written)
    }

    fn flush(&mut self) -> std::io::Result<()> {
        self.out.flush()
    }
}
