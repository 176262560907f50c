//! Rollouts on a real API server: which changes reach running pods, and which wait for approval.

use anyhow::{Context, Result, bail, ensure};
use e2e::testing::children::repairs;
use e2e::testing::fake_statefulset_controller::FakeStatefulSetController;
use e2e::testing::objects::{
    AVAILABLE, condition, create, function_spec, functions, merge, until_condition, until_ready,
};
use e2e::testing::{Controller, TestEnv};
use futures::{StreamExt, TryStreamExt, stream};
use k8s_openapi::api::apps::v1::StatefulSet;
use kube::api::{Api, DeleteParams, DynamicObject, Patch, PatchParams, PostParams};
use serde_json::{Value, json};

const UPDATE_AVAILABLE: &str = "UpdateAvailable";

/// Functions and their StatefulSets in the namespace of a test.
struct Objects {
    env: TestEnv,
    functions: Api<DynamicObject>,
    sets: Api<StatefulSet>,
    namespace: String,
}

impl Objects {
    fn of(env: &TestEnv, namespace: &str) -> Self {
        let (functions, sets) = (functions(env, namespace), Api::namespaced(env.client.clone(), namespace));
        Self { env: env.clone(), functions, sets, namespace: namespace.to_owned() }
    }

    async fn create(&self, n: usize) -> Result<()> {
        stream::iter(0..n)
            .map(|i| async move { create(&self.functions, "Function", &format!("f{i}"), &function_spec()).await })
            .buffer_unordered(16)
            .try_collect::<()>()
            .await?;
        for i in 0..n {
            until_ready(&self.env, &self.functions, &format!("f{i}"), AVAILABLE).await?;
        }
        Ok(())
    }

    /// Starts a controller and waits until it has reconciled `n` objects.
    async fn start(&self, program: &str, flags: &[&str], n: usize) -> Result<Controller> {
        let watched = format!("--watched-namespace={}", self.namespace);
        let all: Vec<&str> =
            flags.iter().copied().chain([watched.as_str(), "--leader-elect=false"]).collect();
        let controller = Controller::spawn_as(&self.env, "function-controller", program, &all)?;
        controller.ready(&self.env).await?;
        controller.reconciled(&self.env, n as u64).await?;
        Ok(controller)
    }

    async fn waits(&self, name: &str, reason: &str) -> Result<String> {
        until_condition(&self.env, &self.functions, name, UPDATE_AVAILABLE, ("True", reason)).await
    }

    async fn waits_no_more(&self, name: &str) -> Result<()> {
        self.env
            .until("no more UpdateAvailable", || async {
                // The condition exists only while true, in the newest status.
                condition(&self.functions, name, "Ready").await?;
                let left = condition(&self.functions, name, UPDATE_AVAILABLE).await;
                if left.is_err() { Ok(()) } else { bail!("still there") }
            })
            .await
    }

    async fn pending_hash(&self, name: &str) -> Result<String> {
        let object = self.functions.get(name).await?;
        let hash = object.data.pointer("/status/statefulSet/pendingHash").and_then(Value::as_str);
        hash.map(str::to_owned).context("no pending hash")
    }

    async fn annotate(&self, name: &str, key: &str, value: Option<&str>) -> Result<()> {
        let key = format!("compute.functionmesh.io/{key}");
        merge(&self.functions, name, json!({"metadata": {"annotations": {key: value}}})).await
    }

    async fn set(&self, name: &str) -> Result<StatefulSet> {
        Ok(self.sets.get(&format!("{name}-function")).await?)
    }

    async fn until_replicas(&self, name: &str, wanted: i32) -> Result<()> {
        self.env
            .until(&format!("{wanted} replicas of {name}"), || async {
                let found = self.set(name).await?.spec.replicas;
                if found == Some(wanted) { Ok(()) } else { bail!("{found:?}") }
            })
            .await
    }

    fn counts(&self, controller: &Controller) -> Result<std::collections::BTreeMap<String, usize>> {
        Ok(self.env.audit()?.by(&controller.user).counts())
    }

    fn written(&self, controller: &Controller, what: &str) -> Result<usize> {
        Ok(self.counts(controller)?.get(what).copied().unwrap_or_default())
    }
}

fn variables(set: &StatefulSet) -> Vec<String> {
    let containers = set.spec.template.spec.iter().flat_map(|pod| &pod.containers);
    containers.flat_map(|c| c.env.iter().flatten()).map(|variable| variable.name.clone()).collect()
}

