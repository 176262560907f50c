//! Deletion of objects with their subscriptions, on a real API server. The test plays the Job controller.

use anyhow::{Result, bail, ensure};
use e2e::testing::fake_statefulset_controller::FakeStatefulSetController;
use e2e::testing::objects::{AVAILABLE, condition, create, function_spec, functions, merge, until_ready};
use e2e::testing::{Controller, TestEnv};
use k8s_openapi::api::apps::v1::StatefulSet;
use k8s_openapi::api::batch::v1::Job;
use kube::ResourceExt;
use kube::api::{Api, DeleteParams, DynamicObject, Patch, PatchParams, PostParams};
use serde_json::{Value, json};
use std::collections::BTreeMap;

const FINALIZER: &str = "cleanup.subscription.finalizer";

fn cleaning() -> Value {
    let mut spec = function_spec();
    spec["cleanupSubscription"] = json!(true);
    spec
}

fn count(counts: &BTreeMap<String, usize>, what: &str) -> usize {
    counts.get(what).copied().unwrap_or_default()
}

async fn gone(env: &TestEnv, api: &Api<DynamicObject>, name: &str) -> Result<()> {
    env.until(&format!("end of {name}"), || async {
        match api.get_opt(name).await? {
            None => Ok(()),
            Some(object) => bail!("still there: {}", object.data["status"]),
        }
    })
    .await
}

