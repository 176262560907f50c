//! A program in the place of kubectl that answers what a test wants.

use serde_json::{Value, json};
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::sync::atomic::{AtomicUsize, Ordering};

/// The program, in a folder of its own.
pub(crate) struct Fake {
    folder: PathBuf,
    rules: Vec<String>,
}

impl Fake {
    /// One that knows nothing: every call is an error.
    pub(crate) fn new() -> Self {
        static NEXT: AtomicUsize = AtomicUsize::new(0);
        let name = format!("fake-kubectl-{}-{}", std::process::id(), NEXT.fetch_add(1, Ordering::Relaxed));
        let folder = std::env::temp_dir().join(name);
        fs::create_dir_all(&folder).unwrap();
        Self { folder, rules: Vec::new() }
    }

    /// Answers calls whose words match a pattern of the shell with a text.
    pub(crate) fn answers(mut self, pattern: &str, text: &str) -> Self {
        let file = self.folder.join(format!("answer-{}", self.rules.len()));
        fs::write(&file, text).unwrap();
        self.rules.push(format!("{} cat {}; exit 0;;", case(pattern), file.display()));
        self
    }

    /// Answers with a list of objects.
    pub(crate) fn lists(self, pattern: &str, objects: &[Value]) -> Self {
        self.answers(pattern, &json!({"kind": "List", "items": objects}).to_string())
    }

    /// Refuses calls, as an API server does that does not allow them.
    pub(crate) fn forbids(self, pattern: &str) -> Self {
        self.fails(pattern, "Error from server (Forbidden): it is forbidden: User \"me\" cannot do it")
    }

    /// Fails with a text.
    pub(crate) fn fails(mut self, pattern: &str, text: &str) -> Self {
        self.rules.push(format!("{} echo '{text}' >&2; exit 1;;", case(pattern)));
        self
    }

    /// Answers with its standard input, unless a text is in it: then it refuses all of it.
    pub(crate) fn echoes(mut self, pattern: &str, refused: &str) -> Self {
        let error = format!("echo 'Error from server (Invalid): {refused} is invalid' >&2; exit 1");
        self.rules.push(format!(
            "{} input=$(cat); case \"$input\" in *'\"{refused}\"'*) {error};; esac; printf '%s' \"$input\"; exit 0;;",
            case(pattern)
        ));
        self
    }

    /// Takes a time for calls before it answers by the rules that follow.
    pub(crate) fn waits(mut self, pattern: &str, seconds: &str) -> Self {
        // Not among the other rules, of which the first that matches is the only one.
        self.rules.insert(0, format!("WAIT:{} sleep {seconds};;", case(pattern)));
        self
    }

    fn write(&self) {
        let (waits, rules): (Vec<&String>, Vec<&String>) =
            self.rules.iter().partition(|rule| rule.starts_with("WAIT:"));
        let waits: Vec<&str> = waits.iter().map(|rule| rule.trim_start_matches("WAIT:")).collect();
        let rules: Vec<&str> = rules.iter().map(|rule| rule.as_str()).collect();
        let (waits, rules) = (waits.join("\n"), rules.join("\n"));
        let script = format!(
            "#!/bin/sh\necho \"$*\" >> {}\ncase \"$*\" in\n{waits}\nesac\ncase \"$*\" in\n{rules}\nesac\n\
             echo \"error: not foreseen: $*\" >&2\nexit 1\n",
            self.folder.join("calls").display()
        );
        let file = self.folder.join("kubectl");
        fs::write(&file, script).unwrap();
        fs::set_permissions(&file, fs::Permissions::from_mode(0o755)).unwrap();
    }

    /// The plugin with this kubectl, in the folder.
    pub(crate) fn command(&self, words: &[&str]) -> Command {
        self.prepared(Command::new(env!("CARGO_BIN_EXE_kubectl-fmesh")), words)
    }

    /// Another program with this kubectl.
    pub(crate) fn prepared(&self, mut command: Command, words: &[&str]) -> Command {
        self.write();
        let path = format!("{}:{}", self.folder.display(), std::env::var("PATH").unwrap());
        command.args(words).env("PATH", path).env_remove("NO_COLOR").env_remove("KUBECONFIG");
        command.current_dir(&self.folder).stdin(Stdio::null());
        command
    }

    /// Runs the plugin.
    pub(crate) fn run(&self, words: &[&str]) -> Answer {
        Answer::of(&self.command(words).output().unwrap())
    }

    /// Where the plugin runs.
    pub(crate) fn folder(&self) -> &Path {
        &self.folder
    }

    /// The calls so far.
    pub(crate) fn calls(&self) -> Vec<String> {
        let text = fs::read_to_string(self.folder.join("calls")).unwrap_or_default();
        text.lines().map(str::to_owned).collect()
    }
}

/// A branch for words that have a pattern in them, whose spaces are not those of the script.
fn case(pattern: &str) -> String {
    format!("*{}*)", pattern.replace(' ', "\\ "))
}

impl Drop for Fake {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.folder);
    }
}

/// What the plugin printed.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) code: Option<i32>,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

impl Answer {
    fn of(output: &Output) -> Self {
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        Self { code: output.status.code(), stdout: text(&output.stdout), stderr: text(&output.stderr) }
    }

    /// Standard output as JSON.
    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.stdout).unwrap_or_else(|error| panic!("{error}: {self:#?}"))
    }
}
