//! The image of the matrix: that of Pulsar with Python, further connectors and test programs.

use super::oci::{Archive, Recipe, build, pack};
use super::pulsar::{DATA_GENERATOR, artifact, config, layers};
use super::tags::{FULL_IMAGE, PULSAR_VERSION};
use crate::paths;
use crate::shell::{command, output, progress, run};
use crate::tools::{packages, present};
use anyhow::{Result, bail};
use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};

/// Connectors by the names of their artifacts.
const CONNECTORS: [&str; 6] = [
    DATA_GENERATOR,
    "pulsar-io-batch-data-generator",
    "pulsar-io-jdbc-postgres",
    "pulsar-io-kafka",
    "pulsar-io-rabbitmq",
    "pulsar-io-redis",
];
/// Version of Python in the base.
const PYTHON: &str = "3.11";
/// Dependencies of Pulsar's Python instance, and pip, by which it installs the dependencies of a package.
const WHEELS: [&str; 7] = [
    "pulsar-client==3.5.0",
    "protobuf==6.33.6",
    "grpcio==1.85.3",
    "prometheus_client==0.26.0",
    "apache-bookkeeper-client==4.18.2",
    "python-json-logger==2.0.7",
    "pip",
];
/// Not available as a wheel; pure Python.
const SOURCES: [&str; 1] = ["ratelimit==2.2.1"];

/// Runs functions of every runtime and the connectors of the matrix.
///
/// # Errors
/// When it cannot be built.
pub fn full() -> Result<Archive> {
    let programs = paths::root().join("e2e/images");
    let listing =
        output(command("sh", ["-c", "find . -type f | sort | xargs sha256sum"]).current_dir(&programs))?;
    let recipe = Recipe {
        file: &format!("pulsar-all-{PULSAR_VERSION}.tar"),
        reference: FULL_IMAGE,
        inputs: format!("{}\n{}\n{listing}", include_str!("full.rs"), include_str!("pulsar.rs")),
        config: config()?,
        compress: false,
    };
    build(&recipe, |work| {
        let mut layers = layers(work, &CONNECTORS)?;
        layers.push(python(work)?);
        layers.push(ours(work, &programs)?);
        layers.push(recorded(work, &programs)?);
        Ok(layers)
    })
}

/// The layer with the modules of Python.
fn python(work: &Path) -> Result<PathBuf> {
    packages(&[("python3", "python3"), ("pip", "python3-pip")])?;
    progress("installing Python modules");
    let root = work.join("python");
    let modules = root.join(format!("usr/local/lib/python{PYTHON}/dist-packages"));
    let pip = |arguments: &[&str]| {
        let mut pip = command("python3", ["-m", "pip", "install", "--quiet", "--no-warn-script-location"]);
        // Compiled files that hold although the archive has no times.
        run(pip.args(arguments).arg("--target").arg(&modules).env("SOURCE_DATE_EPOCH", "315532800"))
    };
    let machine = std::env::consts::ARCH;
    let platforms = [format!("manylinux2014_{machine}"), format!("manylinux_2_28_{machine}")];
    let mut wheels = vec!["--only-binary=:all:", "--python-version", PYTHON];
    wheels.extend(platforms.iter().flat_map(|platform| ["--platform", platform]));
    wheels.extend(WHEELS);
    pip(&wheels)?;
    pip(&[&["--no-deps"], &SOURCES[..]].concat())?;
    // Under the names by which they are started.
    let bin = root.join("usr/local/bin");
    fs::create_dir_all(&bin)?;
    symlink("/usr/bin/python3", bin.join("python"))?;
    fs::write(bin.join("pip"), "#!/bin/sh\nexec python3 -m pip \"$@\"\n")?;
    run(command("chmod", ["755"]).arg(bin.join("pip")))?;
    let layer = work.join("python.tar");
    pack(&root, &layer, "0", "0")?;
    Ok(layer)
}

/// The layer with the test functions and programs, whose sources are in `e2e/images`.
fn ours(work: &Path, programs: &Path) -> Result<PathBuf> {
    let root = work.join("ours");
    let folder = root.join("pulsar/samples");
    fs::create_dir_all(&folder)?;
    let classes = work.join("classes");
    compile(
        &["SecretFunction", "ToPerson"].map(|class| programs.join(format!("java/{class}.java"))),
        &classes,
    )?;
    archive(&classes, &folder.join("samples.jar"))?;
    fs::copy(programs.join("bin/go-instance"), folder.join("go-instance"))?;
    let bin = root.join("pulsar/bin");
    fs::create_dir_all(&bin)?;
    fs::copy(programs.join("bin/pulsar_rust_instance"), bin.join("pulsar_rust_instance"))?;
    let layer = work.join("ours.tar");
    pack(&root, &layer, "10000", "10001")?;
    Ok(layer)
}

/// The layer with what the recorded objects of `e2e/go-operator` name, at their paths.
fn recorded(work: &Path, programs: &Path) -> Result<PathBuf> {
    let (root, sources) = (work.join("recorded"), programs.join("go-operator"));
    let (apps, connectors) = (root.join("pulsar/apps"), root.join("pulsar/connectors"));
    fs::create_dir_all(&apps)?;
    fs::create_dir_all(&connectors)?;
    let (function, sink) = (work.join("function"), work.join("sink"));
    compile(&[sources.join("com/acme/Enrich.java")], &function)?;
    archive(&function, &apps.join("enrich.jar"))?;
    compile(&[sources.join("com/acme/io/AuditSink.java")], &sink)?;
    let services = sink.join("META-INF/services");
    fs::create_dir_all(&services)?;
    fs::copy(sources.join("pulsar-io.yaml"), services.join("pulsar-io.yaml"))?;
    archive(&sink, &connectors.join("audit.nar"))?;
    fs::copy(sources.join("enrich.py"), apps.join("enrich.py"))?;
    fs::copy(programs.join("bin/go-instance"), apps.join("enrich"))?;
    let layer = work.join("recorded.tar");
    pack(&root, &layer, "10000", "10001")?;
    Ok(layer)
}

/// Compiles functions or connectors.
fn compile(sources: &[PathBuf], classes: &Path) -> Result<()> {
    if !present("javac") {
        bail!(
            "missing: install a JDK (Debian: openjdk-17-jdk-headless); functions of the tests are compiled with it"
        );
    }
    let path = ["pulsar-functions-api", "pulsar-io-core"]
        .map(|name| {
            artifact(
                &format!("org.apache.pulsar:{name}:{PULSAR_VERSION}"),
                &format!("{name}-{PULSAR_VERSION}.jar"),
            )
        })
        .into_iter()
        .collect::<Result<Vec<_>>>()?;
    let mut javac = command("javac", ["--release", "17", "-cp"]);
    run(javac.arg(std::env::join_paths(path)?).arg("-d").arg(classes).args(sources))
}

/// Packs classes into a jar, or into a connector's archive, which is one as well.
fn archive(classes: &Path, file: &Path) -> Result<()> {
    let mut jar = command("jar", ["--create", "--date=1980-01-01T00:00:02Z", "--file"]);
    run(jar.arg(file).arg("-C").arg(classes).arg("."))
}
