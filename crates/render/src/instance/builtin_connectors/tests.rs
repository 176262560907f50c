//! The shell functions, run by bash on real archives with each of the programs that read them.

use super::*;
use crate::testing::Folder;
use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

/// A program of this machine, where it is.
fn program(name: &str) -> Option<PathBuf> {
    std::env::split_paths(&std::env::var_os("PATH")?)
        .map(|folder| folder.join(name))
        .find(|path| path.is_file())
}

/// An archive with one connector, as a ZIP file whose entries are not compressed.
fn archive(folder: &Folder, file: &str, name: &str, library: &str) {
    let about =
        format!("# A comment\nname: {name}\ndescription: any\nsourceClass: org.example.{name}.Source\n");
    let entries = [
        ("META-INF/services/pulsar-io.yaml", about.as_str()),
        (&format!("META-INF/bundled-dependencies/{library}.jar"), "no jar"),
    ];
    let le = |n: usize, bytes: usize| n.to_le_bytes()[..bytes].to_vec();
    let (mut body, mut index) = (Vec::new(), Vec::new());
    for (path, content) in entries {
        let (size, at) = (content.len(), body.len());
        let common = [
            vec![10, 0, 0, 0, 0, 0, 0, 0, 33, 0],
            checksum(content.as_bytes()).to_le_bytes().to_vec(),
            le(size, 4),
            le(size, 4),
            le(path.len(), 2),
            le(0, 2),
        ]
        .concat();
        body.extend([b"PK\x03\x04".as_slice(), &common, path.as_bytes(), content.as_bytes()].concat());
        let tail = [vec![0; 10], le(at, 4)].concat();
        index.extend([b"PK\x01\x02\x0a\x00".as_slice(), &common, &tail, path.as_bytes()].concat());
    }
    let sizes = [le(index.len(), 4), le(body.len(), 4)].concat();
    let end = [b"PK\x05\x06\0\0\0\0\x02\0\x02\0".as_slice(), &sizes, &[0, 0]].concat();
    fs::write(folder.0.join(file), [body, index, end].concat()).unwrap();
}

/// CRC-32, which the readers check.
fn checksum(bytes: &[u8]) -> u32 {
    !bytes.iter().fold(!0_u32, |crc, byte| {
        (0..8).fold(crc ^ u32::from(*byte), |crc, _| (crc >> 1) ^ (0xedb8_8320 * (crc & 1)))
    })
}

/// Runs a script after the shell functions; `reader` is the one program that reads archives.
fn run(folder: &Folder, reader: Option<&str>, script: &str) -> Output {
    let bin = folder.0.join(format!("bin-{}", reader.unwrap_or("none")));
    fs::create_dir_all(&bin).unwrap();
    let basic = ["bash", "cat", "grep", "mkdir", "mktemp", "rm", "sed", "tr", "wc"];
    for name in basic.into_iter().chain(reader) {
        if !bin.join(name).exists() {
            symlink(program(name).unwrap(), bin.join(name)).unwrap();
        }
    }
    let functions = FUNCTIONS.replace("FOLDER", &folder.0.display().to_string());
    let mut bash = Command::new(bin.join("bash"));
    bash.args(["-c", &format!("{functions} && {script}")]).env("PATH", &bin).env("TMPDIR", &folder.0);
    bash.output().unwrap()
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

/// The programs that this machine has.
fn readers() -> Vec<&'static str> {
    // A start script of a version manager needs the rest of its folder.
    let usable =
        |name: &&str| program(name).is_some_and(|path| !path.display().to_string().contains("shims"));
    let readers: Vec<_> = ["unzip", "python3", "java"].into_iter().filter(usable).collect();
    assert!(!readers.is_empty(), "no program that reads archives");
    readers
}

#[test]
fn a_connector_is_found_by_its_name_with_each_reader() {
    let folder = Folder::new("connectors-found");
    fs::write(folder.0.join("a-broken.nar"), "no archive").unwrap();
    archive(&folder, "pulsar-io-elastic-search-1.nar", "elastic_search", "es");
    archive(&folder, "pulsar-io-kafka-1.nar", "kafka", "clients");
    archive(&folder, "other.nar", "mine", "mine");
    for reader in readers() {
        for (name, file) in [
            ("elastic_search", "pulsar-io-elastic-search-1.nar"),
            ("kafka", "pulsar-io-kafka-1.nar"),
            ("mine", "other.nar"),
        ] {
            // A JVM starts slowly.
            if reader == "java" && name != "kafka" {
                continue;
            }
            let output = run(
                &folder,
                Some(reader),
                &format!(r#"connector {name} sourceClass && echo "${{nar##*/}} $class""#),
            );
            let want = format!("{file} org.example.{name}.Source\n");
            assert_eq!(text(&output.stdout), want, "{reader}: {}", text(&output.stderr));
        }
        for (call, message) in [
            ("connector jdbc sourceClass", "The image has no connector jdbc in "),
            ("connector kafka sinkClass", "has no sinkClass."),
        ] {
            let output = run(&folder, Some(reader), &format!("{call} && echo started"));
            assert!(!output.status.success() && text(&output.stdout).is_empty(), "{reader}: {call}");
            assert!(text(&output.stderr).contains(message), "{reader}: {}", text(&output.stderr));
        }
    }
    let output = run(&folder, None, "connector kafka sourceClass && echo started");
    assert!(
        !output.status.success() && text(&output.stderr).contains("none of unzip, python3"),
        "{output:?}"
    );
}

#[test]
fn the_libraries_of_two_connectors_are_in_one_manifest() {
    let folder = Folder::new("connectors-together");
    archive(&folder, "a.nar", "a", "first");
    archive(&folder, "b.nar", "b", "second");
    let (a, b) = (folder.0.join("a.nar"), folder.0.join("b.nar"));
    let script = format!(r#"together {} {} && cat "$nar""#, a.display(), b.display());
    for reader in readers() {
        let output = run(&folder, Some(reader), &script);
        let content = text(&output.stdout);
        let want = "Manifest-Version: 1.0\r\nClass-Path: \r\n  a/META-INF/bundled-dependencies/first.jar\r\n  \
                    b/META-INF/bundled-dependencies/second.jar\r\n\r\n";
        assert!(content.contains(want), "{reader}: {content} {}", text(&output.stderr));
        // The sizes by which a reader finds the end.
        let (size, length) = (want.len(), output.stdout.len());
        assert_eq!(length, 30 + 20 + size + 46 + 20 + 22, "{reader}");
        let end = &output.stdout[length - 22..];
        assert_eq!(end[16..20], u32::try_from(50 + size).unwrap().to_le_bytes(), "{reader}");
        assert_reads(&folder, &output.stdout, want);
    }
}

/// Whether a strict archive reader accepts the archive; it does not verify the checksum.
fn assert_reads(folder: &Folder, jar: &[u8], want: &str) {
    let Some(jdk) = program("jar") else { return };
    let file: &Path = &folder.0.join("read.jar");
    fs::write(file, jar).unwrap();
    let output = Command::new(jdk).arg("-tf").arg(file).output().unwrap();
    assert_eq!(text(&output.stdout), "META-INF/MANIFEST.MF\n", "{want}: {}", text(&output.stderr));
}
