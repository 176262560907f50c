//! `cargo xtask structure`: the shape of the workspace, checked so that it stays.
//!
//! A module is a file here: what is declared in braces belongs to the file around it. Code under `#[cfg(test)]` is not part of
//! the shape. The rules:
//!
//! * **No cycle between the files of a crate.** An arrow goes from a file to each file that it takes something from, by a
//!   `use` or by a path in an expression, a type or a macro. Declaring a module (`mod x;`) is no arrow.
//! * **No upward arrow.** A file takes nothing from a file above it in the tree of modules: neither what its parent's `mod.rs`
//!   or the `lib.rs` defines, nor what they re-export. Items come from the file that defines them, which may be any file
//!   beside or below it, or in another branch (`crate::text::shell` from `crate::instance::java`).
//! * **No idle `pub mod`.** A public module of a library is named by another crate, or by a test, bench or binary of its own.
//! * **No long file or function.** A file has at most 450 lines, a function at most 100 lines of code, unless it is a table: one
//!   list, `vec!`, `json!`, struct or `match` of single expressions makes up four fifths of it.
//! * **Pure crates.** Rendering and planning depend on no runtime and no client, the command line neither.

mod arrows;
mod facade;
mod purity;
mod reference;
mod size;
mod source;
#[cfg(test)]
mod tests;
mod workspace;

use anyhow::{Result, bail};
use workspace::Workspace;

/// Checks all rules.
///
/// # Errors
/// Every place that breaks one.
pub fn check() -> Result<()> {
    let workspace = Workspace::read()?;
    let mut problems = Vec::new();
    for package in &workspace.packages {
        for target in package.targets.iter().filter(|target| target.is_code()) {
            problems.extend(arrows::problems(&target.tree));
        }
        for file in &package.files {
            problems.extend(size::problems(file)?);
        }
    }
    problems.extend(facade::problems(&workspace));
    problems.extend(purity::problems(&workspace)?);
    if !problems.is_empty() {
        problems.sort();
        problems.dedup();
        bail!(
            "the structure of the workspace is broken in {} places:\n{}",
            problems.len(),
            problems.join("\n")
        );
    }
    Ok(())
}
