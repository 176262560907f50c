//! A refusal of the API server is reported with its reason, affects only its object, and clears once it is fixed
//! (docs/reliability.md, T17 to T19).

use anyhow::{Result, ensure};
use e2e::scenarios::fleet::{FUNCTION, Kind, SINK};
use e2e::testing::fake_statefulset_controller::FakeStatefulSetController;
use e2e::testing::objects::{AVAILABLE, api, create, merge, until_ready};
use e2e::testing::{Controller, TestEnv};
use k8s_openapi::api::admissionregistration::v1::{
    ValidatingAdmissionPolicy, ValidatingAdmissionPolicyBinding,
};
use k8s_openapi::api::core::v1::ResourceQuota;
use k8s_openapi::api::rbac::v1::ClusterRole;
use kube::api::{Api, DeleteParams, DynamicObject, Patch, PatchParams, PostParams};
use serde_json::json;

/// Waits until an object is refused with a reason, and reported once; then another edit, after the fix, makes it ready.
async fn refused(
    env: &TestEnv,
    api: &Api<DynamicObject>,
    kind: &Kind,
    reason: &str,
    text: &[&str],
) -> Result<()> {
    create(api, kind.kind, "f", &kind.spec()).await?;
    let message = until_ready(env, api, "f", ("False", reason)).await?;
    for word in text {
        ensure!(message.contains(word), "no {word:?} in: {message}");
    }
    Ok(())
}

async fn fixed(env: &TestEnv, api: &Api<DynamicObject>) -> Result<()> {
    // A new generation is tried at once; otherwise the object is tried again within five minutes.
    merge(api, "f", json!({"spec": {"image": "example.com/image:2"}})).await?;
    until_ready(env, api, "f", AVAILABLE).await.map(drop)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_quota_is_named() -> Result<()> {
    let env = TestEnv::connect().await?;
    env.prepare().await?;
    env.test("quota", |env, namespace| async move {
        let _statefulset_controller = FakeStatefulSetController::start(&env, &namespace);
        let quotas: Api<ResourceQuota> = Api::namespaced(env.client.clone(), &namespace);
        let none = json!({"count/statefulsets.apps": "0"});
        let quota = json!({"metadata": {"name": "few"}, "spec": {"hard": none}});
        quotas.create(&PostParams::default(), &serde_json::from_value(quota)?).await?;
        // Plays the quota controller, which does not run here.
        let status = |hard: &str| {
            let count = |number: &str| json!({"count/statefulsets.apps": number});
            Patch::Merge(
                json!({"spec": {"hard": count(hard)}, "status": {"hard": count(hard), "used": count("0")}}),
            )
        };
        quotas.patch_status("few", &PatchParams::default(), &status("0")).await?;
        let _controller = Controller::start(&env, FUNCTION.controller, &namespace).await?;
        let api = api(&env, &namespace, FUNCTION.kind, FUNCTION.plural);
        refused(&env, &api, &FUNCTION, "QuotaExceeded", &["StatefulSet f-function", "exceeded quota: few"])
            .await?;
        quotas.delete("few", &DeleteParams::default()).await?;
        fixed(&env, &api).await
    })
    .await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_policy_is_named() -> Result<()> {
    let env = TestEnv::connect().await?;
    env.prepare().await?;
    env.test("denied", |env, namespace| async move {
        let _statefulset_controller = FakeStatefulSetController::start(&env, &namespace);
        let policies: Api<ValidatingAdmissionPolicy> = Api::all(env.client.clone());
        let bindings: Api<ValidatingAdmissionPolicyBinding> = Api::all(env.client.clone());
        let policy = json!({
            "metadata": {"name": namespace},
            "spec": {
                "failurePolicy": "Fail",
                "matchConstraints": {"resourceRules": [{
                    "apiGroups": ["apps"], "apiVersions": ["v1"], "operations": ["CREATE"], "resources": ["statefulsets"],
                }]},
                "validations": [{"expression": "false", "message": "no pods on fridays"}],
            },
        });
        let binding = json!({
            "metadata": {"name": namespace},
            "spec": {"policyName": namespace, "validationActions": ["Deny"], "matchResources": {
                "namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": namespace}}}},
        });
        policies.create(&PostParams::default(), &serde_json::from_value(policy)?).await?;
        bindings.create(&PostParams::default(), &serde_json::from_value(binding)?).await?;
        // A policy takes effect some moments after its creation: wait until nothing is admitted any more.
        let sets: Api<DynamicObject> = e2e::testing::Child::of(&env, &namespace, "StatefulSet", "")?.api;
        let probe = json!({"apiVersion": "apps/v1", "kind": "StatefulSet", "metadata": {"name": "probe"}, "spec": {
            "serviceName": "x", "selector": {"matchLabels": {"a": "b"}}, "template": {"metadata": {"labels": {"a": "b"}},
            "spec": {"containers": [{"name": "c", "image": "i"}]}}}});
        let probe: DynamicObject = serde_json::from_value(probe)?;
        let dry = PostParams { dry_run: true, ..PostParams::default() };
        env.until("policy", || async {
            let admitted = sets.create(&dry, &probe).await;
            ensure!(admitted.is_err_and(|error| error.to_string().contains("fridays")), "admitted");
            Ok(())
        })
        .await?;
        let _controller = Controller::start(&env, FUNCTION.controller, &namespace).await?;
        let api = api(&env, &namespace, FUNCTION.kind, FUNCTION.plural);
        refused(&env, &api, &FUNCTION, "AdmissionDenied", &["StatefulSet f-function", "no pods on fridays"]).await?;
        bindings.delete(&namespace, &DeleteParams::default()).await?;
        policies.delete(&namespace, &DeleteParams::default()).await?;
        env.until("end of the policy", || async { Ok(sets.create(&dry, &probe).await.map(drop)?) }).await?;
        fixed(&env, &api).await
    })
    .await
}

