//! Generated files: written, or compared with what is there.

use anyhow::{Context, Result, bail};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// Content by path below the repository's root.
#[derive(Default)]
pub struct Files(BTreeMap<PathBuf, String>);

impl Files {
    /// Adds a file.
    pub fn add(&mut self, path: impl Into<PathBuf>, content: String) {
        self.0.insert(path.into(), content);
    }

    /// Writes all files.
    pub fn write(&self) -> Result<()> {
        for (path, content) in &self.0 {
            let path = root().join(path);
            if let Some(folder) = path.parent() {
                std::fs::create_dir_all(folder).with_context(|| format!("folder {}", folder.display()))?;
            }
            std::fs::write(&path, content).with_context(|| format!("file {}", path.display()))?;
        }
        Ok(())
    }

    /// Compares all files.
    pub fn check(&self) -> Result<()> {
        let stale: Vec<String> = self
            .0
            .iter()
            .filter(|(path, content)| std::fs::read_to_string(root().join(path)).ok().as_ref() != Some(*content))
            .map(|(path, _)| path.display().to_string())
            .collect();
        if !stale.is_empty() {
            bail!("stale generated files, run `make generate`: {}", stale.join(", "));
        }
        Ok(())
    }
}

/// The root of the repository.
fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}
