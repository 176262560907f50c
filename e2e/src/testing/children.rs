//! The children of a component, of any kind: patches, reads, and the Events about repairs.

use crate::testing::test_env::TestEnv;
use anyhow::{Context, Result, bail};
use k8s_openapi::api::events::v1::Event;
use kube::api::{Api, ApiResource, DeleteParams, DynamicObject, ListParams, Patch, PatchParams};
use kube::core::GroupVersionKind;
use serde_json::{Value, json};
use std::collections::BTreeMap;

/// One child.
#[derive(Clone)]
pub struct Child {
    /// Its kind.
    pub kind: &'static str,
    /// Its kind in the audit log.
    pub resource: &'static str,
    /// Its name.
    pub name: String,
    /// Objects of its kind in its namespace.
    pub api: Api<DynamicObject>,
}

impl Child {
    /// A child, by its kind and name.
    ///
    /// # Errors
    /// If the kind is unknown.
    pub fn of(env: &TestEnv, namespace: &str, kind: &'static str, name: &str) -> Result<Self> {
        let (group, version, resource) = match kind {
            "StatefulSet" => ("apps", "v1", "statefulsets"),
            "Service" => ("", "v1", "services"),
            "HorizontalPodAutoscaler" => ("autoscaling", "v2", "horizontalpodautoscalers"),
            "VerticalPodAutoscaler" => ("autoscaling.k8s.io", "v1", "verticalpodautoscalers"),
            "Job" => ("batch", "v1", "jobs"),
            _ => bail!("no child is a {kind}"),
        };
        let kinds = ApiResource::from_gvk_with_plural(&GroupVersionKind::gvk(group, version, kind), resource);
        let api = Api::namespaced_with(env.client.clone(), namespace, &kinds);
        Ok(Self { kind, resource, name: name.to_owned(), api })
    }

    /// The fields that the controllers manage: labels, owners and `spec`.
    ///
    /// # Errors
    /// When it does not exist.
    pub async fn state(&self) -> Result<Value> {
        let object = self.api.get_opt(&self.name).await?.with_context(|| format!("no {}", self.name))?;
        Ok(json!({
            "labels": object.metadata.labels,
            "ownerReferences": object.metadata.owner_references,
            "spec": object.data.get("spec"),
        }))
    }

    /// The whole object.
    ///
    /// # Errors
    /// When it does not exist.
    pub async fn whole(&self) -> Result<Value> {
        Ok(serde_json::to_value(self.api.get(&self.name).await?)?)
    }

    /// Patches it as a user would.
    ///
    /// # Errors
    /// If the API server refuses it.
    pub async fn patch(&self, patch: &Value) -> Result<()> {
        self.api.patch(&self.name, &PatchParams::default(), &Patch::Merge(patch)).await?;
        Ok(())
    }

    /// Deletes it.
    ///
    /// # Errors
    /// If the API server refuses it.
    pub async fn delete(&self) -> Result<()> {
        self.api.delete(&self.name, &DeleteParams::default()).await?;
        Ok(())
    }
}

/// Number of Events about repairs, by "kind name action", each with its last message.
///
/// # Errors
/// When they cannot be listed.
pub async fn repairs(
    env: &TestEnv,
    namespace: &str,
    owner: &str,
) -> Result<BTreeMap<String, (usize, String)>> {
    let api: Api<Event> = Api::namespaced(env.client.clone(), namespace);
    let mut found = BTreeMap::new();
    for event in api.list(&ListParams::default()).await? {
        let regarding = event.regarding.and_then(|r| r.name);
        if event.reason.as_deref() != Some("Repaired") || regarding.as_deref() != Some(owner) {
            continue;
        }
        let child = event.related.unwrap_or_default();
        let texts = [child.kind, child.name, event.action].map(Option::unwrap_or_default);
        let entry: &mut (usize, String) = found.entry(texts.join(" ")).or_default();
        let times = event.series.map_or(1, |series| series.count);
        entry.0 += usize::try_from(times)?;
        entry.1 = event.note.unwrap_or_default();
    }
    Ok(found)
}
