//! Reading from where a catalogue is: small documents whole, packages into files, within bounds and deadlines.
//!
//! Nothing that is read here is believed: signatures and hashes are checked by whoever asked for it. No other host than
//! the catalogue's own is asked, wherever a server sends the client. Proxies are those of the environment.

use std::{
    fs::{self, File},
    io,
    path::{Path, PathBuf},
    time::{Duration, Instant},
};

use reqwest::{
    Response, StatusCode,
    header::{CONTENT_RANGE, ETAG, HeaderMap, IF_RANGE, LAST_MODIFIED, LOCATION, RANGE},
};
use url::Url;

use super::{
    index::PackageFile,
    location::Location,
    part::{MAX_VALIDATOR, Part, hash},
};
use crate::{
    config,
    outbound::tls,
    progress::Progress,
    store::{make_private_dir, read_bounded},
};

/// How many redirects are followed, all on one host.
const MAX_REDIRECTS: usize = 5;
/// How long a download that nobody goes on with is kept.
const KEEP: Duration = Duration::from_secs(7 * 24 * 3600);
/// How often a download is tried again if nothing at all came.
const MAX_FUTILE: u32 = 3;

/// Why something cannot be read from where a catalogue is.
#[derive(Debug, thiserror::Error)]
pub enum FetchError {
    /// The server refuses.
    #[error(
        "{url}: expected the file, found the status {status}. Look whether the address is right, and the file is there"
    )]
    Status {
        /// What was asked for.
        url: Url,
        /// What was answered.
        status: StatusCode,
    },
    /// The server sends the client elsewhere.
    #[error(
        "{url} sends to another host, {to}, which is not followed. Use the catalogue's real address, if that is it"
    )]
    Redirected {
        /// What was asked for.
        url: Url,
        /// Where it was sent.
        to: String,
    },
    /// It is larger than it may be.
    #[error("{from} is too large: expected at most {most} bytes, found {found}. {advice}")]
    TooLarge {
        /// What was read.
        from: String,
        /// The most that is read.
        most: u64,
        /// What was found: so many, or more.
        found: u64,
        /// What to do.
        advice: &'static str,
    },
    /// It is not as large as the index says.
    #[error(
        "{from} is not what the index says: expected {expected} bytes, found {found}. Sync the catalogue and try again"
    )]
    Size {
        /// What was read.
        from: String,
        /// What the index says.
        expected: u64,
        /// What was found.
        found: u64,
    },
    /// It is not the file that the index says.
    #[error(
        "{from} is not what the index says: expected the SHA-256 {expected}, found {found}. It was removed. Sync the catalogue and try again; if it stays so, tell whoever hosts it"
    )]
    Hash {
        /// What was read.
        from: String,
        /// What the index says.
        expected: String,
        /// What was found.
        found: String,
    },
    /// The connection failed.
    #[error(
        "{url} cannot be read: {reason}. Look whether its server runs, and whether a proxy stands between. What has come of a package is kept, and the next try goes on from there"
    )]
    Connection {
        /// What was asked for.
        url: Url,
        /// The innermost cause.
        reason: String,
    },
    /// It took too long.
    #[error(
        "{from} was not read within {seconds} s (`{key}`). What has come of a package is kept, and the next try goes on from there"
    )]
    Deadline {
        /// What was read.
        from: String,
        /// The time that it had.
        seconds: u64,
        /// Where that is configured.
        key: &'static str,
    },
    /// Another command downloads the same package.
    #[error("another command downloads {} now: wait for it", path.display())]
    Busy {
        /// The file.
        path: PathBuf,
    },
    /// A file cannot be used.
    #[error("cannot {what} {}: {reason}", path.display())]
    File {
        /// What was tried.
        what: &'static str,
        /// On what.
        path: PathBuf,
        /// What the operating system said.
        reason: String,
    },
    /// The client cannot be made.
    #[error("downloads cannot be made: {reason}")]
    Client {
        /// Why.
        reason: String,
    },
}

