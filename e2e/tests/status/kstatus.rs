//! Conditions as kstatus, kubectl and Argo CD interpret them.

mod node;
mod table;

use anyhow::{Context, Result, ensure};
use e2e::scenarios::fleet::FUNCTION;
use e2e::shell::output;
use e2e::testing::fake_statefulset_controller::FakeStatefulSetController;
use e2e::testing::objects::{AVAILABLE, api, condition, create, functions, merge, until_ready};
use e2e::testing::{Controller, TestEnv};
use e2e::{paths, tools};
use kube::api::{Api, DynamicObject, Patch, PatchParams};
use serde::Deserialize;
use serde_json::{Value, json};
use std::fs;
use std::process::Command;
use std::time::{Duration, Instant};

/// The results of the tools for an object.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Answer {
    name: String,
    kstatus: String,
    flux: String,
    message: String,
    argo: String,
    argo_message: String,
}

/// Runs the library kstatus, its fork in Flux and Helm, and the script of Argo CD on all objects of a namespace.
fn ask(env: &TestEnv, namespace: &str) -> Result<Vec<Answer>> {
    let list = output(&mut env.kubectl.command(&format!("-n {namespace} get fn,src,snk,fmesh -o json")))?;
    // Tests run concurrently.
    let file = env.folder()?.join(format!("{namespace}.json"));
    fs::write(&file, list)?;
    let script = paths::root().join("config/argocd/health.lua");
    let mut program = Command::new(tools::kstatus()?);
    let answers = output(program.arg(script).stdin(fs::File::open(&file)?))?;
    fs::remove_file(file)?;
    Ok(serde_json::from_str(&answers)?)
}

/// The results of the library kstatus and the script of Argo CD for an object.
fn said(env: &TestEnv, namespace: &str, name: &str) -> Result<(String, String)> {
    let answers = ask(env, namespace)?;
    let answer = answers.into_iter().find(|a| a.name == name).context("not asked about")?;
    ensure!(answer.kstatus == answer.flux, "{answer:?}");
    Ok((answer.kstatus, answer.argo))
}

/// Returns when the condition is true, as a script would wait for it.
fn wait(env: &TestEnv, namespace: &str, object: &str, condition: &str) -> Result<Duration> {
    let began = Instant::now();
    let text = format!("-n {namespace} wait --for=condition={condition} {object} --timeout=60s");
    output(&mut env.kubectl.command(&text))?;
    Ok(began.elapsed())
}

/// From before its controller observes it until it is deleted.
#[tokio::test(flavor = "multi_thread")]
async fn tools_that_wait_for_an_object_see_the_outcome_at_once() -> Result<()> {
    let env = TestEnv::connect().await?;
    env.prepare().await?;
    env.test("kstatus-life", |env, namespace| async move {
        let objects = functions(&env, &namespace);
        create(&objects, "Function", "good", &FUNCTION.spec()).await?;
        let mut spec = FUNCTION.spec();
        // The schema accepts it, but it does not fit into a 32-bit integer.
        spec["timeout"] = json!(3_000_000_000_u64);
        create(&objects, "Function", "bad", &spec).await?;
        let in_progress = ("InProgress".to_owned(), "Progressing".to_owned());
        ensure!(said(&env, &namespace, "good")? == in_progress, "no controller has seen it");

        let controller = Controller::start(&env, FUNCTION.controller, &namespace).await?;
        wait(&env, &namespace, "fn/good", "Reconciling")?;
        ensure!(said(&env, &namespace, "good")? == in_progress, "it waits for its pods");
        wait(&env, &namespace, "fn/bad", "Stalled")?;
        let failed = ("Failed".to_owned(), "Degraded".to_owned());
        ensure!(said(&env, &namespace, "bad")? == failed, "it is invalid");

        let statefulset_controller = FakeStatefulSetController::start(&env, &namespace);
        wait(&env, &namespace, "fn/good", "Ready")?;
        let current = ("Current".to_owned(), "Healthy".to_owned());
        ensure!(said(&env, &namespace, "good")? == current, "it runs");
        merge(&objects, "bad", json!({"spec": {"timeout": null}})).await?;
        until_ready(&env, &objects, "bad", AVAILABLE).await?;
        ensure!(condition(&objects, "bad", "Stalled").await.is_err(), "there only while true");

        // An edit that the controller has not observed makes the object incomplete, whatever the conditions are.
        drop((controller, statefulset_controller));
        merge(&objects, "bad", json!({"spec": {"image": "example.com/image:2"}})).await?;
        ensure!(said(&env, &namespace, "bad")? == in_progress, "no controller has seen the edit");
        Ok(())
    })
    .await
}

