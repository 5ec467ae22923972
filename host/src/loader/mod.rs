//! From a file to a plugin's root: read what the file says, judge it, try it in a child process, load it.

mod file;
mod host;
mod inspect;
mod library;
mod probe;
mod refusal;
mod verdicts;

use std::{
    fs::File,
    path::{Path, PathBuf},
    time::Duration,
};

use slog::{Logger, debug, warn};
use streamspace_package::Machine;
use streamspace_plugin::Facts;

use self::file::{Source, Which};
pub use self::{
    host::{HostFacts, Identity},
    inspect::{Contents, DYNAMIC_LIBRARY, Format, Glibc, Inspection, inspect, inspect_bytes},
    library::Library,
    probe::probed,
    refusal::{Refusal, Rule},
    verdicts::{Blocked, Verdicts, VerdictsError},
};
use crate::{config, store::DataDir};

/// A library that may be loaded: its file fits, and a process of its own loaded it.
#[derive(Debug, Clone)]
pub struct Admitted {
    path: PathBuf,
    facts: Facts,
    /// Which file that was.
    which: Which,
}

/// Loads plugins' libraries, and refuses those that do not fit.
#[derive(Debug)]
pub struct Loader {
    host: HostFacts,
    verdicts: Verdicts,
    probe_deadline: Duration,
    logger: Logger,
}

impl Loader {
    /// The loader of a data folder.
    ///
    /// # Errors
    ///
    /// [`VerdictsError`] when what is known of libraries cannot be used.
    pub fn open(data: &DataDir, settings: &config::Plugins, logger: &Logger) -> Result<Self, VerdictsError> {
        Ok(Self {
            host: HostFacts::this(&settings.denied_compilers),
            verdicts: Verdicts::open(data)?,
            probe_deadline: Duration::from_secs(settings.probe_deadline_secs),
            logger: logger.clone(),
        })
    }

    /// A loader that looks into a data folder: it tries every library that is not blocked, whoever tried it before, and
    /// leaves no trace there.
    #[must_use]
    pub fn look_into(data: &DataDir, settings: &config::Plugins) -> Self {
        Self {
            host: HostFacts::this(&settings.denied_compilers),
            verdicts: Verdicts::look_into(data),
            probe_deadline: Duration::from_secs(settings.probe_deadline_secs),
            logger: Logger::root(slog::Discard, slog::o!()),
        }
    }

    /// Judges a library by what its file says. Loads nothing.
    ///
    /// # Errors
    ///
    /// [`Refusal`] by the first rule that it breaks.
    pub fn judge(&self, path: &Path, expected: Identity<'_>) -> Result<Facts, Refusal> {
        let judged = file::open(path).and_then(|file| self.judge_opened(&file, path, expected));
        judged.map_err(|refusal| refusal.of(expected.name))
    }

    /// Judges a library, and tries it in a child process unless this version of the host did so before. `shown` is the
    /// file that a refusal names: where the operator has it, if `path` is a copy.
    ///
    /// # Errors
    ///
    /// [`Refusal`] by the first rule that it breaks.
    pub fn admit(&self, path: &Path, shown: &Path, expected: Identity<'_>) -> Result<Admitted, Refusal> {
        let known = |refusal: Refusal| Refusal { file: shown.into(), ..refusal.of(expected.name) };
        // What is judged is what is hashed.
        let file = file::open(path).map_err(known)?;
        // Before it is read, so that what is written into it meanwhile is seen.
        let which = Which::of(file.metadata(), path).map_err(known)?;
        let facts = self.judge_opened(&file, path, expected).map_err(known)?;
        let untried = |why: String| {
            known(Refusal::new(Rule::Tried, path, "a library whose first load can be looked up", why))
        };
        let hash = file::hash(&file).map_err(|why| untried(why.to_string()))?;
        let verdict = self.verdicts.of(&hash, self.host.version()).map_err(|why| untried(why.to_string()))?;
        match verdict {
            Some(Ok(())) => {}
            Some(Err(blocked)) => return Err(known(blocked)),
            None => self.first_load(path, &hash, &facts, known)?,
        }
        Ok(Admitted { path: path.to_owned(), facts, which })
    }

