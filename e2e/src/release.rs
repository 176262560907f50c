//! A release: everything that is published for one version. The same commit gives the same bytes, wherever and whenever it is built.
//!
//! | file | what it is |
//! |---|---|
//! | `function-mesh-VERSION-image.tar` | image of the controllers for both architectures, in the OCI layout |
//! | `function-mesh-VERSION-image.digest` | the digest by which a cluster pins it |
//! | `function-mesh-{crds,operator}-VERSION.tgz` | the charts |
//! | `install.yaml` | the same for `kubectl apply` |
//! | `function-mesh-olm-bundle-VERSION.tar.gz` | the same for the Operator Lifecycle Manager |
//! | `kubectl-fmesh-VERSION-linux-ARCHITECTURE.tar.gz` | the plugin of kubectl |
//! | `fmesh.yaml` | its manifest for krew |
//! | `BINARY-VERSION-linux-ARCHITECTURE.cdx.json` | CycloneDX bill of materials, read from the binary |
//! | `SHA256SUMS` | digests of all of them |

mod architecture;
mod archives;
mod binaries;
mod charts;
mod draft;
mod tools;
mod version;

pub use draft::Options;

use crate::images;
use crate::shell::{command, progress, run};
use crate::{paths, tools as machine};
use anyhow::{Context, Result};
use architecture::{ARCHITECTURES, Architecture};
use draft::{Release, files};
use std::fs;
use std::path::PathBuf;

/// Builds a release.
///
/// # Errors
/// When something that it needs is missing, the versions differ, or a step fails.
pub fn release(options: &Options) -> Result<()> {
    let version = version::check()?;
    if let Some(changes) = version::uncommitted()? {
        progress(&format!("not the release of a commit, {changes} files differ from it"));
    }
    machine::clients()?;
    let tools = tools::ensure()?;
    let output = paths::root().join(&options.output);
    let work = paths::root().join("target/dist.work");
    for folder in [&output, &work] {
        if folder.exists() {
            fs::remove_dir_all(folder).with_context(|| format!("folder {}", folder.display()))?;
        }
        fs::create_dir_all(folder).with_context(|| format!("folder {}", folder.display()))?;
    }

    let mut built = Vec::new();
    for architecture in ARCHITECTURES {
        built.push((architecture, binaries::build(architecture, &tools)?));
    }
    let release = Release { version, options, output, work };
    release.image(&built)?;
    release.charts()?;
    release.bundle()?;
    release.plugin(&built)?;
    for (architecture, folder) in &built {
        release.bills(*architecture, folder, &tools)?;
    }
    let digest = release.checksums()?;
    fs::remove_dir_all(&release.work)?;
    progress(&format!("{} (all files: {digest})", release.output.display()));
    Ok(())
}

impl Release<'_> {
    fn image(&self, built: &[(Architecture, PathBuf)]) -> Result<()> {
        progress("the image");
        let work = self.folder("image")?;
        let platforms: Vec<_> = built.iter().map(|(a, folder)| (a.name, folder.as_path())).collect();
        let file = self.output.join(format!("function-mesh-{}-image.tar", self.version));
        let digest = images::controllers_for(&self.reference(), &platforms, &work, &file)?;
        // A cluster that pins the image needs this digest, not that of the file.
        fs::write(
            self.output.join(format!("function-mesh-{}-image.digest", self.version)),
            format!("{digest}\n"),
        )?;
        Ok(())
    }

    /// Lists all files with their digests. Returns the digest of the list.
    fn checksums(&self) -> Result<String> {
        let line = |name: String| Ok(format!("{}  {name}\n", images::sha256(&self.output.join(&name))?));
        let lines = files(&self.output)?.into_iter().map(line).collect::<Result<Vec<_>>>()?;
        let list = self.output.join("SHA256SUMS");
        fs::write(&list, lines.concat())?;
        run(command("sha256sum", ["--check", "--strict", "--quiet", "SHA256SUMS"]).current_dir(&self.output))?;
        images::sha256(&list)
    }
}
