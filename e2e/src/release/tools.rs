//! Tools that only a release needs, in fixed versions below `.cache/tools`.

use super::architecture::{ARCHITECTURES, Architecture};
use crate::paths;
use crate::shell::{command, output, progress, run};
use crate::tools::present;
use anyhow::{Context, Result, bail};
use std::fs;
use std::path::PathBuf;

/// Adds the list of dependencies to each binary.
const AUDITABLE: (&str, &str) = ("cargo-auditable", "0.7.7");
/// Compiles and links C for the other architecture, and the same C wherever it runs.
const ZIGBUILD: (&str, &str) = ("cargo-zigbuild", "0.24.1");
/// Writes the list of a binary's dependencies as CycloneDX.
const CYCLONEDX: (&str, &str) = ("auditable2cdx", "0.1.0");
/// The compiler that cargo-zigbuild uses, as Python packages it.
const ZIG: &str = "0.17.1";

/// The tools.
pub(super) struct Tools {
    /// Folders to add to PATH, so that cargo finds its subcommands.
    pub path: Vec<PathBuf>,
    /// Adds the list of dependencies to each binary.
    pub auditable: PathBuf,
    /// The compiler of C.
    pub zig: PathBuf,
    /// From a binary to its bill of materials.
    pub cyclonedx: PathBuf,
}

/// Installs what is missing.
///
/// # Errors
/// When something cannot be installed; the message says what to do.
pub(super) fn ensure() -> Result<Tools> {
    if !present("rustup") {
        bail!("missing: install Rust with rustup; a release is compiled for two architectures");
    }
    let installed = output(command("rustup", ["target", "list", "--installed"]).current_dir(paths::root()))?;
    for Architecture { target, .. } in ARCHITECTURES {
        if !installed.lines().any(|line| line == target) {
            progress(&format!("installing the target {target}"));
            run(command("rustup", ["target", "add", target]).current_dir(paths::root()))?;
        }
    }
    let zig = zig()?;
    let path = [AUDITABLE, ZIGBUILD].into_iter().map(cargo_tool).collect::<Result<Vec<_>>>()?;
    let auditable = cargo_tool(AUDITABLE)?.join(AUDITABLE.0);
    let cyclonedx = cargo_tool(CYCLONEDX)?.join(CYCLONEDX.0);
    Ok(Tools { path, auditable, zig, cyclonedx })
}

/// Installs a program that cargo builds. Returns the folder it is in.
fn cargo_tool((name, version): (&str, &str)) -> Result<PathBuf> {
    let folder = paths::cache().join(format!("tools/{name}-{version}"));
    let binaries = folder.join("bin");
    if !binaries.join(name).is_file() {
        progress(&format!("building {name} {version}"));
        let mut install = command("cargo", ["install", "--quiet", "--debug", "--locked", "--root"]);
        install.arg(&folder).args(["--target-dir", "target/tools", &format!("{name}@{version}")]);
        run(install.current_dir(paths::root()).env("CARGO_PROFILE_DEV_DEBUG", "0"))?;
    }
    Ok(binaries)
}

/// Installs zig, which is one folder of a Python package and needs no Python to run.
fn zig() -> Result<PathBuf> {
    let folder = paths::cache().join(format!("tools/zig-{ZIG}"));
    let binary = folder.join("ziglang/zig");
    if binary.is_file() {
        return Ok(binary);
    }
    if !present("python3") {
        bail!("missing: python3 with pip (Debian: apt-get install python3-pip)");
    }
    progress(&format!("installing zig {ZIG}"));
    // Moved into its place: an interrupted installation is repeated.
    let new = paths::cache().join("tools/zig.new");
    if new.exists() {
        fs::remove_dir_all(&new).with_context(|| format!("folder {}", new.display()))?;
    }
    let mut pip = command("python3", ["-m", "pip", "install", "--quiet", "--no-deps", "--target"]);
    run(pip.arg(&new).arg(format!("ziglang=={ZIG}")))?;
    fs::rename(&new, &folder).with_context(|| format!("folder {}", folder.display()))?;
    Ok(binary)
}
