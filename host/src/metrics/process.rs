//! What the operating system knows of this process. Linux only; elsewhere there is nothing.

use std::collections::HashMap;

use crate::thread_name::thread_name;

/// What is known of the process.
#[derive(Debug, Default)]
pub(super) struct Process {
    /// Bytes in memory.
    pub(super) resident: Option<u64>,
    /// Open files.
    pub(super) files: Option<u64>,
    /// How many threads have which name.
    pub(super) threads: HashMap<String, u64>,
}

impl Process {
    /// Asks. Blocks for as long as reading a file for each thread takes.
    pub(super) fn read() -> Self {
        let count =
            |folder: &str| std::fs::read_dir(folder).ok().map(|entries| entries.flatten().count() as u64);
        let mut process = Self { resident: resident(), files: count("/proc/self/fd"), ..Self::default() };
        for thread in std::fs::read_dir("/proc/self/task").into_iter().flatten().flatten() {
            // One that ended meanwhile has no name any more.
            if let Ok(name) = std::fs::read_to_string(thread.path().join("comm")) {
                *process.threads.entry(name.trim_end().to_owned()).or_default() += 1;
            }
        }
        process
    }

    /// How many threads there are.
    pub(super) fn all_threads(&self) -> Option<u64> {
        Some(self.threads.values().sum()).filter(|count| *count > 0)
    }

    /// How many threads work for each of `plugins`. A thread's name has 12 bytes of the plugin's: of plugins whose names
    /// are the same up to there nothing is known.
    pub(super) fn threads_of<'a>(&self, plugins: &[&'a str]) -> Vec<(&'a str, u64)> {
        if self.threads.is_empty() {
            return Vec::new();
        }
        let mut by_name: HashMap<String, Vec<&str>> = HashMap::new();
        for plugin in plugins {
            by_name.entry(thread_name(plugin)).or_default().push(plugin);
        }
        let mut found: Vec<_> = by_name
            .into_iter()
            .filter_map(|(name, plugins)| match plugins.as_slice() {
                [plugin] => Some((*plugin, self.threads.get(&name).copied().unwrap_or(0))),
                _ => None,
            })
            .collect();
        found.sort_unstable();
        found
    }
}

/// Bytes of this process in memory.
fn resident() -> Option<u64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
    let kib: u64 = line.trim().trim_end_matches("kB").trim().parse().ok()?;
    Some(kib * 1024)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn threads_are_counted_for_the_plugin_that_they_are_named_after() {
        let threads = HashMap::from([("ss:slack".to_owned(), 3), ("ss:a-very-long-".to_owned(), 2)]);
        let process = Process { threads, ..Process::default() };
        let found =
            process.threads_of(&["streamspace-slack", "a-very-long-name", "a-very-long-other", "idle"]);
        assert_eq!(found, [("idle", 0), ("streamspace-slack", 3)]);
        assert_eq!(process.all_threads(), Some(5));
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn this_process_is_known() {
        let process = Process::read();
        assert!(process.resident.is_some_and(|bytes| bytes > 100_000), "{process:?}");
        assert!(process.all_threads().is_some() && process.files.is_some(), "{process:?}");
    }
}
