//! Files and folders that nobody but the host's user reads, whatever its umask is.

use std::{
    fs::{self, DirBuilder, File, OpenOptions},
    io,
    path::Path,
};

/// Makes a folder, and those that it is in. One that is there stays as it is.
pub(crate) fn folder(path: &Path) -> io::Result<()> {
    let mut builder = DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(path)
}

/// The same, of a folder that is the plugin's alone: what others may do with it is taken from them.
pub(crate) fn own_folder(path: &Path) -> io::Result<()> {
    folder(path)?;
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        let mut permissions = fs::metadata(path)?.permissions();
        if permissions.mode() & 0o077 != 0 {
            permissions.set_mode(0o700);
            fs::set_permissions(path, permissions)?;
        }
    }
    Ok(())
}

/// Makes a file that is not there yet, to be written.
pub(crate) fn new_file(path: &Path) -> io::Result<File> {
    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options.open(path)
}

#[cfg(all(test, unix))]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    fn mode(path: &Path) -> u32 {
        fs::metadata(path).expect("it is there").permissions().mode() & 0o777
    }

    #[test]
    fn nobody_else_reads() {
        let outer = tempfile::tempdir().expect("a folder");
        let of = outer.path().join("a/b");
        folder(&of).expect("made");
        assert_eq!((mode(&of), mode(&outer.path().join("a"))), (0o700, 0o700));
        let file = of.join("file");
        let _ = new_file(&file).expect("made");
        assert_eq!(mode(&file), 0o600);
        assert_eq!(new_file(&file).expect_err("it is there").kind(), io::ErrorKind::AlreadyExists);

        fs::set_permissions(&of, fs::Permissions::from_mode(0o755)).expect("changed");
        folder(&of).expect("there");
        assert_eq!(mode(&of), 0o755, "it may be the operator's");
        own_folder(&of).expect("there");
        assert_eq!(mode(&of), 0o700);
    }
}
