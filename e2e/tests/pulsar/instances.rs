//! The recorded tables of the options of Pulsar's instances match the instances, and the instances' own parsers read the rendered
//! commands. `make instances` runs it: it downloads 36 MB of sources and a dozen jars the first time.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::print_stdout,
    reason = "a test may panic, and says what it did"
)]

use e2e::images::artifact;
use e2e::paths;
use e2e::shell::{command, output};
use std::collections::BTreeSet;
use std::path::PathBuf;
use std::{env, fs};

/// Releases of Pulsar and the table for each.
const RELEASES: [(&str, &str); 3] = [("4.0.6", "4.0"), ("4.0.8", "4.0"), ("4.2.4", "4.2")];
/// Further dependencies of the parsers besides Pulsar's jars, in the versions of these releases.
const LIBRARIES: [(&str, &str, &str); 10] = [
    ("com.google.protobuf", "protobuf-java", "3.25.5"),
    ("com.google.protobuf", "protobuf-java-util", "3.25.5"),
    ("com.google.code.gson", "gson", "2.8.9"),
    ("com.google.guava", "guava", "32.1.2-jre"),
    ("info.picocli", "picocli", "4.7.5"),
    ("io.grpc", "grpc-api", "1.72.0"),
    ("io.prometheus", "simpleclient", "0.16.0"),
    ("io.prometheus", "simpleclient_httpserver", "0.16.0"),
    ("net.bytebuddy", "byte-buddy", "1.15.11"),
    ("org.slf4j", "slf4j-api", "2.0.13"),
];

/// Folder of the commands that `cargo test -p functionmesh-render` rendered.
fn commands(instance: &str) -> String {
    let folder = PathBuf::from(env::var_os("INSTANCE_ARGUMENTS").expect("run it with `make instances`"));
    folder.join(instance).display().to_string()
}

fn java(release: &str, arguments: &[&str]) -> String {
    let pulsar = ["functions-runtime", "functions-proto", "functions-instance", "functions-utils", "common"]
        .map(|part| {
            let name = format!("pulsar-{part}");
            artifact(&format!("org.apache.pulsar:{name}:{release}"), &format!("{name}-{release}.jar"))
                .unwrap()
        });
    let others = LIBRARIES.map(|(group, name, version)| {
        artifact(&format!("{group}:{name}:{version}"), &format!("{name}-{version}.jar")).unwrap()
    });
    let class_path = env::join_paths(pulsar.into_iter().chain(others)).unwrap();
    let mut java = command("java", ["-cp"]);
    java.arg(class_path).arg(paths::root().join("e2e/instances/Instance.java")).args(arguments);
    output(&mut java).unwrap()
}

fn python(release: &str, mode: &str, arguments: &[&str]) -> String {
    let archive = format!("pulsar-{release}-source-release.zip");
    let sources =
        artifact(&format!("org.apache.pulsar:pulsar:{release}:zip:source-release"), &archive).unwrap();
    let program = "pulsar/pulsar-functions/instance/src/main/python/python_instance_main.py";
    let extract = format!(
        "import sys, zipfile; z = zipfile.ZipFile(sys.argv[1]); \
         sys.stdout.write(z.read(next(n for n in z.namelist() if n.endswith('{program}'))).decode())"
    );
    let text = output(command("python3", ["-c", &extract]).arg(&sources)).unwrap();
    let file = paths::cache().join(format!("python_instance_main-{release}.py"));
    fs::write(&file, text).unwrap();
    let mut python = command("python3", [paths::root().join("e2e/instances/instance.py")]);
    output(python.arg(mode).arg(&file).args(arguments)).unwrap()
}

#[test]
#[ignore = "downloads; run it with `make instances`"]
fn the_recorded_tables_are_those_of_the_instances() {
    for (release, line) in RELEASES {
        let both = [java(release, &["table"]), python(release, "table", &[])].concat();
        let found: BTreeSet<&str> = both.lines().collect();
        let file =
            paths::root().join("crates/render/tests/surface/instances").join(format!("pulsar-{line}.txt"));
        let recorded = fs::read_to_string(&file).unwrap();
        if env::var_os("RECORD").is_some() {
            let head: Vec<&str> = recorded.lines().take_while(|text| text.starts_with('#')).collect();
            let table: Vec<&str> = head.into_iter().chain(found).collect();
            fs::write(&file, table.join("\n") + "\n").unwrap();
            continue;
        }
        let known: BTreeSet<&str> = recorded.lines().filter(|text| !text.starts_with('#')).collect();
        let differing: Vec<_> = known.symmetric_difference(&found).collect();
        assert!(differing.is_empty(), "{release}: {differing:?}; record it with `make instances RECORD=1`");
    }
}

#[test]
#[ignore = "downloads; run it with `make instances`"]
fn the_instances_parsers_read_what_is_rendered() {
    for (release, _) in RELEASES {
        let java = java(release, &["parse", &commands("java")]);
        let python = python(release, "parse", &[&commands("python")]);
        let count = |text: &str| text.trim().parse::<usize>().unwrap();
        assert!(count(&java) >= 2 && count(&python) >= 2, "{release}: {java} {python}");
        eprintln!("{release}: {} commands of Java and {} of Python", java.trim(), python.trim());
    }
}
