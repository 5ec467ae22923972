//! Where a catalogue is.

use std::{
    fmt,
    net::IpAddr,
    path::{Path, PathBuf},
};

use url::{Host, Url};

use super::{CatalogError, index::PackagePath};
use crate::config::PlainHttp;

/// A folder, or what a web server serves.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Location {
    /// A folder of this machine.
    Folder(PathBuf),
    /// The address of a folder, which ends with a slash.
    Url(Url),
}

impl Location {
    /// Reads a URL, or an absolute path.
    ///
    /// # Errors
    ///
    /// [`CatalogError::Location`].
    pub fn parse(text: &str) -> Result<Self, CatalogError> {
        let wrong =
            |problem: &str| CatalogError::Location { location: shown(text), problem: problem.to_owned() };
        if !text.contains("://") {
            let path = Path::new(text);
            return match path.is_absolute() {
                true => Ok(Self::Folder(path.to_owned())),
                false => Err(wrong("expected a URL, or an absolute path on the host's machine")),
            };
        }
        let mut url = Url::parse(text).map_err(|_| wrong("it is not a URL"))?;
        if !matches!(url.scheme(), "http" | "https") || url.host().is_none() {
            return Err(wrong("expected a URL with http:// or https:// and a host, or a path"));
        }
        if !url.username().is_empty() || url.password().is_some() {
            return Err(wrong(
                "a name and a password in a URL would be kept and shown; serve it without them",
            ));
        }
        if url.query().is_some() || url.fragment().is_some() {
            return Err(wrong("expected the address of a folder, without `?` and `#`"));
        }
        if !url.path().ends_with('/') {
            url.set_path(&format!("{}/", url.path()));
        }
        Ok(Self::Url(url))
    }

    /// Whether it may be read without TLS.
    ///
    /// # Errors
    ///
    /// [`CatalogError::Location`].
    pub fn check(&self, plain: PlainHttp) -> Result<(), CatalogError> {
        match self {
            Self::Url(url) if url.scheme() == "http" && plain == PlainHttp::Loopback && !is_loopback(url) => {
                Err(CatalogError::Location {
                    location: self.to_string(),
                    problem: "it is read without TLS, and not from this machine. Use https://, or set `catalog.plain_http = \"anywhere\"`"
                        .to_owned(),
                })
            }
            _ => Ok(()),
        }
    }

    /// The address of a file in it.
    pub(super) fn file(&self, path: &PackagePath) -> Self {
        match self {
            Self::Folder(folder) => Self::Folder(folder.join(path.as_str())),
            // Neither dots nor schemes are in a path, so that it stays below.
            Self::Url(url) => Self::Url(url.join(path.as_str()).unwrap_or_else(|_| url.clone())),
        }
    }
}

/// What was given, without a password that may be in it.
fn shown(text: &str) -> String {
    match text.split_once('@') {
        Some((before, after)) if before.contains("://") => {
            format!("{}://…@{after}", before.split("://").next().unwrap_or_default())
        }
        _ => text.chars().take(200).collect(),
    }
}

fn is_loopback(url: &Url) -> bool {
    match url.host() {
        Some(Host::Ipv4(address)) => IpAddr::from(address).is_loopback(),
        Some(Host::Ipv6(address)) => IpAddr::from(address).is_loopback(),
        Some(Host::Domain(name)) => name == "localhost",
        None => false,
    }
}

impl fmt::Display for Location {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Folder(path) => path.display().fmt(f),
            Self::Url(url) => url.fmt(f),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_location_is_a_url_or_an_absolute_path() {
        let shown = |text: &str| Location::parse(text).map(|location| location.to_string());
        assert_eq!(shown("https://x.test/plugins").expect("a URL"), "https://x.test/plugins/");
        assert_eq!(shown("/srv/plugins").expect("a path"), "/srv/plugins");
        for wrong in ["plugins", "ftp://x.test/", "file:///srv", "https://x.test/?a=b", "https://x.test/#a"] {
            assert!(Location::parse(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn a_password_in_a_url_is_refused_and_not_shown() {
        let why = Location::parse("https://ada:secret@x.test/").expect_err("a password").to_string();
        assert!(!why.contains("secret"), "{why}");
    }

    #[test]
    fn without_tls_only_this_machine_is_read() {
        for (url, is_allowed) in [
            ("http://127.0.0.1:80/", true),
            ("http://localhost/", true),
            ("http://[::1]/", true),
            ("http://10.0.0.1/", false),
            ("http://localhost.example/", false),
            ("https://10.0.0.1/", true),
        ] {
            let location = Location::parse(url).expect("a URL");
            assert_eq!(location.check(PlainHttp::Loopback).is_ok(), is_allowed, "{url}");
            assert!(location.check(PlainHttp::Anywhere).is_ok());
        }
    }

    #[test]
    fn a_file_is_below_the_folder() {
        let path: PackagePath = "packages/a-1.0.0+x.sspkg".parse().expect("a path");
        let location = Location::parse("https://x.test/plugins").expect("a URL");
        assert_eq!(location.file(&path).to_string(), "https://x.test/plugins/packages/a-1.0.0+x.sspkg");
    }
}