/// Each permission to write a child is removed from the sink-controller, which no other test of this module uses.
#[tokio::test(flavor = "multi_thread")]
async fn a_missing_permission_is_named() -> Result<()> {
    let env = TestEnv::connect().await?;
    env.prepare().await?;
    env.test("permissions", |env, namespace| async move {
        let _statefulset_controller = FakeStatefulSetController::start(&env, &namespace);
        let roles: Api<ClusterRole> = Api::all(env.client.clone());
        let role = "function-mesh-sink-controller";
        let whole = roles.get(role).await?;
        let controller = Controller::start(&env, SINK.controller, &namespace).await?;
        let sinks = api(&env, &namespace, SINK.kind, SINK.plural);
        for resource in ["statefulsets", "services"] {
            let mut less = whole.clone();
            for rule in less.rules.iter_mut().flatten() {
                if rule.resources.iter().flatten().any(|r| r == resource) {
                    rule.verbs.retain(|verb| verb != "patch");
                }
            }
            let having = |role: &ClusterRole| Patch::Merge(json!({"rules": role.rules}));
            roles.patch(role, &PatchParams::default(), &having(&less)).await?;
            let client = env.client_of(&controller.user)?;
            let services: Api<k8s_openapi::api::core::v1::Service> =
                Api::namespaced(client.clone(), &namespace);
            let sets: Api<k8s_openapi::api::apps::v1::StatefulSet> = Api::namespaced(client, &namespace);
            let nothing = Patch::Merge(json!({}));
            // Until the API server knows: with the permission it responds that the object does not exist.
            let code = async |resource: &str| {
                let parameters = PatchParams::default();
                let answer = match resource {
                    "services" => services.patch("none", &parameters, &nothing).await.map(drop),
                    _ => sets.patch("none", &parameters, &nothing).await.map(drop),
                };
                match answer {
                    Err(kube::Error::Api(status)) => status.code,
                    _ => 0,
                }
            };
            env.until("loss of the permission", || async {
                ensure!(code(resource).await == 403, "it is there");
                Ok(())
            })
            .await?;
            refused(&env, &sinks, &SINK, "Forbidden", &["cannot patch resource", resource]).await?;
            // Other objects, whose children exist, are unaffected; and this one is retried with a backoff.
            roles.patch(role, &PatchParams::default(), &having(&whole)).await?;
            env.until("return of the permission", || async {
                ensure!(code(resource).await == 404, "it is not there");
                Ok(())
            })
            .await?;
            fixed(&env, &sinks).await?;
            sinks.delete("f", &DeleteParams::default()).await?;
            env.until("end of the sink", || async {
                ensure!(sinks.get_opt("f").await?.is_none(), "it is there");
                Ok(())
            })
            .await?;
        }
        Ok(())
    })
    .await
}
