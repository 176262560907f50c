//! The files of a report: in a folder that only its owner reads, or in one archive.

use anyhow::{Context, Result, bail};
use std::fs::{DirBuilder, File};
use std::io::Write;
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};
use std::process::Command;

/// A folder that is being filled.
pub(crate) struct Folder {
    path: PathBuf,
    files: usize,
}

impl Folder {
    /// Creates a new folder.
    ///
    /// # Errors
    /// When it exists, or cannot be created.
    pub(crate) fn create(path: &Path) -> Result<Self> {
        if path.exists() {
            bail!("{} exists; name another folder with --directory", path.display());
        }
        make(path)?;
        Ok(Self { path: path.to_owned(), files: 0 })
    }

    /// Writes a file, below folders that are created. An empty text is no file.
    ///
    /// # Errors
    /// When it cannot be written.
    pub(crate) fn write(&mut self, name: &str, text: &str) -> Result<()> {
        if text.trim().is_empty() {
            return Ok(());
        }
        let path = self.path.join(name);
        if let Some(parent) = path.parent() {
            make(parent)?;
        }
        let written = File::create(&path).and_then(|mut file| file.write_all(text.as_bytes()));
        written.with_context(|| format!("cannot write {}", path.display()))?;
        self.files += 1;
        Ok(())
    }

    /// Files so far.
    pub(crate) fn files(&self) -> usize {
        self.files
    }

    /// Makes an archive of the folder, beside it, and removes the folder.
    ///
    /// # Errors
    /// When `tar` is missing or fails; the folder is kept then.
    pub(crate) fn archive(self) -> Result<PathBuf> {
        let name = self.path.file_name().context("the folder has no name")?;
        let mut file = name.to_os_string();
        file.push(".tar.gz");
        let archive = self.path.with_file_name(file);
        let parent =
            self.path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
        let done = Command::new("tar").arg("-czf").arg(&archive).arg("-C").arg(parent).arg(name).output();
        let done = done.context("cannot run tar; leave out --archive")?;
        if !done.status.success() {
            bail!("tar: {}", String::from_utf8_lossy(&done.stderr).trim());
        }
        std::fs::remove_dir_all(&self.path)
            .with_context(|| format!("cannot remove {}", self.path.display()))?;
        Ok(archive)
    }
}

fn make(path: &Path) -> Result<()> {
    let made = DirBuilder::new().recursive(true).mode(0o700).create(path);
    made.with_context(|| format!("cannot create {}", path.display()))
}
