//! Calls of kubectl.

use anyhow::{Context, Result, bail};
use clap::Args;
use serde_json::Value;
use std::io::Write;
use std::path::PathBuf;
use std::process::{Command, ExitStatus, Stdio};

/// Name under which this plugin owns the fields that it writes (`managedFields`).
const FIELD_MANAGER: &str = "kubectl-fmesh";

/// How kubectl reaches the cluster. The options are kubectl's own, which passes a plugin only what follows its name.
#[derive(Args, Clone, Debug, Default)]
#[command(next_help_heading = "Cluster")]
pub(crate) struct Connection {
    /// Path of the kubeconfig file.
    #[arg(long, value_name = "FILE")]
    kubeconfig: Option<PathBuf>,
    /// Name of the kubeconfig context.
    #[arg(long, value_name = "NAME")]
    context: Option<String>,
    /// Name of the kubeconfig cluster.
    #[arg(long, value_name = "NAME")]
    cluster: Option<String>,
    /// Name of the kubeconfig user.
    #[arg(long, value_name = "NAME")]
    user: Option<String>,
    /// User to impersonate.
    #[arg(long = "as", value_name = "USER")]
    impersonated: Option<String>,
    /// Time limit of a single request, with a unit (`10s`); 0 is none.
    #[arg(long, value_name = "DURATION")]
    request_timeout: Option<String>,
}

impl Connection {
    /// Runs kubectl and returns the JSON that it prints.
    ///
    /// # Errors
    /// When kubectl is missing or fails, with its own words.
    pub(crate) fn json(&self, words: &[&str]) -> Result<Value> {
        let text = self.text(&[words, &["--output=json"]].concat(), None)?;
        serde_json::from_str(&text).context("kubectl printed no JSON")
    }

    /// The objects that a `kubectl get` prints, one or many.
    ///
    /// # Errors
    /// When kubectl is missing or fails, with its own words.
    pub(crate) fn objects(&self, words: &[&str]) -> Result<Vec<Value>> {
        let mut printed = self.json(&[&["get"], words].concat())?;
        Ok(match printed.get_mut("items").map(Value::take) {
            Some(Value::Array(items)) => items,
            _ => vec![printed],
        })
    }

    /// The same where there may be none (`--ignore-not-found`).
    ///
    /// # Errors
    /// When kubectl is missing or fails, with its own words.
    pub(crate) fn objects_if_any(&self, words: &[&str]) -> Result<Vec<Value>> {
        let text = self.text(&[&["get"], words, &["--output=json"]].concat(), None)?;
        if text.trim().is_empty() {
            return Ok(Vec::new());
        }
        Ok(vec![serde_json::from_str(&text).context("kubectl printed no JSON")?])
    }

    /// The objects of some names, those that exist.
    ///
    /// # Errors
    /// When kubectl is missing or fails, with its own words.
    pub(crate) fn existing(&self, words: &[&str]) -> Result<Vec<Value>> {
        let text = self.text(&[&["get", "--ignore-not-found", "--output=json"], words].concat(), None)?;
        if text.trim().is_empty() {
            return Ok(Vec::new());
        }
        let mut printed: Value = serde_json::from_str(&text).context("kubectl printed no JSON")?;
        Ok(match printed.get_mut("items").map(Value::take) {
            Some(Value::Array(items)) => items,
            _ => vec![printed],
        })
    }

    /// What kubectl prints.
    ///
    /// # Errors
    /// When kubectl is missing or fails, with its own words.
    pub(crate) fn plain(&self, words: &[&str]) -> Result<String> {
        self.text(words, None)
    }

    /// The answer of the API server to a GET of a path.
    ///
    /// # Errors
    /// When kubectl is missing or fails, with its own words.
    pub(crate) fn raw(&self, path: &str) -> Result<String> {
        self.text(&["get", "--raw", path], None)
    }

    /// Runs kubectl with an object as its standard input and returns the JSON that it prints.
    ///
    /// # Errors
    /// When kubectl is missing or fails, with its own words.
    pub(crate) fn json_of(&self, words: &[&str], object: &Value) -> Result<Value> {
        let text = self.text(&[words, &["--output=json"]].concat(), Some(object))?;
        serde_json::from_str(&text).context("kubectl printed no JSON")
    }

    /// Sets annotations of one object, or removes those without a value.
    ///
    /// # Errors
    /// When kubectl is missing or fails, with its own words.
    pub(crate) fn annotate(
        &self,
        resource: &str,
        namespace: &str,
        name: &str,
        annotations: &[(&str, Option<&str>)],
    ) -> Result<()> {
        let words: Vec<String> = annotations
            .iter()
            .map(|(key, value)| value.map_or_else(|| format!("{key}-"), |value| format!("{key}={value}")))
            .collect();
        let manager = format!("--field-manager={FIELD_MANAGER}");
        let mut all = vec!["annotate", "--overwrite", &manager, "--namespace", namespace, resource, name];
        all.extend(words.iter().map(String::as_str));
        self.text(&all, None).map(|_| ())
    }

    /// Runs kubectl in the foreground.
    ///
    /// # Errors
    /// When kubectl is missing.
    pub(crate) fn run(&self, words: &[&str]) -> Result<ExitStatus> {
        self.command(words).status().map_err(absent)
    }

    pub(super) fn text(&self, words: &[&str], input: Option<&Value>) -> Result<String> {
        let mut command = self.command(words);
        let stdin = if input.is_some() { Stdio::piped() } else { Stdio::null() };
        let mut child =
            command.stdin(stdin).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().map_err(absent)?;
        if let (Some(input), Some(mut stdin)) = (input, child.stdin.take()) {
            // When kubectl ends before it has read everything, its output has the reason.
            let _ = stdin.write_all(input.to_string().as_bytes());
        }
        let done = child.wait_with_output().map_err(absent)?;
        if !done.status.success() {
            let words = String::from_utf8_lossy(&done.stderr);
            bail!("{}", words.trim().trim_start_matches("error: "));
        }
        // What the API server warns of concerns the caller.
        for line in String::from_utf8_lossy(&done.stderr).lines().filter(|line| line.starts_with("Warning:"))
        {
            eprintln!("{line}");
        }
        String::from_utf8(done.stdout).context("kubectl printed no UTF-8")
    }

    fn command(&self, words: &[&str]) -> Command {
        let mut command = Command::new("kubectl");
        let file = self.kubeconfig.as_ref().map(|file| file.to_string_lossy().into_owned());
        let options = [
            ("--kubeconfig", &file),
            ("--context", &self.context),
            ("--cluster", &self.cluster),
            ("--user", &self.user),
            ("--as", &self.impersonated),
            ("--request-timeout", &self.request_timeout),
        ];
        for (option, value) in options {
            if let Some(value) = value {
                command.arg(format!("{option}={value}"));
            }
        }
        command.args(words);
        command
    }
}

fn absent(error: std::io::Error) -> anyhow::Error {
    anyhow::Error::new(error).context("cannot run kubectl; install it and put it into PATH")
}
