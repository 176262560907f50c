//! Deletion of many objects: children are left to the garbage collector, cleanups run, and no namespace deletion hangs.

use anyhow::{Result, ensure};
use e2e::testing::audit::Audit;
use e2e::testing::fake_statefulset_controller::FakeStatefulSetController;
use e2e::testing::objects::{AVAILABLE, create, each, function_spec, functions, until_ready};
use e2e::testing::{Child, Controller, TestEnv};
use futures::TryFutureExt;
use kube::api::{Api, DeleteParams, DynamicObject, ListParams, Patch, PatchParams};
use serde_json::{Value, json};
use std::collections::BTreeMap;

const N: usize = 50;

/// A Function, optionally with something to clean up.
fn spec(cleanup: bool) -> Value {
    let mut spec = function_spec();
    spec["cleanupSubscription"] = json!(cleanup);
    spec
}

fn names(number: usize) -> impl Iterator<Item = String> {
    (0..number).map(|i| format!("f{i}"))
}

async fn make(
    env: &TestEnv,
    api: &Api<DynamicObject>,
    number: usize,
    cleanup: impl Fn(usize) -> bool,
) -> Result<()> {
    each(names(number).enumerate(), |(i, name)| {
        let spec = spec(cleanup(i));
        async move { create(api, "Function", &name, &spec).await }
    })
    .await?;
    each(names(number), |name| async move { until_ready(env, api, &name, AVAILABLE).map_ok(drop).await })
        .await
}

async fn delete(api: &Api<DynamicObject>) -> Result<()> {
    each(names(N), |name| async move {
        api.delete(&name, &DeleteParams::default()).await?;
        Ok(())
    })
    .await
}

/// Waits until no object of these kinds is left in the namespace.
async fn none_left(env: &TestEnv, namespace: &str, kinds: &[&'static str]) -> Result<()> {
    for kind in kinds {
        let api = match *kind {
            "Function" => functions(env, namespace),
            kind => Child::of(env, namespace, kind, "")?.api,
        };
        env.until(&format!("end of every {kind}"), || async {
            let left = api.list(&ListParams::default().limit(500)).await?.items.len();
            ensure!(left == 0, "{left} left");
            Ok(())
        })
        .await?;
    }
    Ok(())
}

/// Waits until the controller keeps nothing about objects that are gone.
async fn nothing_kept(env: &TestEnv, controller: &Controller) -> Result<()> {
    env.until("the end of what is kept beside the caches", || async {
        let text = controller.get("metrics")?;
        let sizes = text.lines().filter(|line| line.starts_with("function_mesh_tracked_entries{"));
        let kept: Vec<&str> = sizes.clone().filter(|line| !line.ends_with(" 0")).collect();
        ensure!(kept.is_empty() && sizes.count() > 5, "{kept:?}");
        Ok(())
    })
    .await
}

/// The writes of a controller after a mark, and the refused ones.
struct Since<'a> {
    env: &'a TestEnv,
    user: &'a str,
    requests: usize,
}

impl<'a> Since<'a> {
    fn now(env: &'a TestEnv, user: &'a str) -> Result<Self> {
        let requests = env.audit()?.by(user).requests().len();
        Ok(Self { env, user, requests })
    }

    fn audit(&self) -> Result<Audit> {
        Ok(self.env.audit()?.by(self.user).skip(self.requests))
    }

    fn wrote(&self, wanted: &[(&str, usize)]) -> Result<()> {
        let counts = self.audit()?.writes().counts();
        let wanted: BTreeMap<_, _> = wanted.iter().map(|(k, n)| ((*k).to_owned(), *n)).collect();
        ensure!(counts == wanted, "{counts:?} instead of {wanted:?}");
        Ok(())
    }