impl FetchError {
    /// The stable code.
    #[must_use]
    pub fn code(&self) -> &'static str {
        match self {
            Self::Status { .. } => "SSP-CAT-021",
            Self::Redirected { .. } => "SSP-CAT-022",
            Self::TooLarge { .. } => "SSP-CAT-023",
            Self::Size { .. } => "SSP-CAT-024",
            Self::Hash { .. } => "SSP-CAT-025",
            Self::Connection { .. } => "SSP-CAT-026",
            Self::Deadline { .. } => "SSP-CAT-027",
            Self::Busy { .. } => "SSP-CAT-028",
            Self::File { .. } => "SSP-CAT-029",
            Self::Client { .. } => "SSP-CAT-030",
        }
    }
}

/// Reads from where catalogues are. Everything here blocks.
#[derive(Debug)]
pub struct Fetcher {
    client: reqwest::Client,
    config: config::Catalog,
}

impl Fetcher {
    /// Sets up the client. Nothing is connected to.
    ///
    /// # Errors
    ///
    /// [`FetchError::Client`] if `catalog.ca_file` cannot be used.
    pub fn new(config: &config::Catalog) -> Result<Self, FetchError> {
        let builder = || {
            reqwest::Client::builder()
                .user_agent(concat!("StreamSpace/", env!("CARGO_PKG_VERSION")))
                .redirect(reqwest::redirect::Policy::none()) // followed here, where the host is compared
                .referer(false)
                .connect_timeout(Duration::from_secs(config.connect_timeout_secs))
        };
        let built = tls::build(builder, config.ca_file.as_deref());
        let tls::Built { client, .. } =
            built.map_err(|why| FetchError::Client { reason: why.to_string() })?;
        Ok(Self { client, config: config.clone() })
    }

    /// A small document, whole, within `left` and what the configuration allows.
    ///
    /// # Errors
    ///
    /// [`FetchError`].
    pub(super) fn document(&self, at: &Location, most: u64, left: Duration) -> Result<Vec<u8>, FetchError> {
        let too_large = |found| FetchError::TooLarge {
            from: at.to_string(),
            most,
            found,
            advice: "Whoever hosts the catalogue makes it smaller",
        };
        let url = match at {
            Location::Folder(path) => {
                let found = fs::metadata(path).map_err(failed("read", path))?.len();
                if found > most {
                    return Err(too_large(found));
                }
                let what = "read";
                return read_bounded(path, most).map_err(|why| FetchError::File {
                    what,
                    path: path.clone(),
                    reason: why.to_string(),
                });
            }
            Location::Url(url) => url,
        };
        let configured = Duration::from_secs(self.config.index_timeout_secs);
        let until = Limit { time: configured.min(left), key: "catalog.index_timeout_secs" };
        on_a_runtime(url, until, async {
            let mut response = self.get(url, HeaderMap::new()).await?;
            if response.status() != StatusCode::OK {
                return Err(FetchError::Status { url: url.clone(), status: response.status() });
            }
            if let Some(found) = response.content_length().filter(|length| *length > most) {
                return Err(too_large(found));
            }
            let mut bytes = Vec::new();
            while let Some(chunk) = self.chunk(&mut response, url).await? {
                bytes.extend_from_slice(&chunk);
                if bytes.len() as u64 > most {
                    return Err(too_large(bytes.len() as u64));
                }
            }
            Ok(bytes)
        })
    }

