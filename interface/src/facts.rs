//! What a library says about itself.

use std::borrow::Cow;

use serde::{Deserialize, Serialize};

use crate::{
    Plugin,
    abi::{self, Export, HOST_TABLES, PLUGIN_TABLES, TableLayout},
    config, log,
};

/// The version of this SDK, which is that of the host it came with.
pub const SDK_VERSION: &str = env!("STREAMSPACE_SDK_VERSION");

/// What every plugin needs of its host, whatever [`Plugin::NEEDS`] says.
const ALWAYS_NEEDED: &[&str] = &[log::ID, config::ID];

/// Who a plugin is and what it was built with: the JSON in the [note](abi::Note) of its library's file, and in
/// [`abi::Root::facts`]. A later SDK may add members, and takes none away.
#[derive(Debug, Clone, Serialize, Deserialize, PartialEq, Eq)]
pub struct Facts {
    /// The crate's name, which is the plugin's.
    pub name: Cow<'static, str>,
    /// The crate's version, semver.
    pub version: Cow<'static, str>,
    /// The version of the SDK.
    pub sdk: Cow<'static, str>,
    /// [`abi::ABI_MAJOR`].
    pub abi: u32,
    /// What `rustc --version` printed.
    pub rustc: Cow<'static, str>,
    /// The panic strategy: `unwind`.
    pub panic: Cow<'static, str>,
    /// The target triple.
    pub target: Cow<'static, str>,
    /// Features of the processor, beyond those that every processor of the target has, that the compiler was told to
    /// use: `avx2`.
    pub cpu: Vec<Cow<'static, str>>,
    /// Capabilities of the host that it does not load without.
    pub needs: Vec<CapabilityFacts>,
    /// Capabilities of the host that it uses if they are there.
    pub uses: Vec<CapabilityFacts>,
    /// Capabilities that it offers to the host.
    pub offers: Vec<CapabilityFacts>,
}

/// A capability, as a library knows it.
#[derive(Debug, Clone, Serialize, Deserialize, PartialEq, Eq)]
pub struct CapabilityFacts {
    /// Its id, e.g. `events/1`.
    pub id: Cow<'static, str>,
    /// The first version of the host that has it.
    pub since: Cow<'static, str>,
    /// [`TableLayout::hashes`] of the table that the library was built with.
    pub layout: Cow<'static, str>,
}

/// Writes the [`Facts`] of the plugin `E` as JSON into `out`, as far as it goes, and answers with their whole length.
///
/// At compile time, since the host reads them from the file.
pub(crate) const fn write<E: Export>(out: &mut [u8]) -> usize {
    let needs = E::Plugin::NEEDS;
    let mut at = 0;
    while at < needs.len() {
        assert!(
            find(HOST_TABLES, needs[at]).is_some(),
            "`Plugin::NEEDS` names a capability that this SDK does not know"
        );
        at += 1;
    }
    let mut json = Json { out, length: 0 };
    json.raw("{\"name\":");
    json.text(E::NAME);
    json.raw(",\"version\":");
    json.text(E::VERSION);
    json.raw(",\"sdk\":");
    json.text(SDK_VERSION);
    json.raw(",\"abi\":");
    json.number(abi::ABI_MAJOR);
    json.raw(",\"rustc\":");
    json.text(env!("STREAMSPACE_RUSTC"));
    json.raw(",\"panic\":");
    json.text(E::PANIC);
    json.raw(",\"target\":");
    json.text(env!("STREAMSPACE_TARGET"));
    json.raw(",\"cpu\":[");
    json.features(E::CPU_FEATURES);
    json.raw("],\"needs\":[");
    json.host_tables(needs, true);
    json.raw("],\"uses\":[");
    json.host_tables(needs, false);
    json.raw("],\"offers\":[");
    let (mut at, mut first) = (0, true);
    while at < PLUGIN_TABLES.len() {
        json.table(&PLUGIN_TABLES[at], &mut first);
        at += 1;
    }
    json.raw("]}");
    json.length
}

const fn find<'a>(tables: &'a [TableLayout], id: &str) -> Option<&'a TableLayout> {
    let mut at = 0;
    while at < tables.len() {
        if equal(tables[at].id, id) {
            return Some(&tables[at]);
        }
        at += 1;
    }
    None
}

const fn contains(ids: &[&str], id: &str) -> bool {
    let mut at = 0;
    while at < ids.len() {
        if equal(ids[at], id) {
            return true;
        }
        at += 1;
    }
    false
}

const fn equal(a: &str, b: &str) -> bool {
    let (a, b) = (a.as_bytes(), b.as_bytes());
    if a.len() != b.len() {
        return false;
    }
    let mut at = 0;
    while at < a.len() {
        if a[at] != b[at] {
            return false;
        }
        at += 1;
    }
    true
}

