//! The autoscalers of a component on a real API server: what is written, how often, and what stays unchanged.

use anyhow::{Context, Result, bail, ensure};
use e2e::testing::fake_statefulset_controller::FakeStatefulSetController;
use e2e::testing::objects::{
    AVAILABLE, create, function_spec, functions, merge, until_condition, until_ready,
};
use e2e::testing::{Controller, TestEnv};
use k8s_openapi::api::apps::v1::StatefulSet;
use k8s_openapi::api::autoscaling::v2::HorizontalPodAutoscaler;
use kube::api::{Api, DeleteParams, Patch, PatchParams, PostParams};
use serde_json::{Value, json};
use std::collections::BTreeMap;

/// A Function that an autoscaler scales. Its quantities are not in canonical form.
fn scaled() -> Value {
    let mut spec = function_spec();
    spec["minReplicas"] = json!(1);
    spec["maxReplicas"] = json!(5);
    spec["pod"] = json!({
        "autoScalingMetrics": [{"type": "Pods", "pods": {"metric": {"name": "m"}, "target": {"type": "AverageValue", "averageValue": "1000m"}}}],
        "autoScalingBehavior": {"scaleUp": {"policies": [{"type": "Pods", "value": 1, "periodSeconds": 15}]}},
    });
    spec
}

const AUTOSCALERS: &str = "patch horizontalpodautoscalers";

fn count(counts: &BTreeMap<String, usize>, what: &str) -> usize {
    counts.get(what).copied().unwrap_or_default()
}

/// Waits until a function was reconciled after an edit that changes nothing, and everything before it as well.
async fn settled(
    env: &TestEnv,
    controller: &Controller,
    api: &Api<kube::api::DynamicObject>,
    mark: &str,
) -> Result<()> {
    let before = controller.metric("function_mesh_reconciles_total")?;
    merge(api, "f", json!({"metadata": {"annotations": {"mark": mark}}})).await?;
    controller.reconciled(env, before + 1).await
}

#[tokio::test(flavor = "multi_thread")]
async fn an_autoscaler_is_one_write_and_scaling_leaves_the_template_alone() -> Result<()> {
    let env = TestEnv::connect().await?;
    env.prepare().await?;
    env.test("hpa", |env, namespace| async move {
        const N: usize = 10;
        let _statefulset_controller = FakeStatefulSetController::start(&env, &namespace);
        let controller = Controller::start(&env, "function-controller", &namespace).await?;
        let api = functions(&env, &namespace);
        let autoscalers: Api<HorizontalPodAutoscaler> = Api::namespaced(env.client.clone(), &namespace);
        let sets: Api<StatefulSet> = Api::namespaced(env.client.clone(), &namespace);
        create(&api, "Function", "f", &scaled()).await?;
        for i in 1..N {
            create(&api, "Function", &format!("f{i}"), &scaled()).await?;
        }
        until_ready(&env, &api, "f", AVAILABLE).await?;
        for i in 1..N {
            until_ready(&env, &api, &format!("f{i}"), AVAILABLE).await?;
        }
        settled(&env, &controller, &api, "created").await?;
        let counts = env.audit()?.by(&controller.user).writes().counts();
        ensure!(count(&counts, AUTOSCALERS) == N, "{counts:?}");
        ensure!(
            (count(&counts, "patch statefulsets"), count(&counts, "patch services")) == (N, N),
            "{counts:?}"
        );
        ensure!((N..=2 * N).contains(&count(&counts, "patch functions/status")), "{counts:?}");
        let live = autoscalers.get("f-function").await?;
        ensure!((live.spec.min_replicas, live.spec.max_replicas) == (Some(1), 5), "{:?}", live.spec);
        ensure!(live.spec.scale_target_ref.kind == "Function" && live.spec.scale_target_ref.name == "f");
        // Defaults and canonical forms of the API server must not matter.
        let filled = live.spec.behavior.clone().context("no behavior")?;
        ensure!(filled.scale_down.is_some(), "nothing was filled in: the test shows nothing");

        // A step of the autoscaler.
        let before = sets.get("f-function").await?;
        for replicas in [3, 1] {
            let scale = json!({"spec": {"replicas": replicas}});
            api.patch_scale("f", &PatchParams::default(), &Patch::Merge(scale)).await?;
            until_ready(&env, &api, "f", AVAILABLE).await?;
            let set = sets.get("f-function").await?;
            ensure!(set.spec.replicas == Some(replicas), "{:?}", set.spec.replicas);
            ensure!(set.spec.template == before.spec.template, "scaling changed the template");
        }
        let counts = env.audit()?.by(&controller.user).writes().counts();
        ensure!(
            (count(&counts, AUTOSCALERS), count(&counts, "patch statefulsets")) == (N, N + 2),
            "{counts:?}"
        );

        // A status of the autoscaler, as its controller writes it periodically.
        let status = json!({"status": {"currentReplicas": 1, "desiredReplicas": 2, "conditions": []}});
        autoscalers.patch_status("f-function", &PatchParams::default(), &Patch::Merge(status)).await?;
        settled(&env, &controller, &api, "status").await?;
        let after = env.audit()?.by(&controller.user).writes().counts();
        ensure!(after == counts, "writes after a status: {after:?}");

        controller.signal("KILL")?;
        let successor = Controller::start(&env, "function-controller", &namespace).await?;
        successor.reconciled(&env, N as u64).await?;
        let writes = env.audit()?.by(&successor.user).writes();
        ensure!(writes.requests().is_empty(), "writes after a restart: {:?}", writes.counts());
        Ok(())
    })
    .await
}