fn is_next(set: &StatefulSet) -> bool {
    variables(set).iter().any(|name| name == "NEXT_RELEASE")
}

const SETS: &str = "patch statefulsets";
const STATUSES: &str = "patch functions/status";

#[tokio::test(flavor = "multi_thread")]
async fn a_newer_release_restarts_nothing_until_it_is_approved() -> Result<()> {
    const N: usize = 100;
    let env = TestEnv::connect().await?;
    env.prepare().await?;
    env.test("approved", |env, namespace| async move {
        let _statefulset_controller = FakeStatefulSetController::start(&env, &namespace);
        let objects = Objects::of(&env, &namespace);
        let first = objects.start("function-controller", &[], 0).await?;
        objects.create(N).await?;
        first.signal("TERM")?;

        let next = objects.start("next-controller", &[], N).await?;
        for i in 0..N {
            let message = objects.waits(&format!("f{i}"), "RendererChanged").await?;
            ensure!(message.contains("container pulsar-function: env NEXT_RELEASE added"), "{message}");
        }
        let counts = objects.counts(&next)?;
        ensure!(!counts.contains_key(SETS), "{counts:?}");
        ensure!((counts[STATUSES], counts["get statefulsets"]) == (N, N), "{counts:?}");
        ensure!(objects.env.audit()?.by(&next.user).writes().requests().len() == N, "{counts:?}");
        next.signal("KILL")?;

        let next = objects.start("next-controller", &[], N).await?;
        let counts = objects.counts(&next)?;
        ensure!(
            !counts.keys().any(|k| k.starts_with("patch") || k.starts_with("get")),
            "a restart: {counts:?}"
        );

        // One update is approved: one StatefulSet is written.
        let hash = objects.pending_hash("f0").await?;
        objects.annotate("f1", "approve-update", Some("another")).await?;
        objects.annotate("f0", "approve-update", Some(&hash)).await?;
        objects.waits_no_more("f0").await?;
        until_ready(&env, &objects.functions, "f0", AVAILABLE).await?;
        ensure!(is_next(&objects.set("f0").await?), "not applied");
        ensure!(objects.written(&next, SETS)? == 1, "{:?}", objects.counts(&next)?);
        ensure!(!is_next(&objects.set("f1").await?), "applied without approval");

        // Scaling works and rolls nothing out, also if another client scales the StatefulSet.
        let template = objects.set("f2").await?.spec.template;
        for (writes, replicas) in [3, 0, 2].into_iter().enumerate() {
            let scale = json!({"spec": {"replicas": replicas}});
            objects.functions.patch_scale("f2", &PatchParams::default(), &Patch::Merge(scale)).await?;
            objects.until_replicas("f2", replicas).await?;
            ensure!(objects.written(&next, SETS)? == writes + 2, "{:?}", objects.counts(&next)?);
        }
        let foreign = Patch::Merge(json!({"spec": {"replicas": 5}}));
        objects.sets.patch("f2-function", &PatchParams::default(), &foreign).await?;
        objects.until_replicas("f2", 2).await?;
        ensure!(objects.set("f2").await?.spec.template == template, "scaling changed the template");
        objects.waits("f2", "RendererChanged").await?;
        ensure!(objects.written(&next, SETS)? == 5, "{:?}", objects.counts(&next)?);

        // A change of the spec includes the pending update.
        merge(&objects.functions, "f3", json!({"spec": {"image": "example.com/image:2"}})).await?;
        objects.waits_no_more("f3").await?;
        ensure!(is_next(&objects.set("f3").await?), "a change of the spec did not take it along");
        ensure!(objects.written(&next, SETS)? == 6, "{:?}", objects.counts(&next)?);
        until_ready(&env, &objects.functions, "f3", AVAILABLE).await?;
        next.signal("TERM")?;

        // Back to the older release: it does not change objects of the newer one.
        let older = objects.start("function-controller", &[], N).await?;
        objects.waits("f0", "RendererChanged").await?;
        objects.waits_no_more("f1").await?;
        ensure!(objects.written(&older, SETS)? == 0, "{:?}", objects.counts(&older)?);
        older.signal("TERM")?;

        // The flag that approves all updates.
        let all = objects.start("next-controller", &["--approve-updates"], N).await?;
        for i in 0..N {
            objects.waits_no_more(&format!("f{i}")).await?;
            ensure!(is_next(&objects.set(&format!("f{i}")).await?), "f{i} was not updated");
        }
        ensure!(objects.written(&all, SETS)? == N - 2, "{:?}", objects.counts(&all)?);
        Ok(())
    })
    .await
}