/// Counts what it writes, also what does not fit.
struct Json<'a> {
    out: &'a mut [u8],
    length: usize,
}

impl Json<'_> {
    const fn byte(&mut self, byte: u8) {
        if self.length < self.out.len() {
            self.out[self.length] = byte;
        }
        self.length += 1;
    }

    const fn raw(&mut self, text: &str) {
        let mut at = 0;
        while at < text.len() {
            self.byte(text.as_bytes()[at]);
            at += 1;
        }
    }

    const fn text(&mut self, text: &str) {
        self.byte(b'"');
        let mut at = 0;
        while at < text.len() {
            match text.as_bytes()[at] {
                // Names, versions and triples hold no control characters.
                0..=31 => self.byte(b' '),
                byte @ (b'"' | b'\\') => {
                    self.byte(b'\\');
                    self.byte(byte);
                }
                byte => self.byte(byte),
            }
            at += 1;
        }
        self.byte(b'"');
    }

    const fn number(&mut self, number: u32) {
        if number >= 10 {
            self.number(number / 10);
        }
        self.byte(b'0' + (number % 10) as u8);
    }

    const fn comma(&mut self, first: &mut bool) {
        if !*first {
            self.byte(b',');
        }
        *first = false;
    }

    const fn features(&mut self, features: &[(&str, bool)]) {
        let (mut at, mut first) = (0, true);
        while at < features.len() {
            if features[at].1 {
                self.comma(&mut first);
                self.text(features[at].0);
            }
            at += 1;
        }
    }

    /// Those of the host's tables that are needed, or those that are not.
    const fn host_tables(&mut self, needs: &[&str], needed: bool) {
        let (mut at, mut first) = (0, true);
        while at < HOST_TABLES.len() {
            let id = HOST_TABLES[at].id;
            if (contains(ALWAYS_NEEDED, id) || contains(needs, id)) == needed {
                self.table(&HOST_TABLES[at], &mut first);
            }
            at += 1;
        }
    }

    const fn table(&mut self, table: &TableLayout, first: &mut bool) {
        self.comma(first);
        self.raw("{\"id\":");
        self.text(table.id);
        self.raw(",\"since\":");
        self.text(table.since);
        self.raw(",\"layout\":");
        self.text(table.hashes);
        self.byte(b'}');
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Context, Result, abi::Note, http};

    struct Needy;

    impl Plugin for Needy {
        type Config = ();
        const NEEDS: &'static [&'static str] = &[http::ID];
        fn load(_: &Context, (): ()) -> Result<Self> {
            Ok(Self)
        }
    }

    struct Exported;

    impl Export for Exported {
        type Plugin = Needy;
        const NAME: &'static str = "needy \"quoted\"";
        const VERSION: &'static str = "1.2.3-rc.1";
        const PANIC: &'static str = "unwind";
        const CPU_FEATURES: &'static [(&'static str, bool)] =
            &[("avx2", true), ("avx512f", false), ("fma", true)];
        fn facts() -> &'static str {
            NOTE.facts()
        }
    }

    static NOTE: Note<{ abi::note_size::<Exported>() }> = Note::new::<Exported>();

    #[test]
    fn what_is_written_at_compile_time_is_read_back() {
        let facts: Facts = serde_json::from_str(NOTE.facts()).expect("facts");
        assert_eq!((&*facts.name, &*facts.version), ("needy \"quoted\"", "1.2.3-rc.1"));
        assert_eq!((facts.abi, &*facts.panic, &*facts.sdk), (abi::ABI_MAJOR, "unwind", SDK_VERSION));
        assert_eq!(facts.cpu, ["avx2", "fma"]);
        assert!(facts.rustc.starts_with("rustc 1."), "{}", facts.rustc);
        let ids = |of: &[CapabilityFacts]| of.iter().map(|of| of.id.clone().into_owned()).collect::<Vec<_>>();
        assert_eq!(ids(&facts.needs), [config::ID, http::ID, log::ID]);
        assert_eq!(
            ids(&facts.uses),
            [
                crate::database::ID,
                crate::events::ID,
                crate::platform::ID,
                crate::scheduler::ID,
                crate::storage::ID,
                crate::streams::ID,
                crate::websocket::ID,
            ]
        );
        assert!(ids(&facts.offers).contains(&crate::lifecycle::ID.to_owned()));
    }

    #[test]
    fn numbers_have_all_their_digits() {
        let mut bytes = [0; 10];
        let mut json = Json { out: &mut bytes, length: 0 };
        json.number(1_020);
        let length = json.length;
        assert_eq!(bytes.get(..length), Some(b"1020".as_slice()));
    }
}
