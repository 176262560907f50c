//! The cases of `charts/function-mesh-operator/tests`; the first of these files describes the format.

use crate::chart::helm::{chart, objects};
use anyhow::{Context, Result, bail, ensure};
use serde::Deserialize;
use serde_json::{Map, Value, json};
use std::collections::BTreeMap;
use std::fs;

/// Files with cases.
const FILES: [&str; 3] = ["pods.yaml", "controllers.yaml", "monitoring.yaml"];

/// One case: values, and what they change.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Case {
    name: Option<String>,
    /// Values of both renderings.
    #[serde(default)]
    with: Map<String, Value>,
    /// Values whose effect is checked.
    set: Map<String, Value>,
    /// What holds with `set`, and does not hold without it.
    #[serde(default)]
    checks: BTreeMap<String, Value>,
    /// What holds with and without `set`.
    #[serde(default)]
    unchanged: BTreeMap<String, Value>,
    /// A part of the message with which Helm refuses the values.
    pub(crate) refused: Option<String>,
}

/// All cases.
///
/// # Errors
/// When a file cannot be read.
pub(crate) fn all() -> Result<Vec<Case>> {
    let mut cases = Vec::new();
    for file in FILES {
        let path = chart("function-mesh-operator").join("tests").join(file);
        let text = fs::read_to_string(&path).with_context(|| path.display().to_string())?;
        let list: Vec<Case> = serde_yaml::from_str(&text).with_context(|| file.to_owned())?;
        cases.extend(list);
    }
    Ok(cases)
}

impl Case {
    /// The case in messages.
    pub(crate) fn title(&self) -> String {
        self.name.clone().unwrap_or_else(|| Value::from(self.set.clone()).to_string())
    }

    /// The values without those that are checked.
    pub(crate) fn base(&self) -> Value {
        nested(&[&self.with])
    }

    /// All values.
    pub(crate) fn values(&self) -> Value {
        nested(&[&self.with, &self.set])
    }

    /// The values that are checked.
    pub(crate) fn changed(&self) -> Value {
        nested(&[&self.set])
    }

    /// Checks both renderings.
    ///
    /// # Errors
    /// When a check does not hold, or holds without the values.
    pub(crate) fn check(&self, before: &[Value], after: &[Value]) -> Result<()> {
        ensure!(!self.checks.is_empty(), "the case checks nothing");
        for (path, expected) in &self.checks {
            let found = lookup(after, path);
            ensure!(holds(found.as_ref(), expected), "{path}: {found:?}, expected {expected}");
            ensure!(
                !holds(lookup(before, path).as_ref(), expected),
                "{path}: {expected} also without the value"
            );
        }
        for (path, expected) in &self.unchanged {
            for objects in [before, after] {
                let found = lookup(objects, path);
                ensure!(holds(found.as_ref(), expected), "{path}: {found:?}, expected {expected}");
            }
        }
        Ok(())
    }

    /// Checks that Helm refuses the values, with the message of the case.
    ///
    /// # Errors
    /// When it accepts them, or gives another reason.
    pub(crate) fn check_refusal(&self, message: &str) -> Result<()> {
        match objects(&self.values()) {
            Ok(_) => bail!("Helm accepts the values"),
            Err(error) => {
                let text = format!("{error:#}");
                ensure!(text.contains(message), "another message: {text}");
                Ok(())
            }
        }
    }
}

/// Values with the dots of their keys resolved; later ones win.
fn nested(parts: &[&Map<String, Value>]) -> Value {
    let mut all = json!({});
    for (key, value) in parts.iter().copied().flatten() {
        let mut wrapped = value.clone();
        for name in key.rsplit('.') {
            wrapped = json!({ name: wrapped });
        }
        merge(&mut all, wrapped);
    }
    all
}

fn merge(target: &mut Value, source: Value) {
    match (target, source) {
        (Value::Object(target), Value::Object(source)) => {
            for (key, value) in source {
                merge(target.entry(key).or_insert(Value::Null), value);
            }
        }
        (target, source) => *target = source,
    }
}

/// What is at `KIND/NAME[@NAMESPACE] [/POINTER]`; for an object without a pointer, whether it exists.
fn lookup(objects: &[Value], path: &str) -> Option<Value> {
    let (object, pointer) = path.split_once(' ').map_or((path, None), |(object, rest)| (object, Some(rest)));
    let (object, namespace) = object.split_once('@').map_or((object, None), |(o, n)| (o, Some(n)));
    let found = objects.iter().find(|candidate| {
        let metadata = &candidate["metadata"];
        let name = format!("{}/{}", text(&candidate["kind"]), text(&metadata["name"]));
        name == object && namespace.is_none_or(|namespace| text(&metadata["namespace"]) == namespace)
    });
    match pointer {
        None => Some(found.is_some().into()),
        Some(pointer) => found.and_then(|object| object.pointer(pointer)).cloned(),
    }
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_default()
}

fn holds(found: Option<&Value>, expected: &Value) -> bool {
    match expected.as_object().and_then(|expected| expected.get("has")) {
        Some(item) => found.and_then(Value::as_array).is_some_and(|items| items.contains(item)),
        None => found.unwrap_or(&Value::Null) == expected,
    }
}

#[test]
fn a_check_that_holds_without_the_values_fails() -> Result<()> {
    let case: Case = serde_yaml::from_str(r#"{set: {a.b: 1}, checks: {"Pod/p /spec/a": 1, "Pod/q": true}}"#)?;
    assert_eq!(case.values(), json!({"a": {"b": 1}}));
    let pod = |name: &str, a: u8| json!({"kind": "Pod", "metadata": {"name": name}, "spec": {"a": a}});
    let (before, after) = ([pod("p", 0)], [pod("p", 1), pod("q", 0)]);
    case.check(&before, &after)?;
    assert!(case.check(&after, &after).is_err());
    assert!(case.check(&before, &before).is_err());
    Ok(())
}