#[tokio::test(flavor = "multi_thread")]
async fn another_configuration_of_the_operator_waits() -> Result<()> {
    let env = TestEnv::connect().await?;
    env.prepare().await?;
    env.test("opconfig", |env, namespace| async move {
        let _statefulset_controller = FakeStatefulSetController::start(&env, &namespace);
        let objects = Objects::of(&env, &namespace);
        let first = objects.start("function-controller", &[], 0).await?;
        objects.create(2).await?;
        first.signal("TERM")?;
        let other = objects.start("function-controller", &["--add-default-affinity=false"], 2).await?;
        let message = objects.waits("f0", "OperatorConfigChanged").await?;
        ensure!(message.contains("affinity"), "{message}");
        ensure!(objects.written(&other, SETS)? == 0, "{:?}", objects.counts(&other)?);
        Ok(())
    })
    .await
}

#[tokio::test(flavor = "multi_thread")]
async fn while_paused_only_the_spec_reaches_the_pods() -> Result<()> {
    let env = TestEnv::connect().await?;
    env.prepare().await?;
    env.test("paused", |env, namespace| async move {
        let _statefulset_controller = FakeStatefulSetController::start(&env, &namespace);
        let objects = Objects::of(&env, &namespace);
        let controller = objects.start("function-controller", &[], 0).await?;
        objects.create(2).await?;
        objects.annotate("f0", "pause-rollout", Some("true")).await?;
        let configs = e2e::testing::objects::api(&env, &namespace, "BackendConfig", "backendconfigs");
        let spec = json!({"env": {"A": "1"}, "autoUpdate": true});
        create(&configs, "BackendConfig", "backend-config", &spec).await?;
        let message = objects.waits("f0", "RolloutPaused").await?;
        ensure!(message.contains("env A added"), "{message}");
        env.until("the other one", || async {
            if variables(&objects.set("f1").await?).contains(&"A".to_owned()) {
                Ok(())
            } else {
                bail!("no variable")
            }
        })
        .await?;
        ensure!(objects.written(&controller, SETS)? == 3, "{:?}", objects.counts(&controller)?);

        // A deletion is repaired, an edit is not, scaling works.
        let edit = Patch::Merge(json!({"spec": {"minReadySeconds": 1}}));
        objects.sets.patch("f0-function", &PatchParams::default(), &edit).await?;
        let scale = json!({"spec": {"replicas": 2}});
        objects.functions.patch_scale("f0", &PatchParams::default(), &Patch::Merge(scale)).await?;
        objects.until_replicas("f0", 2).await?;
        let set = objects.set("f0").await?;
        ensure!(set.spec.min_ready_seconds == Some(1), "an edit was repaired while paused");
        ensure!(!variables(&set).contains(&"A".to_owned()), "scaling took the change along");

        // A change of the object's spec is a reason.
        merge(&objects.functions, "f0", json!({"spec": {"image": "example.com/image:2"}})).await?;
        objects.waits_no_more("f0").await?;
        let set = objects.set("f0").await?;
        ensure!(
            variables(&set).contains(&"A".to_owned()) && set.spec.min_ready_seconds == Some(5),
            "{set:?}"
        );

        // The pending update is rolled out when the pause ends.
        merge(&configs, "backend-config", json!({"spec": {"env": {"B": "1"}}})).await?;
        objects.waits("f0", "RolloutPaused").await?;
        objects.annotate("f0", "pause-rollout", None).await?;
        objects.waits_no_more("f0").await?;
        ensure!(variables(&objects.set("f0").await?).contains(&"B".to_owned()), "the change did not come");
        controller.signal("TERM")?;

        // The flag that pauses all objects.
        merge(&configs, "backend-config", json!({"spec": {"env": {"C": "1"}}})).await?;
        let paused = objects.start("function-controller", &["--pause-rollout"], 2).await?;
        objects.waits("f0", "RolloutPaused").await?;
        objects.waits("f1", "RolloutPaused").await?;
        ensure!(objects.written(&paused, SETS)? == 0, "{:?}", objects.counts(&paused)?);
        Ok(())
    })
    .await
}