#[tokio::test(flavor = "multi_thread")]
async fn an_autoscaler_comes_and_goes_with_the_spec() -> Result<()> {
    let env = TestEnv::connect().await?;
    env.prepare().await?;
    env.test("hpaoff", |env, namespace| async move {
        let _statefulset_controller = FakeStatefulSetController::start(&env, &namespace);
        let controller = Controller::start(&env, "function-controller", &namespace).await?;
        let api = functions(&env, &namespace);
        let autoscalers: Api<HorizontalPodAutoscaler> = Api::namespaced(env.client.clone(), &namespace);
        let sets: Api<StatefulSet> = Api::namespaced(env.client.clone(), &namespace);
        create(&api, "Function", "f", &function_spec()).await?;
        until_ready(&env, &api, "f", AVAILABLE).await?;
        let before = sets.get("f-function").await?;
        let there = || async { Ok(autoscalers.get("f-function").await?) };
        let gone = || async {
            if autoscalers.get_opt("f-function").await?.is_none() { Ok(()) } else { bail!("still there") }
        };
        merge(&api, "f", json!({"spec": {"maxReplicas": 5}})).await?;
        env.until("autoscaler", there).await?;
        api.patch_scale("f", &PatchParams::default(), &Patch::Merge(json!({"spec": {"replicas": 4}}))).await?;
        until_ready(&env, &api, "f", AVAILABLE).await?;
        merge(&api, "f", json!({"spec": {"maxReplicas": null}})).await?;
        env.until("end of the autoscaler", gone).await?;
        until_ready(&env, &api, "f", AVAILABLE).await?;
        let set = sets.get("f-function").await?;
        ensure!(set.spec.replicas == Some(4), "the replicas flipped back: {:?}", set.spec.replicas);
        ensure!(set.spec.template == before.spec.template, "the template changed");
        settled(&env, &controller, &api, "off").await?;
        let counts = env.audit()?.by(&controller.user).writes().counts();
        let seen = [AUTOSCALERS, "delete horizontalpodautoscalers", "patch statefulsets", "patch services"]
            .map(|what| count(&counts, what));
        ensure!(seen == [1, 1, 2, 1], "{counts:?}");
        merge(&api, "f", json!({"spec": {"maxReplicas": 6}})).await?;
        env.until("autoscaler again", there).await?;

        // A foreign one is neither taken over nor deleted.
        let foreign: HorizontalPodAutoscaler = serde_json::from_value(json!({
            "metadata": {"name": "g-function"},
            "spec": {"scaleTargetRef": {"apiVersion": "apps/v1", "kind": "StatefulSet", "name": "x"}, "maxReplicas": 2},
        }))?;
        autoscalers.create(&PostParams::default(), &foreign).await?;
        create(&api, "Function", "g", &scaled()).await?;
        // The pods run as specified; that they do not scale is a separate condition.
        let conflict = ("True", "NameConflict");
        let message = until_condition(&env, &api, "g", "ReconcileFailed", conflict).await?;
        ensure!(message.contains("HorizontalPodAutoscaler g-function exists"), "{message}");
        ensure!(autoscalers.get("g-function").await?.spec.max_replicas == 2, "a foreign object was changed");
        merge(&api, "g", json!({"spec": {"maxReplicas": null, "pod": null}})).await?;
        until_ready(&env, &api, "g", AVAILABLE).await?;
        ensure!(autoscalers.get_opt("g-function").await?.is_some(), "a foreign object was deleted");
        let of_g = env.audit()?.by(&controller.user).writes().only(|r| r.name() == "g-function");
        ensure!(count(&of_g.counts(), "patch statefulsets") == 1, "tried again by writing: {:?}", of_g.counts());
        Ok(())
    })
    .await
}

