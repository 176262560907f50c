//! Forms of the output.

use anyhow::Result;
use clap::ValueEnum;
use serde_json::{Value, json};

/// The format of a report, besides text for people.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Format {
    /// One JSON document.
    Json,
}

/// How objects are printed.
#[derive(Clone, Copy, Debug, ValueEnum)]
pub(crate) enum Output {
    /// YAML documents, one for each object.
    Yaml,
    /// A JSON List.
    Json,
    /// Resource and name of each object.
    Name,
}

impl Output {
    /// The text of some objects.
    ///
    /// # Errors
    /// Never in practice: they are JSON already.
    pub(crate) fn text(self, objects: &[Value]) -> Result<String> {
        Ok(match self {
            Self::Yaml => {
                let texts: Result<Vec<String>, _> = objects.iter().map(serde_yaml::to_string).collect();
                texts?.join("---\n")
            }
            Self::Json => {
                let list = json!({"apiVersion": "v1", "kind": "List", "items": objects});
                format!("{}\n", serde_json::to_string_pretty(&list)?)
            }
            Self::Name => objects.iter().map(name).collect(),
        })
    }
}

/// `statefulset.apps/name`, as kubectl prints it.
fn name(object: &Value) -> String {
    let text = |pointer| object.pointer(pointer).and_then(Value::as_str).unwrap_or_default();
    let group = text("/apiVersion").split_once('/').map(|(group, _)| format!(".{group}")).unwrap_or_default();
    format!("{}{group}/{}\n", text("/kind").to_lowercase(), text("/metadata/name"))
}
