//! What the chart ships for monitoring.

use anyhow::Result;
use e2e::operator::{NAMESPACE, RELEASE};
use e2e::paths;
use e2e::shell::{command, output};
use serde_json::Value;

/// The objects of the chart with these values.
pub(super) fn objects(values: &[&str]) -> Result<Vec<Value>> {
    let chart = paths::root().join("charts/function-mesh-operator").display().to_string();
    let mut helm = command(paths::binary("helm"), ["template", RELEASE, &chart, "--namespace", NAMESPACE]);
    for value in values {
        helm.args(["--set", value]);
    }
    let text = output(&mut helm)?;
    let documents = text.split("\n---\n").map(|document| Ok(serde_yaml::from_str(&format!("{document}\n"))?));
    documents.filter(|value| !matches!(value, Ok(Value::Null))).collect()
}

/// Those of a kind.
pub(super) fn of_kind<'a>(objects: &'a [Value], kind: &str) -> Vec<&'a Value> {
    objects.iter().filter(|object| object["kind"] == kind).collect()
}
