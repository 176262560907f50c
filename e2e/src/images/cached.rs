//! Files that are built once, and again when their inputs change.

use crate::shell::progress;
use anyhow::{Context, Result};
use std::ffi::OsString;
use std::fs::{self, File, TryLockError};
use std::path::{Path, PathBuf};

/// Builds a file unless it exists and was built from the same inputs. `make` gets an empty working folder next to the file, and
/// returns the path of the finished file in it.
///
/// After an interruption the next call starts over. Two processes that need the same layer wait for each other.
pub(super) fn cached(path: &Path, inputs: &str, make: impl FnOnce(&Path) -> Result<PathBuf>) -> Result<()> {
    let folder = path.parent().context("file without a folder")?;
    fs::create_dir_all(folder).with_context(|| format!("folder {}", folder.display()))?;
    let lock = beside(path, "lock");
    let lock = File::create(&lock).with_context(|| format!("lock {}", lock.display()))?;
    if let Err(TryLockError::WouldBlock) = lock.try_lock() {
        progress(&format!("waiting for another process that builds {}", path.display()));
    }
    // Released when this function or the process ends.
    lock.lock()?;

    let stamp = beside(path, "inputs");
    if path.is_file() && fs::read_to_string(&stamp).is_ok_and(|made_of| made_of == inputs) {
        return Ok(());
    }
    // Removed before the file changes and written last: it never describes another file.
    remove(&stamp)?;
    let work = beside(path, "work");
    if work.exists() {
        fs::remove_dir_all(&work).with_context(|| format!("folder {}", work.display()))?;
    }
    fs::create_dir_all(&work).with_context(|| format!("folder {}", work.display()))?;
    let finished = make(&work)?;
    fs::rename(&finished, path).with_context(|| format!("file {}", path.display()))?;
    fs::write(&stamp, inputs)?;
    fs::remove_dir_all(&work).with_context(|| format!("folder {}", work.display()))
}

fn beside(path: &Path, suffix: &str) -> PathBuf {
    let mut name = OsString::from(path);
    name.push(".");
    name.push(suffix);
    name.into()
}

fn remove(file: &Path) -> Result<()> {
    match fs::remove_file(file) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
            Err(error).with_context(|| format!("file {}", file.display()))
        }
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use anyhow::bail;

    struct Folder(PathBuf);

    impl Folder {
        fn new(name: &str) -> Self {
            let path =
                std::env::temp_dir().join(format!("function-mesh-cached-{name}-{}", std::process::id()));
            let _ = fs::remove_dir_all(&path);
            Self(path)
        }
    }

    impl Drop for Folder {
        fn drop(&mut self) {
            let _ = fs::remove_dir_all(&self.0);
        }
    }

    fn write(work: &Path, text: &str) -> Result<PathBuf> {
        let file = work.join("file");
        fs::write(&file, text)?;
        Ok(file)
    }

    #[test]
    fn made_once_for_the_same_inputs() {
        let folder = Folder::new("once");
        let path = folder.0.join("result");
        cached(&path, "a", |work| write(work, "first")).unwrap();
        cached(&path, "a", |_| bail!("made again")).unwrap();
        assert_eq!(fs::read_to_string(&path).unwrap(), "first");
        cached(&path, "b", |work| write(work, "second")).unwrap();
        assert_eq!(fs::read_to_string(&path).unwrap(), "second");
    }

    #[test]
    fn an_interrupted_one_does_not_count() {
        let folder = Folder::new("interrupted");
        let path = folder.0.join("result");
        cached(&path, "a", |work| write(work, "first")).unwrap();
        let interrupted = cached(&path, "b", |work| write(work, "half").and_then(|_| bail!("interrupted")));
        assert!(interrupted.is_err());
        // Leftovers are removed when it starts again, also for the old inputs.
        let again = cached(&path, "a", |work| {
            assert_eq!(fs::read_dir(work)?.count(), 0);
            write(work, "third")
        });
        again.unwrap();
        assert_eq!(fs::read_to_string(&path).unwrap(), "third");
    }
}
