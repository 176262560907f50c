//! Creates, changes and awaits objects of the kinds.

use crate::testing::test_env::TestEnv;
use anyhow::{Context, Result, bail, ensure};
use futures::{StreamExt, TryStreamExt, stream};
use kube::api::{Api, ApiResource, DynamicObject, Patch, PatchParams, PostParams};
use serde_json::{Value, json};
use std::future::Future;

/// Concurrent requests of [`each`].
const AT_ONCE: usize = 16;

/// Objects of one of the kinds.
pub fn api(env: &TestEnv, namespace: &str, kind: &str, plural: &str) -> Api<DynamicObject> {
    Api::namespaced_with(env.client.clone(), namespace, &resource(kind, plural))
}

/// A client for one of the kinds.
pub fn resource(kind: &str, plural: &str) -> ApiResource {
    ApiResource {
        group: "compute.functionmesh.io".to_owned(),
        version: "v1alpha1".to_owned(),
        api_version: "compute.functionmesh.io/v1alpha1".to_owned(),
        kind: kind.to_owned(),
        plural: plural.to_owned(),
    }
}

/// Functions.
pub fn functions(env: &TestEnv, namespace: &str) -> Api<DynamicObject> {
    api(env, namespace, "Function", "functions")
}

/// The smallest Function that can run.
pub fn function_spec() -> Value {
    json!({
        "className": "org.Example",
        "replicas": 1,
        "input": {"topics": ["in"]},
        "output": {"topic": "out"},
        "pulsar": {"pulsarConfig": "pulsar"},
        "java": {"jar": "/pulsar/a.jar"},
        "image": "example.com/image:1",
    })
}

/// An object as it is sent.
///
/// # Errors
/// Never in practice.
pub fn object(kind: &str, name: &str, spec: &Value) -> Result<DynamicObject> {
    Ok(serde_json::from_value(json!({
        "apiVersion": "compute.functionmesh.io/v1alpha1", "kind": kind, "metadata": {"name": name}, "spec": spec,
    }))?)
}

/// Creates an object.
///
/// # Errors
/// When the API server refuses it.
pub async fn create(api: &Api<DynamicObject>, kind: &str, name: &str, spec: &Value) -> Result<()> {
    api.create(&PostParams::default(), &object(kind, name, spec)?)
        .await
        .with_context(|| format!("{kind} {name}"))?;
    Ok(())
}

/// The condition `Ready` as (status, reason, message).
///
/// # Errors
/// When there is none, or not of this generation.
pub async fn ready(api: &Api<DynamicObject>, name: &str) -> Result<(String, String, String)> {
    condition(api, name, "Ready").await
}

/// A condition as (status, reason, message).
///
/// # Errors
/// When there is none, or not of this generation.
pub async fn condition(
    api: &Api<DynamicObject>,
    name: &str,
    type_: &str,
) -> Result<(String, String, String)> {
    let object = api.get(name).await?;
    let conditions =
        object.data.pointer("/status/conditions").and_then(Value::as_array).context("no conditions")?;
    let found = conditions.iter().find(|c| c.get("type") == Some(&json!(type_)));
    let found = found.with_context(|| format!("no condition {type_}"))?;
    let text = |key: &str| found.get(key).and_then(Value::as_str).unwrap_or_default().to_owned();
    ensure!(
        found.get("observedGeneration") == Some(&json!(object.metadata.generation)),
        "{type_} is not of this generation"
    );
    Ok((text("status"), text("reason"), text("message")))
}

/// Waits until an object is ready, or not ready, for a reason.
///
/// # Errors
/// When it does not become so; with what it is.
pub async fn until_ready(
    env: &TestEnv,
    api: &Api<DynamicObject>,
    name: &str,
    want: (&str, &str),
) -> Result<String> {
    until_condition(env, api, name, "Ready", want).await
}

/// Waits until a condition has a status, for a reason; returns its message.
///
/// # Errors
/// When it does not get it; with what it has.
pub async fn until_condition(
    env: &TestEnv,
    api: &Api<DynamicObject>,
    name: &str,
    type_: &str,
    want: (&str, &str),
) -> Result<String> {
    env.until(&format!("{name} {type_} {want:?}"), || async {
        let (status, reason, message) = condition(api, name, type_).await?;
        if (status.as_str(), reason.as_str()) == want {
            Ok(message)
        } else {
            bail!("{status} {reason}: {message}")
        }
    })
    .await
}

/// Waits until an object no longer exists.
///
/// # Errors
/// When it still exists; with its status.
pub async fn until_gone(env: &TestEnv, api: &Api<DynamicObject>, name: &str) -> Result<()> {
    env.until(&format!("end of {name}"), || async {
        match api.get_opt(name).await? {
            None => Ok(()),
            Some(left) => bail!("still there: {}", left.data.get("status").unwrap_or(&Value::Null)),
        }
    })
    .await
}

/// Changes an object.
///
/// # Errors
/// When the API server refuses it.
pub async fn merge(api: &Api<DynamicObject>, name: &str, patch: Value) -> Result<()> {
    api.patch(name, &PatchParams::default(), &Patch::Merge(patch)).await?;
    Ok(())
}

/// Status and reason of a running Function.
pub const AVAILABLE: (&str, &str) = ("True", "AllReplicasAvailable");

/// Runs an action for each of many names, several at a time.
///
/// # Errors
/// The first error.
pub async fn each<N, F>(names: impl IntoIterator<Item = N>, act: impl Fn(N) -> F) -> Result<()>
where
    F: Future<Output = Result<()>>,
{
    stream::iter(names).map(act).buffer_unordered(AT_ONCE).try_collect().await
}
