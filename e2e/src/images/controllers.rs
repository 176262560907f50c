//! The image of the controllers: four static binaries and nothing else.

use super::oci::{Archive, Recipe, build, multi_platform, pack, sha256};
use super::tags::CONTROLLERS_IMAGE;
use crate::paths;
use crate::shell::{cargo, command, output, progress, run};
use crate::tools::{packages, present};
use anyhow::{Context, Result, bail};
use serde_json::{Value, json};
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
    let folder = compile(&paths::root(), &target_folder())?;
    image(&folder, "function-mesh.tar", CONTROLLERS_IMAGE)
}

/// A commit: its sources with its charts, and the image of its controllers.
#[derive(Debug)]
pub struct Earlier {
    /// Folder of the sources.
    pub sources: PathBuf,
    /// The image, tagged with the commit.
    pub image: Archive,
}

/// Builds the controllers of a commit, such as `HEAD~1`.
///
/// # Errors
/// When this repository does not have it, or it cannot be built.
pub fn earlier(commit: &str) -> Result<Earlier> {
    let root = paths::root();
    let name = format!("{commit}^{{commit}}");
    let commit = output(command("git", ["rev-parse", "--short=12", &name]).current_dir(&root))?;
    let commit = commit.trim();
    let sources = paths::cache().join("earlier").join(commit);
    if !sources.join("Cargo.toml").is_file() {
        fs::create_dir_all(&sources)?;
        let mut extract = command("sh", ["-c", "git archive \"$0\" | tar -x -C \"$1\"", commit]);
        run(extract.arg(&sources).current_dir(&root))?;
    }
    let folder = compile(&sources, &target_folder().join("earlier"))?;
    let image =
        image(&folder, "function-mesh-earlier.tar", &format!("docker.io/local/function-mesh:{commit}"))?;
    Ok(Earlier { sources, image })
}

/// The image of the binaries in a folder.
fn image(folder: &Path, file: &str, reference: &str) -> Result<Archive> {
    let mut inputs = include_str!("controllers.rs").to_owned();
    for binary in BINARIES {
        let path = folder.join(binary);
        if !path.is_file() {
            bail!("cargo did not build {}", path.display());
        }
        // The digest only: the path of the binaries does not matter.
        inputs.push_str(&sha256(&path)?);
    }
    // Users load this image into their clusters.
    let recipe = Recipe { file, reference, inputs, config: config(), compress: true };
    build(&recipe, |work| Ok(vec![layer(folder, work)?]))
}

/// Writes the image for several architectures, each with the folder of its binaries. Returns the digest of its index.
///
/// # Errors
/// When a binary is missing or the file cannot be written.
pub fn controllers_for(
    reference: &str,
    architectures: &[(&str, &Path)],
    work: &Path,
    file: &Path,
) -> Result<String> {
    let mut platforms = Vec::new();
    for (name, folder) in architectures {
        platforms.push((*name, vec![layer(folder, &work.join(name))?]));
    }
    multi_platform(reference, &config(), &platforms, work, file)
}

/// How a container is run. No entry point: the pod names the binary to run.
fn config() -> Value {
    json!({"User": "65532:65532", "WorkingDir": "/"})
}

/// The only layer of an image: the binaries of a folder.
fn layer(folder: &Path, work: &Path) -> Result<PathBuf> {
    let root = work.join("root");
    fs::create_dir_all(&root)?;
    for binary in BINARIES {
        let path = folder.join(binary);
        fs::copy(&path, root.join(binary)).with_context(|| format!("file {}", path.display()))?;
    }
    let layer = work.join("layer.tar");
    pack(&root, &layer, "0", "0")?;
    Ok(layer)
}

/// Builds the static binaries of these sources. Returns the folder they are in.
fn compile(sources: &Path, target_folder: &Path) -> Result<PathBuf> {
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
    let mut build =
        command("cargo", ["build", "--locked", "--profile", &profile, "--target", &target, "--target-dir"]);
    build.arg(target_folder);
    for binary in BINARIES {
        build.args(["--package", binary]);
    }
    if target.starts_with("aarch64") {
        // The build looks for a name that Debian's package does not have.
        build.env("CC_aarch64_unknown_linux_musl", "musl-gcc");
        // The image may run on a kernel with larger pages than this one: up to 64 KiB.
        build.env("JEMALLOC_SYS_WITH_LG_PAGE", "16");
    }
    cargo(build.current_dir(sources))?;
    Ok(target_folder.join(&target).join(profile))
}

fn target_folder() -> PathBuf {
    let folder = std::env::var_os("CARGO_TARGET_DIR").filter(|folder| !folder.is_empty());
    // cargo runs in the root, and relative paths refer to it.
    paths::root().join(folder.as_deref().map_or(Path::new("target"), Path::new))
}
