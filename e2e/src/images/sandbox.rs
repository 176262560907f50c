//! The image that keeps a pod's namespaces, and a shell for tests.

use super::oci::{Archive, Recipe, build, pack};
use super::tags::PAUSE_IMAGE;
use crate::shell::{command, run};
use crate::tools::packages;
use anyhow::{Context, Result, bail};
use serde_json::json;
use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;

/// A static busybox that waits.
///
/// # Errors
/// When it cannot be built.
pub fn pause() -> Result<Archive> {
    let recipe = Recipe {
        file: "pause.tar",
        reference: PAUSE_IMAGE,
        inputs: include_str!("sandbox.rs").to_owned(),
        config: json!({"User": "65532:65532", "WorkingDir": "/", "Entrypoint": ["/bin/busybox", "sleep", "infinity"], "Env": ["PATH=/bin"]}),
        compress: false,
    };
    build(&recipe, |work| {
        packages(&[("busybox", "busybox-static")])?;
        let busybox = ["/bin/busybox", "/usr/bin/busybox"].map(Path::new).into_iter().find(|p| p.is_file());
        let busybox =
            busybox.context("no busybox in /bin or /usr/bin: install the package busybox-static")?;
        // ldd refuses what needs no libraries.
        if run(command("ldd", [] as [&str; 0]).arg(busybox)).is_ok() {
            bail!("{} is not static: install the package busybox-static", busybox.display());
        }
        let bin = work.join("root/bin");
        fs::create_dir_all(&bin)?;
        fs::copy(busybox, bin.join("busybox"))?;
        for applet in ["sh", "sleep", "cat", "wget", "nslookup"] {
            symlink("busybox", bin.join(applet))?;
        }
        let layer = work.join("layer.tar");
        pack(&work.join("root"), &layer, "0", "0")?;
        Ok(vec![layer])
    })
}
