//! The plugin of kubectl, run as a user runs it: kubectl in the path, a kubeconfig, no terminal.

use crate::paths;
use crate::shell::{command, output};
use crate::testing::controller::binary;
use crate::testing::test_env::TestEnv;
use anyhow::{Context, Result, ensure};
use serde_json::Value;
use std::collections::BTreeMap;
use std::path::PathBuf;
use std::process::{Command, Output};
use std::sync::atomic::{AtomicUsize, Ordering};

/// The plugin in the namespace of a test.
#[derive(Clone, Debug)]
pub struct Plugin {
    kubeconfig: PathBuf,
    namespace: String,
}

/// What a command answered.
#[derive(Clone, Debug)]
pub struct Answer {
    /// Exit code.
    pub code: i32,
    /// Standard output.
    pub stdout: String,
    /// Standard error.
    pub stderr: String,
}

impl Plugin {
    /// The plugin with the administrator's permissions.
    pub fn new(env: &TestEnv, namespace: &str) -> Self {
        Self { kubeconfig: env.kubectl.kubeconfig().to_owned(), namespace: namespace.to_owned() }
    }

    /// A command that is not yet run.
    ///
    /// # Errors
    /// When the plugin is not built.
    pub fn command(&self, words: &[&str]) -> Result<Command> {
        let mut plugin = command(binary("kubectl-fmesh")?, words);
        let tools = paths::binary("kubectl").parent().context("no folder")?.display().to_string();
        plugin.env("PATH", format!("{tools}:{}", std::env::var("PATH")?));
        plugin.env("KUBECONFIG", &self.kubeconfig);
        Ok(plugin)
    }

    /// Runs a command in the namespace.
    ///
    /// # Errors
    /// When it cannot be run.
    pub fn run(&self, words: &[&str]) -> Result<Answer> {
        self.run_anywhere(&[words, &["--namespace", &self.namespace]].concat())
    }

    /// Runs a command without a namespace.
    ///
    /// # Errors
    /// When it cannot be run.
    pub fn run_anywhere(&self, words: &[&str]) -> Result<Answer> {
        let done = self.command(words)?.output()?;
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        Ok(Answer {
            code: done.status.code().unwrap_or(-1),
            stdout: text(&done.stdout),
            stderr: text(&done.stderr),
        })
    }

    /// Writes objects to a file that a command reads, and runs it with the file as its last word.
    ///
    /// # Errors
    /// When the file cannot be written or the command cannot be run.
    pub fn with_file(&self, words: &[&str], objects: &[Value]) -> Result<Answer> {
        static NEXT: AtomicUsize = AtomicUsize::new(0);
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        let file = std::env::temp_dir().join(format!("plugin-{}-{number}.json", std::process::id()));
        let list = serde_json::json!({"apiVersion": "v1", "kind": "List", "items": objects});
        std::fs::write(&file, list.to_string())?;
        let answer = self.run(&[words, &["--filename", file.to_str().context("no path")?]].concat());
        std::fs::remove_file(&file)?;
        answer
    }
}

impl Answer {
    /// Checks the exit code and that standard output has some texts.
    ///
    /// # Errors
    /// With everything that was printed.
    pub fn expect(&self, code: i32, texts: &[&str]) -> Result<&Self> {
        ensure!(self.code == code, "exit code {} instead of {code}: {self:#?}", self.code);
        for text in texts {
            ensure!(self.stdout.contains(text), "{text:?} is not in {self:#?}");
        }
        Ok(self)
    }

    /// Standard output as JSON.
    ///
    /// # Errors
    /// When it is none.
    pub fn json(&self) -> Result<Value> {
        serde_json::from_str(&self.stdout).with_context(|| format!("no JSON: {self:#?}"))
    }
}

/// Versions of all objects of some kinds in a namespace, by kind and name.
///
/// # Errors
/// When kubectl fails.
pub fn versions(env: &TestEnv, namespace: &str) -> Result<BTreeMap<String, String>> {
    const KINDS: &str = "functions,sources,sinks,functionmeshes,backendconfigs,statefulsets,services,configmaps,secrets,\
        pods,horizontalpodautoscalers,controllerrevisions,jobs";
    let text = output(&mut env.kubectl.with(["get", KINDS, "--namespace", namespace, "--output=json"]))?;
    let list: Value = serde_json::from_str(&text)?;
    let of = |object: &Value| {
        let text = |pointer| object.pointer(pointer).and_then(Value::as_str).unwrap_or_default().to_owned();
        (format!("{} {}", text("/kind"), text("/metadata/name")), text("/metadata/resourceVersion"))
    };
    Ok(list.get("items").and_then(Value::as_array).context("no items")?.iter().map(of).collect())
}

/// `kubectl fmesh` with arguments, for the cluster of a test.
///
/// # Errors
/// When the plugin is not built.
pub fn plugin(env: &TestEnv, words: &[&str]) -> Result<Command> {
    Plugin::new(env, "").command(words)
}

/// What `kubectl fmesh plan -o json` prints, and how it ended.
///
/// # Errors
/// When it prints no report, with what it said instead.
pub fn plan(env: &TestEnv, words: &[&str]) -> Result<(Value, Output)> {
    let done = plugin(env, &[&["plan", "--output=json"], words].concat())?.output()?;
    let report = serde_json::from_slice(&done.stdout)
        .with_context(|| format!("no report: {}", String::from_utf8_lossy(&done.stderr)))?;
    Ok((report, done))
}
