//! The command as a user runs it.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test may panic")]

use std::io::Write;
use std::process::{Command, Output, Stdio};

fn render(arguments: &[&str], input: &str) -> Output {
    let mut child = Command::new(env!("CARGO_BIN_EXE_kubectl-fmesh"))
        .arg("render")
        .args(arguments)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    child.stdin.take().unwrap().write_all(input.as_bytes()).unwrap();
    child.wait_with_output().unwrap()
}

#[test]
fn a_mesh_becomes_its_components_and_their_children() {
    let sample = concat!(env!("CARGO_MANIFEST_DIR"), "/../../config/samples/functionmesh.yaml");
    let output = render(&["-f", sample, "-o", "json"], "");
    assert_eq!(output.status.code(), Some(0), "{}", String::from_utf8_lossy(&output.stderr));
    let list: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    let kinds: Vec<&str> =
        list["items"].as_array().unwrap().iter().map(|o| o["kind"].as_str().unwrap()).collect();
    let want = [
        "Function",
        "Service",
        "StatefulSet",
        "Source",
        "Service",
        "StatefulSet",
        "Sink",
        "Service",
        "StatefulSet",
    ];
    assert_eq!(kinds, want);
    assert_eq!(list["items"][2]["metadata"]["name"], "sample-exclamation-function");
}

#[test]
fn an_invalid_object_is_told_line_by_line() {
    let output = render(&["-f", "-"], "kind: Function\nmetadata: {name: a}\nspec: {java: {jar: ''}}\n");
    assert_eq!(output.status.code(), Some(1));
    assert!(output.stdout.is_empty());
    let text = String::from_utf8(output.stderr).unwrap();
    assert!(text.lines().all(|line| line.starts_with("function/a: spec.")), "{text}");
    assert!(text.lines().any(|line| line.starts_with("function/a: spec.java.jar: ")), "{text}");
}

#[test]
fn unreadable_input_is_something_else() {
    assert_eq!(render(&["-f", "/does/not/exist"], "").status.code(), Some(2));
    assert_eq!(render(&["-f", "-"], "a: [").status.code(), Some(2));
}
