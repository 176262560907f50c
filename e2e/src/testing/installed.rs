//! Whether the kinds and permissions that an earlier test program installed are unchanged in the API server.
//!
//! Installing them takes seconds, and dozens of test processes run on one API server. Some tests change a kind, a policy or a
//! role; then the versions differ, and the next process installs everything again.

use crate::operator::NAMESPACE;
use anyhow::Result;
use k8s_openapi::api::admissionregistration::v1::{
    ValidatingAdmissionPolicy, ValidatingAdmissionPolicyBinding,
};
use k8s_openapi::api::core::v1::ServiceAccount;
use k8s_openapi::api::rbac::v1::{ClusterRole, ClusterRoleBinding, Role, RoleBinding};
use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition;
use kube::api::{Api, ListParams};
use kube::{Client, Resource, ResourceExt};
use serde::de::DeserializeOwned;
use std::collections::BTreeMap;
use std::fmt::Debug;
use std::fs;
use std::path::Path;

/// Parts of names by which the installed objects are recognised.
const NAMES: [&str; 3] = ["functionmesh", "function-mesh", "test-"];

/// Records the installed objects and their versions.
///
/// # Errors
/// When they cannot be listed or the file cannot be written.
pub(super) async fn record(client: &Client, folder: Option<&Path>) -> Result<()> {
    // A cluster that the tests did not start may change at any time.
    let Some(folder) = folder else { return Ok(()) };
    let versions = versions(client).await?;
    Ok(fs::write(folder.join("installed.json"), serde_json::to_vec(&versions)?)?)
}

/// Whether all recorded objects exist in the recorded version.
///
/// # Errors
/// When the objects cannot be listed.
pub(super) async fn is_current(client: &Client, folder: Option<&Path>) -> Result<bool> {
    let recorded = folder.and_then(|folder| fs::read(folder.join("installed.json")).ok());
    let Some(recorded) = recorded else { return Ok(false) };
    let recorded: BTreeMap<String, String> = serde_json::from_slice(&recorded)?;
    let current = versions(client).await?;
    Ok(recorded.iter().all(|(name, version)| current.get(name) == Some(version)))
}

async fn versions(client: &Client) -> Result<BTreeMap<String, String>> {
    let client = || client.clone();
    let mut versions = BTreeMap::new();
    add::<CustomResourceDefinition>(Api::all(client()), &mut versions).await?;
    add::<ValidatingAdmissionPolicy>(Api::all(client()), &mut versions).await?;
    add::<ValidatingAdmissionPolicyBinding>(Api::all(client()), &mut versions).await?;
    add::<ClusterRole>(Api::all(client()), &mut versions).await?;
    add::<ClusterRoleBinding>(Api::all(client()), &mut versions).await?;
    add::<Role>(Api::namespaced(client(), NAMESPACE), &mut versions).await?;
    add::<RoleBinding>(Api::namespaced(client(), NAMESPACE), &mut versions).await?;
    add::<ServiceAccount>(Api::namespaced(client(), NAMESPACE), &mut versions).await?;
    Ok(versions)
}

async fn add<K>(api: Api<K>, versions: &mut BTreeMap<String, String>) -> Result<()>
where
    K: Resource<DynamicType = ()> + Clone + Debug + DeserializeOwned,
{
    for object in api.list_metadata(&ListParams::default()).await? {
        let name = object.name_any();
        if NAMES.iter().any(|part| name.contains(part)) {
            let version = object.resource_version().unwrap_or_default();
            versions.insert(format!("{} {name}", K::kind(&())), version);
        }
    }
    Ok(())
}
