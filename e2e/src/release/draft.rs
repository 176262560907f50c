//! One release, while it is made.

use anyhow::{Context, Result};
use std::fs;
use std::path::{Path, PathBuf};

/// What a release names.
#[derive(clap::Args)]
pub struct Options {
    /// Repository of the image, with its registry, as charts and install.yaml name it
    #[arg(long, default_value = "docker.io/local/function-mesh")]
    pub(super) image: String,
    /// Address below which the files will be published, for the manifest of krew
    #[arg(long, default_value = "https://downloads.invalid/function-mesh")]
    pub(super) downloads: String,
    /// Folder to write
    #[arg(long, default_value = "target/dist")]
    pub(super) output: PathBuf,
}

/// See the module.
pub(super) struct Release<'o> {
    /// The version of the workspace.
    pub version: String,
    /// What it names.
    pub options: &'o Options,
    /// Where the files go.
    pub output: PathBuf,
    /// For intermediate results.
    pub work: PathBuf,
}

impl Release<'_> {
    /// The image's name with its tag.
    pub(super) fn reference(&self) -> String {
        format!("{}:{}", self.options.image, self.version)
    }

    /// An empty folder for intermediate results.
    pub(super) fn folder(&self, name: &str) -> Result<PathBuf> {
        let folder = self.work.join(name);
        fs::create_dir_all(&folder).with_context(|| format!("folder {}", folder.display()))?;
        Ok(folder)
    }
}

/// The names in a folder, sorted.
pub(super) fn files(folder: &Path) -> Result<Vec<String>> {
    let mut names = Vec::new();
    for entry in fs::read_dir(folder).with_context(|| format!("folder {}", folder.display()))? {
        names.push(entry?.file_name().to_string_lossy().into_owned());
    }
    names.sort();
    Ok(names)
}
