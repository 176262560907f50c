//! Running the command.

use std::io::Write;
use std::process::{Command, Output, Stdio};

/// Runs `kubectl-fmesh render` with arguments and standard input.
pub(crate) fn render(arguments: &[&str], input: impl AsRef<[u8]>) -> Output {
    let mut child = Command::new(env!("CARGO_BIN_EXE_kubectl-fmesh"))
        .arg("render")
        .args(arguments)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    child.stdin.take().unwrap().write_all(input.as_ref()).unwrap();
    child.wait_with_output().unwrap()
}
