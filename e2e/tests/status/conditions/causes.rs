//! Only failures that keep a pod from being available now are reported.

use super::warnings;
use anyhow::{Result, ensure};
use e2e::scenarios::fleet::FUNCTION;
use e2e::testing::objects::{api, create, ready, until_ready};
use e2e::testing::{Controller, TestEnv};
use k8s_openapi::api::apps::v1::StatefulSet;
use k8s_openapi::api::core::v1::Pod;
use kube::api::{Api, Patch, PatchParams, PostParams};
use serde_json::{Value, json};

/// A Function that is scaled weeks after its first pod was killed.
#[tokio::test(flavor = "multi_thread")]
async fn an_earlier_kill_is_not_reported() -> Result<()> {
    let env = TestEnv::connect().await?;
    env.prepare().await?;
    env.test("past", |env, namespace| async move {
        let functions = api(&env, &namespace, FUNCTION.kind, FUNCTION.plural);
        let sets: Api<StatefulSet> = Api::namespaced(env.client.clone(), &namespace);
        let pods: Api<Pod> = Api::namespaced(env.client.clone(), &namespace);
        let controller = Controller::start(&env, FUNCTION.controller, &namespace).await?;
        let mut spec = FUNCTION.spec();
        spec["replicas"] = json!(2);
        create(&functions, FUNCTION.kind, "f", &spec).await?;
        until_ready(&env, &functions, "f", ("False", "WaitingForPods")).await?;
        let set = sets.get("f-function").await?;
        let labels = set.spec.template.metadata.and_then(|m| m.labels);
        let say = async |pod: &str, status: Value| -> Result<()> {
            let status = Patch::Merge(json!({"status": status}));
            pods.patch_status(pod, &PatchParams::default(), &status).await?;
            Ok(())
        };
        for pod in ["f-function-0", "f-function-1"] {
            let object = json!({"metadata": {"name": pod, "labels": labels},
                "spec": {"containers": [{"name": "pulsar-function", "image": "example.com/image:1"}]}});
            pods.create(&PostParams::default(), &serde_json::from_value(object)?).await?;
        }
        let killed = json!({"terminated": {"exitCode": 137, "reason": "OOMKilled",
            "startedAt": "2026-01-01T00:00:00Z", "finishedAt": "2026-01-02T00:00:00Z"}});
        let runs = json!({
            "conditions": [{"type": "Ready", "status": "True", "lastTransitionTime": "2026-01-02T00:01:00Z"}],
            "containerStatuses": [{"name": "pulsar-function", "image": "example.com/image:1", "imageID": "", "ready": true,
                "restartCount": 1, "state": {"running": {"startedAt": "2026-01-02T00:00:10Z"}}, "lastState": killed}]});
        say("f-function-0", runs).await?;
        let status = json!({"status": {"observedGeneration": 1, "replicas": 2, "readyReplicas": 1,
            "availableReplicas": 1, "updatedReplicas": 2}});
        sets.patch_status("f-function", &PatchParams::default(), &Patch::Merge(&status)).await?;
        env.until("the number", || async {
            let status = functions.get("f").await?.data["status"].clone();
            ensure!(status["readyReplicas"] == 1, "{status}");
            Ok(())
        })
        .await?;
        controller.until_idle(&env).await?;
        let (status, reason, message) = ready(&functions, "f").await?;
        ensure!((status.as_str(), reason.as_str()) == ("False", "WaitingForPods"), "{reason}: {message}");
        let reported = warnings(&env, &namespace).await?;
        ensure!(reported.is_empty(), "{reported:?}");

        // The scheduler's counts differ with every node.
        let unschedulable = |text: &str| {
            json!({"conditions": [{"type": "PodScheduled", "status": "False", "reason": "Unschedulable", "message": text}]})
        };
        let text = "0/3 nodes are available: 3 Insufficient cpu. preemption: 0/3 nodes are available: 3 No preemption.";
        say("f-function-1", unschedulable(text)).await?;
        let message = until_ready(&env, &functions, "f", ("False", "Unschedulable")).await?;
        ensure!(message == "no node is available: Insufficient cpu", "{message}");
        let before = functions.get("f").await?.metadata.resource_version;
        let reconciles = controller.reconciles()?;
        say("f-function-1", unschedulable("0/12 nodes are available: 12 Insufficient cpu.")).await?;
        controller.reconciled(&env, reconciles + 1).await?;
        controller.until_idle(&env).await?;
        ensure!(functions.get("f").await?.metadata.resource_version == before, "written again for another number of nodes");
        Ok(())
    })
    .await
}
