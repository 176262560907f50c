//! What a terminal gets: eighty columns, colours unless they are unwanted, progress of what takes long, and an end at Ctrl-C.
//!
//! `script` of util-linux gives the pseudo-terminal.

use super::fake::Fake;
use super::objects::{cluster, config_map, function, pod, secret, stateful_set};
use serde_json::{Value, json};
use std::io::{Read, Write};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

/// Longest wait for what has to come.
const PATIENCE: Duration = Duration::from_secs(30);

fn broken() -> Value {
    let mut object = function("enrich");
    object["status"]["conditions"][0] = json!({"type": "Ready", "status": "False", "reason": "ImagePullBackOff",
        "lastTransitionTime": "2026-01-01T00:00:00Z", "message": "cannot pull image \"example.com/a/very/long/name/of/an/image:1\": ".to_owned()
            + &"the registry does not answer within a time that anybody would wait for ".repeat(4)});
    object
}

fn fake() -> Fake {
    let map = config_map("pulsar", &json!({"webServiceURL": "http://pulsar.example.com"}));
    cluster(
        Fake::new()
            .lists("get functions.compute", &[broken()])
            .lists("statefulsets.apps,pods", &[stateful_set("enrich"), pod("enrich", 0)])
            .lists("secrets --namespace", &[secret("auth", &[("a", "b")])])
            .lists("configmaps --namespace", &[map]),
    )
}

/// Starts the plugin in a terminal of eighty columns.
fn start(fake: &Fake, words: &str, no_colour: bool) -> Child {
    // A test that runs in the background of a shell inherits that SIGINT is ignored.
    let program = format!("env --default-signal=INT {}", env!("CARGO_BIN_EXE_kubectl-fmesh"));
    let line = format!("stty cols 80 rows 24; exec {program} {words}");
    let mut command = fake.prepared(Command::new("script"), &["-qefc", &line, "/dev/null"]);
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).env("TERM", "xterm").env("SHELL", "/bin/sh");
    if no_colour {
        command.env("NO_COLOR", "1");
    }
    command.spawn().unwrap()
}

fn shown(fake: &Fake, words: &str, no_colour: bool) -> String {
    let child = start(fake, words, no_colour);
    String::from_utf8(child.wait_with_output().unwrap().stdout).unwrap().replace("\r\n", "\n")
}

/// A text without control sequences.
fn plain(text: &str) -> String {
    let mut plain = String::new();
    let mut rest = text.chars();
    while let Some(character) = rest.next() {
        if character == '\x1b' {
            rest.by_ref().find(char::is_ascii_alphabetic);
        } else {
            plain.push(character);
        }
    }
    plain
}

#[test]
fn lines_fit_into_eighty_columns_and_colours_can_be_switched_off() {
    let fake = fake();
    for words in ["status", "status function enrich", "doctor", "version"] {
        let text = shown(&fake, words, false);
        let plain = plain(&text);
        assert!(
            plain.lines().count() > 1 && plain.split(['\n', '\r']).all(|line| line.chars().count() <= 80),
            "{words}: {plain}"
        );
        if words != "version" {
            assert!(text.contains("\x1b[3"), "{words} has no colours on a terminal: {text:?}");
        }
        let without = shown(&fake, words, true);
        assert!(!without.contains("\x1b[3"), "{words}: {without:?}");
        let piped = fake.run(&words.split(' ').collect::<Vec<_>>());
        assert!(!piped.stdout.contains('\x1b') && !piped.stderr.contains('\x1b'), "{words}: {piped:#?}");
    }
}

#[test]
fn what_takes_long_says_so_on_a_terminal_only() {
    let fake = fake().waits("statefulsets.apps", "3");
    let text = shown(&fake, "doctor", true);
    let before = text.split("Examined").next().unwrap();
    assert!(before.contains("reading objects, pods and controllers ("), "{text:?}");
    assert!(before.ends_with("\x1b[K"), "the line is removed: {text:?}");
    let piped = fake.run(&["doctor"]);
    assert!(piped.stderr.is_empty(), "{piped:#?}");
}

/// Reads until a text has come, and returns everything so far.
fn read_until(child: &mut Child, wanted: &str) -> String {
    let stdout = child.stdout.as_mut().unwrap();
    let mut text = Vec::new();
    let mut buffer = [0; 4096];
    loop {
        let found = String::from_utf8_lossy(&text).into_owned();
        if found.contains(wanted) {
            return found;
        }
        let number = stdout.read(&mut buffer).unwrap();
        assert!(number > 0, "it ended: {found}");
        text.extend_from_slice(&buffer[..number]);
    }
}

fn ends(child: &mut Child) -> std::process::ExitStatus {
    let started = Instant::now();
    loop {
        if let Some(status) = child.try_wait().unwrap() {
            return status;
        }
        assert!(started.elapsed() < PATIENCE, "it does not end");
        std::thread::sleep(Duration::from_millis(20));
    }
}

#[test]
fn ctrl_c_ends_what_watches_and_waits() {
    let mut waiting = broken();
    waiting["status"]["statefulSet"] = json!({"generation": 1, "renderedHash": "a", "pendingHash": "h1"});
    waiting["status"]["conditions"] = json!([{"type": "UpdateAvailable", "status": "True", "reason": "RendererChanged",
        "message": "annotate it with compute.functionmesh.io/approve-update=h1", "lastTransitionTime": "2026-01-01T00:00:00Z"}]);
    let approved = Fake::new()
        .answers("annotate", "annotated\n")
        .answers("get functions.compute.functionmesh.io enrich", &waiting.to_string());
    for (fake, words, text) in [
        (fake(), "status --watch", "0 of 1 object ready"),
        (fake().waits("get functions.compute", "600"), "status", "waiting for the API server"),
        (approved, "approve function enrich --yes --wait", "approved"),
    ] {
        let mut child = start(&fake, words, true);
        read_until(&mut child, text);
        child.stdin.as_mut().unwrap().write_all(b"\x03").unwrap();
        let status = ends(&mut child);
        assert_eq!(status.code(), Some(130), "{words}: as a program that SIGINT ended");
    }
}
