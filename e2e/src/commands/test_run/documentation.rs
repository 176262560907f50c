//! Tests that `docs/reliability.md` names exist.

use crate::commands::test_run::programs::PROGRAMS;
use crate::paths;
use anyhow::Result;
use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

/// Everything between backticks that looks like a path of modules and functions.
fn named(text: &str) -> Vec<&str> {
    let is_path = |code: &&str| {
        !code.is_empty()
            && code.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || "_:".contains(c))
    };
    text.lines().flat_map(|line| line.split('`').skip(1).step_by(2)).filter(is_path).collect()
}

/// The file of a module, and what of the path is left behind it.
fn module<'p>(folder: &Path, path: &[&'p str]) -> (Option<PathBuf>, Vec<&'p str>) {
    let (mut folder, mut file) = (folder.to_owned(), None);
    for (index, name) in path.iter().enumerate() {
        let next = folder.join(format!("{name}.rs"));
        if !next.is_file() {
            return (file, path.get(index..).unwrap_or_default().to_vec());
        }
        file = Some(next);
        folder.push(name);
    }
    (file, Vec::new())
}

fn has_function(text: &str, name: &str) -> bool {
    text.contains(&format!("fn {name}("))
}

/// The text of all Rust files below a folder.
fn sources(folder: &Path, text: &mut String) -> Result<()> {
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        if path.is_dir() {
            if !path.ends_with("target") {
                sources(&path, text)?;
            }
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            text.push_str(&fs::read_to_string(path)?);
        }
    }
    Ok(())
}

#[test]
fn every_test_that_the_documentation_names_exists() -> Result<()> {
    let root = paths::root();
    let text = fs::read_to_string(root.join("docs/reliability.md"))?;
    let mut all = String::new();
    sources(&root.join("crates"), &mut all)?;
    sources(&root.join("e2e/tests"), &mut all)?;
    sources(&root.join("e2e/src"), &mut all)?;
    let mut programs: BTreeSet<&str> = PROGRAMS.iter().map(|program| program.name).collect();
    programs.insert("pulsar");
    let mut missing = Vec::new();
    let mut checked = 0;
    for path in named(&text) {
        let parts: Vec<&str> = path.split("::").collect();
        let Some((first, rest)) = parts.split_first() else { continue };
        // Unit tests of a crate may be in a module of the same name.
        if programs.contains(first) && !rest.is_empty() && !rest.contains(&"tests") {
            checked += 1;
            let found = match module(&root.join("e2e/tests").join(first), rest) {
                (Some(_), left) if left.is_empty() => true,
                (Some(file), left) => {
                    let text = fs::read_to_string(file)?;
                    matches!(left.as_slice(), [name] if has_function(&text, name))
                }
                (None, _) => false,
            };
            if !found {
                missing.push(path);
            }
        } else if parts.last().is_some_and(|name| name.matches('_').count() > 3) {
            // A test of a crate, or one without its path.
            checked += 1;
            if !parts.last().is_some_and(|name| has_function(&all, name)) {
                missing.push(path);
            }
        }
    }
    assert!(missing.is_empty(), "docs/reliability.md names tests that do not exist: {missing:#?}");
    assert!(checked > 100, "only {checked} names were found");
    Ok(())
}
