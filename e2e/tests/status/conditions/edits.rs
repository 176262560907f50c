//! Edits of a StatefulSet by other clients: additions stay and cause no repair; changes of the operator's fields are reverted,
//! however long that has to wait.

use anyhow::{Context, Result, ensure};
use e2e::scenarios::fleet::{FUNCTION, Fleet};
use e2e::testing::TestEnv;
use e2e::testing::children::{Child, repairs};
use e2e::testing::objects::{merge, until_condition};
use k8s_openapi::api::apps::v1::StatefulSet;
use kube::api::{Patch, PatchParams};
use serde_json::{Value, json};

const SET: &str = "o0-function";
const RESTARTED: &str = "kubectl.kubernetes.io/restartedAt";

async fn running(env: &TestEnv, namespace: &str) -> Result<Fleet> {
    let fleet = Fleet::start(env, namespace, &FUNCTION, 1).await?;
    fleet.create(&FUNCTION.spec()).await?;
    fleet.until_ready().await?;
    fleet.controller.until_idle(env).await?;
    Ok(fleet)
}

/// Changes the StatefulSet as this field manager.
async fn edit(fleet: &Fleet, manager: &str, patch: &Value) -> Result<()> {
    let parameters = PatchParams { field_manager: Some(manager.to_owned()), ..PatchParams::default() };
    fleet.sets.patch(SET, &parameters, &Patch::Strategic(patch)).await?;
    Ok(())
}

/// The patch of `kubectl rollout restart`.
async fn restart(fleet: &Fleet, time: &str) -> Result<()> {
    let annotations = json!({RESTARTED: time});
    edit(fleet, "kubectl-rollout", &json!({"spec": {"template": {"metadata": {"annotations": annotations}}}}))
        .await
}

/// Waits until the object's status has the generation of the StatefulSet.
async fn until_seen(fleet: &Fleet) -> Result<StatefulSet> {
    let set = fleet.sets.get(SET).await?;
    fleet
        .env
        .until("the generation in the status", || async {
            let status = fleet.objects.get("o0").await?.data["status"].clone();
            ensure!(status["statefulSet"]["generation"] == json!(set.metadata.generation), "{status}");
            Ok(())
        })
        .await?;
    fleet.controller.until_idle(&fleet.env).await?;
    Ok(fleet.sets.get(SET).await?)
}

fn annotation(set: &StatefulSet, key: &str) -> Option<String> {
    set.spec.template.metadata.as_ref()?.annotations.as_ref()?.get(key).cloned()
}

fn writes(fleet: &Fleet) -> Result<usize> {
    Ok(fleet.env.audit()?.by(&fleet.controller.user).writes_to("statefulsets", SET))
}

#[tokio::test(flavor = "multi_thread")]
async fn a_restart_is_no_repair_and_rolls_the_pods_once() -> Result<()> {
    let env = TestEnv::connect().await?;
    env.prepare().await?;
    env.test("restart", |env, namespace| async move {
        let mut fleet = running(&env, &namespace).await?;
        restart(&fleet, "2026-11-29T10:00:00Z").await?;
        let set = until_seen(&fleet).await?;
        ensure!((set.metadata.generation, writes(&fleet)?) == (Some(2), 1), "{:?}", set.metadata);
        // Reloader, by its annotation and by its variable.
        let reloader = json!({"spec": {"template": {
            "metadata": {"annotations": {"reloader.stakater.com/last-reloaded-from": "{}"}},
            "spec": {"containers": [{"name": "pulsar-function", "env": [{"name": "STAKATER_PULSAR_CONFIGMAP", "value": "a1"}]}]}}}});
        edit(&fleet, "Reloader", &reloader).await?;
        let set = until_seen(&fleet).await?;
        ensure!((set.metadata.generation, writes(&fleet)?) == (Some(3), 1), "{:?}", set.metadata);
        let reported = repairs(&env, &namespace, "o0").await?;
        ensure!(reported.is_empty(), "{reported:?}");

        // A change of one of the operator's fields is reverted; the Event names the field manager, and additions stay.
        edit(&fleet, "kubectl-edit", &json!({"spec": {"minReadySeconds": 3}})).await?;
        env.until("the repair", || async {
            let seconds = fleet.sets.get(SET).await?.spec.min_ready_seconds;
            ensure!(seconds == Some(5), "{seconds:?}");
            Ok(())
        })
        .await?;
        let set = until_seen(&fleet).await?;
        ensure!(annotation(&set, RESTARTED).as_deref() == Some("2026-11-29T10:00:00Z"), "{:?}", set.spec.template);
        let reported = repairs(&env, &namespace, "o0").await?;
        let (times, note) = reported.values().next().context("not reported")?;
        ensure!((reported.len(), *times) == (1, 1), "{reported:?}");
        ensure!(note == "Reverted changes made to StatefulSet o0-function by kubectl-edit", "{note}");

        // A restart approves no pending update.
        fleet.flags.push("--add-default-affinity=false".to_owned());
        fleet.replace(None).await?;
        until_condition(&env, &fleet.objects, "o0", "UpdateAvailable", ("True", "OperatorConfigChanged")).await?;
        let before = fleet.sets.get(SET).await?.spec.template.spec;
        restart(&fleet, "2026-11-29T11:00:00Z").await?;
        let set = until_seen(&fleet).await?;
        ensure!(set.spec.template.spec == before && writes(&fleet)? == 0, "the restart took an update along");
        until_condition(&env, &fleet.objects, "o0", "UpdateAvailable", ("True", "OperatorConfigChanged")).await?;
        // An edit of the operator's fields together with the number of replicas counts as an edit.
        edit(&fleet, "kubectl-edit", &json!({"spec": {"minReadySeconds": 3, "replicas": 5}})).await?;
        env.until("the repair", || async {
            let spec = fleet.sets.get(SET).await?.spec;
            ensure!((spec.min_ready_seconds, spec.replicas) == (Some(5), Some(1)), "{spec:?}");
            Ok(())
        })
        .await
    })
    .await
}

