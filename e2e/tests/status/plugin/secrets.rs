//! A text that nobody may read, wherever a secret can be: no command prints it.

use anyhow::{Result, ensure};
use e2e::shell::{command, output};
use e2e::testing::objects::{api, create, function_spec, functions};
use e2e::testing::plugin::Plugin;
use e2e::testing::{Controller, TestEnv};
use k8s_openapi::api::core::v1::Pod;
use kube::api::{Api, Patch, PatchParams, PostParams};
use serde_json::{Value, json};

/// The text. It has the form of no credential: only the place where it is makes it one.
const CANARY: &str = "c4n4ry-x7";

/// A Function with the canary in every place of its spec that may hold a secret.
fn spec() -> Value {
    let mut spec = function_spec();
    spec["java"] =
        json!({"jar": "/pulsar/a.jar", "jarLocation": format!("https://user:{CANARY}@example.com/a.jar")});
    spec["funcConfig"] = json!({"password": CANARY, "nested": {"image": CANARY}, "list": [CANARY]});
    spec["pod"] = json!({
        "env": [{"name": "PLAIN", "value": CANARY}],
        "annotations": {"note": CANARY},
        "initContainers": [{"name": "init", "image": "example.com/init:1", "env": [{"name": "A", "value": CANARY}]}],
    });
    spec["pulsar"] = json!({"pulsarConfig": "pulsar", "authSecret": "auth", "tlsSecret": "tls"});
    spec["secretsMap"] = json!({"DB": {"path": "db", "key": "password"}});
    spec
}

fn sink() -> Value {
    let mut spec = spec();
    spec["sinkConfig"] = json!({"jdbcUrl": format!("jdbc:pg://u:{CANARY}@h/d"), "apiKey": CANARY});
    if let Some(spec) = spec.as_object_mut() {
        spec.remove("funcConfig");
        spec.remove("output");
    }
    spec
}

fn object(kind: &str, name: &str, spec: &Value) -> Value {
    json!({"apiVersion": "compute.functionmesh.io/v1alpha1", "kind": kind, "metadata": {"name": name}, "spec": spec})
}

/// What the objects refer to, and what the cluster says about them.
async fn surroundings(env: &TestEnv, namespace: &str) -> Result<()> {
    let secret = |name: &str, data: Value| json!({"apiVersion": "v1", "kind": "Secret", "metadata": {"name": name}, "stringData": data});
    let event = json!({"apiVersion": "v1", "kind": "Event", "metadata": {"name": "e.1"}, "type": "Warning",
        "reason": "FailedMount", "message": format!("login failed: password={CANARY} at pulsar://u:{CANARY}@broker:6650"),
        "involvedObject": {"kind": "Pod", "name": "f-function-0", "namespace": namespace},
        "firstTimestamp": "2026-01-01T00:00:00Z", "lastTimestamp": "2026-01-01T00:00:00Z"});
    let objects = json!({"apiVersion": "v1", "kind": "List", "items": [
        secret("auth", json!({"clientAuthenticationPlugin": "p", "clientAuthenticationParameters": format!("token:{CANARY}")})),
        secret("tls", json!({"tlsTrustCertsFilePath": CANARY})),
        secret("db", json!({"password": CANARY})),
        {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "pulsar"}, "data": {
            "webServiceURL": format!("http://u:{CANARY}@broker:8080"),
            "brokerServiceURL": format!("pulsar://u:{CANARY}@broker:6650")}},
        event,
    ]});
    env.kubectl.apply(namespace, &objects.to_string())?;
    let pods: Api<Pod> = Api::namespaced(env.client.clone(), namespace);
    let pod = json!({
        "metadata": {"name": "f-function-0", "labels": {"compute.functionmesh.io/name": "f",
            "compute.functionmesh.io/component": "function", "compute.functionmesh.io/namespace": namespace}},
        "spec": {"containers": [{"name": "pulsar-function", "image": "example.com/image:1",
            "args": [CANARY], "env": [{"name": "PLAIN", "value": CANARY}]}]},
    });
    pods.create(&PostParams::default(), &serde_json::from_value(pod)?).await?;
    let ended = format!(
        "ERROR JavaInstanceRunnable - login with token:{CANARY} to pulsar://u:{CANARY}@broker:6650 failed"
    );
    let status = json!({"status": {
        "conditions": [{"type": "Ready", "status": "False", "reason": "X", "message": format!("password={CANARY}")}],
        "containerStatuses": [{"name": "pulsar-function", "image": "", "imageID": "", "ready": false, "restartCount": 1,
            "state": {"waiting": {"reason": "CrashLoopBackOff", "message": format!("secret={CANARY}")}},
            "lastState": {"terminated": {"exitCode": 1, "message": ended}}}],
    }});
    pods.patch_status("f-function-0", &PatchParams::default(), &Patch::Merge(&status)).await?;
    Ok(())
}

