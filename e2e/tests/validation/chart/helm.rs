//! Renders charts.

use anyhow::{Context, Result};
use e2e::paths;
use e2e::shell::{command, output};
use serde_json::Value;
use std::fs;
use std::path::PathBuf;
use std::sync::atomic::{AtomicUsize, Ordering};

/// Namespace of the rendered release.
pub(crate) const NAMESPACE: &str = "ns";

/// Folder of a chart.
pub(crate) fn chart(name: &str) -> PathBuf {
    paths::root().join("charts").join(name)
}

/// A folder for the files of one test.
pub(crate) fn scratch(name: &str) -> Result<PathBuf> {
    let folder = paths::cache().join("chart-tests").join(format!("{name}-{}", std::process::id()));
    fs::create_dir_all(&folder)?;
    Ok(folder)
}

/// What `helm template` prints for a chart with values.
///
/// # Errors
/// When Helm refuses the values; with its message.
pub(crate) fn template(name: &str, release: &str, namespace: &str, values: &Value) -> Result<String> {
    static NEXT: AtomicUsize = AtomicUsize::new(0);
    let number = NEXT.fetch_add(1, Ordering::Relaxed);
    let file = scratch("values")?.join(format!("{number}.json"));
    fs::write(&file, serde_json::to_vec(values)?)?;
    let mut helm = command(paths::binary("helm"), ["template", release, "--namespace", namespace]);
    let rendered = output(helm.arg(chart(name)).arg("--values").arg(&file));
    fs::remove_file(&file)?;
    rendered
}

/// The documents of a text.
pub(crate) fn documents(text: &str) -> Result<Vec<Value>> {
    let mut documents = Vec::new();
    for document in text.split("\n---\n") {
        // The last line of a document may be that of a text, to which its line break belongs.
        let document = format!("{document}\n");
        let value: Value = serde_yaml::from_str(&document).with_context(|| document.clone())?;
        if !value.is_null() {
            documents.push(value);
        }
    }
    Ok(documents)
}

/// The objects of the operator's chart.
pub(crate) fn objects(values: &Value) -> Result<Vec<Value>> {
    documents(&template("function-mesh-operator", "x", NAMESPACE, values)?)
}
