//! Settings that a runtime does not support are refused, or cause a warning, as the table says; stored objects keep running.

use crate::specs::{plural, spec};
use anyhow::{Context, Result, bail, ensure};
use e2e::testing::fake_statefulset_controller::FakeStatefulSetController;
use e2e::testing::objects::{AVAILABLE, create, functions, merge, until_condition, until_ready};
use e2e::testing::{Controller, TestEnv};
use functionmesh_api::Kind;
use functionmesh_api::settings::{Rule, refused, rules, warned};
use kube::ResourceExt;
use kube::client::Body;
use serde::Deserialize;
use serde_json::{Value, json};
use std::collections::BTreeSet;

/// One case of the table.
#[derive(Deserialize)]
struct Case {
    kinds: Vec<String>,
    spec: Value,
    #[serde(default)]
    refused: String,
    #[serde(default)]
    warned: String,
}

/// The API server's response to a dry run of a creation: its refusal, and its warnings.
async fn answer(
    env: &TestEnv,
    namespace: &str,
    kind: &str,
    spec: &Value,
) -> Result<(Option<String>, String)> {
    let plural = plural(kind)?;
    let object = json!({"apiVersion": "compute.functionmesh.io/v1alpha1", "kind": kind,
        "metadata": {"name": "new", "namespace": namespace}, "spec": spec});
    let path = format!("/apis/compute.functionmesh.io/v1alpha1/namespaces/{namespace}/{plural}?dryRun=All");
    let request = http::Request::post(path)
        .header("Content-Type", "application/json")
        .body(Body::from(serde_json::to_vec(&object)?))?;
    let response = env.client.send(request).await?;
    let warnings: Vec<String> = response
        .headers()
        .get_all("warning")
        .iter()
        .filter_map(|value| value.to_str().ok().map(str::to_owned))
        .collect();
    let status = response.status().as_u16();
    let body: Value = serde_json::from_slice(&response.into_body().collect_bytes().await?)?;
    match status {
        201 => Ok((None, warnings.join("\n"))),
        422 => Ok((Some(body["message"].as_str().unwrap_or_default().to_owned()), warnings.join("\n"))),
        _ => bail!("{status}: {body}"),
    }
}

/// Waits until the last of the policies is in force.
async fn in_force(env: &TestEnv, namespace: &str) -> Result<()> {
    let probe = spec("Function", &json!({"timeout": 5, "runtimeFlags": "a"}));
    env.until("policies", || async {
        let (refusal, warnings) = answer(env, namespace, "Function", &probe).await?;
        ensure!(refusal.is_some() && warnings.contains("runtimeFlags"), "{refusal:?} {warnings}");
        let mut item = probe.clone();
        item["name"] = "a".into();
        let mesh = json!({"functions": [item]});
        let (refusal, warnings) = answer(env, namespace, "FunctionMesh", &mesh).await?;
        ensure!(refusal.is_some() && warnings.contains("runtimeFlags"), "{refusal:?} {warnings}");
        Ok(())
    })
    .await
}