    /// A package, as a file in `folder` that is as the index says. What is there already is taken; what came of an earlier
    /// try is gone on with.
    ///
    /// # Errors
    ///
    /// [`FetchError`]. What is not as the index says is removed.
    pub(super) fn package(
        &self,
        at: &Location,
        wanted: &PackageFile,
        folder: &Path,
        progress: &dyn Progress,
    ) -> Result<PathBuf, FetchError> {
        if wanted.size > self.config.max_package_bytes {
            return Err(FetchError::TooLarge {
                from: at.to_string(),
                most: self.config.max_package_bytes,
                found: wanted.size,
                advice: "Raise `catalog.max_package_bytes` if it is to be had",
            });
        }
        make_private_dir(folder).map_err(failed("make", folder))?;
        tidy(folder);
        let whole = folder.join(format!("{}.sspkg", wanted.sha256));
        let mut part = Part::open(folder, wanted)?;
        // Looked for while the other file is locked: who had the lock before may have made it.
        if whole.exists() {
            let mut file = File::open(&whole).map_err(failed("read", &whole))?;
            if hash(&mut file, &whole, wanted.size, progress)? == wanted.sha256.to_string() {
                part.remove();
                return Ok(whole);
            }
            fs::remove_file(&whole).map_err(failed("remove", &whole))?;
        }
        let mut is_continued = part.have()? > 0 && matches!(at, Location::Url(_));
        loop {
            progress.begin(&format!("Downloading {}", wanted.path.as_str()), wanted.size);
            let fetched = match at {
                Location::Folder(path) => part.copy(path, progress),
                Location::Url(url) => self.download(url, &mut part, progress),
            };
            progress.end();
            fetched?;
            let found = part.hash(progress)?;
            if found == wanted.sha256.to_string() {
                part.finish(&whole)?;
                return Ok(whole);
            }
            part.empty()?;
            if !is_continued {
                part.remove();
                let expected = wanted.sha256.to_string();
                return Err(FetchError::Hash { from: at.to_string(), expected, found });
            }
            // What was there of an earlier try may have been of another file.
            is_continued = false;
        }
    }

    fn download(&self, url: &Url, part: &mut Part<'_>, progress: &dyn Progress) -> Result<(), FetchError> {
        let time = Duration::from_secs(self.config.package_timeout_secs);
        let until = Limit { time, key: "catalog.package_timeout_secs" };
        on_a_runtime(url, until, async {
            let mut futile = 0;
            loop {
                let before = part.have()?;
                let why = match self.attempt(url, part, progress).await {
                    Ok(()) => return Ok(()),
                    Err(why) => why,
                };
                let is_passing = match &why {
                    FetchError::Connection { .. } => true,
                    FetchError::Status { status, .. } => {
                        status.is_server_error() || matches!(status.as_u16(), 408 | 416 | 429)
                    }
                    _ => false,
                };
                futile = if part.have()? > before { 0 } else { futile + 1 };
                if !is_passing || futile >= MAX_FUTILE {
                    return Err(why);
                }
                tokio::time::sleep(Duration::from_millis(250) * 2_u32.pow(futile)).await;
            }
        })
    }

    /// One request for what is missing.
    async fn attempt(
        &self,
        url: &Url,
        part: &mut Part<'_>,
        progress: &dyn Progress,
    ) -> Result<(), FetchError> {
        let have = part.have()?;
        if have == part.wanted.size {
            return Ok(());
        }
        let mut headers = HeaderMap::new();
        if have > 0 {
            if let Ok(range) = format!("bytes={have}-").parse() {
                headers.insert(RANGE, range);
            }
            if let Some(validator) = part.validator().and_then(|validator| validator.parse().ok()) {
                headers.insert(IF_RANGE, validator);
            }
        }
        let mut response = self.get(url, headers).await?;
        match response.status() {
            StatusCode::OK => {
                part.empty()?;
                part.note_validator(validator(response.headers()).as_deref())?;
            }
            StatusCode::PARTIAL_CONTENT
                if have > 0 && continues(response.headers(), have, part.wanted.size) => {}
            StatusCode::PARTIAL_CONTENT | StatusCode::RANGE_NOT_SATISFIABLE => {
                part.empty()?;
                let status = StatusCode::RANGE_NOT_SATISFIABLE;
                return Err(FetchError::Status { url: url.clone(), status });
            }
            status => return Err(FetchError::Status { url: url.clone(), status }),
        }
        let size = |found| FetchError::Size { from: url.to_string(), expected: part.wanted.size, found };
        let mut have = part.have()?;
        if let Some(found) = response.content_length().map(|length| have.saturating_add(length))
            && found != part.wanted.size
        {
            return Err(size(found));
        }
        progress.at(have);
        while let Some(chunk) = self.chunk(&mut response, url).await? {
            have += chunk.len() as u64;
            if have > part.wanted.size {
                part.empty()?;
                return Err(FetchError::Size {
                    from: url.to_string(),
                    expected: part.wanted.size,
                    found: have,
                });
            }
            part.append(&chunk)?;
            progress.at(have);
        }
        if have < part.wanted.size {
            let reason = format!("it ended after {have} of {} bytes", part.wanted.size);
            return Err(FetchError::Connection { url: url.clone(), reason });
        }
        Ok(())
    }

