//! Generates what is derived from the code: CRDs and RBAC, for `kubectl apply` and for the charts, manifests from the chart,
//! and the reference documentation.

mod argocd;
mod crds;
mod docs;
mod files;
mod install;
mod policy;
mod rbac;
mod settings;
mod structure;
mod tenancy;
mod yaml;

use anyhow::Result;
use clap::{Parser, Subcommand};
use files::Files;

/// Generates what is derived from the code.
#[derive(Parser)]
struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Everything below: into config/, charts/ and docs/reference.
    Generate(Mode),
    /// The CRDs: into config/crd and charts/function-mesh-crds.
    Crds(Mode),
    /// The roles of the controllers and the policy for tenants: into config/rbac, config/tenancy and
    /// charts/function-mesh-operator.
    Rbac(Mode),
    /// The reference documentation: into docs/reference.
    Docs(Mode),
    /// The operator for `kubectl apply -k`: into config/default. Needs helm when the chart changed.
    Install(Mode),
    /// Check the shape of the workspace: cycles between files, upward arrows, public modules, sizes, pure crates.
    Structure,
}

#[derive(clap::Args)]
struct Mode {
    /// Write nothing; fail when a file is not what would be written.
    #[arg(long)]
    check: bool,
}

/// One generator.
type Generator = fn(&mut Files) -> Result<()>;

#[allow(clippy::unnecessary_wraps, reason = "the signature of a generator")]
fn roles(files: &mut Files) -> Result<()> {
    rbac::generate(files);
    tenancy::generate(files);
    Ok(())
}

#[allow(clippy::unnecessary_wraps, reason = "the signature of a generator")]
fn health(files: &mut Files) -> Result<()> {
    argocd::generate(files);
    Ok(())
}

fn main() -> Result<()> {
    let all: &[Generator] = &[crds::generate, roles, health, docs::generate, install::generate];
    let (generators, command, mode): (&[Generator], _, _) = match Args::parse().command {
        Command::Generate(mode) => (all, "cargo xtask generate", mode),
        Command::Crds(mode) => (&[crds::generate], "cargo xtask crds", mode),
        Command::Rbac(mode) => (&[roles], "cargo xtask rbac", mode),
        Command::Docs(mode) => (&[docs::generate], "cargo xtask docs", mode),
        Command::Structure => return structure::check(),
        Command::Install(mode) => (&[install::generate], "cargo xtask install", mode),
    };
    let mut files = Files::default();
    for generate in generators {
        generate(&mut files)?;
    }
    let root = files::root();
    if mode.check { files.check(&root, command) } else { files.write(&root) }
}