#[tokio::test(flavor = "multi_thread")]
async fn an_edit_during_a_pause_is_reverted_after_it() -> Result<()> {
    let env = TestEnv::connect().await?;
    env.prepare().await?;
    env.test("pausededit", |env, namespace| async move {
        let fleet = running(&env, &namespace).await?;
        let pause = |value: Option<&str>| {
            json!({"metadata": {"annotations": {"compute.functionmesh.io/pause-rollout": value}}})
        };
        merge(&fleet.objects, "o0", pause(Some("true"))).await?;
        edit(&fleet, "kubectl-edit", &json!({"spec": {"minReadySeconds": 1}})).await?;
        until_condition(&env, &fleet.objects, "o0", "UpdateAvailable", ("True", "RolloutPaused")).await?;
        for replicas in [2, 3] {
            merge(&fleet.objects, "o0", json!({"spec": {"replicas": replicas}})).await?;
            env.until("the replicas", || async {
                let spec = fleet.sets.get(SET).await?.spec;
                ensure!(spec.replicas == Some(replicas), "{:?}", spec.replicas);
                ensure!(spec.min_ready_seconds == Some(1), "reverted during the pause");
                Ok(())
            })
            .await?;
            fleet.until_ready().await?;
        }
        fleet.controller.until_idle(&env).await?;
        ensure!(writes(&fleet)? == 3, "{} writes", writes(&fleet)?);
        merge(&fleet.objects, "o0", pause(None)).await?;
        env.until("the end of the edit", || async {
            let seconds = fleet.sets.get(SET).await?.spec.min_ready_seconds;
            ensure!(seconds == Some(5), "it became permanent: {seconds:?}");
            Ok(())
        })
        .await
    })
    .await
}

/// Server-side apply cannot remove a port that another client added: the Service is not applied again and again.
#[tokio::test(flavor = "multi_thread")]
async fn what_others_add_to_a_service_stays() -> Result<()> {
    let env = TestEnv::connect().await?;
    env.prepare().await?;
    env.test("port", |env, namespace| async move {
        let fleet = running(&env, &namespace).await?;
        let service = Child::of(&env, &namespace, "Service", "o0-function-headless")?;
        let mut ports = service.state().await?["spec"]["ports"].as_array().context("no ports")?.clone();
        ports.push(json!({"name": "theirs", "port": 9999, "protocol": "TCP"}));
        let before = fleet.controller.reconciles()?;
        service.patch(&json!({"spec": {"ports": ports}})).await?;
        fleet.controller.reconciled(&env, before + 1).await?;
        fleet.controller.until_idle(&env).await?;
        let written = env.audit()?.by(&fleet.controller.user).writes_to("services", &service.name);
        let reported = repairs(&env, &namespace, "o0").await?;
        ensure!(written == 1 && reported.is_empty(), "{written} writes, {reported:?}");
        Ok(())
    })
    .await
}
