//! A simulated lost node: no node exists, and the test writes the pod's status.

use super::said;
use anyhow::{Context, Result, ensure};
use e2e::scenarios::fleet::FUNCTION;
use e2e::testing::objects::{AVAILABLE, create, functions, until_ready};
use e2e::testing::{Controller, TestEnv};
use k8s_openapi::api::apps::v1::StatefulSet;
use k8s_openapi::api::core::v1::Pod;
use kube::api::{Api, DeleteParams, DynamicObject, Patch, PatchParams, PostParams};
use serde_json::{Value, json};

const SET: &str = "f-function";
const POD: &str = "f-function-0";

/// A Function with a pod on a node.
struct Played {
    env: TestEnv,
    functions: Api<DynamicObject>,
    sets: Api<StatefulSet>,
    pods: Api<Pod>,
}

impl Played {
    async fn start(env: TestEnv, namespace: &str) -> Result<Self> {
        let client = env.client.clone();
        let played = Self {
            functions: functions(&env, namespace),
            sets: Api::namespaced(client.clone(), namespace),
            pods: Api::namespaced(client, namespace),
            env,
        };
        create(&played.functions, FUNCTION.kind, "f", &FUNCTION.spec()).await?;
        until_ready(&played.env, &played.functions, "f", ("False", "WaitingForPods")).await?;
        Ok(played)
    }

    /// The StatefulSet controller creates the pod, the scheduler assigns it to a node, the kubelet starts it.
    async fn run(&self, node: &str) -> Result<()> {
        let labels = self.sets.get(SET).await?.spec.template.metadata.and_then(|m| m.labels);
        let pod = json!({
            "metadata": {"name": POD, "labels": labels},
            "spec": {"nodeName": node, "terminationGracePeriodSeconds": 1,
                "containers": [{"name": "pulsar-function", "image": "example.com/image:1"}]},
        });
        self.pods.create(&PostParams::default(), &serde_json::from_value(pod)?).await?;
        self.conditions("True", &[]).await?;
        self.count(1).await?;
        until_ready(&self.env, &self.functions, "f", AVAILABLE).await.map(drop)
    }

    /// The pod's conditions, with others beside `Ready`.
    async fn conditions(&self, ready: &str, others: &[Value]) -> Result<()> {
        let mut conditions = vec![
            json!({"type": "PodScheduled", "status": "True"}),
            json!({"type": "ContainersReady", "status": "True"}),
            json!({"type": "Ready", "status": ready}),
        ];
        conditions.extend_from_slice(others);
        let status = json!({"status": {"phase": "Running", "conditions": conditions}});
        self.pods.patch_status(POD, &PatchParams::default(), &Patch::Merge(&status)).await?;
        Ok(())
    }

    /// Writes the status of the StatefulSet controller.
    async fn count(&self, available: u8) -> Result<()> {
        let generation = self.sets.get(SET).await?.metadata.generation;
        let status = json!({"status": {"observedGeneration": generation, "replicas": 1, "updatedReplicas": 1,
            "readyReplicas": available, "availableReplicas": available}});
        self.sets.patch_status(SET, &PatchParams::default(), &Patch::Merge(&status)).await?;
        Ok(())
    }

    async fn until(&self, reason: &str) -> Result<String> {
        until_ready(&self.env, &self.functions, "f", ("False", reason)).await
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lost_node_is_named_and_a_drained_one_is_not() -> Result<()> {
    let env = TestEnv::connect().await?;
    env.prepare().await?;
    env.test("node-lost", |env, namespace| async move {
        let controller = Controller::start(&env, FUNCTION.controller, &namespace).await?;
        let f = Played::start(env, &namespace).await?;
        f.run("n1").await?;

        // The node controller marks the pod, and nothing else happens for five minutes.
        f.conditions("False", &[]).await?;
        f.count(0).await?;
        let message = f.until("NodeLost").await?;
        ensure!(
            message.starts_with(&format!("node n1 does not report, and pod {POD} is on it: ")),
            "{message}"
        );
        ensure!(message.contains("kubectl taint nodes n1 node.kubernetes.io/out-of-service="), "{message}");
        ensure!(said(&f.env, &namespace, "f")?.0 == "InProgress", "the node may come back");

        // The node returns.
        f.conditions("True", &[]).await?;
        f.count(1).await?;
        until_ready(&f.env, &f.functions, "f", AVAILABLE).await?;

        // The node is drained: the pod ends, in time or not.
        f.conditions(
            "True",
            &[json!({"type": "DisruptionTarget", "status": "True", "reason": "EvictionByEvictionAPI"})],
        )
        .await?;
        f.pods.delete(POD, &DeleteParams::default()).await?;
        f.count(0).await?;
        let message = f.until("WaitingForPods").await?;
        ensure!(!message.contains("n1"), "{message}");
        let deleted = f.pods.get(POD).await?.metadata.deletion_timestamp.context("not deleted")?;
        // No event triggers the controller.
        let message = f.until("NodeLost").await?;
        ensure!(message.starts_with(&format!("node n1 did not remove pod {POD} within")), "{message}");
        let late = functionmesh_runtime::clock::now().0.as_second() - deleted.0.as_second();
        ensure!((30..60).contains(&late), "reported {late} s after the pod should have ended");

        // The node is tainted as out of service: the pod is deleted and recreated on another one.
        f.pods.delete(POD, &DeleteParams::default().grace_period(0)).await?;
        f.until("WaitingForPods").await?;
        f.run("n2").await?;
        let asked = f.env.audit()?.by(&controller.user).only(|r| r.resource().contains("nodes"));
        ensure!(asked.requests().is_empty(), "{:?}", asked.counts());
        Ok(())
    })
    .await
}
