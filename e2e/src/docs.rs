//! The documentation as a test: what a page tells its reader to type is executed, in the order of the page.
//!
//! The line before a shell block says how it is tested, in an HTML comment that no reader sees:
//!
//! | mark | meaning |
//! |---|---|
//! | `<!-- test: api -->` | executed on an API server without nodes, and on a cluster |
//! | `<!-- test: cluster -->` | executed on a cluster only, because it needs pods; its syntax is checked everywhere |
//! | `<!-- test: none: REASON -->` | cannot be executed by a test; its syntax is checked |
//! | `<!-- test: file NAME -->` | not a command: the content of a file that later blocks use |
//!
//! `NAME=value` behind `api` or `cluster` replaces a placeholder of the page by a value; `exit=2` says that the commands end
//! with this exit status instead of 0. In a `console` block, each line that begins with `$ ` is a command, and the lines below it are
//! its output, in which ages, dates and generated names may differ.
//!
//! Two more comments stand alone. `<!-- test: setup`, lines of shell and `-->` is what a page takes for granted; `setup api` and
//! `setup cluster` restrict it. `<!-- test: controllers start -->`, and `stop`, is where the controllers begin or end to run on an
//! API server without nodes: there, they are processes of the test, and every StatefulSet is reported as available.

mod compare;
mod page;
mod parse;
mod run;

#[cfg(test)]
mod links;

pub use compare::difference;
pub use page::Page;
pub(crate) use parse::Step;
pub(crate) use run::Runner;

use crate::paths;
use anyhow::{Context, Result};
use std::fs;
use std::path::{Path, PathBuf};

/// Pages that a new user reads first, in the order in which they are tested. The others follow by name.
const FIRST: [&str; 2] = ["README.md", "docs/quickstart.md"];

/// All pages: those at the root, in `docs` and beside the charts.
///
/// # Errors
/// When a folder cannot be read.
pub fn pages() -> Result<Vec<Page>> {
    let root = paths::root();
    let mut found = Vec::new();
    for folder in ["", "docs", "charts", "changelog.d"] {
        // At the root only the files: the other folders are code.
        collect(&root.join(folder), folder.is_empty(), &mut found)?;
    }
    let mut pages: Vec<PathBuf> =
        found.iter().filter_map(|path| path.strip_prefix(&root).ok().map(Path::to_owned)).collect();
    let rank =
        |path: &PathBuf| FIRST.iter().position(|first| path == Path::new(first)).unwrap_or(FIRST.len());
    pages.sort_by_key(|path| (rank(path), path.clone()));
    pages.iter().map(|path| Page::read(path)).collect()
}

fn collect(folder: &Path, flat: bool, found: &mut Vec<PathBuf>) -> Result<()> {
    for entry in fs::read_dir(folder).with_context(|| format!("folder {}", folder.display()))? {
        let path = entry?.path();
        if path.is_dir() {
            // What mdBook writes is not a source.
            if !flat && !path.ends_with("book") {
                collect(&path, false, found)?;
            }
        } else if path.extension().is_some_and(|extension| extension == "md") {
            found.push(path);
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_shell_block_of_the_documentation_says_how_it_is_tested() -> Result<()> {
        let (mut wrong, mut executed) = (Vec::new(), 0);
        for page in pages()? {
            match page.steps() {
                Ok(steps) => executed += steps.iter().filter(|step| step.is_executed()).count(),
                Err(error) => wrong.push(format!("{error:#}")),
            }
        }
        assert!(wrong.is_empty(), "{}", wrong.join("\n"));
        assert!(executed > 30, "only {executed} blocks are executed");
        Ok(())
    }
}
