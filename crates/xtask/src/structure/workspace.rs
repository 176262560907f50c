//! The packages of the workspace, as cargo knows them.

use crate::files::root;
use crate::structure::source::Tree;
use anyhow::{Context, Result};
use serde_json::Value;
use std::path::{Path, PathBuf};
use std::process::Command;

/// All packages of the workspace.
pub(crate) struct Workspace {
    pub packages: Vec<Package>,
}

/// A package with its Rust files.
pub(crate) struct Package {
    pub name: String,
    pub targets: Vec<Target>,
    /// Every `.rs` file, whether a target uses it or not.
    pub files: Vec<PathBuf>,
}

/// A library, a program, a test or a bench.
pub(crate) struct Target {
    pub kind: String,
    pub tree: Tree,
}

impl Target {
    /// Whether it is code that runs, not a test of it.
    pub(crate) fn is_code(&self) -> bool {
        self.is_library() || self.kind == "bin"
    }

    /// Whether other crates can use it.
    pub(crate) fn is_library(&self) -> bool {
        self.kind == "lib"
    }
}

impl Workspace {
    /// Reads the workspace of this repository.
    pub(crate) fn read() -> Result<Self> {
        let metadata = cargo(&["metadata", "--no-deps", "--format-version", "1"])?;
        let metadata: Value = serde_json::from_str(&metadata).context("output of cargo metadata")?;
        let packages = list(&metadata, "packages").map(Package::read).collect::<Result<_>>()?;
        Ok(Self { packages })
    }
}

impl Package {
    fn read(package: &Value) -> Result<Self> {
        let manifest = Path::new(text(package, "manifest_path"));
        let mut targets = Vec::new();
        for target in list(package, "targets") {
            let kind = list(target, "kind").next().and_then(Value::as_str).unwrap_or_default();
            if kind != "custom-build" {
                let tree =
                    Tree::read(&text(target, "name").replace('-', "_"), Path::new(text(target, "src_path")))?;
                targets.push(Target { kind: kind.to_owned(), tree });
            }
        }
        let mut files = Vec::new();
        for folder in ["src", "tests", "benches", "examples"] {
            collect(&manifest.with_file_name(folder), &mut files)?;
        }
        Ok(Self { name: text(package, "name").to_owned(), targets, files })
    }
}

/// The output of a cargo command, which must not change `Cargo.lock`.
pub(crate) fn cargo(arguments: &[&str]) -> Result<String> {
    let cargo = std::env::var("CARGO").unwrap_or_else(|_| "cargo".to_owned());
    let output = Command::new(cargo).args(arguments).arg("--locked").current_dir(root()).output();
    let output = output.with_context(|| format!("cargo {}", arguments.join(" ")))?;
    anyhow::ensure!(
        output.status.success(),
        "cargo {}: {}",
        arguments.join(" "),
        String::from_utf8_lossy(&output.stderr)
    );
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}

fn list<'a>(value: &'a Value, field: &str) -> impl Iterator<Item = &'a Value> {
    value.get(field).and_then(Value::as_array).into_iter().flatten()
}

fn text<'a>(value: &'a Value, field: &str) -> &'a str {
    value.get(field).and_then(Value::as_str).unwrap_or_default()
}

/// Adds the Rust files below a folder, if it is there.
fn collect(folder: &Path, files: &mut Vec<PathBuf>) -> Result<()> {
    if !folder.is_dir() {
        return Ok(());
    }
    for entry in std::fs::read_dir(folder).with_context(|| format!("folder {}", folder.display()))? {
        let path = entry?.path();
        if path.is_dir() {
            collect(&path, files)?;
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            files.push(path);
        }
    }
    Ok(())
}

/// A path below the root of the repository, as messages name it.
pub(crate) fn shown(path: &Path) -> String {
    let root = root().canonicalize().unwrap_or_else(|_| root());
    let path = path.canonicalize().unwrap_or_else(|_| path.to_owned());
    path.strip_prefix(&root).unwrap_or(&path).display().to_string()
}