    /// Unsuccessful responses, by verb, resource and code.
    fn refused(&self) -> Result<BTreeMap<String, usize>> {
        let mut refused = BTreeMap::new();
        for request in self.audit()?.refused().requests() {
            let what = format!("{} {} {}", request.code(), request.verb, request.resource());
            *refused.entry(what).or_default() += 1;
        }
        Ok(refused)
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn deleted_objects_cost_nothing_and_their_names_are_free() -> Result<()> {
    let env = TestEnv::connect().await?;
    env.prepare().await?;
    env.test("deleting", |env, namespace| async move {
        let _statefulset_controller = FakeStatefulSetController::start(&env, &namespace);
        let controller = Controller::start(&env, "function-controller", &namespace).await?;
        let api = functions(&env, &namespace);
        make(&env, &api, N, |_| false).await?;
        let since = Since::now(&env, &controller.user)?;
        delete(&api).await?;
        let children = ["Function", "StatefulSet", "Service"];
        none_left(&env, &namespace, &children).await?;
        // Once more, under the same names; a late deletion would hit the new objects.
        make(&env, &api, N, |_| false).await?;
        since.wrote(&[
            ("patch statefulsets", N),
            ("patch services", N),
            ("patch functions/status", 2 * N),
        ])?;
        ensure!(since.refused()?.is_empty(), "{:?}", since.refused()?);

        // At once: the children of the predecessors cause conflicts until they are collected, which the status reports.
        let since = Since::now(&env, &controller.user)?;
        each(names(N), |name| {
            let api = &api;
            async move {
                api.delete(&name, &DeleteParams::default()).await?;
                create(api, "Function", &name, &spec(false)).await
            }
        })
        .await?;
        each(names(N), |name| {
            let (env, api) = (&env, &api);
            async move { until_ready(env, api, &name, AVAILABLE).map_ok(drop).await }
        })
        .await?;
        let counts = since.audit()?.writes().counts();
        println!("deleted and recreated at once: {counts:?}");
        ensure!(counts["patch statefulsets"] == N && counts["patch services"] == N, "{counts:?}");
        // Up to two writes report that the Service, and then the StatefulSet, of the predecessor still exists.
        ensure!((2 * N..=4 * N).contains(&counts["patch functions/status"]), "{counts:?}");
        ensure!(counts.len() == 3 && since.refused()?.is_empty(), "{counts:?} {:?}", since.refused()?);
        Ok(())
    })
    .await
}

#[tokio::test(flavor = "multi_thread")]
async fn every_deleted_object_is_cleaned_up_once() -> Result<()> {
    let env = TestEnv::connect().await?;
    env.prepare().await?;
    env.test("cleaning", |env, namespace| async move {
        let _statefulset_controller = FakeStatefulSetController::start(&env, &namespace);
        let controller = Controller::start(&env, "function-controller", &namespace).await?;
        let api = functions(&env, &namespace);
        make(&env, &api, N, |_| true).await?;
        let since = Since::now(&env, &controller.user)?;
        delete(&api).await?;
        let jobs = Child::of(&env, &namespace, "Job", "")?.api;

        // Plays the Job controller, which does not run here.
        let time = "2026-01-01T00:00:00Z";
        let condition = |type_: &str| {
            json!({"type": type_, "status": "True", "reason": "CompletionsReached", "message": "for a test",
                   "lastProbeTime": time, "lastTransitionTime": time})
        };
        let status = json!({"status": {"startTime": time, "completionTime": time, "succeeded": 1,
            "conditions": [condition("SuccessCriteriaMet"), condition("Complete")]}});
        let most_at_once = async {
            let mut most = 0;
            loop {
                let all = jobs.list(&ListParams::default()).await?.items;
                let open = all.iter().filter(|job| job.data["status"]["conditions"].is_null());
                let open: Vec<_> = open.filter_map(|job| job.metadata.name.clone()).collect();
                most = most.max(open.len());
                each(&open, |name| {
                    let (jobs, status) = (&jobs, Patch::Merge(&status));
                    async move {
                        jobs.patch_status(name, &PatchParams::default(), &status).await?;
                        Ok(())
                    }
                })
                .await?;
                if api.list(&ListParams::default().limit(1)).await?.items.is_empty() {
                    return anyhow::Ok(most);
                }
            }
        };
        let most = tokio::time::timeout(env.timeout(), most_at_once).await??;
        ensure!(most <= 10, "{most} Jobs at once");
        none_left(&env, &namespace, &["Function", "StatefulSet", "Service", "Job"]).await?;
        let mut counts = since.audit()?.writes().counts();
        // One write reports that the Job runs; for most objects one before it reports that they wait for their turn.
        let reported = counts.remove("patch functions/status").unwrap_or_default();
        ensure!((N..=2 * N).contains(&reported), "{reported} statuses");
        nothing_kept(&env, &controller).await?;
        let rest = [("delete statefulsets", N), ("patch jobs", N), ("patch functions", N)];
        let wanted: BTreeMap<_, _> = rest.iter().map(|(k, n)| ((*k).to_owned(), *n)).collect();
        ensure!(counts == wanted, "{counts:?} instead of {wanted:?}");
        ensure!(since.refused()?.is_empty(), "{:?}", since.refused()?);
        Ok(())
    })
    .await
}

/// Half of the objects have something to clean up, which is impossible in a namespace that is being deleted.
#[tokio::test(flavor = "multi_thread")]
async fn a_namespace_is_deleted_with_everything_in_it() -> Result<()> {
    const N: usize = 100;
    let env = TestEnv::connect().await?;
    env.prepare().await?;
    env.test("terminating", |env, namespace| async move {
        let controller = {
            let _statefulset_controller = FakeStatefulSetController::start(&env, &namespace);
            let controller = Controller::start(&env, "function-controller", &namespace).await?;
            let api = functions(&env, &namespace);
            make(&env, &api, N, |i| i % 2 == 0).await?;
            controller
        };
        let since = Since::now(&env, &controller.user)?;
        env.end_namespace(&namespace).await?;
        let (refused, counts) = (since.refused()?, since.audit()?.writes().only(|r| r.code() < 300).counts());
        println!("a namespace with {N} Functions deleted: written {counts:?}, refused {refused:?}");
        // Nothing is created: children are neither written nor, if the namespace controller was faster, deleted again.
        let made = counts.keys().filter(|what| !what.contains(" functions") && !what.starts_with("delete "));
        ensure!(made.count() == 0, "{counts:?}");
        ensure!(counts["patch functions"] == N / 2, "finalizers: {counts:?}");
        // One Job each is tried, because only the API server knows whether it is possible. Children are tried by the reconciles
        // in progress at the first refusal, and a minute later: not by each object again and again.
        let count = |what: &str| refused.get(what).copied().unwrap_or_default();
        ensure!(count("403 patch jobs") <= N / 2, "{refused:?}");
        let all: usize = refused.values().sum();
        ensure!(all <= N / 2 + N, "{all} answers that are no success: {refused:?}");
        Ok(())
    })
    .await
}
