//! What a library is built for, and what a machine is.

use std::{fmt, str::FromStr};

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

/// A text is not what it has to be.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("expected {expected}, found {found:?}")]
pub struct NoMachine {
    /// What it has to be.
    pub expected: &'static str,
    /// Its beginning.
    pub found: String,
}

fn no(expected: &'static str, found: &str) -> NoMachine {
    NoMachine { expected, found: found.chars().take(80).collect() }
}

/// A target triple as `rustc --print target-list` has them: `x86_64-unknown-linux-gnu`.
///
/// Two to four parts of lowercase letters, digits, `_` and `.`, with `-` between them, at most 64 bytes. Whether there is
/// such a target is not asked: compilers learn new ones.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Triple(String);

impl Triple {
    /// The target that this program was built for.
    #[must_use]
    pub fn this() -> Self {
        Self(env!("STREAMSPACE_TARGET").to_owned())
    }

    /// As text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether its processors have the levels of [`CpuLevel`].
    #[must_use]
    pub fn is_x86_64(&self) -> bool {
        self.0.starts_with("x86_64-")
    }

    /// Whether its C library is glibc.
    #[must_use]
    pub fn is_glibc(&self) -> bool {
        self.0.contains("-linux-gnu")
    }
}

impl FromStr for Triple {
    type Err = NoMachine;

    fn from_str(text: &str) -> Result<Self, NoMachine> {
        let plain = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || b"_.".contains(&byte);
        let part = |part: &str| !part.is_empty() && part.bytes().all(plain) && !part.starts_with('.');
        if text.len() <= 64 && (2..=4).contains(&text.split('-').count()) && text.split('-').all(part) {
            Ok(Self(text.to_owned()))
        } else {
            Err(no("a target triple such as x86_64-unknown-linux-gnu", text))
        }
    }
}

/// A level of x86-64, as the [ABI](https://gitlab.com/x86-psABIs/x86-64-ABI) defines them: each has what those below have.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum CpuLevel {
    /// Every x86-64.
    V1,
    /// SSE4.2, from 2008 on.
    V2,
    /// AVX2, from 2013 on.
    V3,
    /// AVX-512.
    V4,
}

impl CpuLevel {
    const ALL: [Self; 4] = [Self::V1, Self::V2, Self::V3, Self::V4];

    /// What a level has more than the one below, as Rust calls it.
    fn adds(self) -> &'static [&'static str] {
        match self {
            Self::V1 => &["fxsr", "sse", "sse2"],
            Self::V2 => &["cmpxchg16b", "popcnt", "sse3", "sse4.1", "sse4.2", "ssse3"],
            Self::V3 => &["avx", "avx2", "bmi1", "bmi2", "f16c", "fma", "lzcnt", "movbe", "xsave"],
            Self::V4 => &["avx512f", "avx512bw", "avx512cd", "avx512dq", "avx512vl"],
        }
    }

    /// The lowest level that has all these features of the processor, as Rust calls them. `None` if one is in no level.
    #[must_use]
    pub fn with_features<'a>(features: impl IntoIterator<Item = &'a str>) -> Option<Self> {
        let mut lowest = Self::V1;
        for feature in features {
            lowest = lowest.max(Self::ALL.into_iter().find(|level| level.adds().contains(&feature))?);
        }
        Some(lowest)
    }

    /// The highest level of this processor, if it is an x86-64.
    #[must_use]
    pub fn this() -> Option<Self> {
        #[cfg(target_arch = "x86_64")]
        {
            use std::arch::is_x86_feature_detected as has;
            let v2 = has!("cmpxchg16b")
                && has!("popcnt")
                && has!("sse3")
                && has!("sse4.1")
                && has!("sse4.2")
                && has!("ssse3");
            let v3 = v2
                && has!("avx")
                && has!("avx2")
                && has!("bmi1")
                && has!("bmi2")
                && has!("f16c")
                && has!("fma")
                && has!("lzcnt")
                && has!("movbe")
                && has!("xsave");
            let v4 = v3
                && has!("avx512f")
                && has!("avx512bw")
                && has!("avx512cd")
                && has!("avx512dq")
                && has!("avx512vl");
            Some(match (v2, v3, v4) {
                (_, _, true) => Self::V4,
                (_, true, _) => Self::V3,
                (true, ..) => Self::V2,
                _ => Self::V1,
            })
        }
        #[cfg(not(target_arch = "x86_64"))]
        None
    }
}

impl FromStr for CpuLevel {
    type Err = NoMachine;