async fn end(jobs: &Api<Job>, name: &str, complete: bool) -> Result<()> {
    let time = "2026-01-01T00:00:00Z";
    let condition = |type_: &str, reason: &str| {
        json!({"type": type_, "status": "True", "reason": reason, "message": "for a test",
               "lastProbeTime": time, "lastTransitionTime": time})
    };
    let status = if complete {
        json!({"startTime": time, "completionTime": time, "succeeded": 1,
            "conditions": [condition("SuccessCriteriaMet", "CompletionsReached"), condition("Complete", "CompletionsReached")]})
    } else {
        json!({"startTime": time, "failed": 7,
            "conditions": [condition("FailureTarget", "BackoffLimitExceeded"), condition("Failed", "BackoffLimitExceeded")]})
    };
    jobs.patch_status(name, &PatchParams::default(), &Patch::Merge(json!({"status": status}))).await?;
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_deleted_object_waits_for_its_cleanup() -> Result<()> {
    let env = TestEnv::connect().await?;
    env.prepare().await?;
    env.test("cleanup", |env, namespace| async move {
        const N: usize = 5;
        let _statefulset_controller = FakeStatefulSetController::start(&env, &namespace);
        let controller = Controller::start(&env, "function-controller", &namespace).await?;
        let api = functions(&env, &namespace);
        let jobs: Api<Job> = Api::namespaced(env.client.clone(), &namespace);
        let sets: Api<StatefulSet> = Api::namespaced(env.client.clone(), &namespace);
        create(&api, "Function", "plain", &function_spec()).await?;
        for i in 0..N {
            create(&api, "Function", &format!("f{i}"), &cleaning()).await?;
        }
        until_ready(&env, &api, "plain", AVAILABLE).await?;
        for i in 0..N {
            until_ready(&env, &api, &format!("f{i}"), AVAILABLE).await?;
        }
        ensure!(api.get("plain").await?.finalizers().is_empty(), "a finalizer without cleanup");
        ensure!(api.get("f0").await?.finalizers() == [FINALIZER], "no finalizer");
        let written = |what: &str| -> Result<usize> {
            Ok(count(&env.audit()?.by(&controller.user).writes().counts(), what))
        };
        ensure!(written("patch functions")? == N, "not one write for each finalizer");
        ensure!(written("patch jobs")? == 0, "a Job before its time");

        // Nothing is written for objects without a cleanup.
        let before = env.audit()?.by(&controller.user).writes().counts();
        api.delete("plain", &DeleteParams::default()).await?;
        gone(&env, &api, "plain").await?;
        ensure!(env.audit()?.by(&controller.user).writes().counts() == before, "writes at the end of plain");

        for i in 0..N {
            api.delete(&format!("f{i}"), &DeleteParams::default()).await?;
        }
        for i in 0..N {
            let (name, job) = (format!("f{i}"), format!("f{i}-function-cleanup"));
            env.until("Job", || async { Ok(jobs.get(&job).await?) }).await?;
            let gone = sets.get_opt(&format!("{name}-function")).await?.is_none();
            ensure!(gone, "the Job runs while pods are wanted");
            env.until("CleanupPending", || async {
                let (status, reason, _) = condition(&api, &name, "CleanupPending").await?;
                ensure!(
                    (status.as_str(), reason.as_str()) == ("True", "CleanupRunning"),
                    "{status} {reason}"
                );
                Ok(())
            })
            .await?;
        }
        let owner = jobs.get("f0-function-cleanup").await?.metadata.owner_references.unwrap_or_default();
        ensure!(owner.len() == 1 && owner[0].name == "f0", "{owner:?}");

        // The controller is restarted in between: the object continues to wait.
        controller.signal("KILL")?;
        let controller = Controller::start(&env, "function-controller", &namespace).await?;
        controller.reconciled(&env, N as u64).await?;
        let writes = env.audit()?.by(&controller.user).writes();
        ensure!(writes.requests().is_empty(), "writes after a restart: {:?}", writes.counts());

        for i in 0..N {
            end(&jobs, &format!("f{i}-function-cleanup"), true).await?;
        }
        for i in 0..N {
            gone(&env, &api, &format!("f{i}")).await?;
        }
        let counts = env.audit()?.by(&controller.user).writes().counts();
        ensure!(counts == BTreeMap::from([("patch functions".to_owned(), N)]), "{counts:?}");
        env.until("end of the Jobs", || async {
            if jobs.get_opt("f0-function-cleanup").await?.is_none() { Ok(()) } else { bail!("still there") }
        })
        .await
    })
    .await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_failed_cleanup_is_reported_and_blocks_nothing() -> Result<()> {
    let env = TestEnv::connect().await?;
    env.prepare().await?;
    env.test("cleanfail", |env, namespace| async move {
        let _statefulset_controller = FakeStatefulSetController::start(&env, &namespace);
        let _controller = Controller::start(&env, "function-controller", &namespace).await?;
        let api = functions(&env, &namespace);
        let jobs: Api<Job> = Api::namespaced(env.client.clone(), &namespace);
        create(&api, "Function", "f", &cleaning()).await?;
        until_ready(&env, &api, "f", AVAILABLE).await?;
        api.delete("f", &DeleteParams::default()).await?;
        env.until("Job", || async { Ok(jobs.get("f-function-cleanup").await?) }).await?;
        end(&jobs, "f-function-cleanup", false).await?;
        gone(&env, &api, "f").await?;
        env.until("Event", || async {
            let events = format!(
                "-n {namespace} get events -o jsonpath={{.items[?(@.reason==\"CleanupFailed\")].message}}"
            );
            let found = e2e::shell::output(&mut env.kubectl.with(events.splitn(6, ' ')))?;
            if found.contains("BackoffLimitExceeded") { Ok(()) } else { bail!("{found}") }
        })
        .await
    })
    .await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cleanup_can_be_skipped_at_any_time() -> Result<()> {
    let env = TestEnv::connect().await?;
    env.prepare().await?;
    env.test("cleanskip", |env, namespace| async move {
        let _statefulset_controller = FakeStatefulSetController::start(&env, &namespace);
        let controller = Controller::start(&env, "function-controller", &namespace).await?;
        let api = functions(&env, &namespace);
        let jobs: Api<Job> = Api::namespaced(env.client.clone(), &namespace);
        let skip = json!({"metadata": {"annotations": {"compute.functionmesh.io/need-cleanup": "false"}}});
        let finalizers = |name: &'static str, want: &'static [&'static str]| {
            let api = api.clone();
            async move {
                let object = api.get(name).await?;
                ensure!(object.finalizers() == want, "{:?}", object.finalizers());
                Ok(())
            }
        };

        // While it exists, and with a finalizer of another controller.
        create(&api, "Function", "f", &cleaning()).await?;
        until_ready(&env, &api, "f", AVAILABLE).await?;
        merge(&api, "f", json!({"metadata": {"finalizers": ["example.com/other", FINALIZER]}})).await?;
        merge(&api, "f", skip.clone()).await?;
        env.until("end of the finalizer", || finalizers("f", &["example.com/other"])).await?;
        merge(&api, "f", json!({"metadata": {"annotations": {"compute.functionmesh.io/need-cleanup": null}}})).await?;
        env.until("the finalizer again", || finalizers("f", &["example.com/other", FINALIZER])).await?;
        merge(&api, "f", json!({"spec": {"cleanupSubscription": false}})).await?;
        env.until("end of the finalizer", || finalizers("f", &["example.com/other"])).await?;
        merge(&api, "f", json!({"metadata": {"finalizers": null}})).await?;

        // While it waits.
        create(&api, "Function", "g", &cleaning()).await?;
        until_ready(&env, &api, "g", AVAILABLE).await?;
        api.delete("g", &DeleteParams::default()).await?;
        env.until("Job", || async { Ok(jobs.get("g-function-cleanup").await?) }).await?;
        merge(&api, "g", skip.clone()).await?;
        gone(&env, &api, "g").await?;

        // Leftovers of the Go operator: its finalizer, and its sleeping Job without an owner.
        create(&api, "Function", "h", &cleaning()).await?;
        until_ready(&env, &api, "h", AVAILABLE).await?;
        controller.signal("TERM")?;
        let uid = api.get("h").await?.uid();
        let labels = json!({"compute.functionmesh.io/component": "function", "compute.functionmesh.io/name": "h", "owner": uid});
        let sleeping: Job = serde_json::from_value(json!({
            "metadata": {"name": "h-function-cleanup", "labels": labels},
            "spec": {"template": {"spec": {"restartPolicy": "OnFailure", "containers": [{"name": "cleanup", "image": "old:1"}]}}},
        }))?;
        jobs.create(&PostParams::default(), &sleeping).await?;
        api.delete("h", &DeleteParams::default()).await?;
        let controller = Controller::start(&env, "function-controller", &namespace).await?;
        env.until("a Job of ours", || async {
            let job = jobs.get("h-function-cleanup").await?;
            ensure!(!job.owner_references().is_empty(), "the Go operator's");
            Ok(())
        })
        .await?;
        end(&jobs, "h-function-cleanup", true).await?;
        gone(&env, &api, "h").await?;

        // An object of the Go operator that is not managed is deleted all the same.
        create(&api, "Function", "i", &function_spec()).await?;
        until_ready(&env, &api, "i", AVAILABLE).await?;
        let marks = json!({"metadata": {"finalizers": [FINALIZER], "annotations": {"compute.functionmesh.io/managed": "false"}}});
        merge(&api, "i", marks).await?;
        api.delete("i", &DeleteParams::default()).await?;
        gone(&env, &api, "i").await?;
        let refused = env.audit()?.by(&controller.user).writes().only(|r| r.code() == 403);
        ensure!(refused.requests().is_empty(), "forbidden: {:?}", refused.counts());
        Ok(())
    })
    .await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_namespace_does_not_wait_for_a_cleanup() -> Result<()> {
    let env = TestEnv::connect().await?;
    env.prepare().await?;
    env.test("cleanns", |env, namespace| async move {
        let _statefulset_controller = FakeStatefulSetController::start(&env, &namespace);
        let _controller = Controller::start(&env, "function-controller", &namespace).await?;
        let api = functions(&env, &namespace);
        let jobs: Api<Job> = Api::namespaced(env.client.clone(), &namespace);
        for name in ["f", "g"] {
            create(&api, "Function", name, &cleaning()).await?;
            until_ready(&env, &api, name, AVAILABLE).await?;
        }
        // One is in progress already.
        api.delete("g", &DeleteParams::default()).await?;
        env.until("Job", || async { Ok(jobs.get("g-function-cleanup").await?) }).await?;
        env.end_namespace(&namespace).await
    })
    .await
}
