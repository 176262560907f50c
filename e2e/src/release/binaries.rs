//! The static binaries of a release.

use super::architecture::{Architecture, PLUGIN};
use super::tools::Tools;
use crate::images::BINARIES;
use crate::paths;
use crate::shell::{cargo, command, output, progress, run};
use anyhow::{Context, Result};
use std::fs;
use std::path::{Path, PathBuf};

/// All binaries of a release, each named like its package.
pub(super) fn names() -> impl Iterator<Item = &'static str> {
    BINARIES.into_iter().chain([PLUGIN])
}

/// Builds the binaries of an architecture. Returns the folder they are in.
///
/// # Errors
/// When they cannot be built.
pub(super) fn build(architecture: Architecture, tools: &Tools) -> Result<PathBuf> {
    // Their own target folder: other flags than those of `make image`.
    let target = paths::root().join("target/dist.build");
    let mut build = command(&tools.auditable, ["auditable", "zigbuild", "--locked", "--release"]);
    build.env("CARGO", cargo_by_name(&target)?);
    build.args(["--target", architecture.target, "--target-dir"]).arg(&target);
    for name in names() {
        build.args(["--package", name]);
    }
    let searched = std::env::var_os("PATH").unwrap_or_default();
    let path = tools.path.iter().cloned().chain(std::env::split_paths(&searched));
    build.env("PATH", std::env::join_paths(path).context("PATH")?);
    build.env("CARGO_ZIGBUILD_ZIG_PATH", &tools.zig);
    let prefixes = prefixes()?;
    let flags: Vec<_> =
        prefixes.iter().map(|(from, to)| format!("--remap-path-prefix={from}={to}")).collect();
    build.env("CARGO_ENCODED_RUSTFLAGS", flags.join("\x1f")).env_remove("RUSTFLAGS");
    let flags: Vec<_> = prefixes.iter().map(|(from, to)| format!("-ffile-prefix-map={from}={to}")).collect();
    build.env(format!("CFLAGS_{}", architecture.target.replace('-', "_")), flags.join(" "));
    if architecture.name == "arm64" {
        // Kernels for arm64 have pages of 4, 16 or 64 KiB; jemalloc runs with all that are not larger than it was built for.
        build.env("JEMALLOC_SYS_WITH_LG_PAGE", "16");
    }
    progress(&format!("building the binaries for {} (a quarter of an hour on two cores)", architecture.name));
    cargo(build.current_dir(paths::root()))?;
    Ok(target.join(architecture.target).join("release"))
}

/// A cargo that finds cargo-auditable by its name: cargo derives the names of all symbols of the workspace from what calls the compiler,
/// and cargo-auditable would call itself by its path.
fn cargo_by_name(target: &Path) -> Result<PathBuf> {
    let script = target.join("cargo");
    fs::create_dir_all(target).with_context(|| format!("folder {}", target.display()))?;
    let text = "#!/bin/sh\nunset CARGO\nRUSTC_WORKSPACE_WRAPPER=cargo-auditable exec cargo \"$@\"\n";
    fs::write(&script, text).with_context(|| format!("file {}", script.display()))?;
    run(command("chmod", ["755"]).arg(&script))?;
    Ok(script)
}

/// Folders of this machine that compilers write into binaries, and what they are to write instead.
fn prefixes() -> Result<Vec<(String, String)>> {
    let root = paths::root();
    let rustc = |arguments: &[&str]| output(command("rustc", arguments).current_dir(&root));
    let home = std::env::var_os("CARGO_HOME")
        .map(PathBuf::from)
        .or_else(|| Some(std::env::home_dir()?.join(".cargo")));
    let home = home.context("the folder of cargo: set CARGO_HOME")?;
    let verbose = rustc(&["-vV"])?;
    let commit = verbose.lines().find_map(|line| line.strip_prefix("commit-hash: ")).unwrap_or("unknown");
    let library = format!("{}/lib/rustlib/src/rust", rustc(&["--print", "sysroot"])?.trim());
    Ok(vec![
        (root.display().to_string(), "/function-mesh".to_owned()),
        (home.display().to_string(), "/cargo".to_owned()),
        (library, format!("/rustc/{commit}")),
    ])
}