#[tokio::test(flavor = "multi_thread")]
async fn edits_of_an_autoscaler_are_repaired_once() -> Result<()> {
    let env = TestEnv::connect().await?;
    env.prepare().await?;
    env.test("hpadrift", |env, namespace| async move {
        let _statefulset_controller = FakeStatefulSetController::start(&env, &namespace);
        let mut controller = Controller::start(&env, "function-controller", &namespace).await?;
        let api = functions(&env, &namespace);
        let autoscalers: Api<HorizontalPodAutoscaler> = Api::namespaced(env.client.clone(), &namespace);
        create(&api, "Function", "f", &scaled()).await?;
        until_ready(&env, &api, "f", AVAILABLE).await?;
        let metrics = autoscalers.get("f-function").await?.spec.metrics;
        let sound = || async {
            let live = autoscalers.get_opt("f-function").await?.context("not there")?;
            ensure!(live.spec.max_replicas == 5 && live.spec.metrics == metrics, "{:?}", live.spec);
            let labels = live.metadata.labels.unwrap_or_default();
            ensure!(labels.get("name").map(String::as_str) == Some("f"), "{labels:?}");
            Ok(())
        };
        let edits = [
            json!({"spec": {"maxReplicas": 9}}),
            json!({"spec": {"metrics": null}}),
            json!({"metadata": {"labels": {"name": "other"}}}),
        ];
        for (step, edit) in edits.iter().enumerate() {
            autoscalers.patch("f-function", &PatchParams::default(), &Patch::Merge(edit)).await?;
            env.until("repair of an edit", sound).await?;
            settled(&env, &controller, &api, &format!("edit {step}")).await?;
            let counts = env.audit()?.by(&controller.user).writes().counts();
            ensure!(count(&counts, AUTOSCALERS) == step + 2, "{edit}: {counts:?}");
        }
        autoscalers.delete("f-function", &DeleteParams::default()).await?;
        env.until("repair of a deletion", sound).await?;
        let counts = env.audit()?.by(&controller.user).writes().counts();
        ensure!(count(&counts, AUTOSCALERS) == edits.len() + 2, "{counts:?}");

        // The same while no controller runs.
        for edit in &edits {
            controller.signal("TERM")?;
            autoscalers.patch("f-function", &PatchParams::default(), &Patch::Merge(edit)).await?;
            controller = Controller::start(&env, "function-controller", &namespace).await?;
            env.until("repair of an older edit", sound).await?;
            settled(&env, &controller, &api, &controller.user).await?;
            let counts = env.audit()?.by(&controller.user).writes().counts();
            ensure!(counts == BTreeMap::from([(AUTOSCALERS.to_owned(), 1)]), "{counts:?}");
        }
        Ok(())
    })
    .await
}
