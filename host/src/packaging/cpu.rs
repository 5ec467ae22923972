//! The processor that a library needs.

use object::{
    Endianness,
    elf::{self, FileHeader64},
    read::elf::{FileHeader, SectionHeader},
};
use streamspace_package::CpuLevel;

/// The most properties that are read of a library.
const MAX_PROPERTIES: usize = 256;

/// The lowest level with all `features` that belong to one. Those that belong to none, such as `aes`, are not counted: the
/// host looks at each feature by itself.
pub(super) fn level_with<'a>(features: impl IntoIterator<Item = &'a str>) -> CpuLevel {
    let levels = features.into_iter().filter_map(|feature| CpuLevel::with_features([feature]));
    levels.max().unwrap_or(CpuLevel::V1)
}

/// What the linker wrote down that an ELF library needs, as the [ABI](https://gitlab.com/x86-psABIs/x86-64-ABI) defines it.
/// `None` if it did not, which is the rule.
pub(super) fn level_noted_in(library: &[u8]) -> Option<CpuLevel> {
    let header = FileHeader64::<Endianness>::parse(library).ok()?;
    let endian = header.endian().ok()?;
    if header.e_machine(endian) != elf::EM_X86_64 {
        return None;
    }
    let sections = header.sections(endian, library).ok()?;
    let (_, section) = sections.section_by_name(endian, b".note.gnu.property")?;
    let mut notes = section.notes(endian, library).ok()??;
    let mut needed = 0;
    let mut read = 0;
    while let Some(note) = notes.next().ok()? {
        let Some(mut properties) = note.gnu_properties(endian) else { continue };
        while let Some(property) = properties.next().ok()? {
            read += 1;
            if read > MAX_PROPERTIES {
                return None;
            }
            if property.pr_type() == elf::GNU_PROPERTY_X86_ISA_1_NEEDED {
                needed |= property.data_u32(endian).ok()?;
            }
        }
    }
    // One bit a level.
    [(8, CpuLevel::V4), (4, CpuLevel::V3), (2, CpuLevel::V2), (1, CpuLevel::V1)]
        .into_iter()
        .find_map(|(bit, level)| (needed & bit != 0).then_some(level))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn features_of_no_level_are_not_counted() {
        assert_eq!(level_with([]), CpuLevel::V1);
        assert_eq!(level_with(["aes"]), CpuLevel::V1);
        assert_eq!(level_with(["aes", "sse3", "avx2"]), CpuLevel::V3);
        assert_eq!(level_with(["avx512f", "popcnt"]), CpuLevel::V4);
    }

    #[test]
    fn what_is_no_library_has_no_note() {
        assert_eq!(level_noted_in(b""), None);
        assert_eq!(level_noted_in(&[0x7f, b'E', b'L', b'F', 2, 1, 1, 0]), None);
    }
}
