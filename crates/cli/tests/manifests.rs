//! Manifests as people write them: read as kubectl reads them, with the same values and the same refusals.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test may panic")]

mod common;

use serde_json::{Value, json};
use std::path::{Path, PathBuf};

const VERSION: &str = "apiVersion: compute.functionmesh.io/v1alpha1";
const SPEC: &str = "{className: C, input: {topics: [t]}, pulsar: {pulsarConfig: p}, java: {jar: j}}";

struct Rendered {
    code: Option<i32>,
    objects: Vec<Value>,
    said: String,
}

fn render(arguments: &[&str], input: impl AsRef<[u8]>) -> Rendered {
    let output = common::render(&[&["-o", "json"], arguments].concat(), input);
    let list: Value = serde_json::from_slice(&output.stdout).unwrap_or_default();
    Rendered {
        code: output.status.code(),
        objects: list["items"].as_array().cloned().unwrap_or_default(),
        said: String::from_utf8(output.stderr).unwrap(),
    }
}

fn function(name: &str) -> String {
    format!("{VERSION}\nkind: Function\nmetadata: {{name: {name}}}\nspec: {SPEC}\n")
}

/// Names of the StatefulSets.
fn sets(rendered: &Rendered) -> Vec<&str> {
    let sets = rendered.objects.iter().filter(|object| object["kind"] == "StatefulSet");
    sets.map(|set| set["metadata"]["name"].as_str().unwrap()).collect()
}

/// A folder of files that goes when the test ends.
struct Folder(PathBuf);

impl Folder {
    fn new(name: &str, files: &[(&str, &str)]) -> Self {
        let folder = std::env::temp_dir().join(format!("fmesh-{name}-{}", std::process::id()));
        for (file, text) in files {
            let file = folder.join(file);
            std::fs::create_dir_all(file.parent().unwrap()).unwrap();
            std::fs::write(file, text).unwrap();
        }
        Self(folder)
    }

