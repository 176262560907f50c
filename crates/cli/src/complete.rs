//! Completion of words in a shell: of the command line for three shells, and of names from the cluster for kubectl itself,
//! which calls `kubectl_complete-fmesh` for the words that follow `kubectl fmesh`.

use crate::cluster::target;
use std::process::Command;

/// What kubectl does with the words: nothing more, or completes names of files (Cobra's directives).
const NO_FILES: &str = ":4";
const FILES: &str = ":0";

/// Options that take the name of something in the cluster or the kubeconfig, and the call of kubectl that lists it.
const VALUES: [(&[&str], &[&str]); 4] = [
    (&["-n", "--namespace"], &["get", "namespaces", "--output=name"]),
    (&["--context"], &["config", "get-contexts", "--output=name"]),
    (&["--cluster"], &["config", "get-clusters"]),
    (&["--user"], &["config", "get-users"]),
];
/// Options that take the name of a file or folder.
const PATHS: [&str; 8] =
    ["-f", "--filename", "-k", "--kustomize", "--config", "--kubeconfig", "-d", "--directory"];
/// Commands that take a kind and names.
const NAMED: [&str; 8] = ["status", "approve", "recreate", "pause", "resume", "restart", "logs", "top"];
/// Kinds, as they are completed.
const KINDS: [&str; 4] = ["function", "source", "sink", "functionmesh"];

/// The candidates for the last of some words, one a line, and a last line for kubectl.
pub(crate) fn candidates(words: &[String], command: &clap::Command) -> String {
    let (last, before) = words.split_last().map_or(("", &[][..]), |(last, before)| (last.as_str(), before));
    let previous = before.last().map_or("", String::as_str);
    if PATHS.contains(&previous) {
        return FILES.to_owned() + "\n";
    }
    let found = if let Some((_, call)) = VALUES.iter().find(|(options, _)| options.contains(&previous)) {
        listed(call, before)
    } else if last.starts_with('-') {
        options(before, command)
    } else {
        positional(before, last, command)
    };
    let mut text: String =
        found.into_iter().filter(|word| word.starts_with(last)).map(|word| word + "\n").collect();
    text.push_str(NO_FILES);
    text.push('\n');
    text
}

/// The words that are neither options nor their values.
fn plain<'a>(words: &'a [String], command: &clap::Command) -> Vec<&'a str> {
    let mut plain: Vec<&str> = Vec::new();
    let mut takes_value = false;
    for word in words {
        if std::mem::take(&mut takes_value) {
            continue;
        }
        if word.starts_with('-') {
            let sub = plain.first().and_then(|name| command.find_subcommand(name)).unwrap_or(command);
            takes_value = !word.contains('=') && option(word, sub);
        } else {
            plain.push(word);
        }
    }
    plain
}

/// Whether an option takes a value.
fn option(word: &str, command: &clap::Command) -> bool {
    let found = command.get_arguments().find(|argument| {
        argument.get_long().is_some_and(|long| word.strip_prefix("--") == Some(long))
            || argument.get_short().is_some_and(|short| word == format!("-{short}"))
    });
    found.is_some_and(|argument| argument.get_action().takes_values())
}

fn options(before: &[String], command: &clap::Command) -> Vec<String> {
    let sub = plain(before, command).first().and_then(|name| command.find_subcommand(name));
    let arguments = sub.unwrap_or(command).get_arguments();
    let mut found: Vec<String> = arguments
        .filter(|argument| !argument.is_hide_set())
        .filter_map(|argument| argument.get_long().map(|long| format!("--{long}")))
        .collect();
    found.push("--help".to_owned());
    found
}

