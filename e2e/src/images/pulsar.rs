//! The image of Pulsar: Debian with a JRE, the server distribution from Maven and one connector.

use super::oci::{Archive, Recipe, build};
use super::{PULSAR_IMAGE, PULSAR_VERSION};
use crate::paths;
use crate::shell::{command, run, say};
use crate::tools::present;
use anyhow::{Context, Result, bail};
use std::fs;
use std::path::{Path, PathBuf};

/// Debian's release and packages of the base.
const RELEASE: &str = "bookworm";
const PACKAGES: &str = "openjdk-17-jre-headless,bash,ca-certificates,procps";
/// Copies artifacts without a project.
const COPY: &str = "org.apache.maven.plugins:maven-dependency-plugin:3.8.1:copy";

/// Runs the broker, its command line tools, and Java functions and connectors.
///
/// # Errors
/// When it cannot be built.
pub fn pulsar() -> Result<Archive> {
    let java = format!("JAVA_HOME=/usr/lib/jvm/java-17-openjdk-{}", debian_architecture()?);
    let recipe = Recipe {
        file: "pulsar.tar",
        reference: PULSAR_IMAGE,
        inputs: format!("pulsar {PULSAR_VERSION} {RELEASE} {PACKAGES} 1"),
        config: &[
            "--config.workingdir",
            "/pulsar",
            "--config.user",
            "10000:10001",
            "--config.env",
            &java,
            "--config.env",
            "PATH=/pulsar/bin:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
        ],
    };
    build(&recipe, |work| {
        let distribution = artifact(
            &format!("org.apache.pulsar:pulsar-server-distribution:{PULSAR_VERSION}:tar.gz:bin"),
            &format!("pulsar-server-distribution-{PULSAR_VERSION}-bin.tar.gz"),
        )?;
        let connector = artifact(
            &format!("org.apache.pulsar:pulsar-io-data-generator:{PULSAR_VERSION}"),
            &format!("pulsar-io-data-generator-{PULSAR_VERSION}.jar"),
        )?;
        Ok(vec![base()?, tree(work, &distribution, &connector)?])
    })
}

/// An artifact from Maven Central, downloaded once.
fn artifact(coordinates: &str, file: &str) -> Result<PathBuf> {
    let folder = paths::cache().join("downloads");
    let path = folder.join(file);
    if path.is_file() {
        return Ok(path);
    }
    if !present("mvn") {
        bail!("missing: install maven; Pulsar is downloaded with it");
    }
    say(&format!("downloading {coordinates}"));
    // Complete when renamed: an interrupted download is never taken for one.
    let unfinished = folder.join(format!("{file}.part"));
    fs::create_dir_all(&unfinished)?;
    let (from, to) = (format!("-Dartifact={coordinates}"), format!("-DoutputDirectory={}", unfinished.display()));
    run(&mut command("mvn", ["-B", "-q", COPY, &from, &to])).context("Maven")?;
    fs::rename(unfinished.join(file), &path)?;
    fs::remove_dir_all(&unfinished)?;
    Ok(path)
}

/// The root file system of the base, made once.
fn base() -> Result<PathBuf> {
    let path = paths::cache().join("downloads").join("debian-jre17.tar");
    if path.is_file() {
        return Ok(path);
    }
    say("bootstrapping Debian with a JRE");
    fs::create_dir_all(paths::cache().join("downloads"))?;
    let unfinished = path.with_extension("part.tar");
    let target = unfinished.display().to_string();
    let include = format!("--include={PACKAGES}");
    let mut bootstrap = command("mmdebstrap", ["--quiet", "--variant=minbase", &include]);
    // The JRE links its manual pages, whose folder the small variant lacks.
    bootstrap.args(["--essential-hook=mkdir -p \"$1/usr/share/man/man1\"", RELEASE, &target]);
    // The machine's own sources: it may not reach the default ones.
    let sources = ["/etc/apt/sources.list.d/debian.sources", "/etc/apt/sources.list"];
    bootstrap.args(sources.iter().filter(|s| fs::metadata(s).is_ok_and(|m| m.len() > 0)).take(1));
    run(&mut bootstrap)?;
    fs::rename(&unfinished, &path)?;
    Ok(path)
}

/// The layer with `/pulsar`, owned by the user of the runner images.
fn tree(work: &Path, distribution: &Path, connector: &Path) -> Result<PathBuf> {
    let pulsar = work.join("tree/pulsar");
    fs::create_dir_all(&pulsar)?;
    let (from, to) = (distribution.display().to_string(), pulsar.display().to_string());
    run(&mut command("tar", ["-xzf", &from, "-C", &to, "--strip-components=1"]))?;
    // What the instance and the broker write to has to be there (the runner contract).
    for folder in ["logs/functions", "download", "data", "tmp", "instances/deps", "packages-storage", "connectors"] {
        fs::create_dir_all(pulsar.join(folder))?;
    }
    let name = format!("pulsar-io-data-generator-{PULSAR_VERSION}.nar");
    fs::copy(connector, pulsar.join("connectors").join(name))?;
    let layer = work.join("pulsar-layer.tar");
    let (root, file) = (work.join("tree").display().to_string(), layer.display().to_string());
    run(&mut command("tar", ["-C", &root, "--owner=10000", "--group=10001", "--numeric-owner", "-cf", &file, "pulsar"]))?;
    Ok(layer)
}

/// Debian's name for this machine's architecture.
fn debian_architecture() -> Result<&'static str> {
    match std::env::consts::ARCH {
        "x86_64" => Ok("amd64"),
        "aarch64" => Ok("arm64"),
        other => bail!("no images for the architecture {other}; set KUBECONFIG to a cluster you have"),
    }
}
