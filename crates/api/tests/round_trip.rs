//! User content survives decoding and encoding: every field, the samples, and the recorded objects of a corpus.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic, reason = "a test")]

mod manifest;

use functionmesh_api::{Function, crds};
use manifest::{documents, repository, round_trip};
use serde_json::{Map, Value, json};
use std::path::{Path, PathBuf};

/// The fields that are specific to a kind.
const NOT_IN_SOURCE: &[&str] = &[
    "autoAck",
    "cleanupSubscription",
    "deadLetterTopic",
    "funcConfig",
    "input",
    "maxMessageRetry",
    "maxPendingAsyncRequests",
    "persistentVolumeClaimRetentionPolicy",
    "retainKeyOrdering",
    "retainOrdering",
    "sinkConfig",
    "skipToLatest",
    "subscriptionName",
    "subscriptionPosition",
    "timeout",
    "volumeClaimTemplates",
    "windowConfig",
];
const NOT_IN_SINK: &[&str] = &[
    "forwardSourceMessageProperty",
    "funcConfig",
    "maxPendingAsyncRequests",
    "output",
    "persistentVolumeClaimRetentionPolicy",
    "skipToLatest",
    "sourceConfig",
    "volumeClaimTemplates",
    "windowConfig",
];

/// Objects with every field, of every kind.
fn every_field() -> Vec<Value> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/every-field");
    let function = documents(&folder.join("function.yaml")).remove(0);
    let spec = function["spec"].as_object().unwrap();
    let without = |fields: &[&str], more: Value| {
        let mut spec: Map<String, Value> = spec.clone();
        spec.retain(|field, _| !fields.contains(&field.as_str()));
        spec.extend(more.as_object().unwrap().clone());
        Value::from(spec)
    };
    let source = without(
        NOT_IN_SOURCE,
        json!({"sourceType": "kafka", "sourceConfig": {"a": [1, null, {"b": 0.5}]},
               "batchSourceConfig": spec["sourceConfig"]["batchSourceConfig"]}),
    );
    let sink = without(
        NOT_IN_SINK,
        json!({"sinkType": "jdbc", "sinkConfig": {"a": [1, null, {"b": 0.5}]}, "negativeAckRedeliveryDelayMs": 7}),
    );
    let object = |kind: &str, spec: Value| json!({"apiVersion": "compute.functionmesh.io/v1alpha1", "kind": kind, "metadata": {"name": "x"}, "spec": spec});
    let mesh = json!({"functions": [spec], "sources": [source], "sinks": [sink]});
    let backend_config = documents(&folder.join("backendconfig.yaml")).remove(0);
    vec![
        object("Source", source),
        object("Sink", sink),
        object("FunctionMesh", mesh),
        backend_config,
        function,
    ]
}

#[test]
fn every_field_survives() {
    for object in every_field() {
        let spec = round_trip(&object).unwrap().unwrap();
        // Both ways: a `null` inside a free-form object is kept as well.
        let kind = object["kind"].as_str().unwrap();
        assert_lost_nothing(&object["spec"], &spec, kind);
        assert_lost_nothing(&spec, &object["spec"], kind);
    }
}

/// The fields of Function Mesh that a schema declares and a value does not set.
fn unused(schema: &Value, value: &Value, path: &str, out: &mut Vec<String>) {
    let Some(fields) = schema["properties"].as_object() else {
        let (inner, values) = match value {
            Value::Array(items) => (&schema["items"], items.first()),
            Value::Object(values) => (&schema["additionalProperties"], values.values().next()),
            _ => return,
        };
        if let Some(value) = values {
            unused(inner, value, &format!("{path}[]"), out);
        }
        return;
    };
    for (field, schema) in fields {
        match value.get(field) {
            None => out.push(format!("{path}.{field}")),
            // Fields without a description belong to Kubernetes, and so does everything below.
            Some(value) if schema["properties"].as_object().is_none_or(described) => {
                unused(schema, value, &format!("{path}.{field}"), out);
            }
            Some(_) => {}
        }
    }
}

fn described(fields: &Map<String, Value>) -> bool {
    fields.values().all(|field| field.get("description").is_some())
}