    fn from_str(text: &str) -> Result<Self, NoMachine> {
        let level = Self::ALL.into_iter().find(|level| level.to_string() == text);
        level.ok_or_else(|| no("one of x86-64-v1, x86-64-v2, x86-64-v3, x86-64-v4", text))
    }
}

impl fmt::Display for CpuLevel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::V1 => "x86-64-v1",
            Self::V2 => "x86-64-v2",
            Self::V3 => "x86-64-v3",
            Self::V4 => "x86-64-v4",
        })
    }
}

/// A version of glibc, `2.31`.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Glibc {
    /// The first number.
    pub major: u32,
    /// The second number.
    pub minor: u32,
}

impl FromStr for Glibc {
    type Err = NoMachine;

    fn from_str(text: &str) -> Result<Self, NoMachine> {
        // As it is written again, and in no other way: `2.31`, not `02.31`.
        let number = |text: &str| text.parse().ok().filter(|number: &u32| *number < 1000);
        let parts = text.split_once('.').and_then(|(major, minor)| Some((number(major)?, number(minor)?)));
        let version = parts.map(|(major, minor)| Self { major, minor });
        version
            .filter(|version| version.to_string() == text)
            .ok_or_else(|| no("a version of glibc such as 2.31", text))
    }
}

impl fmt::Display for Glibc {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.major, self.minor)
    }
}

macro_rules! as_text {
    ($($type:ty),*) => {$(
        impl fmt::Debug for $type {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "{self}")
            }
        }

        impl Serialize for $type {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.collect_str(self)
            }
        }

        impl<'de> Deserialize<'de> for $type {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                String::deserialize(deserializer)?.parse().map_err(de::Error::custom)
            }
        }
    )*};
}

impl fmt::Display for Triple {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

as_text!(Triple, CpuLevel, Glibc);

/// A machine that a library should run on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Machine {
    /// What its programs are built for.
    pub triple: Triple,
    /// The level of its processor; `None` if it is no x86-64, or not known.
    pub cpu: Option<CpuLevel>,
    /// Its glibc; `None` if it has another C library, or it is not known.
    pub glibc: Option<Glibc>,
}

impl Machine {
    /// This machine. Only the caller can know its glibc.
    #[must_use]
    pub fn this(glibc: Option<Glibc>) -> Self {
        Self { triple: Triple::this(), cpu: CpuLevel::this(), glibc }
    }
}

impl fmt::Display for Machine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.triple)?;
        if let Some(cpu) = self.cpu {
            write!(f, ", processor {cpu}")?;
        }
        if let Some(glibc) = self.glibc {
            write!(f, ", glibc {glibc}")?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_this_machine_is_can_be_read_again() {
        let triple = Triple::this();
        assert_eq!(triple.as_str().parse(), Ok(triple));
        assert_eq!(CpuLevel::this().is_some(), cfg!(target_arch = "x86_64"));
    }

    #[test]
    fn triples_of_every_form_are_taken_and_others_refused() {
        for text in
            ["x86_64-unknown-linux-gnu", "aarch64-apple-darwin", "wasm32-wasip1", "thumbv8m.main-none-eabi"]
        {
            assert!(text.parse::<Triple>().is_ok(), "{text}");
        }
        for text in [
            "",
            "linux",
            "x86_64-unknown-linux-gnu-x",
            "X86_64-unknown-linux-gnu",
            "a--b",
            "../a-b",
            "a-b/c",
            "a-..",
        ] {
            assert!(text.parse::<Triple>().is_err(), "{text}");
        }
    }

    #[test]
    fn a_level_is_the_lowest_that_has_all_features() {
        assert_eq!(CpuLevel::with_features([]), Some(CpuLevel::V1));
        assert_eq!(CpuLevel::with_features(["sse4.2", "popcnt"]), Some(CpuLevel::V2));
        assert_eq!(CpuLevel::with_features(["avx2", "sse3"]), Some(CpuLevel::V3));
        assert_eq!(CpuLevel::with_features(["aes"]), None);
    }

    #[test]
    fn a_version_of_glibc_is_written_in_one_way() {
        assert_eq!("2.31".parse(), Ok(Glibc { major: 2, minor: 31 }));
        assert!("2.4".parse::<Glibc>() < "2.31".parse::<Glibc>());
        for text in ["", "2", "2.31.1", "02.31", "2.+1", "2.4294967296", "2.-1"] {
            assert!(text.parse::<Glibc>().is_err(), "{text}");
        }
    }
}