fn positional(before: &[String], last: &str, command: &clap::Command) -> Vec<String> {
    let plain = plain(before, command);
    let Some((name, rest)) = plain.split_first() else {
        let commands = command.get_subcommands().filter(|sub| !sub.is_hide_set());
        return commands.map(|sub| sub.get_name().to_owned()).collect();
    };
    match (*name, rest.first()) {
        ("completion", None) => ["bash", "zsh", "fish"].map(str::to_owned).into(),
        ("graph" | "check", _) => names("functionmesh", before),
        (name, None) if NAMED.contains(&name) => match last.split_once('/') {
            Some((kind, _)) => names(kind, before).into_iter().map(|name| format!("{kind}/{name}")).collect(),
            None => KINDS.map(str::to_owned).into(),
        },
        (name, Some(kind)) if NAMED.contains(&name) => names(kind, before),
        _ => Vec::new(),
    }
}

/// Names of the objects of a kind.
fn names(kind: &str, before: &[String]) -> Vec<String> {
    let Ok(resource) = target::resource(kind) else { return Vec::new() };
    listed(&["get", &resource, "--output=name"], before)
}

/// What a call of kubectl prints, line by line, without the kind in front. A shell shows no errors here.
fn listed(call: &[&str], before: &[String]) -> Vec<String> {
    let mut kubectl = Command::new("kubectl");
    kubectl.args(call).arg("--request-timeout=5s").args(connection(before, call.contains(&"config")));
    let Ok(done) = kubectl.output() else { return Vec::new() };
    let text = String::from_utf8_lossy(&done.stdout).into_owned();
    let lines = text.lines().filter(|line| !line.is_empty() && *line != "NAME");
    lines.map(|line| line.rsplit_once('/').map_or(line, |(_, name)| name).to_owned()).collect()
}

/// The options of the words that say which cluster and namespace are meant.
fn connection(words: &[String], is_config: bool) -> Vec<String> {
    const TAKEN: [&str; 7] =
        ["--kubeconfig", "--context", "--cluster", "--user", "--as", "--namespace", "-n"];
    let mut found = Vec::new();
    let mut words = words.iter();
    while let Some(word) = words.next() {
        let (name, value) =
            word.split_once('=').map_or((word.as_str(), None), |(name, value)| (name, Some(value)));
        if !TAKEN.contains(&name) || (is_config && name != "--kubeconfig") {
            continue;
        }
        if let Some(value) = value.map(str::to_owned).or_else(|| words.next().cloned()) {
            found.push(if name == "-n" { format!("--namespace={value}") } else { format!("{name}={value}") });
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::{Arg, ArgAction};

    fn command() -> clap::Command {
        let namespace = Arg::new("namespace").short('n').long("namespace");
        let status = clap::Command::new("status")
            .arg(namespace)
            .arg(Arg::new("watch").short('w').long("watch").action(ArgAction::SetTrue));
        clap::Command::new("kubectl-fmesh")
            .subcommand(status)
            .subcommand(clap::Command::new("completion"))
            .subcommand(clap::Command::new("secret").hide(true))
    }

    fn complete(words: &[&str]) -> Vec<String> {
        let words: Vec<String> = words.iter().map(|word| (*word).to_owned()).collect();
        candidates(&words, &command()).lines().map(str::to_owned).collect()
    }

    #[test]
    fn commands_kinds_and_options_are_completed() {
        assert_eq!(complete(&[""]), ["status", "completion", ":4"]);
        assert_eq!(complete(&["st"]), ["status", ":4"]);
        assert_eq!(complete(&["status", "func"]), ["function", "functionmesh", ":4"]);
        assert_eq!(complete(&["status", "-n", "demo", "-w", "si"]), ["sink", ":4"], "a value is no kind");
        assert_eq!(complete(&["status", "--n"]), ["--namespace", ":4"]);
        assert_eq!(complete(&["completion", "z"]), ["zsh", ":4"]);
        assert_eq!(complete(&["plan", "-f", ""]), [":0"], "files");
        assert_eq!(complete(&["status", "pods", ""]), [":4"], "no kind of ours");
    }

    #[test]
    fn the_cluster_is_the_one_that_the_words_name() {
        let words = ["status", "-n", "demo", "--context=test", "--watch", "--user", "me"].map(str::to_owned);
        assert_eq!(connection(&words, false), ["--namespace=demo", "--context=test", "--user=me"]);
        assert!(connection(&words, true).is_empty());
    }
}
