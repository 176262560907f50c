//! Diagnoses of pods whose status the test writes: shown with a reason, reported once, and cleared when the failure is over.

use anyhow::{Result, ensure};
use e2e::scenarios::fleet::FUNCTION;
use e2e::testing::objects::{AVAILABLE, api, condition, create, until_ready};
use e2e::testing::{Controller, TestEnv};
use k8s_openapi::api::apps::v1::StatefulSet;
use k8s_openapi::api::core::v1::Pod;
use k8s_openapi::api::events::v1::Event;
use kube::api::{Api, DynamicObject, ListParams, Patch, PatchParams, PostParams};
use serde_json::{Value, json};

/// A function whose pod the test simulates.
struct Played {
    env: TestEnv,
    functions: Api<DynamicObject>,
    sets: Api<StatefulSet>,
    pods: Api<Pod>,
    events: Api<Event>,
    controller: Controller,
}

const SET: &str = "f-function";
const POD: &str = "f-function-0";
const MEMORY: &str = "60Mi";

impl Played {
    /// A function, its `StatefulSet` observed by its controller, and optionally a pod with a node.
    async fn start(env: TestEnv, namespace: &str, with_pod: bool) -> Result<Self> {
        let client = env.client.clone();
        let played = Self {
            functions: api(&env, namespace, FUNCTION.kind, FUNCTION.plural),
            sets: Api::namespaced(client.clone(), namespace),
            pods: Api::namespaced(client.clone(), namespace),
            events: Api::namespaced(client, namespace),
            controller: Controller::start(&env, FUNCTION.controller, namespace).await?,
            env,
        };
        create(&played.functions, FUNCTION.kind, "f", &FUNCTION.spec()).await?;
        until_ready(&played.env, &played.functions, "f", ("False", "WaitingForPods")).await?;
        let set = played.sets.get(SET).await?;
        played.count(u8::from(with_pod), false).await?;
        if with_pod {
            let labels = set.spec.template.metadata.and_then(|m| m.labels);
            let limit = json!({"limits": {"memory": MEMORY}, "requests": {"memory": MEMORY}});
            let pod = json!({
                "metadata": {"name": POD, "labels": labels},
                "spec": {"containers": [{"name": "pulsar-function", "image": "example.com/image:1", "resources": limit}]},
            });
            played.pods.create(&PostParams::default(), &serde_json::from_value(pod)?).await?;
        }
        Ok(played)
    }

    /// Writes the status of the StatefulSet controller.
    async fn count(&self, replicas: u8, available: bool) -> Result<()> {
        let generation = self.sets.get(SET).await?.metadata.generation;
        let available = if available { replicas } else { 0 };
        let status = json!({"status": {"observedGeneration": generation, "replicas": replicas,
            "readyReplicas": available, "availableReplicas": available, "updatedReplicas": replicas}});
        self.sets.patch_status(SET, &PatchParams::default(), &Patch::Merge(&status)).await?;
        Ok(())
    }

    /// Writes the status of the kubelet.
    async fn kubelet(&self, status: &Value) -> Result<()> {
        self.pods
            .patch_status(POD, &PatchParams::default(), &Patch::Merge(&json!({"status": status})))
            .await?;
        Ok(())
    }

    /// Writes the kubelet's status of the one container.
    async fn container(&self, restarts: u8, state: &Value, last: &Value) -> Result<()> {
        self.kubelet(
            &json!({"containerStatuses": [{"name": "pulsar-function", "image": "example.com/image:1",
            "imageID": "", "ready": false, "restartCount": restarts, "state": state, "lastState": last}]}),
        )
        .await
    }

    async fn until(&self, reason: &str) -> Result<String> {
        until_ready(&self.env, &self.functions, "f", ("False", reason)).await
    }