#[tokio::test(flavor = "multi_thread")]
async fn an_immutable_field_is_reported_and_the_statefulset_recreated_on_request() -> Result<()> {
    let env = TestEnv::connect().await?;
    env.prepare().await?;
    env.test("immutable", |env, namespace| async move {
        let _statefulset_controller = FakeStatefulSetController::start(&env, &namespace);
        let objects = Objects::of(&env, &namespace);
        let controller = objects.start("function-controller", &[], 0).await?;
        objects.create(2).await?;
        let before = objects.set("f0").await?;
        let claim = json!({"metadata": {"name": "data"}, "spec": {"accessModes": ["ReadWriteOnce"],
            "resources": {"requests": {"storage": "1Gi"}}}});
        merge(&objects.functions, "f0", json!({"spec": {"volumeClaimTemplates": [claim]}})).await?;
        let message = until_ready(&env, &objects.functions, "f0", ("False", "RecreateRequired")).await?;
        ensure!(message.starts_with("volumeClaimTemplates of a StatefulSet cannot be changed"), "{message}");
        ensure!(objects.written(&controller, SETS)? == 2, "{:?}", objects.counts(&controller)?);
        controller.signal("TERM")?;
        let controller = objects.start("function-controller", &[], 2).await?;
        ensure!(env.audit()?.by(&controller.user).writes().requests().is_empty(), "writes after a restart");
        // Scaling works.
        let scale = json!({"spec": {"replicas": 2}});
        objects.functions.patch_scale("f0", &PatchParams::default(), &Patch::Merge(scale)).await?;
        objects.until_replicas("f0", 2).await?;

        let hash = objects.pending_hash("f0").await?;
        objects.annotate("f0", "recreate", Some(&hash)).await?;
        until_ready(&env, &objects.functions, "f0", AVAILABLE).await?;
        let after = objects.set("f0").await?;
        ensure!(after.metadata.uid != before.metadata.uid, "not recreated");
        ensure!(after.spec.volume_claim_templates.is_some_and(|claims| claims.len() == 1), "no claim");
        let counts = objects.counts(&controller)?;
        ensure!((counts[SETS], counts["delete statefulsets"]) == (2, 1), "{counts:?}");
        // That is not a repair; a deletion by another client is. A second Event would have been published before.
        objects.sets.delete("f0-function", &DeleteParams::default()).await?;
        env.until("the Event of a deletion", || async {
            let reported = repairs(&env, &namespace, "f0").await?;
            let deleted = reported.get("StatefulSet f0-function RepairDeleted").context("not reported")?;
            ensure!(deleted.0 == 1 && reported.len() == 1, "{reported:?}");
            Ok(())
        })
        .await?;
        // Only the annotations of this operator change: they are restored, and nothing restarts.
        let before = objects.set("f1").await?;
        let stripped = json!({"metadata": {"annotations": null}});
        objects.sets.patch("f1-function", &PatchParams::default(), &Patch::Merge(stripped)).await?;
        env.until("the annotations", || async {
            let set = objects.set("f1").await?;
            ensure!(
                set.metadata.annotations == before.metadata.annotations,
                "{:?}",
                set.metadata.annotations
            );
            ensure!(set.metadata.generation == before.metadata.generation, "its spec was changed");
            Ok(())
        })
        .await?;
        Ok(())
    })
    .await
}

