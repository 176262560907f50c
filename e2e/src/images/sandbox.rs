//! The image that keeps a pod's namespaces, and a shell for tests.

use super::oci::{Archive, Recipe, build};
use crate::shell::{command, run};
use anyhow::Result;
use std::fs;

/// A static busybox that waits.
///
/// # Errors
/// When it cannot be built.
pub fn pause() -> Result<Archive> {
    let recipe = Recipe {
        file: "pause.tar",
        reference: "docker.io/local/pause:1",
        inputs: "busybox-static 1".to_owned(),
        config: &["--config.entrypoint", "/bin/busybox", "--config.cmd", "tail", "--config.cmd", "-f", "--config.cmd", "/dev/null"],
    };
    build(&recipe, |work| {
        let bin = work.join("rootfs/bin");
        fs::create_dir_all(&bin)?;
        for program in ["/bin/busybox", "/usr/bin/busybox"].iter().filter(|p| fs::metadata(p).is_ok()).take(1) {
            fs::copy(program, bin.join("busybox"))?;
        }
        let layer = work.join("layer.tar");
        let (root, file) = (work.join("rootfs").display().to_string(), layer.display().to_string());
        run(&mut command("tar", ["-C", &root, "--owner=0", "--group=0", "--numeric-owner", "-cf", &file, "."]))?;
        Ok(vec![layer])
    })
}
