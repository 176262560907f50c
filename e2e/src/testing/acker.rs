//! A StatefulSet controller that needs no pods: reports every replica as available.

use crate::testing::objects::each;
use crate::testing::rig::Rig;
use anyhow::Result;
use k8s_openapi::api::apps::v1::StatefulSet;
use kube::api::{Api, ListParams, Patch, PatchParams};
use serde_json::json;
use std::time::Duration;
use tokio::task::JoinHandle;

/// Acts until dropped.
pub struct Acker(JoinHandle<()>);

impl Acker {
    /// Acts in a namespace.
    pub fn start(rig: &Rig, namespace: &str) -> Self {
        let api: Api<StatefulSet> = Api::namespaced(rig.client.clone(), namespace);
        Self(tokio::spawn(async move {
            loop {
                // A namespace that is being deleted answers with errors; nothing is lost by them.
                let _ = acknowledge(&api).await;
                tokio::time::sleep(Duration::from_millis(100)).await;
            }
        }))
    }
}

impl Drop for Acker {
    fn drop(&mut self) {
        self.0.abort();
    }
}

async fn acknowledge(api: &Api<StatefulSet>) -> Result<()> {
    each(api.list(&ListParams::default()).await?, |set| async move {
        let status = set.status.unwrap_or_default();
        let wanted = set.spec.replicas.unwrap_or(1);
        let current = status.observed_generation == set.metadata.generation;
        if current && status.available_replicas == Some(wanted) {
            return Ok(());
        }
        let name = set.metadata.name.unwrap_or_default();
        let status = json!({"status": {
            "observedGeneration": set.metadata.generation, "replicas": wanted, "readyReplicas": wanted,
            "availableReplicas": wanted, "updatedReplicas": wanted, "currentReplicas": wanted,
        }});
        api.patch_status(&name, &PatchParams::default(), &Patch::Merge(&status)).await?;
        Ok(())
    })
    .await
}
