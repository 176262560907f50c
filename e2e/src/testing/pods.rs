//! Functions that tests with real pods and a real broker share.

use crate::cluster::Cluster;
use crate::images;
use crate::operator::Kubectl;
use crate::shell::{output, until};
use crate::testing::test_env::TestEnv;
use anyhow::{Context, Result, bail, ensure};
use serde_json::{Value, json};
use std::time::Duration;

/// Namespace of the broker and the objects.
pub const TEST_NAMESPACE: &str = "e2e";
/// Longest wait for a condition.
pub const TIMEOUT: Duration = Duration::from_secs(180);

/// The images of Pulsar and of the controllers, imported into a cluster of the tests; in other clusters they have to exist.
///
/// # Errors
/// When they cannot be built or imported.
pub fn import_images(env: &TestEnv) -> Result<(String, String)> {
    import_images_with(env, images::pulsar, images::PULSAR_IMAGE)
}

/// The same with another image of Pulsar.
///
/// # Errors
/// When they cannot be built or imported.
pub fn import_images_with(
    env: &TestEnv,
    build: fn() -> Result<images::Archive>,
    name: &str,
) -> Result<(String, String)> {
    let folder = env.folder().ok();
    // The folder has the name of the cluster.
    if let Some(name) = folder.and_then(|f| f.file_name()).and_then(|n| n.to_str()) {
        let cluster = Cluster::named(name)?;
        for image in [build()?, images::controllers()?] {
            cluster.import(&image)?;
        }
    }
    let variable = |name: &str, own_image: &str, other: &str| {
        let default = if folder.is_some() { own_image } else { other };
        std::env::var(name).ok().filter(|v| !v.is_empty()).unwrap_or_else(|| default.to_owned())
    };
    let pulsar = variable("PULSAR_IMAGE", name, "apachepulsar/pulsar-all:4.0.6");
    Ok((pulsar, variable("IMAGE", images::CONTROLLERS_IMAGE, images::CONTROLLERS_IMAGE)))
}

/// An object, or a list of them.
///
/// # Errors
/// When there is none.
pub fn get(kubectl: &Kubectl, what: &str) -> Result<Value> {
    let text = output(&mut kubectl.command(&format!("-n {TEST_NAMESPACE} get {what} -o json")))?;
    Ok(serde_json::from_str(&text)?)
}

/// The condition Ready as (status, reason, message).
///
/// # Errors
/// When there is none of the object's generation.
pub fn ready(kubectl: &Kubectl, what: &str) -> Result<(String, String, String)> {
    let object = get(kubectl, what)?;
    let conditions =
        object.pointer("/status/conditions").and_then(Value::as_array).cloned().unwrap_or_default();
    let of_type = |c: &&Value| c.get("type").is_some_and(|t| t == "Ready");
    let ready = conditions.iter().find(of_type).context("no condition Ready")?;
    let text = |key: &str| ready.get(key).and_then(Value::as_str).unwrap_or_default().to_owned();
    ensure!(
        ready.get("observedGeneration") == object.pointer("/metadata/generation"),
        "{what}: not of this generation"
    );
    Ok((text("status"), text("reason"), text("message")))
}

/// Waits for the condition `Ready` and returns its message.
///
/// # Errors
/// If it does not become ready.
pub fn until_ready(kubectl: &Kubectl, what: &str, want: (&str, &str)) -> Result<String> {
    until_says(kubectl, what, want, &[])
}

/// Waits for the condition `Ready` with a message that contains some text: a mesh has the reason before the message arrives.
///
/// # Errors
/// If it does not become ready.
pub fn until_says(kubectl: &Kubectl, what: &str, want: (&str, &str), parts: &[&str]) -> Result<String> {
    until(what, TIMEOUT, || {
        let (status, reason, message) = ready(kubectl, what)?;
        if (status.as_str(), reason.as_str()) == want && parts.iter().all(|part| message.contains(part)) {
            Ok(message)
        } else {
            bail!("{status} {reason}: {message}")
        }
    })
}

/// The sample's function with another name and changes of its spec.
pub fn function(name: &str, pulsar: &str, change: impl FnOnce(&mut Value)) -> String {
    let mut spec = json!({
        "className": "org.apache.pulsar.functions.api.examples.ExclamationFunction",
        "clusterName": "standalone",
        "input": {"typeClassName": "java.lang.String", "topics": [format!("persistent://public/default/{name}-in")]},
        "output": {"typeClassName": "java.lang.String", "topic": format!("persistent://public/default/{name}-out")},
        "java": {"jar": "/pulsar/examples/api-examples.jar"},
        "pulsar": {"pulsarConfig": "pulsar"},
        "image": pulsar,
        "resources": {"requests": {"cpu": "50m", "memory": "256Mi"}, "limits": {"memory": "512Mi"}},
    });
    change(&mut spec);
    json!({
        "apiVersion": "compute.functionmesh.io/v1alpha1",
        "kind": "Function",
        "metadata": {"name": name},
        "spec": spec,
    })
    .to_string()
}
