//! Objects whose status the Go operator wrote. A program of its own, because it changes a kind for a while.

use anyhow::{Result, ensure};
use e2e::shell;
use e2e::testing::fake_statefulset_controller::FakeStatefulSetController;
use e2e::testing::objects::{AVAILABLE, api, create, each, function_spec, functions, merge, until_ready};
use e2e::testing::{Controller, TestEnv};
use kube::api::{Patch, PatchParams};
use serde_json::{Value, json};

#[tokio::test(flavor = "multi_thread")]
async fn a_status_of_the_go_operator_is_converted() -> Result<()> {
    let env = TestEnv::connect().await?;
    env.prepare().await?;
    env.test("legacy", |env, namespace| async move {
        const N: usize = 20;
        // Stored with the Go operator's schema, in which the conditions are a map.
        let definition = "customresourcedefinitions/functions.compute.functionmesh.io";
        let conditions = "/spec/versions/0/schema/openAPIV3Schema/properties/status/properties/conditions";
        let map = json!([{"op": "replace", "path": conditions,
            "value": {"type": "object", "x-kubernetes-preserve-unknown-fields": true}}]);
        let patch = map.to_string();
        let before = shell::output(&mut env.kubectl.with(["get", definition, "-o", "json"]))?;
        let before: Value = serde_json::from_str(&before)?;
        shell::run(&mut env.kubectl.with(["patch", definition, "--type=json", "-p", &patch]))?;
        let api = functions(&env, &namespace);
        let names = || (0..N).map(|i| format!("old{i}"));
        let spec = function_spec();
        each(names(), |name| {
            let (api, spec) = (&api, &spec);
            async move { create(api, "Function", &name, spec).await }
        })
        .await?;
        let old = json!({"status": {"replicas": 1, "selector": "a=b", "observedGeneration": 1,
            "conditions": {"StatefulSet": {"condition": "StatefulSetReady", "status": "True", "action": "NoAction"}}}});
        let stored = each(names(), |name| {
            let (env, api, old) = (&env, &api, Patch::Merge(&old));
            async move {
                let stored = || async {
                    let object = api.patch_status(&name, &PatchParams::default(), &old).await?;
                    ensure!(object.data["status"]["conditions"].is_object(), "{:?}", object.data["status"]);
                    Ok(())
                };
                env.until("the Go operator's status", stored).await
            }
        })
        .await;
        let restore = json!([{"op": "replace", "path": conditions, "value": before.pointer(conditions)}]).to_string();
        shell::run(&mut env.kubectl.with(["patch", definition, "--type=json", "-p", &restore]))?;
        stored?;

        // No pods are reported yet: the children exist, and one write converted each status to a list.
        let controller = Controller::start(&env, "function-controller", &namespace).await?;
        each(names(), |name| {
            let (env, api) = (&env, &api);
            async move { until_ready(env, api, &name, ("False", "WaitingForPods")).await.map(drop) }
        })
        .await?;
        controller.reconciled(&env, N as u64).await?;
        let requests = env.audit()?.by(&controller.user);
        let counts = requests.clone().writes().counts();
        let children = ["patch statefulsets", "patch services"].map(|what| (what.to_owned(), N));
        let first = ("patch functions/status".to_owned(), N);
        ensure!(counts == children.into_iter().chain([first]).collect(), "{counts:?}");
        let refused = requests.clone().refused();
        ensure!(refused.requests().is_empty(), "refused: {:?}", refused.counts());
        // These are merge patches: no other patch can replace the map.
        let statuses = |env: &TestEnv, user: &str| -> Result<_> {
            Ok(env.audit()?.by(user).only(|r| r.resource() == "functions/status" && r.verb == "patch"))
        };
        let first = statuses(&env, &controller.user)?;
        ensure!(first.requests().iter().all(|r| !r.is_forced()), "the first write was server-side apply");

        // The second write, by server-side apply, works as well; then nothing is left to do, even after a restart.
        let _statefulset_controller = FakeStatefulSetController::start(&env, &namespace);
        each(names(), |name| {
            let (env, api) = (&env, &api);
            async move { until_ready(env, api, &name, AVAILABLE).await.map(drop) }
        })
        .await?;
        let user = controller.user.clone();
        controller.signal("TERM")?;
        let counts = env.audit()?.by(&user).writes().counts();
        // A third write removes `Reconciling`, which the API server kept: the first write made it lose the ownership.
        ensure!(counts["patch functions/status"] == 3 * N && counts["patch statefulsets"] == N, "{counts:?}");
        let second = statuses(&env, &user)?.only(e2e::testing::audit::Request::is_forced);
        ensure!(second.requests().len() == N, "{} by server-side apply", second.requests().len());
        let successor = Controller::start(&env, "function-controller", &namespace).await?;
        successor.reconciled(&env, N as u64).await?;
        let writes = env.audit()?.by(&successor.user).writes();
        ensure!(writes.requests().is_empty(), "writes after a restart: {:?}", writes.counts());
        merge(&api, "old0", json!({"spec": {"replicas": 2}})).await?;
        until_ready(&env, &api, "old0", AVAILABLE).await?;
        Ok(())
    })
    .await
}

