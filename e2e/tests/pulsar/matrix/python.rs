//! Python functions.

use crate::matrix::Case;
use crate::matrix::run::{Run, texts, values};
use anyhow::{Result, ensure};
use serde_json::json;

pub(crate) fn cases() -> Vec<Case> {
    let case = |sample, check| Case { group: "python", sample, check };
    vec![
        case("30-python-file", exclamation),
        case("31-python-configmap", exclamation),
        case("32-python-zip", zip),
        case("33-python-wheel", wheel),
        case("34-python-user-config", user_config),
        case("35-python-state", state),
    ]
}

fn answers(run: &Run<'_>, suffix: &str) -> Result<()> {
    run.answers(50, suffix)?;
    run.until_backlog(&run.topic("in"), 0)
}

fn exclamation(run: &Run<'_>) -> Result<()> {
    answers(run, "!")
}

/// A function that imports another module of the zip file, and one of a wheel in it.
fn zip(run: &Run<'_>) -> Result<()> {
    let main = "from pulsar import Function\nimport beside\nimport needed\n\n\nclass Zipped(Function):\n    def process(self, input, context):\n        return input + beside.TEXT + needed.TEXT\n";
    let zipped = json!({
        "app/src/main.py": main,
        "app/src/beside.py": "TEXT = \" beside\"\n",
        "app/deps/needed-1.0-py3-none-any.whl":
            {"name": "needed", "version": "1.0", "files": {"needed/__init__.py": "TEXT = \" needed\"\n"}},
    });
    run.stage
        .client("upload", &json!({"package": "function/public/default/python-zip/v1", "zipped": zipped}))?;
    answers(run, " beside needed")
}

fn wheel(run: &Run<'_>) -> Result<()> {
    let code = "from pulsar import Function\n\n\nclass Wheeled(Function):\n    def process(self, input, context):\n        return input + \" wheeled\"\n";
    run.stage.client(
        "upload_wheel",
        &json!({"package": "function/public/default/python-wheel/v1", "name": "wheeled", "version": "1.0", "files": {"wheeled/__init__.py": code}}),
    )?;
    answers(run, " wheeled")
}

fn user_config(run: &Run<'_>) -> Result<()> {
    let sent = texts("x", 20);
    run.send(&run.topic("in"), &values(&sent))?;
    run.apply()?;
    run.ready()?;
    let expected: Vec<String> =
        sent.iter().map(|m| format!("it's \"100%\" $HOME äöü {m} correct horse")).collect();
    run.expect(&run.topic("out"), &expected).map(drop)
}

/// Counters survive a kill.
fn state(run: &Run<'_>) -> Result<()> {
    run.send(&run.topic("in"), &values(&vec!["a".to_owned(); 5]))?;
    run.apply()?;
    run.ready()?;
    let first = run.receive(&run.topic("out"), 5)?;
    ensure!(first.len() == 5 && first.iter().any(|m| m.value == "a=5"), "{first:?}");
    run.until_backlog(&run.topic("in"), 0)?;
    run.kill(0)?;
    run.ready()?;
    run.send(&run.topic("in"), &values(&["a".to_owned()]))?;
    let all = run.receive(&run.topic("out"), 6)?;
    ensure!(all.iter().any(|m| m.value == "a=6"), "{all:?}");
    Ok(())
}
