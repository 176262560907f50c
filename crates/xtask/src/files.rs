//! Generated files: written, or compared with the existing ones.

use anyhow::{Context, Result, bail};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// Content by path below the repository's root.
#[derive(Default)]
pub(crate) struct Files(BTreeMap<PathBuf, String>);

impl Files {
    /// Adds a file.
    pub(crate) fn add(&mut self, path: impl Into<PathBuf>, content: String) {
        self.0.insert(path.into(), content);
    }

    /// The content of a file.
    pub(crate) fn get(&self, path: &str) -> Option<&str> {
        self.0.get(Path::new(path)).map(String::as_str)
    }

    /// Writes all files below a folder. Current files are not touched, so that nothing is rebuilt.
    pub(crate) fn write(&self, root: &Path) -> Result<()> {
        for path in self.stale(root) {
            let target = root.join(path);
            if let Some(folder) = target.parent() {
                std::fs::create_dir_all(folder).with_context(|| format!("folder {}", folder.display()))?;
            }
            let content = self.0.get(path).map(String::as_str).unwrap_or_default();
            std::fs::write(&target, content).with_context(|| format!("file {}", target.display()))?;
        }
        Ok(())
    }

    /// Compares all files with those below a folder.
    ///
    /// # Errors
    /// Names the files that are missing or differ, and the command that writes them.
    pub(crate) fn check(&self, root: &Path, command: &str) -> Result<()> {
        let stale: Vec<String> = self.stale(root).iter().map(|path| path.display().to_string()).collect();
        if !stale.is_empty() {
            bail!("stale generated files, run `{command}`: {}", stale.join(", "));
        }
        Ok(())
    }

    /// The files that are missing or differ.
    fn stale(&self, root: &Path) -> Vec<&Path> {
        self.0
            .iter()
            .filter(|(path, content)| {
                std::fs::read(root.join(path)).ok().as_deref() != Some(content.as_bytes())
            })
            .map(|(path, _)| path.as_path())
            .collect()
    }
}

/// The root of the repository.
pub(crate) fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stale_file_is_named_until_it_is_written() {
        let root = std::env::temp_dir().join(format!("xtask-files-{}", std::process::id()));
        let mut files = Files::default();
        files.add("folder/a.yaml", "a: 1\n".to_owned());
        files.add("b.yaml", "b: 1\n".to_owned());
        let stale = files.check(&root, "make it so").unwrap_err().to_string();
        assert_eq!(stale, "stale generated files, run `make it so`: b.yaml, folder/a.yaml");
        files.write(&root).unwrap();
        files.check(&root, "make it so").unwrap();
        std::fs::write(root.join("folder/a.yaml"), "a: 2\n").unwrap();
        let stale = files.check(&root, "make it so").unwrap_err().to_string();
        assert_eq!(stale, "stale generated files, run `make it so`: folder/a.yaml");
        std::fs::remove_dir_all(&root).unwrap();
    }
}
