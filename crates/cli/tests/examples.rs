//! Every example of the documentation, rendered by the command: all objects in one document, compared with a snapshot. A
//! changed byte restarts every pod of a function.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic, reason = "a test may panic")]

use std::path::{Path, PathBuf};
use std::process::Command;

fn examples() -> Vec<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/examples");
    let mut files: Vec<PathBuf> = std::fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|extension| extension == "yaml"))
        .collect();
    files.sort();
    files
}

/// The flags that an example says it needs, in a comment at its head.
fn flags(example: &str) -> Vec<&str> {
    example
        .lines()
        .find_map(|line| line.strip_prefix("# flags: "))
        .map(|f| f.split(' ').collect())
        .unwrap_or_default()
}

#[test]
fn every_example_renders_to_its_snapshot() {
    let examples = examples();
    assert!(examples.len() > 25, "{} examples", examples.len());
    for file in examples {
        let text = std::fs::read_to_string(&file).unwrap();
        let output = Command::new(env!("CARGO_BIN_EXE_kubectl-fmesh"))
            .args(["render", "--include-cleanup", "-f"])
            .arg(&file)
            .args(flags(&text))
            .output()
            .unwrap();
        let problem = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success() && problem.is_empty(), "{}: {problem}", file.display());
        let name = file.file_stem().unwrap().to_str().unwrap();
        insta::assert_snapshot!(name, String::from_utf8(output.stdout).unwrap());
    }
}

/// Each file says what it shows.
#[test]
fn every_example_has_a_comment() {
    for file in examples() {
        assert!(std::fs::read_to_string(&file).unwrap().starts_with("# "), "{}", file.display());
    }
}
