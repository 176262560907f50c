//! Edits of objects and of what they refer to.

use crate::scenarios::fleet::Fleet;
use crate::scenarios::request_counts::RequestCounts;
use crate::testing::many::each;
use crate::testing::objects::{api, create, merge};
use anyhow::Result;
use k8s_openapi::api::apps::v1::StatefulSet;
use kube::api::{Patch, PatchParams};
use serde::ser::{Serialize, SerializeMap, Serializer};
use serde_json::{Value, json};

/// Name of the BackendConfig of a namespace.
const BACKEND_CONFIG: &str = "backend-config";

/// Applies the same patch to every object and waits until each is reconciled.
///
/// # Errors
/// When they are not reconciled.
pub async fn edit(fleet: &Fleet, patch: &Value) -> Result<RequestCounts> {
    fleet
        .measure(async |fleet| {
            let before = fleet.controller.reconciles()?;
            merge_all(fleet, patch).await?;
            fleet.until_reconciled(before, fleet.number()).await
        })
        .await
}

/// Another field manager adds a condition to the status of every object; then a label changes, so that each object is reconciled
/// in any case.
///
/// # Errors
/// When they are not reconciled.
pub async fn edit_status(fleet: &Fleet) -> Result<RequestCounts> {
    let condition = json!({
        "type": "example.com/Checked", "status": "True", "reason": "Checked", "message": "",
        "lastTransitionTime": "2026-01-01T00:00:00Z",
    });
    let status = json!({
        "apiVersion": "compute.functionmesh.io/v1alpha1", "kind": fleet.kind.kind, "status": {"conditions": [condition]},
    });
    let status = &status;
    fleet
        .measure(async |fleet| {
            let before = fleet.controller.reconciles()?;
            each(&fleet.names, |name| async move {
                fleet
                    .objects
                    .patch_status(&name, &PatchParams::apply("another-manager"), &Patch::Apply(status))
                    .await?;
                Ok(())
            })
            .await?;
            merge_all(fleet, &json!({"metadata": {"labels": {"status": "edited"}}})).await?;
            fleet.until_reconciled(before, fleet.number()).await
        })
        .await
}

/// Applies the unchanged spec again, once unchanged and once with its fields in another order; then a label changes, so that each
/// object is reconciled in any case.
///
/// # Errors
/// When they are not reconciled.
pub async fn repeat(fleet: &Fleet, spec: &Value) -> Result<RequestCounts> {
    let same = json!({"spec": spec});
    fleet
        .measure(async |fleet| {
            let before = fleet.controller.reconciles()?;
            merge_all(fleet, &same).await?;
            each(&fleet.names, |name| {
                let same = &same;
                async move {
                    fleet
                        .objects
                        .patch(&name, &PatchParams::default(), &Patch::Merge(Reversed(same)))
                        .await?;
                    Ok(())
                }
            })
            .await?;
            merge_all(fleet, &json!({"metadata": {"labels": {"repeated": "yes"}}})).await?;
            fleet.until_reconciled(before, fleet.number()).await
        })
        .await
}

/// Changes the image of every object and waits until all run with it.
///
/// # Errors
/// When one does not run with it.
pub async fn image(fleet: &Fleet, image: &str) -> Result<RequestCounts> {
    fleet
        .measure(async |fleet| {
            want_image(fleet, image).await?;
            until_image(fleet, image).await?;
            fleet.until_ready().await
        })
        .await
}

/// Sets the image of every object.
///
/// # Errors
/// When the API server refuses one.
pub async fn want_image(fleet: &Fleet, image: &str) -> Result<()> {
    merge_all(fleet, &json!({"spec": {"image": image}})).await
}

/// Waits until all StatefulSets have an image, and their pods are available.
///
/// # Errors
/// When one does not get it.
pub async fn until_image(fleet: &Fleet, image: &str) -> Result<()> {
    fleet.until_sets(|set| main_image(set) == Some(image)).await
}

/// Creates the BackendConfig of the namespace, with `autoUpdate`, so that its changes need no approval.
///
/// # Errors
/// If a StatefulSet does not get the variable.
pub async fn backend_config(fleet: &Fleet, name: &str, value: &str) -> Result<RequestCounts> {
    let configs = api(&fleet.env, &fleet.namespace, "BackendConfig", "backendconfigs");
    let spec = json!({"env": {name: value}, "autoUpdate": true});
    fleet
        .measure(async |fleet| {
            create(&configs, "BackendConfig", BACKEND_CONFIG, &spec).await?;
            fleet.until_sets(|set| variable(set, name) == Some(value)).await
        })
        .await
}

/// Changes the metadata of the BackendConfig.
///
/// # Errors
/// When not every object is reconciled.
pub async fn touch_backend_config(fleet: &Fleet) -> Result<RequestCounts> {
    let configs = api(&fleet.env, &fleet.namespace, "BackendConfig", "backendconfigs");
    fleet
        .measure(async |fleet| {
            let before = fleet.controller.reconciles()?;
            merge(&configs, BACKEND_CONFIG, json!({"metadata": {"labels": {"touched": "yes"}}})).await?;
            fleet.until_reconciled(before, fleet.number()).await
        })
        .await
}

/// Sets a variable in the BackendConfig.
///
/// # Errors
/// If a StatefulSet does not get the variable.
pub async fn change_backend_config(fleet: &Fleet, name: &str, value: &str) -> Result<RequestCounts> {
    let configs = api(&fleet.env, &fleet.namespace, "BackendConfig", "backendconfigs");
    fleet
        .measure(async |fleet| {
            merge(&configs, BACKEND_CONFIG, json!({"spec": {"env": {name: value}}})).await?;
            fleet.until_sets(|set| variable(set, name) == Some(value)).await
        })
        .await
}

async fn merge_all(fleet: &Fleet, patch: &Value) -> Result<()> {
    each(&fleet.names, |name| async move { merge(&fleet.objects, &name, patch.clone()).await }).await
}

fn main_image(set: &StatefulSet) -> Option<&str> {
    set.spec.template.spec.as_ref()?.containers.last()?.image.as_deref()
}

fn variable<'a>(set: &'a StatefulSet, name: &str) -> Option<&'a str> {
    let main = set.spec.template.spec.as_ref()?.containers.last()?;
    main.env.iter().flatten().find(|variable| variable.name == name)?.value.as_deref()
}

/// A value that serializes with the fields of its objects in reverse order.
#[derive(Debug)]
struct Reversed<'a>(&'a Value);

impl Serialize for Reversed<'_> {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        let Value::Object(fields) = self.0 else { return self.0.serialize(to) };
        let mut map = to.serialize_map(Some(fields.len()))?;
        for (key, value) in fields.iter().rev() {
            map.serialize_entry(key, &Reversed(value))?;
        }
        map.end()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_order_of_fields_is_turned() {
        let value = json!({"a": 1, "b": {"c": [{"d": 2, "e": 3}], "f": 4}});
        let turned = serde_json::to_string(&Reversed(&value)).unwrap();
        assert!(turned.starts_with("{\"b\":{\"f\""), "{turned}");
        assert_eq!(serde_json::from_str::<Value>(&turned).unwrap(), value);
    }
}
