//! Support for tests of scripts: shells, and directories with fake programs.

use std::io::Write;
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;
use std::{env, fs, process};

/// The shells that images have as `sh` and that exist on this machine. Missing ones are reported past the capture of
/// the test runner.
pub(crate) fn shells() -> Vec<Vec<&'static str>> {
    let known = [vec!["dash"], vec!["bash"], vec!["busybox", "sh"]];
    let (there, missing): (Vec<_>, Vec<_>) = known.into_iter().partition(|shell| {
        let path = env::var_os("PATH").unwrap_or_default();
        env::split_paths(&path).any(|folder| folder.join(shell[0]).is_file())
    });
    for shell in missing {
        writeln!(std::io::stderr(), "tests of scripts: {} is not here: not tried", shell.join(" ")).unwrap();
    }
    assert!(!there.is_empty(), "no shell to try");
    there
}

/// A temporary directory, removed on drop.
pub(crate) struct Folder(pub(crate) PathBuf);

impl Folder {
    pub(crate) fn new(name: &str) -> Self {
        let path = env::temp_dir().join(format!("function-mesh-{name}-{}", process::id()));
        fs::create_dir_all(&path).unwrap();
        Self(path)
    }

    /// Creates a program that prints a text and exits with a status.
    pub(crate) fn tool(&self, name: &str, text: &str, status: u8) -> String {
        let path = self.0.join(name);
        fs::write(&path, format!("#!/bin/sh\ncat <<'END'\n{text}\nEND\nexit {status}\n")).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
        path.display().to_string()
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        drop(fs::remove_dir_all(&self.0));
    }
}
