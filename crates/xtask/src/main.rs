//! Generates what is derived from the code: CRDs and RBAC, for `kubectl apply` and for the charts, manifests from the chart,
//! and the reference documentation.

mod argocd;
mod bundle;
mod chart_values;
mod crds;
mod docs;
mod files;
mod install;
mod policy;
mod rbac;
mod settings;
mod site;
mod structure;
mod tenancy;
mod yaml;

use anyhow::{Context, Result};
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
    /// The operator for `kubectl apply -k`: into config/default, and the READMEs of the charts. Needs helm when the chart changed.
    Install(Mode),
    /// Everything of config/default in one file: the `install.yaml` of a release.
    Manifest {
        /// File to write.
        output: std::path::PathBuf,
        /// Image of the controllers; by default that of the chart.
        #[arg(long)]
        image: Option<String>,
    },
    /// The bundle for the Operator Lifecycle Manager.
    Bundle {
        /// Folder to write.
        output: std::path::PathBuf,
        /// Image of the controllers; by default that of the chart.
        #[arg(long)]
        image: Option<String>,
    },
    /// Check the shape of the workspace: cycles between files, upward arrows, public modules, sizes, pure crates.
    Structure,
    /// Check the links of the documentation as a site, which mdBook built.
    Site {
        /// Folder of the site.
        folder: std::path::PathBuf,
    },
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

/// The CRDs, the roles and the controllers.
fn manifests() -> Result<Files> {
    let mut files = Files::default();
    for generate in [crds::generate, roles, install::generate] {
        generate(&mut files)?;
    }
    Ok(files)
}

/// The same in one text.
fn manifest(image: Option<&str>) -> Result<String> {
    install::single(&manifests()?, image)
}

fn main() -> Result<()> {
    let all: &[Generator] =
        &[crds::generate, roles, health, docs::generate, install::generate, chart_values::generate];
    let (generators, command, mode): (&[Generator], _, _) = match Args::parse().command {
        Command::Generate(mode) => (all, "cargo xtask generate", mode),
        Command::Crds(mode) => (&[crds::generate], "cargo xtask crds", mode),
        Command::Rbac(mode) => (&[roles], "cargo xtask rbac", mode),
        Command::Docs(mode) => (&[docs::generate], "cargo xtask docs", mode),
        Command::Structure => return structure::check(),
        Command::Site { folder } => return site::check(&folder),
        Command::Bundle { output, image } => {
            let mut files = Files::default();
            bundle::generate(&manifests()?, &mut files, image.as_deref())?;
            return files.write(&output);
        }
        Command::Manifest { output, image } => {
            return std::fs::write(&output, manifest(image.as_deref())?)
                .with_context(|| format!("file {}", output.display()));
        }
        Command::Install(mode) => (&[install::generate, chart_values::generate], "cargo xtask install", mode),
    };
    let mut files = Files::default();
    for generate in generators {
        generate(&mut files)?;
    }
    let root = files::root();
    if mode.check { files.check(&root, command) } else { files.write(&root) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_file_has_every_kind_and_the_image_that_is_asked_for() {
        let text = manifest(Some("example.com/function-mesh@sha256:0")).unwrap();
        let count = |line: &str| text.lines().filter(|candidate| *candidate == line).count();
        assert_eq!(
            ["kind: Namespace", "kind: CustomResourceDefinition", "kind: Deployment"].map(count),
            [1, 5, 4]
        );
        assert_eq!(text.matches("example.com/function-mesh@sha256:0").count(), 4);
        assert!(!text.contains("docker.io/local"));
    }
}