/// Stored before the rules existed, or changed while updates were not checked: the object stays editable, scales, and has a
/// status.
#[tokio::test(flavor = "multi_thread")]
async fn an_object_that_breaks_a_rule_stays_editable() -> Result<()> {
    let env = TestEnv::connect().await?;
    env.prepare().await?;
    env.test("editable", |env, namespace| async move {
        let definition = "customresourcedefinitions/sinks.compute.functionmesh.io";
        let schema = "/spec/versions/0/schema/openAPIV3Schema";
        let before = shell::output(&mut env.kubectl.with(["get", definition, "-o", "json"]))?;
        let before: Value = serde_json::from_str(&before)?;
        let rules = [schema.to_owned(), format!("{schema}/properties/spec")]
            .map(|path| format!("{path}/x-kubernetes-validations"));
        let patch = |op: &str| -> String {
            let change = |path: &String| match op {
                "remove" => json!({"op": op, "path": path}),
                _ => json!({"op": op, "path": path, "value": before.pointer(path)}),
            };
            Value::from(rules.iter().map(change).collect::<Vec<_>>()).to_string()
        };
        shell::run(&mut env.kubectl.with(["patch", definition, "--type=json", "-p", &patch("remove")]))?;
        let api = api(&env, &namespace, "Sink", "sinks");
        let name = "a-name-that-is-much-longer-than-what-a-pod-can-have";
        let spec = json!({"replicas": 1, "minReplicas": 3, "deadLetterTopic": "a/b", "input": {"topics": ["a/b"]},
            "java": {"jar": "a.nar", "jarLocation": "public/default/legacy"}});
        let stored = env.until("no rules", || create(&api, "Sink", name, &spec)).await;
        shell::run(&mut env.kubectl.with(["patch", definition, "--type=json", "-p", &patch("add")]))?;
        stored?;
        env.until("rules", || async {
            let answer = create(&api, "Sink", "other", &spec).await;
            // Retried: the API server may fail while it loads the changed kind.
            let refused = answer.as_ref().is_err_and(|error| format!("{error:#}").contains("is invalid"));
            ensure!(refused, "an object that breaks the rules: {answer:?}");
            Ok(())
        })
        .await?;

        merge(&api, name, json!({"metadata": {"labels": {"a": "b"}}, "spec": {"timeout": 5000}})).await?;
        let scale = json!({"spec": {"replicas": 2}});
        api.patch_scale(name, &PatchParams::default(), &Patch::Merge(scale)).await?;
        let status = json!({"status": {"replicas": 1}});
        api.patch_status(name, &PatchParams::default(), &Patch::Merge(status)).await?;
        // An object that satisfies a rule cannot be changed to violate it.
        let answer = merge(&api, name, json!({"spec": {"pod": {"vpa": {}}, "maxReplicas": 5}})).await;
        ensure!(answer.is_err(), "a rule that was kept was broken");
        Ok(())
    })
    .await
}