#[test]
fn every_field_is_really_every_field() {
    let schemas = serde_json::to_value(crds()).unwrap();
    let objects = every_field();
    for crd in schemas.as_array().unwrap() {
        let kind = &crd["spec"]["names"]["kind"];
        let root = &crd["spec"]["versions"][0]["schema"]["openAPIV3Schema"];
        let object = objects.iter().find(|o| &o["kind"] == kind).unwrap();
        let mut missing = Vec::new();
        unused(&root["properties"]["spec"], &object["spec"], "spec", &mut missing);
        // Those below lists and maps of Kubernetes types are theirs; those below a BackendConfig's pod are tested with
        // the Function.
        let ours = |path: &String| {
            !["affinity", "tolerations", "volumes", "initContainers", "sidecars", "env", "imagePullSecrets"]
                .iter()
                .chain(&["autoScalingMetrics", "volumeMounts", "volumeClaimTemplates"])
                .any(|core| path.contains(&format!(".{core}[]")))
        };
        missing.retain(|path| ours(path) && !(kind == "BackendConfig" && path.starts_with("spec.pod.")));
        assert!(missing.is_empty(), "{kind}: {missing:?}");
    }
}

#[test]
fn odd_spellings_and_numbers_for_quantities_are_read() {
    let function: Function = serde_json::from_value(json!({
        "apiVersion": "compute.functionmesh.io/v1alpha1", "kind": "Function", "metadata": {"name": "x"},
        "spec": {"imageHasGet": true, "java": {"jar": "x", "log": null, "unknown": 1}, "input": null,
                 "windowConfig": {"windowLengthCount": 5}, "unknown": {"a": 1},
                 "resources": {"limits": {"cpu": 1, "memory": 0.5}, "requests": {"cpu": "100m"}}}
    }))
    .unwrap();
    let spec = function.spec;
    assert_eq!(spec.common.image_has_get, Some(true));
    assert_eq!(spec.common.min_replicas, Some(1), "the default of the schema");
    assert_eq!(spec.consumption.input, None);
    assert_eq!(spec.window_config.unwrap().actual_window_function_class_name, "");
    let limits = spec.common.resources.unwrap().limits.unwrap();
    assert_eq!((limits["cpu"].0.as_str(), limits["memory"].0.as_str()), ("1", "0.5"));
}

fn manifests(folder: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(folder).unwrap_or_else(|e| panic!("{}: {e}", folder.display()));
    let mut paths: Vec<PathBuf> = entries.map(|entry| entry.unwrap().path()).collect();
    paths.retain(|path| path.extension().is_some_and(|extension| extension == "yaml"));
    paths
}

#[test]
fn the_samples_decode() {
    let mut kinds = Vec::new();
    for path in manifests(&repository("config/samples")) {
        for object in documents(&path) {
            if let Some(result) = round_trip(&object) {
                let spec = result.unwrap_or_else(|e| panic!("{}: {e}", path.display()));
                assert_lost_nothing(&object["spec"], &spec, &path.display().to_string());
                kinds.push(object["kind"].as_str().unwrap().to_owned());
            }
        }
    }
    kinds.sort();
    kinds.dedup();
    assert_eq!(kinds, ["BackendConfig", "Function", "FunctionMesh", "Sink", "Source"]);
}

/// `FUNCTIONMESH_CORPUS` is a folder with `public/<suite>/<case>/{input.yaml,meta.json}`.
#[test]
fn a_corpus_decodes() {
    let Some(corpus) = std::env::var_os("FUNCTIONMESH_CORPUS") else { return };
    let mut cases = 0;
    for suite in std::fs::read_dir(Path::new(&corpus).join("public")).unwrap() {
        for case in std::fs::read_dir(suite.unwrap().path()).unwrap() {
            let case = case.unwrap().path();
            let meta: Value =
                serde_json::from_slice(&std::fs::read(case.join("meta.json")).unwrap()).unwrap();
            if meta["kind"] == "invalid" {
                continue;
            }
            for object in documents(&case.join("input.yaml")) {
                if let Some(result) = round_trip(&object) {
                    let spec = result.unwrap_or_else(|e| panic!("{}: {e}", case.display()));
                    assert_lost_nothing(&object["spec"], &spec, &case.display().to_string());
                    cases += 1;
                }
            }
        }
    }
    assert!(cases > 0, "no case in {}", corpus.display());
}

/// Everything of `before` is in `after`; `null` equals absence, and a number may have become the text of a quantity.
fn assert_lost_nothing(before: &Value, after: &Value, path: &str) {
    match (before, after) {
        (Value::Object(before), Value::Object(after)) => {
            for (key, value) in before {
                let path = format!("{path}.{key}");
                match after.get(key) {
                    Some(other) => assert_lost_nothing(value, other, &path),
                    None => assert!(value.is_null(), "{path} is lost"),
                }
            }
        }
        (Value::Array(before), Value::Array(after)) => {
            assert_eq!(before.len(), after.len(), "{path}");
            before.iter().zip(after).for_each(|(b, a)| assert_lost_nothing(b, a, path));
        }
        (Value::Number(number), Value::String(text)) => {
            assert_eq!(number.as_f64(), text.parse().ok(), "{path}");
        }
        _ => assert_eq!(before, after, "{path}"),
    }
}