    fn path(&self) -> &str {
        self.0.to_str().unwrap()
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

#[test]
fn other_kinds_are_passed_over_or_shown() {
    let others = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: c}\n---\n\
                  apiVersion: serverless.kyma-project.io/v1alpha2\nkind: Function\nmetadata: {name: k}\n---\n";
    let rendered = render(&["-f", "-"], format!("{others}{}", function("f")));
    assert_eq!((rendered.code, sets(&rendered)), (Some(0), vec!["f-function"]), "{}", rendered.said);
    assert_eq!(rendered.said, "ignored, not kinds of Function Mesh: 1 ConfigMap, 1 Function\n");
    let shown = render(&["-f", "-", "--show-others"], format!("{others}{}", function("f")));
    assert_eq!((shown.objects.len(), shown.said.as_str()), (4, ""));
    assert_eq!(shown.objects[0]["kind"], "ConfigMap");
}

#[test]
fn a_version_or_kind_that_no_cluster_has_is_refused() {
    for (object, said) in [
        (function("f").replace("v1alpha1", "v1"), "no matches for kind \"Function\" in version"),
        (
            function("f").replace("kind: Function", "kind: Functoin"),
            "no matches for kind \"Functoin\" in version",
        ),
        (function("f").replace(VERSION, ""), "function/f: apiVersion: must be set"),
        (function("f").replace("kind: Function", ""), "?/f: kind: must be set"),
    ] {
        let rendered = render(&["-f", "-"], object);
        assert_eq!(rendered.code, Some(1));
        assert!(rendered.said.contains(said), "{}", rendered.said);
    }
}

#[test]
fn unknown_fields_and_wrong_shapes_are_refused() {
    let misspelt = function("f").replace("className: C", "className: C, MaxPending: 5");
    let rendered = render(&["-f", "-"], &misspelt);
    assert_eq!((rendered.code, rendered.objects.len()), (Some(1), 0));
    assert_eq!(rendered.said, "function/f: unknown field \"spec.MaxPending\"\n");
    let warned = render(&["-f", "-", "--validate=warn"], &misspelt);
    assert_eq!((warned.code, sets(&warned).len()), (Some(0), 1));
    assert_eq!(warned.said, "Warning: function/f: unknown field \"spec.MaxPending\"\n");
    let ignored = render(&["-f", "-", "--validate=ignore"], &misspelt);
    assert_eq!((ignored.code, sets(&ignored).len(), ignored.said.as_str()), (Some(0), 1, ""));
    let mesh =
        format!("{VERSION}\nkind: FunctionMesh\nmetadata: {{name: m}}\nspec: {{sinks: {{name: es}}}}\n");
    let rendered = render(&["-f", "-"], &mesh);
    assert_eq!(rendered.code, Some(1));
    let expected =
        "functionmesh/m: spec.sinks: Invalid value: \"object\": spec.sinks in body must be of type array";
    assert!(rendered.said.starts_with(expected), "{}", rendered.said);
}

#[test]
fn settings_that_kubectl_apply_warns_about_are_named() {
    let guarantee = function("f")
        .replace("className: C", "className: C, processingGuarantee: effectively_once, output: {topic: o}");
    let rendered = render(&["-f", "-"], &guarantee);
    assert_eq!((rendered.code, sets(&rendered).len()), (Some(0), 1), "{}", rendered.said);
    let begins =
        "Warning: function/f: spec.processingGuarantee: effectively_once with an output: of the outputs";
    assert!(rendered.said.starts_with(begins), "{}", rendered.said);
    let mesh = format!(
        "{VERSION}\nkind: FunctionMesh\nmetadata: {{name: m}}\nspec:\n  functions:\n  - {{name: a, className: C, input: \
         {{topics: [t]}}, pulsar: {{pulsarConfig: p}}, golang: {{go: g}}, windowConfig: {{windowLengthCount: 5}}}}\n"
    );
    let rendered = render(&["-f", "-"], &mesh);
    assert_eq!(rendered.code, Some(0), "{}", rendered.said);
    let begins = "Warning: functionmesh/m: spec.functions[0]: spec.windowConfig has no effect in Go";
    assert!(rendered.said.starts_with(begins), "{}", rendered.said);
}

#[test]
fn values_are_those_of_kubectl() {
    let config = "{umask: 0400, on: yes, under: 1_000, port: 0x1F90, ratio: 1.0, date: 2024-01-02, big: \
                  9007199254740993, text: 'yes', tilde: ~}";
    let mesh = format!(
        "{VERSION}\nkind: FunctionMesh\nmetadata: {{name: m}}\nspec:\n  functions:\n  - &base\n    name: a\n    \
         className: C\n    input: {{topics: [t]}}\n    pulsar: {{pulsarConfig: p}}\n    java: {{jar: j}}\n    \
         funcConfig: {config}\n  - {{<<: *base, name: b}}\n"
    );
    let rendered = render(&["-f", "-"], format!("\u{feff}{mesh}"));
    assert_eq!(rendered.code, Some(0), "{}", rendered.said);
    let functions: Vec<&Value> = rendered.objects.iter().filter(|o| o["kind"] == "Function").collect();
    let expected = json!({"umask": 256, "true": true, "under": 1000, "port": 8080, "ratio": 1,
        "date": "2024-01-02", "big": 9_007_199_254_740_993_u64, "text": "yes", "tilde": null});
    for function in functions {
        assert_eq!(function["spec"]["funcConfig"], expected);
    }
}

#[test]
fn lists_and_several_json_documents_are_read() {
    let one = |name: &str| {
        json!({"apiVersion": "compute.functionmesh.io/v1alpha1", "kind": "Function",
            "metadata": {"name": name, "namespace": "x"}, "spec": {"className": "C", "input": {"topics": ["t"]},
                "pulsar": {"pulsarConfig": "p"}, "java": {"jar": "j"}}})
    };
    let list = json!({"apiVersion": "compute.functionmesh.io/v1alpha1", "kind": "FunctionList",
        "items": [one("b"), one("c")]});
    let rendered = render(&["-f", "-"], format!("{}\n{list}\n", one("a")));
    assert_eq!(sets(&rendered), ["a-function", "b-function", "c-function"], "{}", rendered.said);
}

#[test]
fn folders_are_read_as_kubectl_reads_them() {
    let (a, b, c) = (function("a"), function("b"), function("c"));
    let files = [("2.yaml", &*b), ("1.yml", &*a), ("notes.txt", "nothing: ["), ("in/3.yaml", &*c)];
    let folder = Folder::new("folder", &files);
    assert_eq!(sets(&render(&["-f", folder.path()], "")), ["a-function", "b-function"]);
    let all = render(&["-R", "-f", folder.path()], "");
    assert_eq!(sets(&all), ["a-function", "b-function", "c-function"]);
}

#[test]
fn the_namespace_of_the_command_line_counts_where_there_is_none() {
    let named = function("g").replace("{name: g}", "{name: g, namespace: other}");
    let rendered = render(&["-n", "prod", "-f", "-"], format!("{}---\n{named}", function("f")));
    let namespaces: Vec<&Value> = rendered.objects.iter().map(|o| &o["metadata"]["namespace"]).collect();
    assert_eq!(namespaces, ["prod", "prod", "other", "other"]);
}

#[test]
fn what_cannot_be_read_says_what_to_do() {
    let url = render(&["-f", "https://example.com/f.yaml"], "");
    assert_eq!(url.code, Some(2));
    assert!(
        url.said.contains("curl -fL https://example.com/f.yaml | kubectl fmesh render -f -"),
        "{}",
        url.said
    );
    let broken = render(&["-f", "-"], "a: 1\nb: [\n");
    assert_eq!(broken.code, Some(2));
    assert!(broken.said.starts_with("- is neither YAML nor JSON: "), "{}", broken.said);
    assert_eq!(render(&[], "").code, Some(2));
    assert!(!Path::new("/does/not/exist").exists());
}
