//! Names of threads that work for a plugin.

/// Names the current thread after the plugin that it works for, so that `top`, `perf` and a core dump name it.
pub(crate) fn name_thread(plugin: &str) {
    #[cfg(target_os = "linux")]
    if let Ok(name) = std::ffi::CString::new(thread_name(plugin)) {
        // A name is a help for people: without it everything works.
        let _ = rustix::thread::set_name(&name);
    }
    #[cfg(not(target_os = "linux"))]
    let _ = plugin;
}

/// `ss:` and the plugin's name without the prefix that all share, in the 15 bytes that Linux keeps.
pub(crate) fn thread_name(plugin: &str) -> String {
    let short = plugin.strip_prefix("streamspace-").unwrap_or(plugin);
    let name = format!("ss:{short}");
    name[..name.floor_char_boundary(15)].to_owned()
}
