//! Writing the status of an object.

use crate::apply::Writer;
use crate::apply_error::ApplyError;
use crate::raw_object::RawObject;
use crate::stale_conditions::Answered;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Condition;
use kube::api::{Api, Patch, PatchParams};
use kube::core::NamespaceResourceScope;
use kube::{Resource, ResourceExt};
use serde::Serialize;
use serde::de::IgnoredAny;
use serde_json::{Value, json};

impl Writer {
    /// Writes the status of an object and returns the resource version of the response. `version` is the newest known one: if the
    /// object has changed, was recreated, or has a status written by a successor, the write is refused as a conflict. `stored`
    /// are the operator's conditions in the previous status; none if it contains the Go operator's map of conditions, which only
    /// a merge patch can replace. A second write removes conditions that the API server kept although they were not applied
    /// again.
    ///
    /// # Errors
    /// See [`ApplyError`].
    pub async fn patch_status<K, S>(
        &self,
        object: &RawObject<K, S>,
        version: u64,
        status: &S,
        stored: Option<&[Condition]>,
    ) -> Result<u64, ApplyError>
    where
        K: Resource<DynamicType = (), Scope = NamespaceResourceScope>,
        S: Serialize,
    {
        let (kind, name) = (K::kind(&()).into_owned(), object.name_any());
        let namespace = object.namespace().unwrap_or_default();
        // With the version, since the API server does not check the uid in a status update.
        let body = json!({
            "apiVersion": K::api_version(&()),
            "kind": kind,
            "metadata": {"name": name, "uid": object.uid(), "resourceVersion": version.to_string()},
            "status": status,
        });
        let manager = format!("{}-status", self.manager);
        let api: Api<RawObject<K, Answered>> = Api::namespaced(self.client.clone(), &namespace);
        let plain = PatchParams { field_manager: Some(manager.clone()), ..PatchParams::default() };
        let write = async |parameters: &PatchParams, patch: &Patch<&Value>| {
            let answer = api.patch_status(&name, parameters, patch).await;
            let result = if answer.is_ok() { "written" } else { "failed" };
            self.metrics.status_writes.with_label_values(&[result]).inc();
            answer.map_err(|error| ApplyError::from_request(&format!("status of {kind}"), &name, error))
        };
        let mut answer = match stored {
            None => write(&plain, &Patch::Merge(&body)).await?,
            Some(_) => write(&PatchParams::apply(&manager).force(), &Patch::Apply(&body)).await?,
        };
        let status = body.get("status").unwrap_or(&Value::Null);
        let version = answer.resource_version();
        if let Some(stale) = answer.status.stale(stored.unwrap_or_default(), status, version.as_deref()) {
            let stale = Patch::Json(serde_json::from_value(stale).unwrap_or_default());
            answer = write(&plain, &stale).await?;
        }
        Ok(answer.resource_version().and_then(|v| v.parse().ok()).unwrap_or_default())
    }

    /// Removes the map of conditions that the Go operator stored in a status of another controller: server-side apply fails on
    /// such an object, even for its `spec`. If the object changed in the meantime, its controller may have removed the map; then
    /// nothing is removed.
    ///
    /// # Errors
    /// See [`ApplyError`].
    pub async fn clear_conditions<K, S>(&self, object: &RawObject<K, S>) -> Result<(), ApplyError>
    where
        K: Resource<DynamicType = (), Scope = NamespaceResourceScope>,
    {
        let (kind, name) = (K::kind(&()).into_owned(), object.name_any());
        let body = json!({
            "metadata": {"uid": object.uid(), "resourceVersion": object.resource_version()},
            "status": {"conditions": null},
        });
        let api: Api<RawObject<K, IgnoredAny>> =
            Api::namespaced(self.client.clone(), &object.namespace().unwrap_or_default());
        let manager = Some(format!("{}-status", self.manager));
        let parameters = PatchParams { field_manager: manager, ..PatchParams::default() };
        let answer = api.patch_status(&name, &parameters, &Patch::Merge(&body)).await;
        let result = if answer.is_ok() { "written" } else { "failed" };
        self.metrics.status_writes.with_label_values(&[result]).inc();
        match answer {
            Ok(_) => Ok(()),
            Err(kube::Error::Api(status)) if status.is_not_found() || status.is_conflict() => Ok(()),
            Err(error) => {
                let kind = format!("status of {kind}");
                Err(ApplyError::from_request(&kind, &name, error))
            }
        }
    }
}
