//! What a release is for.

/// An architecture that a release is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Architecture {
    /// As images, Debian and krew name it.
    pub name: &'static str,
    /// As Rust names it.
    pub target: &'static str,
}

pub(super) const ARCHITECTURES: [Architecture; 2] = [
    Architecture { name: "amd64", target: "x86_64-unknown-linux-musl" },
    Architecture { name: "arm64", target: "aarch64-unknown-linux-musl" },
];

/// Name of the plugin's package and binary.
pub(super) const PLUGIN: &str = "kubectl-fmesh";