    async fn chunk(&self, response: &mut Response, url: &Url) -> Result<Option<bytes::Bytes>, FetchError> {
        let idle = Duration::from_secs(self.config.idle_timeout_secs);
        match tokio::time::timeout(idle, response.chunk()).await {
            Ok(chunk) => chunk.map_err(|why| connection(url, why)),
            Err(_) => Err(FetchError::Connection {
                url: url.clone(),
                reason: format!("nothing came for {} s (`catalog.idle_timeout_secs`)", idle.as_secs()),
            }),
        }
    }

    /// Asks, and follows redirects on the same host.
    async fn get(&self, url: &Url, headers: HeaderMap) -> Result<Response, FetchError> {
        let mut at = url.clone();
        for _ in 0..=MAX_REDIRECTS {
            let asked = self.client.get(at.clone()).headers(headers.clone()).send();
            let idle = Duration::from_secs(self.config.idle_timeout_secs + self.config.connect_timeout_secs);
            let response = match tokio::time::timeout(idle, asked).await {
                Ok(response) => response.map_err(|why| connection(url, why))?,
                Err(_) => {
                    let reason = format!("no answer came for {} s", idle.as_secs());
                    return Err(FetchError::Connection { url: url.clone(), reason });
                }
            };
            if !response.status().is_redirection() || response.status() == StatusCode::NOT_MODIFIED {
                return Ok(response);
            }
            let to = response.headers().get(LOCATION).and_then(|to| to.to_str().ok()).unwrap_or_default();
            let next = at.join(to).ok().filter(|next| is_same_host(&at, next));
            let Some(next) = next else {
                let to = at.join(to).ok().and_then(|to| to.host_str().map(str::to_owned));
                return Err(FetchError::Redirected {
                    url: url.clone(),
                    to: to.unwrap_or_else(|| "nowhere".to_owned()),
                });
            };
            at = next;
        }
        let reason = format!("more than {MAX_REDIRECTS} redirects");
        Err(FetchError::Connection { url: url.clone(), reason })
    }
}

/// Whether a redirect stays: with the same host and port, or from plain HTTP to HTTPS on it.
fn is_same_host(from: &Url, to: &Url) -> bool {
    let upgraded = from.scheme() == "http" && to.scheme() == "https";
    let same_port = from.port_or_known_default() == to.port_or_known_default();
    from.host() == to.host() && ((from.scheme() == to.scheme() && same_port) || upgraded)
}

/// What tells whether a file is still the same one: a strong `ETag`, or the time of its last change.
fn validator(headers: &HeaderMap) -> Option<String> {
    let text = |name| headers.get(name).and_then(|value| value.to_str().ok());
    let tag = text(ETAG).filter(|tag| tag.starts_with('"'));
    tag.or_else(|| text(LAST_MODIFIED)).filter(|text| text.len() <= MAX_VALIDATOR).map(str::to_owned)
}

/// Whether a part begins where what is there ends, and is of a file of the right size.
fn continues(headers: &HeaderMap, have: u64, size: u64) -> bool {
    let range = headers.get(CONTENT_RANGE).and_then(|range| range.to_str().ok()).unwrap_or_default();
    let parsed = range.strip_prefix("bytes ").and_then(|range| {
        let (span, of) = range.split_once('/')?;
        let (first, _) = span.split_once('-')?;
        Some((first.parse::<u64>().ok()?, of))
    });
    parsed.is_some_and(|(first, of)| first == have && (of == "*" || of.parse() == Ok(size)))
}

fn connection(url: &Url, why: reqwest::Error) -> FetchError {
    let why = why.without_url();
    let mut innermost: &dyn std::error::Error = &why;
    while let Some(source) = innermost.source() {
        innermost = source;
    }
    FetchError::Connection { url: url.clone(), reason: innermost.to_string() }
}

/// The time that something may take, and where that is configured.
#[derive(Clone, Copy)]
struct Limit {
    time: Duration,
    key: &'static str,
}