/// A report with everything that can be asked for: no file has the canary.
fn in_no_report(plugin: &Plugin) -> Result<()> {
    let folder = std::env::temp_dir().join(format!("report-{}", std::process::id()));
    let path = folder.display().to_string();
    plugin.run(&["report", "--instance-logs", "--directory", &path])?.expect(0, &[&path])?;
    let found = output(&mut command("grep", ["--recursive", "--count", "", &path]))?;
    let with_canary = output(&mut command("grep", ["--recursive", "--files-with-matches", CANARY, &path]));
    std::fs::remove_dir_all(&folder)?;
    for file in
        ["functions.yaml", "sinks.yaml", "pods.yaml", "events.yaml", "statefulsets.yaml", "versions.json"]
    {
        ensure!(found.contains(file), "no {file}: {found}");
    }
    // grep fails when it finds nothing.
    ensure!(with_canary.is_err(), "in {with_canary:?}");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn no_command_prints_a_secret() -> Result<()> {
    let env = TestEnv::connect().await?;
    env.prepare().await?;
    env.test("secrets", |env, namespace| async move {
        let plugin = Plugin::new(&env, &namespace);
        let _controllers = [
            Controller::start(&env, "function-controller", &namespace).await?,
            Controller::start(&env, "sink-controller", &namespace).await?,
        ];
        let functions = functions(&env, &namespace);
        create(&functions, "Function", "f", &spec()).await?;
        create(&api(&env, &namespace, "Sink", "sinks"), "Sink", "s", &sink()).await?;
        surroundings(&env, &namespace).await?;
        env.until("a diagnosis", || async {
            let f = functions.get("f").await?;
            let text = f.data["status"].to_string();
            ensure!(text.contains("<redacted>"), "{text}");
            ensure!(!text.contains(CANARY), "in the status: {text}");
            Ok(())
        })
        .await?;

        // Every value is another one, and one is refused.
        let mut changed: Value = serde_json::from_str(
            &object("Function", "f", &spec()).to_string().replace(CANARY, &format!("{CANARY}-2")),
        )?;
        changed["spec"]["pod"]["env"][0]["name"] = json!("OTHER");
        let mut refused = object("Function", "g", &spec());
        refused["spec"]["pod"]["env"][0] =
            json!({"name": "A", "value": CANARY, "valueFrom": {"fieldRef": {"fieldPath": "x"}}});
        let mut ill = object("Sink", "h", &sink());
        ill["spec"]["sinkConfig"] = json!(CANARY);
        let files = [changed, refused, ill, object("Sink", "s", &sink())];
        let mut answers = vec![
            ("plan", plugin.with_file(&["plan"], &files)?),
            ("plan -o json", plugin.with_file(&["plan", "--output=json"], &files)?),
            ("check -f", plugin.with_file(&["check"], &files[..1])?),
            ("graph -f", plugin.with_file(&["graph"], &files[..1])?),
        ];
        for words in [
            &["plan", "--all"][..],
            &["status"],
            &["status", "function", "f"],
            &["status", "--output=json"],
            &["graph"],
            &["check"],
            &["approve", "--all", "--dry-run"],
            &["doctor"],
            &["doctor", "--output=json"],
            &["top", "--interval=0"],
        ] {
            answers.push((words[0], plugin.run(words)?));
        }
        for (command, answer) in &answers {
            for (stream, text) in [("stdout", &answer.stdout), ("stderr", &answer.stderr)] {
                let at = text.lines().find(|line| line.contains(CANARY));
                ensure!(at.is_none(), "{command}, {stream}: {at:?}");
            }
            ensure!(!answer.stdout.is_empty() || answer.code != 1, "{command} did nothing: {answer:#?}");
        }
        in_no_report(&plugin)?;
        // It is there to be found.
        let stored = output(&mut env.kubectl.with([
            "get",
            "functions",
            "f",
            "--namespace",
            &namespace,
            "--output=json",
        ]))?;
        ensure!(stored.contains(CANARY), "the canary is not in the cluster");
        Ok(())
    })
    .await
}
