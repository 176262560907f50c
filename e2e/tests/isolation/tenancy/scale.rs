//! The number of pods follows the object although the pod template is refused.

use super::backend_config::scaled;
use anyhow::{Result, ensure};
use e2e::testing::fake_statefulset_controller::FakeStatefulSetController;
use e2e::testing::objects::{
    AVAILABLE, create, function_spec, functions, merge, until_condition, until_ready,
};
use e2e::testing::{Controller, TestEnv};
use k8s_openapi::api::admissionregistration::v1::{
    ValidatingAdmissionPolicy, ValidatingAdmissionPolicyBinding,
};
use k8s_openapi::api::apps::v1::StatefulSet;
use k8s_openapi::api::core::v1::{ConfigMap, ResourceQuota, Service};
use kube::api::{Api, DeleteParams, DynamicObject, Patch, PatchParams, PostParams};
use serde_json::json;

/// A cluster policy that denies StatefulSets with an image. It is in force once a dry run is denied.
async fn deny(env: &TestEnv, namespace: &str) -> Result<()> {
    let policies: Api<ValidatingAdmissionPolicy> = Api::all(env.client.clone());
    let bindings: Api<ValidatingAdmissionPolicyBinding> = Api::all(env.client.clone());
    let policy = json!({"metadata": {"name": namespace}, "spec": {
        "failurePolicy": "Fail",
        "matchConstraints": {"resourceRules": [{"apiGroups": ["apps"], "apiVersions": ["v1"],
            "operations": ["CREATE", "UPDATE"], "resources": ["statefulsets"]}]},
        "validations": [{"expression": "object.spec.template.spec.containers.all(c, c.image != 'example.com/bad')",
            "message": "no bad images"}],
    }});
    let binding = json!({"metadata": {"name": namespace}, "spec": {"policyName": namespace,
        "validationActions": ["Deny"], "matchResources": {
            "namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": namespace}}}}});
    policies.create(&PostParams::default(), &serde_json::from_value(policy)?).await?;
    bindings.create(&PostParams::default(), &serde_json::from_value(binding)?).await?;
    let sets: Api<StatefulSet> = Api::namespaced(env.client.clone(), namespace);
    env.until("policy", || async {
        let mut set = sets.get("denied-function").await?;
        for container in set.spec.template.spec.iter_mut().flat_map(|pod| &mut pod.containers) {
            container.image = Some("example.com/bad".to_owned());
        }
        let dry = PostParams { dry_run: true, ..PostParams::default() };
        let answer = sets.replace("denied-function", &dry, &set).await;
        ensure!(answer.is_err_and(|error| error.to_string().contains("no bad images")), "admitted");
        Ok(())
    })
    .await
}

#[tokio::test(flavor = "multi_thread")]
async fn it_is_followed_although_the_template_is_refused() -> Result<()> {
    let env = TestEnv::connect().await?;
    env.prepare().await?;
    env.test("scalerefused", |env, namespace| async move {
        let _statefulset_controller = FakeStatefulSetController::start(&env, &namespace);
        let _controller = Controller::start(&env, "function-controller", &namespace).await?;
        let functions = functions(&env, &namespace);
        let sets: Api<StatefulSet> = Api::namespaced(env.client.clone(), &namespace);
        for name in ["denied", "invalid", "quota", "taken"] {
            create(&functions, "Function", name, &function_spec()).await?;
        }
        for name in ["denied", "invalid", "quota", "taken"] {
            until_ready(&env, &functions, name, AVAILABLE).await?;
        }
        let template = scaled(&env, &sets, "denied-function", 1).await?;
        let scale = |functions: Api<DynamicObject>, name: &'static str, replicas: i32| async move {
            let scale = Patch::Merge(json!({"spec": {"replicas": replicas}}));
            functions.patch_scale(name, &PatchParams::default(), &scale).await
        };

        // Refused by an admission policy; the number changes in the same edit, and later.
        deny(&env, &namespace).await?;
        let edit = json!({"spec": {"image": "example.com/bad", "replicas": 2}});
        merge(&functions, "denied", edit).await?;
        until_ready(&env, &functions, "denied", ("False", "AdmissionDenied")).await?;
        ensure!(scaled(&env, &sets, "denied-function", 2).await? == template, "the template changed");
        scale(functions.clone(), "denied", 4).await?;
        ensure!(scaled(&env, &sets, "denied-function", 4).await? == template, "the template changed");
        merge(&functions, "denied", json!({"spec": {"image": "example.com/good"}})).await?;
        until_ready(&env, &functions, "denied", AVAILABLE).await?;

        // Refused by the operator: the spec has a setting that no pod can have.
        merge(&functions, "invalid", json!({"spec": {"pod": {"labels": {"a": "b c"}}}})).await?;
        until_ready(&env, &functions, "invalid", ("False", "Invalid")).await?;
        scale(functions.clone(), "invalid", 3).await?;
        scaled(&env, &sets, "invalid-function", 3).await?;

        // A foreign Service has the name of the operator's.
        let taken = "taken-function-headless";
        let services: Api<Service> = Api::namespaced(env.client.clone(), &namespace);
        let uid = services.get(taken).await?.metadata.uid;
        let owners: Api<ConfigMap> = Api::namespaced(env.client.clone(), &namespace);
        let owner = serde_json::from_value(json!({"metadata": {"name": "owner"}}))?;
        let owner = owners.create(&PostParams::default(), &owner).await?;
        let reference = json!({"apiVersion": "v1", "kind": "ConfigMap", "name": "owner", "controller": true,
            "uid": owner.metadata.uid});
        let foreign = json!({"metadata": {"ownerReferences": [reference]}});
        services.patch(taken, &PatchParams::default(), &Patch::Merge(foreign)).await?;
        until_condition(&env, &functions, "taken", "ReconcileFailed", ("True", "NameConflict")).await?;
        ensure!(services.get(taken).await?.metadata.uid == uid, "the Service was recreated");
        scale(functions.clone(), "taken", 3).await?;
        scaled(&env, &sets, "taken-function", 3).await?;

        // Refused by a quota, which leaves no room for a Service that a user deleted.
        let quotas: Api<ResourceQuota> = Api::namespaced(env.client.clone(), &namespace);
        let quota = json!({"metadata": {"name": "few"}, "spec": {"hard": {"count/services": "0"}}});
        quotas.create(&PostParams::default(), &serde_json::from_value(quota)?).await?;
        let status = json!({"status": {"hard": {"count/services": "0"}, "used": {"count/services": "0"}}});
        quotas.patch_status("few", &PatchParams::default(), &Patch::Merge(status)).await?;
        services.delete("quota-function-headless", &DeleteParams::default()).await?;
        until_condition(&env, &functions, "quota", "ReconcileFailed", ("True", "QuotaExceeded")).await?;
        scale(functions.clone(), "quota", 3).await?;
        scaled(&env, &sets, "quota-function", 3).await.map(drop)
    })
    .await
}
