//! Imports images into a containerd.

use super::oci::Archive;
use crate::shell::{command, output, progress};
use anyhow::{Context, Result};
use std::path::Path;

/// Label that records from which archive an image was imported. containerd drops it when the name moves to another image, and it
/// is set last: an interrupted import is repeated.
const LABEL: &str = "function-mesh/archive";

/// Imports an archive under its one name, where the kubelet looks for it. Does nothing if it is already imported.
///
/// # Errors
/// If `ctr` is missing, the socket does not respond, or containerd refuses the archive.
pub fn import(socket: &Path, archive: &Archive) -> Result<()> {
    let ctr = |arguments: &[&str]| {
        ctr(socket, arguments).with_context(|| format!("importing {}", archive.reference))
    };
    let digest = archive.digest()?;
    let known = ctr(&["images", "list", "--quiet", &format!("labels.\"{LABEL}\"==\"{digest}\"")])?;
    if known.lines().any(|name| name == archive.reference) {
        return Ok(());
    }
    progress(&format!("importing {}", archive.reference));
    ctr(&["images", "import", &archive.path.display().to_string()])?;
    ctr(&["images", "label", &archive.reference, &format!("{LABEL}={digest}")])?;
    Ok(())
}

/// Gives an imported image another name as well.
///
/// # Errors
/// If `ctr` is missing, the socket does not respond, or there is no such image.
pub fn name(socket: &Path, image: &str, other: &str) -> Result<()> {
    ctr(socket, &["images", "tag", "--force", image, other])
        .with_context(|| format!("naming {image} {other}"))
        .map(drop)
}

fn ctr(socket: &Path, arguments: &[&str]) -> Result<String> {
    let mut ctr = command("ctr", ["--namespace", "k8s.io", "--address"]);
    output(ctr.arg(socket).args(arguments))
}
