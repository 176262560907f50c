//! A BackendConfig that the API server would refuse in a pod: the status names it, pods keep running, and scaling works.

use anyhow::{Result, bail, ensure};
use e2e::testing::fake_statefulset_controller::FakeStatefulSetController;
use e2e::testing::objects::{
    AVAILABLE, api, create, function_spec, functions, merge, object, until_condition, until_ready,
};
use e2e::testing::{Controller, TestEnv};
use k8s_openapi::api::apps::v1::StatefulSet;
use k8s_openapi::api::autoscaling::v2::HorizontalPodAutoscaler;
use k8s_openapi::api::batch::v1::Job;
use kube::api::{Api, DeleteParams, Patch, PatchParams, PostParams};
use serde_json::{Value, json};

/// The `Ready` condition of an object that runs as specified, which depends on its pods only.
const REFUSED: (&str, &str) = ("True", "InvalidBackendConfig");

/// Waits until a StatefulSet has a number of replicas; returns its pod template.
pub(super) async fn scaled(
    env: &TestEnv,
    sets: &Api<StatefulSet>,
    name: &str,
    replicas: i32,
) -> Result<Value> {
    env.until(&format!("{replicas} replicas of {name}"), || async {
        let set = sets.get(name).await?;
        if set.spec.replicas == Some(replicas) {
            Ok(serde_json::to_value(set.spec.template)?)
        } else {
            bail!("{:?}", set.spec.replicas)
        }
    })
    .await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_bad_one_is_named_and_holds_up_neither_scaling_nor_deletion() -> Result<()> {
    let env = TestEnv::connect().await?;
    env.prepare().await?;
    env.test("becfgcontent", |env, namespace| async move {
        let _statefulset_controller = FakeStatefulSetController::start(&env, &namespace);
        let controller = Controller::start(&env, "function-controller", &namespace).await?;
        let functions = functions(&env, &namespace);
        let configs = api(&env, &namespace, "BackendConfig", "backendconfigs");
        let sets: Api<StatefulSet> = Api::namespaced(env.client.clone(), &namespace);
        let mut spec = function_spec();
        spec["cleanupSubscription"] = json!(true);
        create(&functions, "Function", "f", &spec).await?;
        spec["maxReplicas"] = json!(5);
        create(&functions, "Function", "g", &spec).await?;
        for name in ["f", "g"] {
            until_ready(&env, &functions, name, AVAILABLE).await?;
        }
        let template = scaled(&env, &sets, "f-function", 1).await?;

        // Affinity is not covered by the rules of the kind: as if the object was stored before the rules existed.
        let term = json!({"matchExpressions": [{"key": "a", "operator": "Is", "values": ["b"]}]});
        let affinity = json!({"nodeAffinity": {
            "requiredDuringSchedulingIgnoredDuringExecution": {"nodeSelectorTerms": [term]}}});
        let bad = json!({"autoUpdate": true, "env": {"A": "1"}, "pod": {"affinity": affinity}});
        create(&configs, "BackendConfig", "backend-config", &bad).await?;
        for name in ["f", "g"] {
            let message = until_condition(&env, &functions, name, "ReconcileFailed", REFUSED).await?;
            let field = "spec.pod.affinity.nodeAffinity.requiredDuringSchedulingIgnoredDuringExecution.\
                         nodeSelectorTerms[0].matchExpressions[0].operator";
            ensure!(
                message.contains(&format!("BackendConfig {namespace}/backend-config: {field}")),
                "{message}"
            );
        }
        let written = env.audit()?.by(&controller.user).writes().counts();
        ensure!(written["patch statefulsets"] == 2, "a StatefulSet was written: {written:?}");

        // By kubectl, by the user, and by an autoscaler, whose own bounds change as well.
        let scale = Patch::Merge(json!({"spec": {"replicas": 3}}));
        functions.patch_scale("f", &PatchParams::default(), &scale).await?;
        ensure!(scaled(&env, &sets, "f-function", 3).await? == template, "the template changed");
        until_ready(&env, &functions, "f", AVAILABLE).await?;
        merge(&functions, "f", json!({"spec": {"replicas": 2, "image": "example.com/image:2"}})).await?;
        until_ready(&env, &functions, "f", ("False", "InvalidBackendConfig")).await?;
        ensure!(scaled(&env, &sets, "f-function", 2).await? == template, "the template changed");
        merge(&functions, "g", json!({"spec": {"maxReplicas": 7}})).await?;
        functions.patch_scale("g", &PatchParams::default(), &scale).await?;
        scaled(&env, &sets, "g-function", 3).await?;
        let scalers: Api<HorizontalPodAutoscaler> = Api::namespaced(env.client.clone(), &namespace);
        env.until("bounds", || async {
            let max = scalers.get("g-function").await?.spec.max_replicas;
            if max == 7 { Ok(()) } else { bail!("{max}") }
        })
        .await?;
        env.until("numbers", || async {
            let status = functions.get("f").await?.data["status"].clone();
            ensure!(status["replicas"] == 2 && status["readyReplicas"] == 2, "{status}");
            Ok(())
        })
        .await?;

        // A new object gets no pods; a deleted one is cleaned up.
        create(&functions, "Function", "new", &function_spec()).await?;
        until_ready(&env, &functions, "new", ("False", "InvalidBackendConfig")).await?;
        ensure!(sets.get_opt("new-function").await?.is_none(), "pods from a BackendConfig that is refused");
        functions.delete("g", &DeleteParams::default()).await?;
        let jobs: Api<Job> = Api::namespaced(env.client.clone(), &namespace);
        env.until("Job", || async { Ok(jobs.get("g-function-cleanup").await?) }).await?;

        merge(&configs, "backend-config", json!({"spec": {"pod": {"affinity": null}}})).await?;
        for name in ["f", "new"] {
            until_ready(&env, &functions, name, AVAILABLE).await?;
        }
        let pod = &scaled(&env, &sets, "f-function", 2).await?["spec"];
        let main = &pod["containers"][0];
        ensure!(main["env"].as_array().is_some_and(|env| env.iter().any(|v| v["name"] == "A")), "{main}");
        ensure!(main["image"] == "example.com/image:2", "{main}");
        Ok(())
    })
    .await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_refusal_is_attributed_to_the_right_object() -> Result<()> {
    let env = TestEnv::connect().await?;
    env.prepare().await?;
    env.test("becfgblame", |env, namespace| async move {
        let _statefulset_controller = FakeStatefulSetController::start(&env, &namespace);
        let controller = Controller::start(&env, "function-controller", &namespace).await?;
        let functions = functions(&env, &namespace);
        let configs = api(&env, &namespace, "BackendConfig", "backendconfigs");
        let sets: Api<StatefulSet> = Api::namespaced(env.client.clone(), &namespace);
        for name in ["f", "own"] {
            create(&functions, "Function", name, &function_spec()).await?;
            until_ready(&env, &functions, name, AVAILABLE).await?;
        }
        let template = scaled(&env, &sets, "f-function", 1).await?;
        // The operator does not validate node fields.
        let term = json!({"matchFields": [{"key": "metadata.x", "operator": "In", "values": ["b"]}]});
        let affinity = json!({"nodeAffinity": {
            "requiredDuringSchedulingIgnoredDuringExecution": {"nodeSelectorTerms": [term]}}});
        let bad = json!({"autoUpdate": true, "env": {"A": "1"}, "pod": {"affinity": affinity}});
        create(&configs, "BackendConfig", "backend-config", &bad).await?;
        let message = until_condition(&env, &functions, "f", "ReconcileFailed", REFUSED).await?;
        let says = |text: &str| message.contains(text);
        ensure!(says("StatefulSet f-function was refused") && says("metadata.x"), "{message}");
        ensure!(
            says(&format!("comes from BackendConfig {namespace}/backend-config; correct it there")),
            "{message}"
        );
        let scale = Patch::Merge(json!({"spec": {"replicas": 3}}));
        functions.patch_scale("f", &PatchParams::default(), &scale).await?;
        ensure!(scaled(&env, &sets, "f-function", 3).await? == template, "the template changed");
        let spent = env.audit()?.by(&controller.user).refused().counts();
        ensure!(spent.values().sum::<usize>() < 12, "{spent:?}");

        merge(&configs, "backend-config", json!({"spec": {"pod": {"affinity": null}}})).await?;
        for name in ["f", "own"] {
            until_ready(&env, &functions, name, AVAILABLE).await?;
        }
        // The same setting in the object itself is not attributed to a BackendConfig.
        merge(&functions, "own", json!({"spec": {"pod": {"affinity": affinity}}})).await?;
        let message = until_ready(&env, &functions, "own", ("False", "Invalid")).await?;
        ensure!(!message.contains("BackendConfig"), "{message}");
        functions.patch_scale("own", &PatchParams::default(), &scale).await?;
        scaled(&env, &sets, "own-function", 3).await.map(drop)
    })
    .await
}

/// Settings that the kind refuses, as the API server would in a pod, and the field in the message.
#[tokio::test(flavor = "multi_thread")]
async fn what_a_pod_cannot_have_is_refused_at_admission() -> Result<()> {
    let env = TestEnv::connect().await?;
    env.prepare().await?;
    env.test("becfgrules", |env, namespace| async move {
        let configs = api(&env, &namespace, "BackendConfig", "backendconfigs");
        let dry = PostParams { dry_run: true, ..PostParams::default() };
        let refused = [
            ("spec.env", json!({"env": {"A=B": ""}})),
            ("spec.env", json!({"env": {"": ""}})),
            ("spec.pod.labels", json!({"pod": {"labels": {"a": "b c"}}})),
            ("spec.pod.labels", json!({"pod": {"labels": {"a b": "c"}}})),
            ("spec.pod.annotations", json!({"pod": {"annotations": {"a b": "c"}}})),
            ("spec.pod.nodeSelector", json!({"pod": {"nodeSelector": {"a": "b c"}}})),
            ("spec.pod.nodeSelector", json!({"pod": {"nodeSelector": {"-a": "b"}}})),
            (
                "spec.pod.tolerations[0].operator",
                json!({"pod": {"tolerations": [{"key": "a", "operator": "Is"}]}}),
            ),
            (
                "spec.pod.tolerations[0].effect",
                json!({"pod": {"tolerations": [{"key": "a", "effect": "Never"}]}}),
            ),
            ("spec.pod.serviceAccountName", json!({"pod": {"serviceAccountName": "A b"}})),
            ("spec.pod.securityContext.runAsUser", json!({"pod": {"securityContext": {"runAsUser": -1}}})),
            ("spec.pod.startupProbe", json!({"pod": {"startupProbe": {"periodSeconds": 1}}})),
            ("sizeLimit", json!({"pod": {"volumes": [{"name": "v", "emptyDir": {"sizeLimit": "much"}}]}})),
        ];
        for (field, spec) in refused {
            let answer = configs.create(&dry, &object("BackendConfig", "b", &spec)?).await;
            let Err(kube::Error::Api(status)) = answer else { bail!("{field}: accepted: {spec}") };
            ensure!(status.code == 422 && status.message.contains(field), "{field}: {}", status.message);
        }
        let taken = [
            json!({}),
            json!({"env": null, "pod": null}),
            json!({"env": {"a.b": "", "1": "", "a b": ""}, "pod": {"labels": null, "startupProbe": null}}),
            json!({"pod": {"labels": {"Example.com/a": ""}, "annotations": {"Example.com/A": "any: {text}"},
                "tolerations": [{"operator": "Exists"}, {"key": "a", "value": "b"}], "serviceAccountName": "",
                "startupProbe": {"httpGet": {"port": 9094, "path": "/"}}}}),
        ];
        for spec in taken {
            configs.create(&dry, &object("BackendConfig", "b", &spec)?).await?;
        }
        Ok(())
    })
    .await
}