/// Each rule of the table has a case, and the API server agrees with the table, about objects and items of meshes.
#[tokio::test(flavor = "multi_thread")]
async fn each_setting_is_refused_or_warned_of_as_the_table_says() -> Result<()> {
    let env = TestEnv::connect().await?;
    env.prepare().await?;
    env.test("settings", |env, namespace| async move {
        in_force(&env, &namespace).await?;
        let rules = rules();
        let (mut wrong, mut covered) = (Vec::new(), BTreeSet::new());
        let cases: Vec<Case> = serde_yaml::from_str(include_str!("settings.yaml"))?;
        for case in &cases {
            for kind in Kind::ALL.into_iter().filter(|kind| case.kinds.contains(&kind.name().to_owned())) {
                let spec = spec(kind.name(), &case.spec);
                let (expected, warned) = (refused(kind, &spec), warned(kind, &spec));
                covered.extend((0..rules.len()).filter(|i| rules[*i].applies(kind, &spec)));
                let mut item = spec.clone();
                item["name"] = "item".into();
                for (whose, (refusal, warnings)) in [
                    ("", answer(&env, &namespace, kind.name(), &spec).await?),
                    (
                        "mesh: ",
                        answer(&env, &namespace, "FunctionMesh", &json!({kind.plural(): [item]})).await?,
                    ),
                ] {
                    let mut problem =
                        |text: String| wrong.push(format!("{whose}{}: {}: {text}", kind.name(), case.spec));
                    let said = refusal.clone().unwrap_or_default();
                    if refusal.is_some() == expected.is_empty() || !said.contains(&case.refused) {
                        problem(format!("{refusal:?}, not {expected:?} with {:?}", case.refused));
                    }
                    // A refusal names the first of several settings.
                    if !expected.is_empty() && !expected.iter().any(|text| said.contains(text)) {
                        problem(format!("{said}, not {expected:?}"));
                    }
                    let quoted = warnings.replace("\\\"", "\"");
                    let said_of = |rule: &&Rule| !rule.is_refused() && quoted.contains(&rule.message());
                    let found = rules.iter().filter(said_of).count();
                    if found != warned.len() || !warned.iter().all(|text| quoted.contains(text)) {
                        problem(format!("warned {warnings:?}, not {warned:?}"));
                    }
                    if !warnings.contains(&case.warned) {
                        problem(format!("warned {warnings:?}, not {:?}", case.warned));
                    }
                }
            }
        }
        let missing = (0..rules.len()).filter(|i| !covered.contains(i)).map(|i| rules[i].message());
        wrong.extend(missing.map(|rule| format!("no case: {rule}")));
        ensure!(wrong.is_empty(), "{} wrong:\n{}", wrong.len(), wrong.join("\n"));
        Ok(())
    })
    .await
}

/// Stored before the rule existed: the object keeps running, reports it, other fields can be edited, and no other setting can
/// become as dangerous.
#[tokio::test(flavor = "multi_thread")]
async fn stored_objects_keep_running_and_report_unsafe_settings() -> Result<()> {
    const UNSAFE: &str = "UnsafeSettings";
    let env = TestEnv::connect().await?;
    env.prepare().await?;
    env.test("stored", |env, namespace| async move {
        in_force(&env, &namespace).await?;
        let _statefulset_controller = FakeStatefulSetController::start(&env, &namespace);
        let functions = functions(&env, &namespace);
        let mut stored = spec("Function", &json!({"replicas": 1, "image": "example.com/image:1"}));
        create(&functions, "Function", "f", &stored).await?;
        stored["timeout"] = 500.into();
        env.etcd()?.rewrite("functions", &namespace, "f", |function| {
            function["spec"]["timeout"] = 500.into();
        })?;
        let _controller = Controller::start(&env, "function-controller", &namespace).await?;
        until_ready(&env, &functions, "f", AVAILABLE).await?;
        let said = until_condition(&env, &functions, "f", UNSAFE, ("True", "SettingsRefused")).await?;
        ensure!(said.contains("spec.timeout: 1 to 999"), "{said}");
        merge(&functions, "f", json!({"spec": {"image": "example.com/image:2"}}))
            .await
            .context("an edit elsewhere")?;
        let answer = merge(&functions, "f", json!({"spec": {"timeout": 400}})).await;
        ensure!(answer.is_err(), "another value that is refused was stored");
        let answer = merge(&functions, "f", json!({"spec": {"maxPendingAsyncRequests": 0}})).await;
        ensure!(answer.is_err(), "another setting that is refused was stored");
        merge(&functions, "f", json!({"spec": {"timeout": 5000}})).await.context("a fix")?;
        env.until("no condition", || async {
            let function = functions.get("f").await?;
            let conditions = function.data["status"]["conditions"].to_string();
            ensure!(!conditions.contains(UNSAFE), "{conditions} {:?}", function.resource_version());
            Ok(())
        })
        .await?;
        until_ready(&env, &functions, "f", AVAILABLE).await.map(drop)
    })
    .await
}
