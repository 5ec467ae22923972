//! What threads are called.

/// `ss:` and the plugin's name without the prefix that all share, in the 15 bytes that Linux keeps.
pub(crate) fn thread_name(plugin: &str) -> String {
    let short = plugin.strip_prefix("streamspace-").unwrap_or(plugin);
    let name = format!("ss:{short}");
    name[..name.floor_char_boundary(15)].to_owned()
}