/// A StatefulSet as the Go operator creates it, with its field manager.
async fn original(objects: &Objects, name: &str) -> Result<()> {
    let function = objects.functions.get(name).await?;
    let labels = json!({
        "app": "function-mesh", "app.kubernetes.io/instance": format!("{name}-function"),
        "app.kubernetes.io/name": format!("{name}-function"), "component": "function", "name": name,
        "namespace": objects.namespace, "compute.functionmesh.io/app": "function-mesh",
        "compute.functionmesh.io/component": "function", "compute.functionmesh.io/name": name,
        "compute.functionmesh.io/namespace": objects.namespace,
    });
    let container = json!({"name": "pulsar-function", "image": "example.com/image:1", "command": ["sh", "-c", "original"],
        "env": [{"name": "ORIGINAL", "value": "1"}]});
    let set: StatefulSet = serde_json::from_value(json!({
        "metadata": {"name": format!("{name}-function"), "labels": labels, "ownerReferences": [{
            "apiVersion": "compute.functionmesh.io/v1alpha1", "kind": "Function", "name": name,
            "uid": function.metadata.uid, "controller": true, "blockOwnerDeletion": true}]},
        "spec": {"replicas": 1, "serviceName": format!("{name}-function-headless"), "podManagementPolicy": "Parallel",
            "selector": {"matchLabels": labels},
            "template": {"metadata": {"labels": labels}, "spec": {"containers": [container],
                "securityContext": {"runAsNonRoot": false}}}},
    }))?;
    let manager = PostParams { field_manager: Some("manager".to_owned()), ..PostParams::default() };
    objects.sets.create(&manager, &set).await?;
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn pods_of_the_go_operator_are_taken_over_unchanged() -> Result<()> {
    let env = TestEnv::connect().await?;
    env.prepare().await?;
    env.test("takeover", |env, namespace| async move {
        let _statefulset_controller = FakeStatefulSetController::start(&env, &namespace);
        let objects = Objects::of(&env, &namespace);
        for name in ["f0", "f1"] {
            create(&objects.functions, "Function", name, &function_spec()).await?;
            original(&objects, name).await?;
        }
        // The Go operator observed the first generation of this one; then it was changed while no controller ran.
        let status = json!({"status": {"observedGeneration": 1, "replicas": 1, "selector": "a=b",
            "conditions": {"StatefulSetReady": {"condition": "StatefulSetReady", "status": "True", "action": "NoAction"}}}});
        let legacy = objects.functions.patch_status("f1", &PatchParams::default(), &Patch::Merge(status)).await;
        // The kinds no longer accept the Go operator's form; only the generation matters here.
        if legacy.is_err() {
            let status = json!({"status": {"observedGeneration": 1}});
            objects.functions.patch_status("f1", &PatchParams::default(), &Patch::Merge(status)).await?;
        }
        merge(&objects.functions, "f1", json!({"spec": {"image": "example.com/image:2"}})).await?;

        let before = objects.set("f0").await?;
        let controller = objects.start("function-controller", &[], 2).await?;
        let message = objects.waits("f0", "AdoptedFromGoOperator").await?;
        ensure!(message.contains("container pulsar-function: ") && message.contains("command changed"), "{message}");
        until_ready(&env, &objects.functions, "f0", AVAILABLE).await?;
        until_ready(&env, &objects.functions, "f1", AVAILABLE).await?;
        let set = objects.set("f0").await?;
        ensure!(set.spec == before.spec && set.metadata.generation == before.metadata.generation, "changed");
        ensure!(!variables(&objects.set("f1").await?).is_empty(), "a change of the spec was lost");
        let image = objects.set("f1").await?.spec.template.spec.and_then(|p| p.containers[0].image.clone());
        ensure!(image.as_deref() == Some("example.com/image:2"), "{image:?}");
        // One note; one note and one change: what is rolled out at once is taken over first, so that nothing of the Go
        // operator's stays.
        ensure!(!variables(&objects.set("f1").await?).contains(&"ORIGINAL".to_owned()), "it kept what the Go operator had");
        ensure!(objects.written(&controller, SETS)? == 3, "{:?}", objects.counts(&controller)?);
        controller.signal("KILL")?;
        let controller = objects.start("function-controller", &[], 2).await?;
        let counts = objects.counts(&controller)?;
        ensure!(!counts.keys().any(|k| k.starts_with("patch") || k.starts_with("get")), "a restart: {counts:?}");

        let scale = json!({"spec": {"replicas": 2}});
        objects.functions.patch_scale("f0", &PatchParams::default(), &Patch::Merge(scale)).await?;
        objects.until_replicas("f0", 2).await?;
        ensure!(objects.set("f0").await?.spec.template == before.spec.template, "scaling changed the template");

        let hash = objects.pending_hash("f0").await?;
        objects.annotate("f0", "approve-update", Some(&hash)).await?;
        objects.waits_no_more("f0").await?;
        let set = objects.set("f0").await?;
        ensure!(!variables(&set).contains(&"ORIGINAL".to_owned()), "what the Go operator had is still there");
        let pod = set.spec.template.spec.context("no pod")?;
        let context = pod.security_context.unwrap_or_default();
        ensure!(context.run_as_non_root.is_none(), "{context:?}");
        Ok(())
    })
    .await
}