    /// Loads a library, which must be the file that was admitted.
    ///
    /// It is loaded by its path, and not as the file that was hashed (`/proc/self/fd/N`). glibc calls a library what it was opened
    /// as, and finds one that is loaded by that name first: with another file under a number that was free again it answers with
    /// the library before, so that each version would have to keep its file open for good. Debuggers, core dumps, `dladdr` and
    /// the backtraces of panics would look for symbols in whatever they have under the number themselves, and `$ORIGIN` would be
    /// `/proc/self/fd`. What is left open between the look at the path and its opening is for those alone who may write into the
    /// folder of the host's own user; they could write into the file that is open as well.
    ///
    /// # Errors
    ///
    /// [`Refusal`] by the first rule that it breaks.
    pub fn load(&self, admitted: &Admitted) -> Result<Library, Refusal> {
        let Admitted { path, facts, which } = admitted;
        let known = |refusal: Refusal| self.told(refusal).of(&facts.name);
        if Which::of(std::fs::metadata(path), path).map_err(known)? != *which {
            let (wanted, found) = ("the file that was admitted", "another, or one that was written to since");
            return Err(known(Refusal::new(Rule::Admitted, path, wanted, found)));
        }
        let library = Library::open(path).map_err(known)?;
        same_facts(path, facts, &library.facts).map_err(known)?;
        Ok(library)
    }

    /// What a package has to have a library for.
    #[must_use]
    pub fn machine(&self) -> Machine {
        let glibc = self.host.glibc().map(|Glibc(major, minor)| streamspace_package::Glibc { major, minor });
        Machine::this(glibc)
    }

    /// The libraries that crashed or hung the process that tried them.
    ///
    /// # Errors
    ///
    /// [`VerdictsError`] when that cannot be known.
    pub fn blocked(&self) -> Result<Vec<Blocked>, VerdictsError> {
        self.verdicts.blocked()
    }

    /// Has the blocked library whose hash begins with `hash` tried again at its next load.
    ///
    /// # Errors
    ///
    /// [`VerdictsError`].
    pub fn unblock(&self, hash: &str) -> Result<Blocked, VerdictsError> {
        self.verdicts.unblock(hash)
    }

    fn judge_opened(&self, file: &File, path: &Path, expected: Identity<'_>) -> Result<Facts, Refusal> {
        let inspection = inspect::read(&Source::new(file), path)?;
        self.host.judge(path, &inspection, Some(expected))
    }

    fn first_load(
        &self,
        path: &Path,
        hash: &str,
        facts: &Facts,
        known: impl FnOnce(Refusal) -> Refusal,
    ) -> Result<(), Refusal> {
        let probed = probe::probe(path, self.probe_deadline);
        let result = probed.and_then(|said| same_facts(path, facts, &said)).map_err(|refusal| {
            let blocks = matches!(refusal.rule, Rule::Survivable | Rule::Timely);
            Refusal { hash: blocks.then(|| hash.into()), ..known(refusal) }
        });
        let kept = match &result {
            Ok(()) => self.verdicts.set(hash, self.host.version(), None),
            Err(refusal) if refusal.hash.is_some() => {
                self.verdicts.set(hash, self.host.version(), Some(refusal))
            }
            // It may load once what is missing is there.
            Err(_) => Ok(()),
        };
        if let Err(why) = kept {
            warn!(self.logger, "The result of a library's first load cannot be kept: it will be tried again."; "error" => %why);
        }
        result.map_err(|refusal| self.told(refusal))
    }

    /// Has the long version of a refusal in the debug log, where it does not bury the short one.
    fn told(&self, refusal: Refusal) -> Refusal {
        if let Some(detail) = &refusal.detail {
            debug!(self.logger, "A library's layout differs."; "detail" => detail.as_ref(), "file" => %refusal.file.display());
        }
        refusal
    }
}

/// A library's root says what its note says.
fn same_facts(path: &Path, note: &Facts, root: &Facts) -> Result<(), Refusal> {
    if note == root {
        return Ok(());
    }
    let (wanted, found) = ("a library whose root says what its note says", "something else in its root");
    Err(Refusal::new(Rule::Plugin, path, wanted, found))
}
