//! Public modules that are not used outside their crate.

use crate::structure::source::{Module, Tree};
use crate::structure::workspace::{Workspace, shown};

/// The public modules of libraries that no other target names.
pub(crate) fn problems(workspace: &Workspace) -> Vec<String> {
    let all: Vec<&Tree> =
        workspace.packages.iter().flat_map(|package| &package.targets).map(|t| &t.tree).collect();
    let libraries = workspace.packages.iter().flat_map(|package| &package.targets).filter(|t| t.is_library());
    libraries.flat_map(|library| idle(&library.tree, &all)).collect()
}

/// The public modules of a library that no other tree names.
pub(crate) fn idle(library: &Tree, all: &[&Tree]) -> Vec<String> {
    let used = |module: &&Module| {
        let path = [std::slice::from_ref(&library.name), module.path.as_slice()].concat();
        let others = all.iter().filter(|tree| !std::ptr::eq(**tree, library)).flat_map(|tree| &tree.modules);
        let mut references = others.flat_map(|module| &module.references);
        references.any(|reference| !reference.local && reference.segments.starts_with(&path))
    };
    let public = library.modules.iter().filter(|module| module.public && !module.path.is_empty());
    let idle = public.filter(|module| !used(module));
    idle.map(|module| {
        format!("{}: is a public module that no other crate names; make it private", shown(&module.file))
    })
    .collect()
}
