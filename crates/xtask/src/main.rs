//! Generates what is derived from the code: CRDs and RBAC, for `kubectl apply` and for the charts.

mod crds;
mod files;
mod rbac;

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
    /// Writes the CRDs and RBAC into config/ and charts/.
    Generate {
        /// Write nothing; fail when a file is not what would be written.
        #[arg(long)]
        check: bool,
    },
}

fn main() -> Result<()> {
    let Command::Generate { check } = Args::parse().command;
    let mut files = Files::default();
    crds::generate(&mut files)?;
    rbac::generate(&mut files)?;
    if check { files.check() } else { files.write() }
}
