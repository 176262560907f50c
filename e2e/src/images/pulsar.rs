//! The image of Pulsar: Debian with a JRE, the server distribution from Maven and one connector.

use super::cached::cached;
use super::oci::{Archive, Recipe, architecture, build, pack};
use super::tags::{PULSAR_IMAGE, PULSAR_VERSION};
use crate::paths;
use crate::shell::{command, progress, run};
use crate::tools::{packages, present};
use anyhow::{Context, Result, bail};
use serde_json::{Value, json};
use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};

/// Debian's release and packages of the base.
const RELEASE: &str = "bookworm";
const PACKAGES: &str = "openjdk-17-jre-headless,bash,ca-certificates,procps,python3";
/// The JRE links its manual pages, whose folder the slim variant lacks.
pub(super) const BEFORE: &str = r#"mkdir -p "$1/usr/share/man/man1""#;
/// The user of the runner images, with a name for programs that look it up; a name for the loopback address, which the tools
/// connect to; no network settings of this machine; and no files for interactive use or apt.
const AFTER: &str = concat!(
    r#"cd "$1" && echo pulsar:x:10001: >> etc/group && "#,
    r#"echo pulsar:x:10000:10001:pulsar:/pulsar:/bin/bash >> etc/passwd && "#,
    r#"echo 127.0.0.1 localhost > etc/hosts && rm -f etc/resolv.conf etc/hostname && "#,
    r#"rm -rf usr/share/doc/* usr/share/man/* usr/share/locale/* var/cache/apt/* var/lib/apt/lists/*"#,
);
/// Copies artifacts without a project.
const COPY: &str = "org.apache.maven.plugins:maven-dependency-plugin:3.8.1:copy";
/// The one connector of this image; others are only in the image of the matrix.
pub(super) const DATA_GENERATOR: &str = "pulsar-io-data-generator";
/// Folders that the broker and the instances write to (the contract of the runner images).
const WRITABLE: [&str; 7] =
    ["logs/functions", "download", "data", "tmp", "instances/deps", "packages-storage", "connectors"];

/// Runs the broker, its command line tools, and Java functions and connectors.
///
/// The distribution is complete: of its 260 MB nearly all is the broker's class path, which the instances share.
///
/// # Errors
/// When it cannot be built.
pub fn pulsar() -> Result<Archive> {
    let recipe = Recipe {
        file: &format!("pulsar-{PULSAR_VERSION}.tar"),
        reference: PULSAR_IMAGE,
        inputs: include_str!("pulsar.rs").to_owned(),
        config: config()?,
        compress: false,
    };
    build(&recipe, |work| layers(work, &[DATA_GENERATOR]))
}

/// How a container of an image with Pulsar is run.
pub(super) fn config() -> Result<Value> {
    Ok(json!({
        "User": "10000:10001",
        "WorkingDir": "/pulsar",
        "Env": [
            format!("JAVA_HOME=/usr/lib/jvm/java-17-openjdk-{}", architecture()?),
            "PATH=/pulsar/bin:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
            // Without it the JVM and Python assume that file names and text are ASCII.
            "LANG=C.UTF-8",
        ],
    }))
}

/// The layers with Debian, a JRE, Pulsar and connectors by the names of their artifacts.
pub(super) fn layers(work: &Path, connectors: &[&str]) -> Result<Vec<PathBuf>> {
    let distribution = artifact(
        &format!("org.apache.pulsar:pulsar-server-distribution:{PULSAR_VERSION}:tar.gz:bin"),
        &format!("pulsar-server-distribution-{PULSAR_VERSION}-bin.tar.gz"),
    )?;
    let connectors: Vec<(&str, PathBuf)> = connectors
        .iter()
        .map(|name| {
            let coordinates = format!("org.apache.pulsar:{name}:{PULSAR_VERSION}");
            Ok((*name, artifact(&coordinates, &format!("{name}-{PULSAR_VERSION}.jar"))?))
        })
        .collect::<Result<_>>()?;
    Ok(vec![base()?, tree(work, &distribution, &connectors)?])
}

/// An artifact from Maven, downloaded once.
///
/// # Errors
/// If Maven is missing, or fails.
pub fn artifact(coordinates: &str, file: &str) -> Result<PathBuf> {
    let path = paths::cache().join("downloads").join(file);
    cached(&path, coordinates, |work| {
        if !present("mvn") {
            bail!("missing: install maven; Pulsar is downloaded with it");
        }
        progress(&format!("downloading {coordinates}"));
        let (from, to) =
            (format!("-Dartifact={coordinates}"), format!("-DoutputDirectory={}", work.display()));
        // A wrong checksum is an error, not a warning.
        let mut maven = command("mvn", ["-B", "-q", "--strict-checksums", COPY, &from, &to]);
        run(&mut maven).with_context(|| format!("downloading {coordinates}"))?;
        Ok(work.join(file))
    })?;
    Ok(path)
}

/// The root file system of the base, built once.
fn base() -> Result<PathBuf> {
    let path = paths::cache().join("downloads").join(format!("debian-{RELEASE}-jre17.tar"));
    cached(&path, &format!("{RELEASE}\n{PACKAGES}\n{BEFORE}\n{AFTER}"), |work| {
        let finished = work.join("base.tar");
        let hooks = [format!("--essential-hook={BEFORE}"), format!("--customize-hook={AFTER}")];
        bootstrap(&finished, PACKAGES, &hooks)?;
        Ok(finished)
    })?;
    Ok(path)
}

/// Writes the root file system of a small Debian with some packages.
pub(super) fn bootstrap(file: &Path, with: &str, hooks: &[String]) -> Result<()> {
    packages(&[("mmdebstrap", "mmdebstrap")])?;
    progress(&format!("bootstrapping Debian {RELEASE} with {with}"));
    let mut bootstrap = command("mmdebstrap", ["--quiet", "--variant=minbase"]);
    bootstrap.arg(format!("--include={with}")).args(hooks);
    run(bootstrap.arg(RELEASE).arg(file).args(sources()))
}

/// The machine's own package sources if they are for the same release: the default ones may not be reachable.
fn sources() -> Option<&'static str> {
    let same = fs::read_to_string("/etc/os-release").is_ok_and(|text| {
        text.lines().any(|line| line == "ID=debian")
            && text.lines().any(|line| line == format!("VERSION_CODENAME={RELEASE}"))
    });
    let files = ["/etc/apt/sources.list.d/debian.sources", "/etc/apt/sources.list"];
    files.into_iter().find(|file| same && fs::metadata(file).is_ok_and(|m| m.len() > 0))
}

/// The layer with `/pulsar`, owned by the user of the runner images.
fn tree(work: &Path, distribution: &Path, connectors: &[(&str, PathBuf)]) -> Result<PathBuf> {
    let root = work.join("root");
    let pulsar = root.join("pulsar");
    fs::create_dir_all(&pulsar)?;
    run(command("tar", ["--strip-components=1", "-xzf"]).arg(distribution).arg("-C").arg(&pulsar))?;
    for folder in WRITABLE {
        fs::create_dir_all(pulsar.join(folder))?;
    }
    for (artifact, file) in connectors {
        // Under the name that it has in the image of Pulsar with all connectors, and under one without a version.
        let name = format!("{artifact}-{PULSAR_VERSION}.nar");
        fs::copy(file, pulsar.join("connectors").join(&name))?;
        symlink(&name, pulsar.join("connectors").join(format!("{artifact}.nar")))?;
    }
    let layer = work.join("pulsar.tar");
    pack(&root, &layer, "10000", "10001")?;
    Ok(layer)
}
