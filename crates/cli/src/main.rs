//! `kubectl fmesh`, as a plugin of kubectl.

use clap::Parser;
use std::process::ExitCode;

fn main() -> ExitCode {
    kubectl_fmesh::run(kubectl_fmesh::Cli::parse())
}
