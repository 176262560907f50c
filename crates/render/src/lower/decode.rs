//! Decodes a `spec` and finds the field that does not decode.

use crate::lower::problems::{Invalid, Problem};
use serde::de::DeserializeOwned;
use serde_json::Value;

/// Decodes the `spec` of an object.
///
/// # Errors
/// The problem with the path of its field: the smallest part without which the rest decodes, or fails elsewhere.
pub fn decode<T: DeserializeOwned>(spec: &Value) -> Result<T, Invalid> {
    let error = match serde_json::from_value::<T>(spec.clone()) {
        Ok(decoded) => return Ok(decoded),
        Err(error) => error.to_string(),
    };
    let mut path = Vec::new();
    find::<T>(spec, &error, &mut path);
    let field = path.iter().fold("spec".to_owned(), |field, step| match step {
        Step::Key(key) => format!("{field}.{key}"),
        Step::Index(index) => format!("{field}[{index}]"),
    });
    Err(Invalid(vec![Problem { field, problem: error }]))
}

/// One step into a document.
#[derive(Clone)]
enum Step {
    Key(String),
    Index(usize),
}

/// Descends into the part that causes the error: without it, the document decodes or has another error.
fn find<T: DeserializeOwned>(root: &Value, error: &str, path: &mut Vec<Step>) {
    let Some(here) = at(root, path) else { return };
    let steps: Vec<Step> = match here {
        Value::Object(map) => map.keys().cloned().map(Step::Key).collect(),
        Value::Array(items) => (0..items.len()).map(Step::Index).collect(),
        _ => return,
    };
    for step in steps {
        let mut without = root.clone();
        remove(&mut without, path, &step);
        let other = serde_json::from_value::<T>(without).err().map(|e| e.to_string());
        if other.as_deref() != Some(error) {
            // Removing a required field causes an error of its own, which does not show that the field was wrong.
            if other.as_deref().is_some_and(|text| text.starts_with("missing field"))
                && !is_leaf(root, path, &step)
            {
                continue;
            }
            path.push(step);
            return find::<T>(root, error, path);
        }
    }
}

fn at<'a>(root: &'a Value, path: &[Step]) -> Option<&'a Value> {
    path.iter().try_fold(root, |value, step| match step {
        Step::Key(key) => value.get(key),
        Step::Index(index) => value.get(index),
    })
}

fn is_leaf(root: &Value, path: &[Step], step: &Step) -> bool {
    let mut full = path.to_vec();
    full.push(step.clone());
    at(root, &full).is_some_and(|value| !value.is_object() && !value.is_array())
}

fn remove(root: &mut Value, path: &[Step], step: &Step) {
    let parent = path.iter().try_fold(root, |value, step| match step {
        Step::Key(key) => value.get_mut(key),
        Step::Index(index) => value.get_mut(index),
    });
    match (parent, step) {
        (Some(Value::Object(map)), Step::Key(key)) => {
            map.remove(key);
        }
        (Some(Value::Array(items)), Step::Index(index)) if *index < items.len() => {
            items.remove(*index);
        }
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use functionmesh_api::FunctionSpec;
    use serde_json::json;

    #[test]
    fn the_field_is_named() {
        for (spec, field) in [
            (json!({"replicas": "three"}), "spec.replicas"),
            (json!({"java": {"jar": "a", "log": {"level": "loud"}}}), "spec.java.log.level"),
            (json!({"java": {"log": {}}}), "spec.java"),
            (json!({"input": {"topics": ["a", 1]}}), "spec.input.topics[1]"),
            (json!({"pod": {"env": [{"name": "a"}, {"value": "b", "name": 1}]}}), "spec.pod.env[1].name"),
            (json!([]), "spec"),
        ] {
            let invalid = decode::<FunctionSpec>(&spec).unwrap_err();
            assert_eq!(invalid.0.first().map(|p| p.field.as_str()), Some(field), "{invalid}");
        }
        assert!(decode::<FunctionSpec>(&json!({"className": "a"})).is_ok());
    }
}
