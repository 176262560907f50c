//! The image of the controllers: four static binaries and nothing else.

use super::oci::{Archive, Recipe, build, pack};
use super::tags::CONTROLLERS_IMAGE;
use crate::paths;
use crate::shell::{command, output, progress, run};
use crate::tools::{packages, present};
use anyhow::{Result, bail};
use serde_json::json;
use std::fs;
use std::path::{Path, PathBuf};

/// The binaries, each named like its package.
pub const BINARIES: [&str; 4] =
    ["function-controller", "source-controller", "sink-controller", "mesh-controller"];

/// Builds the controllers and their image. cargo decides what has to be compiled; the image is unchanged as long as the binaries
/// are.
///
/// # Errors
/// When they cannot be built.
pub fn controllers() -> Result<Archive> {
    let folder = compile()?;
    let mut inputs = include_str!("controllers.rs").to_owned();
    for binary in BINARIES {
        let path = folder.join(binary);
        if !path.is_file() {
            bail!("cargo did not build {}", path.display());
        }
        // The digest only: the path of the binaries does not matter.
        let digest = output(command("sha256sum", ["-b"]).arg(&path))?;
        inputs.push_str(digest.split(' ').next().unwrap_or_default());
    }
    let recipe = Recipe {
        file: "function-mesh.tar",
        reference: CONTROLLERS_IMAGE,
        inputs,
        // No entry point: the pod names the binary to run.
        config: json!({"User": "65532:65532", "WorkingDir": "/"}),
        // Users load this image into their clusters.
        compress: true,
    };
    build(&recipe, |work| {
        let root = work.join("root");
        fs::create_dir_all(&root)?;
        for binary in BINARIES {
            fs::copy(folder.join(binary), root.join(binary))?;
        }
        let layer = work.join("layer.tar");
        pack(&root, &layer, "0", "0")?;
        Ok(vec![layer])
    })
}

/// Builds the static binaries. Returns the folder they are in.
fn compile() -> Result<PathBuf> {
    let target = format!("{}-unknown-linux-musl", std::env::consts::ARCH);
    // ring and jemalloc are C.
    packages(&[("musl-gcc", "musl-tools"), ("make", "make"), ("gcc", "gcc")])?;
    if present("rustup") {
        // A cargo without rustup needs the target to be installed.
        let installed =
            output(command("rustup", ["target", "list", "--installed"]).current_dir(paths::root()))?;
        if !installed.lines().any(|line| line == target) {
            progress(&format!("installing the target {target}"));
            run(command("rustup", ["target", "add", &target]).current_dir(paths::root()))?;
        }
    }
    progress("building the controllers (some minutes the first time)");
    // Release binaries are fully optimized, which takes a quarter of an hour on two cores; tests use a faster profile.
    let profile = std::env::var("CONTROLLER_PROFILE").unwrap_or_else(|_| "release".to_owned());
    let mut cargo =
        command("cargo", ["build", "--quiet", "--locked", "--profile", &profile, "--target", &target]);
    for binary in BINARIES {
        cargo.args(["--package", binary]);
    }
    if target.starts_with("aarch64") {
        // The build looks for a name that Debian's package does not have.
        cargo.env("CC_aarch64_unknown_linux_musl", "musl-gcc");
    }
    run(cargo.current_dir(paths::root()))?;
    Ok(target_folder().join(&target).join(profile))
}

fn target_folder() -> PathBuf {
    let folder = std::env::var_os("CARGO_TARGET_DIR").filter(|folder| !folder.is_empty());
    // cargo runs in the root, and relative paths refer to it.
    paths::root().join(folder.as_deref().map_or(Path::new("target"), Path::new))
}