/// A mesh has the outcome of its components.
#[tokio::test(flavor = "multi_thread")]
async fn a_mesh_is_stalled_when_none_of_its_components_goes_on() -> Result<()> {
    let env = TestEnv::connect().await?;
    env.prepare().await?;
    env.test("kstatus-mesh", |env, namespace| async move {
        let meshes = api(&env, &namespace, "FunctionMesh", "functionmeshes");
        let item = |name: &str, more: Value| {
            let mut item = FUNCTION.spec();
            item["name"] = json!(name);
            if let (Some(item), Value::Object(more)) = (item.as_object_mut(), more) {
                item.extend(more);
            }
            item
        };
        let bad = item("bad", json!({"timeout": 3_000_000_000_u64}));
        let spec = json!({"functions": [item("good", json!({})), bad]});
        create(&meshes, "FunctionMesh", "m", &spec).await?;
        let _controllers = (
            Controller::start(&env, "mesh-controller", &namespace).await?,
            Controller::start(&env, "function-controller", &namespace).await?,
        );
        wait(&env, &namespace, "fmesh/m", "Reconciling")?;
        ensure!(said(&env, &namespace, "m")?.0 == "InProgress", "one goes on");
        let _statefulset_controller = FakeStatefulSetController::start(&env, &namespace);
        wait(&env, &namespace, "fmesh/m", "Stalled")?;
        ensure!(
            said(&env, &namespace, "m")? == ("Failed".to_owned(), "Degraded".to_owned()),
            "one needs help"
        );
        merge(&meshes, "m", json!({"spec": {"functions": [item("good", json!({}))]}})).await?;
        wait(&env, &namespace, "fmesh/m", "Ready")?;
        ensure!(said(&env, &namespace, "m")?.0 == "Current", "all run");
        Ok(())
    })
    .await
}

/// The previous release wrote neither of the two conditions.
#[tokio::test(flavor = "multi_thread")]
async fn an_upgrade_writes_one_status_of_each_object_that_is_not_ready() -> Result<()> {
    let env = TestEnv::connect().await?;
    env.prepare().await?;
    env.test("kstatus-upgrade", |env, namespace| async move {
        let objects = functions(&env, &namespace);
        let statefulset_controller = FakeStatefulSetController::start(&env, &namespace);
        let controller = Controller::start(&env, FUNCTION.controller, &namespace).await?;
        create(&objects, "Function", "ready", &FUNCTION.spec()).await?;
        until_ready(&env, &objects, "ready", AVAILABLE).await?;
        drop(statefulset_controller);
        create(&objects, "Function", "waiting", &FUNCTION.spec()).await?;
        let mut spec = FUNCTION.spec();
        spec["timeout"] = json!(3_000_000_000_u64);
        create(&objects, "Function", "invalid", &spec).await?;
        wait(&env, &namespace, "fn/waiting", "Reconciling")?;
        wait(&env, &namespace, "fn/invalid", "Stalled")?;
        controller.until_idle(&env).await?;
        drop(controller);
        for name in ["ready", "waiting", "invalid"] {
            forget(&objects, name).await?;
        }
        for (start, writes) in [("upgrade", [0, 1, 1]), ("restart", [0, 0, 0])] {
            let controller = Controller::start(&env, FUNCTION.controller, &namespace).await?;
            controller.reconciled(&env, 3).await?;
            controller.until_idle(&env).await?;
            let made = env.audit()?.by(&controller.user).writes();
            let counted =
                ["ready", "waiting", "invalid"].map(|name| made.writes_to("functions/status", name));
            ensure!(counted == writes, "{start}: {counted:?}");
            ensure!(made.requests().len() == writes.iter().sum::<usize>(), "{start}: {:?}", made.counts());
        }
        wait(&env, &namespace, "fn/invalid", "Stalled")?;
        Ok(())
    })
    .await
}

/// Removes the conditions that the previous release did not write.
async fn forget(objects: &Api<DynamicObject>, name: &str) -> Result<()> {
    let object = objects.get(name).await?;
    let mut conditions =
        object.data.pointer("/status/conditions").and_then(Value::as_array).cloned().unwrap_or_default();
    conditions.retain(|c| c["type"] == "Ready" || c["type"] == "Progressing");
    let status = json!({"status": {"conditions": conditions}});
    objects.patch_status(name, &PatchParams::default(), &Patch::Merge(&status)).await?;
    Ok(())
}