    /// The Events about the function, as type and reason, in their order.
    async fn reported(&self) -> Result<Vec<String>> {
        let mut events = self.events.list(&ListParams::default()).await?.items;
        events.retain(|e| e.regarding.as_ref().is_some_and(|r| r.kind.as_deref() == Some("Function")));
        events.sort_by_key(|e| e.event_time.as_ref().map(|t| t.0));
        let text = |e: &Event| Some(format!("{} {}", e.type_.as_ref()?, e.reason.as_ref()?));
        Ok(events.iter().filter_map(text).collect())
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn each_diagnosis_is_shown_and_reported_once() -> Result<()> {
    let env = TestEnv::connect().await?;
    env.prepare().await?;
    env.test("causes", |env, namespace| async move {
        let f = Played::start(env, &namespace, true).await?;
        let scheduled = |status: &str, reason: &str, text: &str| {
            json!({"conditions": [{"type": "PodScheduled", "status": status, "reason": reason, "message": text}]})
        };
        f.kubelet(&scheduled("False", "Unschedulable", "0/3 nodes are available: 3 Insufficient cpu.")).await?;
        let message = f.until("Unschedulable").await?;
        ensure!(message == "no node is available: Insufficient cpu", "{message}");

        f.kubelet(&scheduled("True", "", "")).await?;
        let waiting = |reason: &str, text: &str| json!({"waiting": {"reason": reason, "message": text}});
        f.container(0, &waiting("ErrImagePull", "not found"), &json!({})).await?;
        let message = f.until("ImagePullBackOff").await?;
        ensure!(message == "cannot pull image \"example.com/image:1\": not found", "{message}");

        f.container(0, &waiting("CreateContainerConfigError", "couldn't find key k in Secret ns/s"), &json!({})).await?;
        let message = f.until("CreateContainerConfigError").await?;
        ensure!(message == "container pulsar-function: couldn't find key k in Secret ns/s", "{message}");

        let ended = |code: i32, reason: &str, text: &str| {
            json!({"terminated": {"exitCode": code, "reason": reason, "message": text}})
        };
        f.container(0, &ended(137, "OOMKilled", ""), &json!({})).await?;
        let message = f.until("OutOfMemory").await?;
        ensure!(message.contains("its limit of 60Mi"), "{message}");

        // The output of an instance, with secrets, and with text that differs each time.
        let refused = |id: &str, port: u16| {
            format!(
                "ERROR ClientCnx - [id: 0x{id}, L:/10.0.0.1:{port} ! R:pulsar/10.1.1.1:6650] Failed to authenticate with \
                 token:eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiJ4In0.AbC\nERROR JavaInstanceRunnable - ended"
            )
        };
        f.container(1, &json!({"running": {}}), &ended(0, "Completed", &refused("1a2b3c4d", 40000))).await?;
        let message = f.until("AuthenticationFailed").await?;
        ensure!(
            message == "container pulsar-function ended with exit code 0, restarted: Failed to authenticate with token:<redacted>",
            "{message}"
        );
        let before = f.functions.get("f").await?.metadata.resource_version;
        let reconciles = f.controller.reconciles()?;
        f.container(1, &ended(0, "Completed", &refused("5e6f7a8b", 50000)), &json!({})).await?;
        f.controller.reconciled(&f.env, reconciles + 1).await?;
        f.controller.until_idle(&f.env).await?;
        let after = f.functions.get("f").await?.metadata.resource_version;
        ensure!(before == after, "the same failure is written again");

        // Fixed: the earlier termination stays in the pod's status and no longer counts.
        f.count(1, true).await?;
        until_ready(&f.env, &f.functions, "f", AVAILABLE).await?;
        let reported = f.reported().await?;
        let want = [
            "Warning Unschedulable",
            "Warning ImagePullBackOff",
            "Warning CreateContainerConfigError",
            "Warning OutOfMemory",
            "Warning AuthenticationFailed",
            "Normal AllReplicasAvailable",
        ];
        ensure!(reported == want, "{reported:?}");
        Ok(())
    })
    .await
}

/// The kubelet reports only that volumes make no progress; no controller reports why pods are not created.
#[tokio::test(flavor = "multi_thread")]
async fn a_lack_of_progress_is_diagnosed_after_a_while() -> Result<()> {
    let env = TestEnv::connect().await?;
    env.prepare().await?;
    env.test("silence", |env, namespace| async move {
        let f = Played::start(env, &namespace, false).await?;
        // Twenty seconds on the controller's own clock, without an event.
        let message = f.until("PodsNotCreated").await?;
        ensure!(message.starts_with("no pod exists"), "{message}");
        let progressing = condition(&f.functions, "f", "Progressing").await?;
        ensure!(progressing.0 == "True", "{progressing:?}");
        Ok(())
    })
    .await?;
    let env = TestEnv::connect().await?;
    env.test("volumes", |env, namespace| async move {
        let f = Played::start(env, &namespace, true).await?;
        f.kubelet(&json!({"startTime": "2026-01-01T00:00:00Z", "conditions": [
            {"type": "PodScheduled", "status": "True"}, {"type": "PodReadyToStartContainers", "status": "False"}]}))
            .await?;
        let message = f.until("VolumesNotReady").await?;
        ensure!(message.starts_with(&format!("pod {POD} has a node")), "{message}");
        f.kubelet(&json!({"conditions": [{"type": "PodReadyToStartContainers", "status": "True"}]})).await?;
        f.until("WaitingForPods").await.map(drop)
    })
    .await
}
