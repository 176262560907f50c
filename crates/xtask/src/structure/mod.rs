//! `cargo xtask structure`: checks the structure of the workspace.
//!
//! A module is a file here: an inline module belongs to the file around it. Code under `#[cfg(test)]` is ignored. The rules:
//!
//! * **No cycle between the files of a crate.** An arrow leads from a file to each file that it refers to, by a `use` or by a
//!   path in an expression, a type or a macro. Declaring a module (`mod x;`) is no arrow.
//! * **No upward arrow.** A file refers to nothing in a file above it in the module tree: neither definitions in its parent's
//!   `mod.rs` or in `lib.rs`, nor their re-exports. Items come from the file that defines them, which may be any file beside or
//!   below it, or in another branch (`crate::text::shell` from `crate::instance::java`).
//! * **No idle `pub mod`.** Another crate, or a test, bench or binary of the same package, uses each public module of a library.
//! * **No long file or function.** A file has at most 450 lines, a function at most 100 lines of code, unless it is a table: one
//!   list, `vec!`, `json!`, struct or `match` of single expressions makes up four fifths of it.
//! * **Pure crates.** Rendering, planning and the CLI depend on no async runtime and no API client.

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
/// Every violation.
pub(crate) fn check() -> Result<()> {
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
