//! What the tables of the capabilities look like, known at compile time and comparable without loading anything.

/// A capability's table, as it is in this generation of the interface.
///
/// Read from the snapshots in `interface/layouts/`; a test holds them against the types.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TableLayout {
    /// The capability's id, e.g. `events/1`.
    pub id: &'static str,
    /// The first version of the host that had it.
    pub since: &'static str,
    /// Eight hexadecimal digits a function, in the order of the table: a hash of its signature and of all types in it.
    /// One table is a revision of another if one of the two texts begins with the other.
    pub hashes: &'static str,
    /// The functions' names, in the order of the table.
    pub functions: &'static [&'static str],
}

/// The capabilities that a host offers to plugins.
pub const HOST_TABLES: &[TableLayout] = &include!(concat!(env!("OUT_DIR"), "/host_tables.rs"));

/// The capabilities that a plugin offers to its host.
pub const PLUGIN_TABLES: &[TableLayout] = &include!(concat!(env!("OUT_DIR"), "/plugin_tables.rs"));

impl TableLayout {
    /// Where this table and one with these [`hashes`](Self::hashes) part: the position of the first function that is
    /// another. `None` if one is a revision of the other, appended to or not.
    #[must_use]
    pub fn parts_from(&self, hashes: &str) -> Option<usize> {
        let pairs = self.hashes.as_bytes().chunks(8).zip(hashes.as_bytes().chunks(8));
        pairs.into_iter().position(|(ours, theirs)| ours != theirs)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TABLE: TableLayout =
        TableLayout { id: "x/1", since: "0.1.0", hashes: "0123456789abcdef", functions: &["a", "b"] };

    #[test]
    fn a_table_fits_a_shorter_and_a_longer_one() {
        for fits in ["01234567", "0123456789abcdef", "0123456789abcdef00000000"] {
            assert_eq!(TABLE.parts_from(fits), None, "{fits}");
        }
    }

    #[test]
    fn a_table_says_which_function_differs() {
        assert_eq!(TABLE.parts_from("11111111"), Some(0));
        assert_eq!(TABLE.parts_from("0123456700000000ffffffff"), Some(1));
        assert_eq!(TABLE.parts_from("0123"), Some(0), "half a function is none");
    }

    #[test]
    fn every_capability_has_functions() {
        for table in HOST_TABLES.iter().chain(PLUGIN_TABLES) {
            assert!(!table.functions.is_empty(), "{}", table.id);
            assert_eq!(table.hashes.len(), 8 * table.functions.len(), "{}", table.id);
        }
    }
}
