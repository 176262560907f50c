//! Paths of files. Everything created at run time is below `.cache`, which git ignores.

use std::path::{Path, PathBuf};

/// Root of the repository.
pub fn root() -> PathBuf {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    root.canonicalize().unwrap_or(root)
}

/// Downloads, images, binaries and the state of clusters.
pub fn cache() -> PathBuf {
    root().join(".cache")
}

/// A Kubernetes binary.
pub fn binary(name: &str) -> PathBuf {
    cache().join("bin").join(name)
}

/// State of a cluster: short, because sockets cannot have long paths.
pub fn run(cluster: &str) -> PathBuf {
    Path::new("/run/function-mesh").join(cluster)
}

/// Disk of a cluster: images and logs of containers.
pub fn disk(cluster: &str) -> PathBuf {
    cache().join("run").join(cluster)
}
