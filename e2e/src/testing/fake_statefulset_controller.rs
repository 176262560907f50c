//! A StatefulSet controller without pods: it reports every replica as available.

use crate::testing::test_env::TestEnv;
use futures::StreamExt;
use k8s_openapi::api::apps::v1::StatefulSet;
use kube::api::{Api, Patch, PatchParams};
use kube::runtime::{WatchStreamExt, watcher};
use kube::{Client, ResourceExt};
use serde_json::json;
use std::time::Duration;
use tokio::task::JoinHandle;

/// StatefulSets that are updated concurrently.
const CONCURRENCY: usize = 16;

/// Runs until dropped, as the user `fake-statefulset-controller` if the tests started the cluster.
pub struct FakeStatefulSetController(JoinHandle<()>);

impl FakeStatefulSetController {
    /// Runs in a namespace. It reads by one watch and writes once for each change of a `spec`.
    pub fn start(env: &TestEnv, namespace: &str) -> Self {
        let client = client(env);
        Self::act(Api::namespaced(client.clone(), namespace), client)
    }

    /// Acts in all namespaces.
    pub fn everywhere(env: &TestEnv) -> Self {
        let client = client(env);
        Self::act(Api::all(client.clone()), client)
    }

    fn act(watched: Api<StatefulSet>, client: Client) -> Self {
        Self(tokio::spawn(async move {
            let changes = watcher(watched, watcher::Config::default()).default_backoff().applied_objects();
            changes
                .for_each_concurrent(CONCURRENCY, |change| async {
                    // An interrupted watch restarts by itself.
                    if let Ok(set) = change {
                        let namespace = set.namespace().unwrap_or_default();
                        acknowledge(&Api::namespaced(client.clone(), &namespace), &set).await;
                    }
                })
                .await;
        }))
    }
}

impl Drop for FakeStatefulSetController {
    fn drop(&mut self) {
        self.0.abort();
    }
}

fn client(env: &TestEnv) -> Client {
    env.client_of("fake-statefulset-controller").unwrap_or_else(|_| env.client.clone())
}

async fn acknowledge(api: &Api<StatefulSet>, set: &StatefulSet) {
    let wanted = set.spec.replicas.unwrap_or(1);
    let status = set.status.clone().unwrap_or_default();
    let current = status.observed_generation == set.metadata.generation;
    if current && status.available_replicas == Some(wanted) {
        return;
    }
    // Only for the observed version: a newer one has its own event.
    let status = json!({"metadata": {"resourceVersion": set.metadata.resource_version}, "status": {
        "observedGeneration": set.metadata.generation, "replicas": wanted, "readyReplicas": wanted,
        "availableReplicas": wanted, "updatedReplicas": wanted, "currentReplicas": wanted,
    }});
    loop {
        match api.patch_status(&set.name_any(), &PatchParams::default(), &Patch::Merge(&status)).await {
            Ok(_) => return,
            // Changed or deleted in the meantime.
            Err(kube::Error::Api(status)) if status.is_not_found() || status.is_conflict() => return,
            Err(_) => tokio::time::sleep(Duration::from_millis(100)).await,
        }
    }
}
