//! The command as a user runs it.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test may panic")]

mod common;

use common::render;

#[test]
fn a_mesh_becomes_its_components_and_their_children() {
    let sample = concat!(env!("CARGO_MANIFEST_DIR"), "/../../config/samples/functionmesh.yaml");
    let output = render(&["-f", sample, "-o", "json"], "");
    assert_eq!(output.status.code(), Some(0), "{}", String::from_utf8_lossy(&output.stderr));
    let list: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    let kinds: Vec<&str> =
        list["items"].as_array().unwrap().iter().map(|o| o["kind"].as_str().unwrap()).collect();
    let want = [
        "Function",
        "Service",
        "StatefulSet",
        "Source",
        "Service",
        "StatefulSet",
        "Sink",
        "Service",
        "StatefulSet",
    ];
    assert_eq!(kinds, want);
    assert_eq!(list["items"][2]["metadata"]["name"], "sample-exclamation-function");
}

#[test]
fn an_invalid_object_is_told_line_by_line() {
    let output = render(
        &["-f", "-"],
        "apiVersion: compute.functionmesh.io/v1alpha1\nkind: Function\nmetadata: {name: a}\nspec: {java: {jar: ''}}\n",
    );
    assert_eq!(output.status.code(), Some(1));
    assert!(output.stdout.is_empty());
    let text = String::from_utf8(output.stderr).unwrap();
    assert!(text.lines().all(|line| line.starts_with("function/a: spec.")), "{text}");
    assert!(text.lines().any(|line| line.starts_with("function/a: spec.java.jar: ")), "{text}");
}

#[test]
fn unreadable_input_is_something_else() {
    assert_eq!(render(&["-f", "/does/not/exist"], "").status.code(), Some(2));
    assert_eq!(render(&["-f", "-"], "a: [").status.code(), Some(2));
}

/// Rules that hold when an object is created, as the API server has them.
#[test]
fn what_the_api_server_would_refuse_is_refused() {
    let object = |spec: &str| {
        format!(
            "apiVersion: compute.functionmesh.io/v1alpha1\nkind: Sink\nmetadata: {{name: a}}\nspec: {{className: C, input: {{topics: [t]}}, sinkConfig: {{}}, \
             pulsar: {{pulsarConfig: p}}, java: {{jar: j, jarLocation: 'function://a/b/c'}}, {spec}}}\n"
        )
    };
    for (spec, field) in [
        ("replicas: 5, maxReplicas: 3", "spec.maxReplicas"),
        ("replicas: 0, maxReplicas: 3", "spec.replicas"),
        ("minReplicas: 0", "spec.minReplicas"),
        ("replicas: 2, minReplicas: 3", "spec.minReplicas"),
        ("resources: {limits: {memory: 0}}", "spec.resources.limits.memory"),
        ("java: {jar: j, jarLocation: legacy/path/x}", "spec.java.jarLocation"),
        ("processingGuarantee: twice", "spec.processingGuarantee"),
    ] {
        let spec = if spec.starts_with("java") {
            object("replicas: 1").replace("java: {jar: j, jarLocation: 'function://a/b/c'}", spec)
        } else {
            object(spec)
        };
        let output = render(&["-f", "-"], &spec);
        assert_eq!(output.status.code(), Some(1), "{spec}");
        let text = String::from_utf8(output.stderr).unwrap();
        let refusal = text.lines().find(|line| !line.starts_with("Warning: ")).unwrap_or_default();
        assert!(refusal.starts_with(&format!("sink/a: {field}: ")), "{text}");
    }
    assert_eq!(render(&["-f", "-"], object("replicas: 0")).status.code(), Some(0));
}

/// A BackendConfig counts for its namespace, and the global one for all.
#[test]
fn backend_configs_of_the_input_count() {
    let input = "apiVersion: compute.functionmesh.io/v1alpha1\nkind: BackendConfig\nmetadata: {name: backend-config, namespace: one}\nspec: {env: {A: namespaced}}\n---\n\
                 apiVersion: compute.functionmesh.io/v1alpha1\nkind: BackendConfig\nmetadata: {name: everywhere, namespace: ops}\nspec: {env: {A: global, B: global}}\n---\n\
                 apiVersion: compute.functionmesh.io/v1alpha1\nkind: Function\nmetadata: {name: f, namespace: one}\nspec: {className: C, input: {topics: [t]}, \
                 pulsar: {pulsarConfig: p}, java: {jar: j}}\n";
    let flags = [
        "-f",
        "-",
        "-o",
        "json",
        "--global-backend-config=everywhere",
        "--global-backend-config-namespace=ops",
    ];
    let output = render(&flags, input);
    let list: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    let env = &list["items"][1]["spec"]["template"]["spec"]["containers"][0]["env"];
    assert_eq!((&env[0]["value"], &env[1]["value"]), (&"namespaced".into(), &"global".into()));
    // Offline there is no release, so its namespace is not needed, as long as it is clear which one is meant.
    let named = ["-f", "-", "-o", "json", "--global-backend-config=everywhere"];
    assert_eq!(render(&named, input).stdout, output.stdout);
    let second = "---\napiVersion: compute.functionmesh.io/v1alpha1\nkind: BackendConfig\nmetadata: {name: everywhere, namespace: default}\nspec: {}\n";
    let unclear = render(&named, format!("{input}{second}"));
    assert_eq!(unclear.status.code(), Some(1));
    let text = String::from_utf8(unclear.stderr).unwrap();
    assert!(text.starts_with("BackendConfig/everywhere: in the namespaces default and ops; "), "{text}");
    let wrong = render(
        &["-f", "-"],
        "apiVersion: compute.functionmesh.io/v1alpha1\nkind: BackendConfig\nmetadata: {name: b}\nspec: {env: {A: [1]}}\n",
    );
    assert_eq!(wrong.status.code(), Some(1));
    assert!(String::from_utf8(wrong.stderr).unwrap().starts_with("backendconfig/b: spec.env.A: "));
    let label = "apiVersion: compute.functionmesh.io/v1alpha1\nkind: BackendConfig\nmetadata: {name: b}\nspec: {pod: {labels: {a: b c}}}\n";
    let wrong = render(&["-f", "-"], label);
    assert!(String::from_utf8(wrong.stderr).unwrap().starts_with("backendconfig/b: spec.pod.labels.a: "));
}

#[test]
fn a_wrong_configuration_file_is_unreadable_input() {
    let sample = concat!(env!("CARGO_MANIFEST_DIR"), "/../../config/samples/function.yaml");
    let output = render(&["-f", sample, "--config", "/does/not/exist"], "");
    assert_eq!((output.status.code(), output.stdout.len()), (Some(2), 0));
}
