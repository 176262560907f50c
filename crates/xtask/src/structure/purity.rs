//! Crates without I/O: nothing among their dependencies does any.

use crate::structure::workspace::{Workspace, cargo};
use anyhow::Result;

/// Crates without I/O, and the CLI, which reads files and does not connect to a cluster.
const PURE: [&str; 4] = ["functionmesh-api", "functionmesh-render", "functionmesh-plan", "kubectl-fmesh"];
/// Crates that do I/O: an asynchronous runtime, clients of the API server and of HTTP.
const FORBIDDEN: [&str; 6] = ["tokio", "kube-client", "kube-runtime", "hyper", "reqwest", "async-std"];

/// The forbidden dependencies of the pure crates in the workspace.
pub(crate) fn problems(workspace: &Workspace) -> Result<Vec<String>> {
    let mut problems = Vec::new();
    for name in PURE.into_iter().filter(|name| workspace.packages.iter().any(|package| package.name == *name))
    {
        let tree =
            cargo(&["tree", "--package", name, "--edges", "normal", "--prefix", "none", "--format", "{p}"])?;
        problems.extend(forbidden(name, &tree));
    }
    Ok(problems)
}

pub(crate) fn forbidden(name: &str, tree: &str) -> Vec<String> {
    let dependencies = tree.lines().filter_map(|line| line.split(' ').next());
    let wrong = dependencies.filter(|dependency| FORBIDDEN.contains(dependency));
    wrong
        .map(|dependency| {
            format!(
                "{name}: depends on {dependency}, which does I/O; see `cargo tree -p {name} -i {dependency}`"
            )
        })
        .collect()
}
