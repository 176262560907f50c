//! The image of the controllers: four static binaries and nothing else.

use super::CONTROLLERS_IMAGE;
use super::oci::{Archive, Recipe, build};
use crate::paths;
use crate::shell::{command, output, run, say};
use crate::tools::{packages, present};
use anyhow::{Result, bail};
use std::fs;

/// The binaries, each named like its package.
pub const BINARIES: [&str; 4] = ["function-controller", "source-controller", "sink-controller", "mesh-controller"];

/// Builds the controllers and their image.
///
/// # Errors
/// When they cannot be built.
pub fn controllers() -> Result<Archive> {
    let target = format!("{}-unknown-linux-musl", std::env::consts::ARCH);
    packages(&[("musl-gcc", "musl-tools"), ("umoci", "umoci")])?;
    if present("rustup") {
        // A cargo without rustup has to have the target by itself.
        let mut add = command("rustup", ["target", "add", &target]);
        run(add.current_dir(paths::root()))?;
    }
    say("building the controllers (some minutes the first time)");
    let mut cargo = command("cargo", ["build", "--quiet", "--locked", "--release", "--target", &target]);
    for binary in BINARIES {
        cargo.args(["--package", binary]);
    }
    run(cargo.current_dir(paths::root()))?;
    let folder = target_folder().join(&target).join("release");
    let mut inputs = String::new();
    for binary in BINARIES {
        let path = folder.join(binary);
        if !path.is_file() {
            bail!("cargo did not build {}", path.display());
        }
        inputs.push_str(&output(&mut command("sha256sum", [path.display().to_string()]))?);
    }
    let recipe = Recipe {
        file: "function-mesh.tar",
        reference: CONTROLLERS_IMAGE,
        inputs,
        config: &["--config.user", "65532:65532", "--config.workingdir", "/"],
    };
    build(&recipe, |work| {
        let root = work.join("rootfs");
        fs::create_dir_all(&root)?;
        for binary in BINARIES {
            fs::copy(folder.join(binary), root.join(binary))?;
        }
        let layer = work.join("layer.tar");
        let (root, file) = (root.display().to_string(), layer.display().to_string());
        run(&mut command("tar", ["-C", &root, "--owner=0", "--group=0", "--numeric-owner", "-cf", &file, "."]))?;
        Ok(vec![layer])
    })
}

fn target_folder() -> std::path::PathBuf {
    std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| paths::root().join("target"), Into::into)
}