fn on_a_runtime<T>(
    url: &Url,
    limit: Limit,
    work: impl Future<Output = Result<T, FetchError>>,
) -> Result<T, FetchError> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let runtime = runtime.map_err(|why| FetchError::Client { reason: why.to_string() })?;
    runtime.block_on(async {
        let done = tokio::time::timeout(limit.time, work).await;
        done.unwrap_or_else(|_| {
            let seconds = limit.time.as_secs();
            Err(FetchError::Deadline { from: url.to_string(), seconds, key: limit.key })
        })
    })
}

pub(super) fn failed(what: &'static str, path: &Path) -> impl Fn(io::Error) -> FetchError {
    let path = path.to_owned();
    move |why| FetchError::File { what, path: path.clone(), reason: why.to_string() }
}

/// Removes downloads that nobody went on with for a while.
pub(super) fn tidy(folder: &Path) {
    let Ok(entries) = fs::read_dir(folder) else { return };
    let now = Instant::now();
    for entry in entries.flatten() {
        let age = entry.metadata().ok().and_then(|found| found.modified().ok()?.elapsed().ok());
        if age.is_some_and(|age| age > KEEP) {
            let _ = fs::remove_file(entry.path());
        }
        // A folder with ever so many files does not hold anybody up.
        if now.elapsed() > Duration::from_secs(1) {
            return;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_redirect_stays_on_its_host() {
        let url = |text: &str| Url::parse(text).expect("a URL");
        let from = url("http://x.test:8080/a");
        for (to, stays) in [
            ("http://x.test:8080/b", true),
            ("https://x.test/b", true),
            ("http://x.test/b", false),
            ("http://y.test:8080/b", false),
            ("file:///etc/passwd", false),
        ] {
            assert_eq!(is_same_host(&from, &url(to)), stays, "{to}");
        }
        assert!(!is_same_host(&url("https://x.test/"), &url("http://x.test/")), "TLS is not given up");
    }

    #[test]
    fn a_part_continues_only_where_the_other_ended() {
        let headers = |range: &str| {
            let mut headers = HeaderMap::new();
            headers.insert(CONTENT_RANGE, range.parse().expect("a header"));
            headers
        };
        assert!(continues(&headers("bytes 5-9/10"), 5, 10));
        assert!(continues(&headers("bytes 5-9/*"), 5, 10));
        for wrong in ["bytes 4-9/10", "bytes 5-9/11", "5-9/10", "", "bytes */10"] {
            assert!(!continues(&headers(wrong), 5, 10), "{wrong}");
        }
    }

    #[test]
    fn a_server_that_says_nothing_is_given_up_when_no_time_is_left() {
        let server = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
        let address = server.local_addr().expect("an address");
        let location = Location::parse(&format!("http://{address}/")).expect("a URL");
        let fetcher = Fetcher::new(&config::Catalog::default()).expect("a client");
        let why = fetcher.document(&location, 10, Duration::from_millis(50)).expect_err("nothing came");
        assert!(matches!(why, FetchError::Deadline { .. }), "{why}");
    }

    #[test]
    fn downloads_that_nobody_goes_on_with_are_removed() {
        let folder = tempfile::tempdir().expect("a folder");
        let (old, new) = (folder.path().join("old.part"), folder.path().join("new.part"));
        for path in [&old, &new] {
            fs::write(path, b"x").expect("a file");
        }
        let long_ago = std::time::SystemTime::now() - KEEP - Duration::from_secs(60);
        File::options().write(true).open(&old).and_then(|file| file.set_modified(long_ago)).expect("a time");
        tidy(folder.path());
        assert!(!old.exists() && new.exists());
    }

    #[test]
    fn only_a_strong_tag_is_a_validator() {
        let mut headers = HeaderMap::new();
        headers.insert(ETAG, "W/\"1\"".parse().expect("a header"));
        assert_eq!(validator(&headers), None);
        headers.insert(LAST_MODIFIED, "Thu, 26 Nov 2026 12:00:00 GMT".parse().expect("a header"));
        assert!(validator(&headers).is_some_and(|text| text.starts_with("Thu")));
        headers.insert(ETAG, "\"2\"".parse().expect("a header"));
        assert_eq!(validator(&headers).as_deref(), Some("\"2\""));
    }
}
