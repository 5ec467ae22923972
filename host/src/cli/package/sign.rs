//! `streamspace package sign FILE --key FILE`

use std::path::PathBuf;

use clap::Args;
use serde_json::json;
use streamspace_package::Document;

use super::{Coded, Global, at, keys, open};
use crate::packaging::write_whole;

#[derive(Debug, Args)]
pub(in crate::cli) struct Sign {
    /// The package
    file: PathBuf,
    /// The secret key
    #[arg(long, value_name = "FILE")]
    key: PathBuf,
}

impl Sign {
    pub(super) fn run(&self, global: &Global) -> anyhow::Result<()> {
        let failed = || at(&self.file);
        let (mut package, _) = open(&self.file)?;
        // What is no package is not signed.
        let document = Document::parse(package.document_bytes()).map_err(failed())?;
        let key = keys::secret(&self.key)?;
        let id = key.public().map_err(failed())?.id();
        let signature = key.sign(package.document_bytes(), &document.signature_comment()).map_err(failed())?;
        package.add_signature(signature).map_err(failed())?;
        write_whole(&self.file, |out| package.write(out)).map_err(Coded)?;
        let count = package.signatures().len();
        let is_vendor = document.signing_key_id == Some(id);
        let answer = json!({ "file": self.file, "key_id": id, "is_vendor": is_vendor, "signatures": count });
        global.answer(&answer, |_| {
            let mut words = format!("{} is signed with {id}.", self.file.display());
            if count > 1 {
                words.push_str(&format!(" It has {count} signatures."));
            }
            if !is_vendor {
                words.push_str(&match document.signing_key_id {
                    Some(vendor) => format!("\nIts vendor's key is {vendor}, so this is a signature beside that."),
                    None => "\nIt names no key as its vendor's. To have it name this one, build it with --key, or with \
                             --signing-key."
                        .to_owned(),
                });
            }
            words
        })
    }
}
