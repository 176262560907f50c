//! Reading and writing YAML and JSON.

use anyhow::{Context, Result};
use serde::Deserialize;
use serde_json::{Value, json};
use std::io::Read;
use std::path::{Path, PathBuf};

/// All documents of all files, in order; JSON is YAML.
pub fn read(files: &[PathBuf]) -> Result<Vec<Value>> {
    let mut documents = Vec::new();
    for file in files {
        let name = file.display();
        let text = text(file).with_context(|| format!("cannot read {name}"))?;
        for document in serde_yaml::Deserializer::from_str(&text) {
            let value = Value::deserialize(document).with_context(|| format!("{name} is not YAML"))?;
            match value {
                Value::Null => {}
                Value::Object(ref object) if object.get("kind") == Some(&json!("List")) => {
                    documents
                        .extend(object.get("items").and_then(Value::as_array).cloned().unwrap_or_default());
                }
                value => documents.push(value),
            }
        }
    }
    Ok(documents)
}

fn text(file: &Path) -> Result<String> {
    if file == Path::new("-") {
        let mut text = String::new();
        std::io::stdin().read_to_string(&mut text)?;
        return Ok(text);
    }
    Ok(std::fs::read_to_string(file)?)
}

/// One document for each object.
pub fn yaml(objects: &[Value]) -> Result<String> {
    let texts: Result<Vec<String>, _> = objects.iter().map(serde_yaml::to_string).collect();
    Ok(texts?.join("---\n"))
}

/// One List of all objects.
pub fn json(objects: &[Value]) -> Result<String> {
    let list = json!({"apiVersion": "v1", "kind": "List", "items": objects});
    Ok(format!("{}\n", serde_json::to_string_pretty(&list)?))
}
