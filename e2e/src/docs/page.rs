//! A page of the documentation.

use super::parse::{Step, steps};
use crate::paths;
use anyhow::{Context, Result};
use std::fs;
use std::path::{Path, PathBuf};

/// A page and what is to be done on it.
#[derive(Clone, Debug)]
pub struct Page {
    /// Path from the root of the repository.
    pub path: PathBuf,
    /// Text of the page.
    pub text: String,
}

impl Page {
    /// Reads a page.
    ///
    /// # Errors
    /// When there is no such page.
    pub fn read(path: &Path) -> Result<Self> {
        let text = fs::read_to_string(paths::root().join(path))
            .with_context(|| format!("page {}", path.display()))?;
        Ok(Self { path: path.to_owned(), text })
    }

    /// Its steps.
    ///
    /// # Errors
    /// When a shell block has no mark, or a mark is not known.
    pub fn steps(&self) -> Result<Vec<Step>> {
        steps(&self.text).with_context(|| self.path.display().to_string())
    }
}
