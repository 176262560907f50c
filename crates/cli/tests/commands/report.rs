//! `report`: everything is there and no secret.

use super::fake::Fake;
use super::objects::{CANARY, cluster, controller, pod};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::Command;

fn fake() -> Fake {
    let event = |name: &str, text: String| {
        json!({"apiVersion": "v1", "kind": "Event", "metadata": {"name": name, "namespace": "demo"}, "message": text,
            "involvedObject": {"kind": "Pod", "name": "enrich-function-0"}})
    };
    let mut manager = pod("manager", 0);
    manager["metadata"]["name"] = json!("function-controller-1");
    manager["metadata"]["namespace"] = json!("fm");
    cluster(
        Fake::new()
            .lists("events", &[
                event("e1", format!("login with password={CANARY}")),
                // Without anything that makes it a secret: a value of the object tells.
                event("e2", format!("the program said {CANARY}")),
            ])
            .lists("get --ignore-not-found --output=json pods --all-namespaces --selector=app.kubernetes.io/part-of", &[manager])
            .lists("leases", &[])
            .lists("services --selector", &[])
            .forbids("horizontalpodautoscalers")
            .fails("verticalpodautoscalers", r#"error: the server doesn'"'"'t have a resource type"#)
            .lists("controllerrevisions", &[revision()])
            .lists("jobs.batch", &[])
            .answers("logs function-controller-1 *--previous", "panic at the end\n")
            .answers("logs function-controller-1", &format!("reconciled with {CANARY} and token:{CANARY}\n"))
            .answers("logs enrich-function-0", &format!("connecting to pulsar://u:{CANARY}@broker:6650 with {CANARY}\n"))
            .answers("pods/function-controller-1:8080/proxy/metrics", "function_mesh_reconciles_total 5\n")
            .answers("pods/enrich-function-0:9094/proxy/metrics", &format!("pulsar_function_user_exception{{error=\"{CANARY}\"}} 1\n"))
            .answers("get --raw /version", "{\"gitVersion\": \"v1.37.0\"}"),
    )
}

/// One that has the canary where the pod template is.
fn revision() -> Value {
    let pod = pod("enrich", 0);
    json!({"apiVersion": "apps/v1", "kind": "ControllerRevision", "metadata": {"name": "enrich-function-5d", "namespace": "demo"},
        "revision": 2, "data": {"spec": {"template": {"spec": pod["spec"]}}}})
}

/// All files of a folder, by name.
fn files(folder: &Path) -> BTreeMap<String, String> {
    let mut found = BTreeMap::new();
    let mut open = vec![folder.to_owned()];
    while let Some(path) = open.pop() {
        for entry in fs::read_dir(&path).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                open.push(path);
            } else {
                let name = path.strip_prefix(folder).unwrap().display().to_string();
                found.insert(name, fs::read_to_string(&path).unwrap());
            }
        }
    }
    found
}

#[test]
fn a_folder_has_everything_but_secrets() {
    let fake = fake();
    let answer = fake.run(&["report", "-n", "demo", "--directory", "out", "--instance-logs"]);
    assert_eq!(answer.code, Some(0), "{answer:#?}");
    let folder = fake.folder().join("out");
    assert_eq!(fs::metadata(&folder).unwrap().permissions().mode() & 0o777, 0o700, "others may not read it");
    let files = files(&folder);
    let names: Vec<&str> = files.keys().map(String::as_str).collect();
    assert_eq!(
        names,
        [
            "README.md",
            "controllers/deployments.yaml",
            "controllers/logs/function-controller-1.log",
            "controllers/logs/function-controller-1.previous.log",
            "controllers/metrics/function-controller-1.txt",
            "controllers/pods.yaml",
            "demo/controllerrevisions.yaml",
            "demo/events.yaml",
            "demo/functions.yaml",
            "demo/logs/enrich-function-0.log",
            "demo/logs/enrich-function-0.previous.log",
            "demo/metrics/enrich-function-0.txt",
            "demo/pods.yaml",
            "demo/statefulsets.yaml",
            "versions.json",
        ]
    );
    for (name, text) in &files {
        assert!(!text.contains(CANARY), "{name}: {text}");
    }
    for (name, text) in [
        ("README.md", "horizontalpodautoscalers.autoscaling: Error from server (Forbidden)"),
        ("controllers/deployments.yaml", "--watched-namespace="),
        ("controllers/logs/function-controller-1.log", "reconciled with <removed> and token:<redacted>"),
        ("demo/controllerrevisions.yaml", "revision: 2"),
        ("demo/events.yaml", "the program said <removed>"),
        ("demo/functions.yaml", "reason: AllReplicasAvailable"),
        ("demo/logs/enrich-function-0.log", "pulsar://<redacted>@broker:6650"),
        ("versions.json", "\"version\": \"0.1.0\""),
    ] {
        assert!(files[name].contains(text), "{name} has no {text:?}: {}", files[name]);
    }
    assert!(!files["README.md"].contains("verticalpodautoscalers"), "a kind that is not installed is no gap");
    for call in fake.calls() {
        assert!(!call.contains("secret") && !call.contains("configmap"), "{call}");
    }
    // Nothing is overwritten.
    let again = fake.run(&["report", "--directory", "out"]);
    assert!(again.code == Some(1) && again.stderr.contains("exists"), "{again:#?}");
}

#[test]
fn an_archive_takes_the_place_of_the_folder() {
    let fake = fake();
    let answer = fake.run(&["report", "--directory", "out", "--archive"]);
    assert_eq!(answer.code, Some(0), "{answer:#?}");
    assert!(!fake.folder().join("out").exists());
    let listed = Command::new("tar").arg("-tzf").arg(fake.folder().join("out.tar.gz")).output().unwrap();
    let names = String::from_utf8(listed.stdout).unwrap();
    assert!(names.contains("out/demo/functions.yaml") && !names.contains("enrich-function-0.log"), "{names}");
}

#[test]
fn other_deployments_are_left_out() {
    let other: Value = json!({"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "shop", "namespace": "demo"},
        "spec": {"template": {"spec": {"containers": [{"name": "shop", "image": "shop:1"}]}}}});
    let fake = Fake::new().lists("deployments.apps", &[other, controller("sink", "")]);
    let fake = cluster(
        fake.lists("leases", &[]).lists("events", &[]).lists("services", &[]).lists("horizontal", &[]),
    );
    assert_eq!(fake.run(&["report", "--directory", "out"]).code, Some(0));
    let text = &files(&fake.folder().join("out"))["controllers/deployments.yaml"];
    assert!(text.contains("sink-controller") && !text.contains("shop"), "{text}");
}
