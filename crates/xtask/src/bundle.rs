//! The bundle by which the Operator Lifecycle Manager installs the operator: its CRDs and a ClusterServiceVersion
//! (<https://olm.operatorframework.io/docs/tasks/creating-operator-bundle/>). It is written at a release and not committed.

use crate::files::{Files, root};
use crate::install::RELEASE;
use anyhow::{Context, Result};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::Deserialize;
use serde_json::{Value, json};
use std::fs;

const PACKAGE: &str = "function-mesh-rs";
const CHANNEL: &str = "candidate-v0";
/// Examples that the console offers, one for each kind.
const EXAMPLES: [&str; 5] = ["function", "source", "sink", "functionmesh", "backendconfig"];
const DESCRIPTION: &str = "Controllers that run Apache Pulsar Functions, Sources and Sinks natively on Kubernetes, as StatefulSets of \
Pulsar's own instances.

* Status that is evidence: conditions with a reason and what to do about it.
* No restart without a reason: a change of rendering by a new release waits for approval.
* No webhook and no certificates. Rules are part of the CRDs; warnings about settings without effect are admission policies, \
which this bundle cannot contain: apply `policy.yaml` and `settings.yaml` of `config/crd`.

A broker is not part of it: each object names a ConfigMap with the addresses of your Pulsar.
";

/// Shown by the console.
const ICON: &str = include_str!("../../../docs/icon.svg");

/// Adds the files of the bundle.
///
/// # Errors
/// When an input is missing.
pub(crate) fn generate(inputs: &Files, files: &mut Files, image: Option<&str>) -> Result<()> {
    let mut owned = Vec::new();
    for plural in ["functions", "sources", "sinks", "functionmeshes", "backendconfigs"] {
        let path = format!("config/crd/{plural}.yaml");
        let text = inputs.get(&path).with_context(|| path.clone())?;
        owned.push(owned_kind(&serde_yaml::from_str(text)?)?);
        files.add(format!("manifests/{plural}.crd.yaml"), text.to_owned());
    }
    let version = service_version(inputs, image, &owned)?;
    files.add(format!("manifests/{PACKAGE}.clusterserviceversion.yaml"), serde_yaml::to_string(&version)?);
    files.add(
        "metadata/annotations.yaml",
        serde_yaml::to_string(&json!({"annotations": {
            "operators.operatorframework.io.bundle.mediatype.v1": "registry+v1",
            "operators.operatorframework.io.bundle.manifests.v1": "manifests/",
            "operators.operatorframework.io.bundle.metadata.v1": "metadata/",
            "operators.operatorframework.io.bundle.package.v1": PACKAGE,
            "operators.operatorframework.io.bundle.channels.v1": CHANNEL,
            "operators.operatorframework.io.bundle.channel.default.v1": CHANNEL,
        }}))?,
    );
    Ok(())
}

fn service_version(inputs: &Files, image: Option<&str>, owned: &[Value]) -> Result<Value> {
    let version = env!("CARGO_PKG_VERSION");
    let image = image.map_or_else(crate::install::default_image, |image| Ok(image.to_owned()))?;
    let mut permissions = (Vec::new(), Vec::new());
    let mut deployments = Vec::new();
    for controller in ["function", "source", "sink", "mesh"] {
        let account = format!("{RELEASE}-{controller}-controller");
        let roles = documents(inputs, &format!("config/rbac/{controller}-controller.yaml"))?;
        let of_kind = |kind: &str| -> Vec<Value> {
            let found = roles.iter().filter(|role| at(role, "/kind") == kind);
            found.filter_map(|role| role.get("rules")?.as_array()).flatten().cloned().collect()
        };
        permissions.0.push(json!({"serviceAccountName": account, "rules": of_kind("ClusterRole")}));
        // The lease, in the namespace of the operator.
        permissions.1.push(json!({"serviceAccountName": account, "rules": of_kind("Role")}));
    }
    for object in documents(inputs, "config/default/controllers.yaml")? {
        if at(&object, "/kind") == "Deployment" {
            let mut spec = at(&object, "/spec");
            *spec.pointer_mut("/template/spec/containers/0/image").context("a container")? = json!(image);
            deployments.push(json!({
                "name": at(&object, "/metadata/name"),
                "label": at(&object, "/metadata/labels"),
                "spec": spec,
            }));
        }
    }
    let modes = ["OwnNamespace", "SingleNamespace", "MultiNamespace", "AllNamespaces"];
    Ok(json!({
        "apiVersion": "operators.coreos.com/v1alpha1",
        "kind": "ClusterServiceVersion",
        "metadata": {
            "name": format!("{PACKAGE}.v{version}"),
            "namespace": "placeholder",
            "labels": {
                "operatorframework.io/os.linux": "supported",
                "operatorframework.io/arch.amd64": "supported",
                "operatorframework.io/arch.arm64": "supported",
            },
            "annotations": {
                "alm-examples": serde_json::to_string(&examples()?)?,
                "capabilities": "Deep Insights",
                "categories": "Streaming & Messaging",
                "containerImage": image,
                "description": "Runs Apache Pulsar Functions, Sources and Sinks on Kubernetes",
            },
        },
        "spec": {
            "displayName": "Function Mesh",
            "description": DESCRIPTION,
            "icon": [{"mediatype": "image/svg+xml", "base64data": STANDARD.encode(ICON)}],
            "version": version,
            "minKubeVersion": "1.30.0",
            "maturity": "alpha",
            "provider": {"name": "Function Mesh"},
            "maintainers": [{"name": "The Function Mesh authors", "email": "maintainers@functionmesh.io"}],
            "keywords": ["pulsar", "functions", "connectors", "streaming", "serverless"],
            "links": [{"name": "Apache Pulsar Functions", "url": "https://pulsar.apache.org/docs/functions-overview/"}],
            "installModes": modes.map(|mode| json!({"type": mode, "supported": mode == "AllNamespaces"})),
            "customresourcedefinitions": {"owned": owned},
            "install": {
                "strategy": "deployment",
                "spec": {
                    "clusterPermissions": permissions.0,
                    "permissions": permissions.1,
                    "deployments": deployments,
                },
            },
        },
    }))
}

/// How the ClusterServiceVersion names a CRD.
fn owned_kind(crd: &Value) -> Result<Value> {
    let version = crd.pointer("/spec/versions/0").context("a CRD without versions")?;
    Ok(json!({
        "name": at(crd, "/metadata/name"),
        "kind": at(crd, "/spec/names/kind"),
        "version": at(version, "/name"),
        "displayName": at(crd, "/spec/names/kind"),
        "description": at(version, "/schema/openAPIV3Schema/description").as_str().unwrap_or_default(),
    }))
}

/// The samples.
fn examples() -> Result<Vec<Value>> {
    let mut examples = Vec::new();
    for name in EXAMPLES {
        let path = root().join(format!("config/samples/{name}.yaml"));
        let text = fs::read_to_string(&path).with_context(|| format!("file {}", path.display()))?;
        let found = read(&text)?
            .into_iter()
            .find(|object| at(object, "/kind").as_str().is_some_and(|kind| kind.eq_ignore_ascii_case(name)));
        examples.push(found.with_context(|| format!("{} has no {name}", path.display()))?);
    }
    Ok(examples)
}

/// What is at a path of a value; null if there is nothing.
fn at(value: &Value, path: &str) -> Value {
    value.pointer(path).cloned().unwrap_or_default()
}

fn documents(files: &Files, path: &str) -> Result<Vec<Value>> {
    read(files.get(path).with_context(|| path.to_owned())?).with_context(|| path.to_owned())
}

fn read(text: &str) -> Result<Vec<Value>> {
    let documents = serde_yaml::Deserializer::from_str(text).map(Value::deserialize);
    Ok(documents.collect::<Result<Vec<_>, _>>()?.into_iter().filter(|value| !value.is_null()).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_bundle_has_the_same_permissions_and_deployments() {
        let (mut inputs, mut files) = (Files::default(), Files::default());
        for generator in [crate::crds::generate, crate::roles, crate::install::generate] {
            generator(&mut inputs).unwrap();
        }
        generate(&inputs, &mut files, Some("example.com/function-mesh@sha256:0")).unwrap();
        let text = files.get("manifests/function-mesh-rs.clusterserviceversion.yaml").unwrap();
        let version: Value = serde_yaml::from_str(text).unwrap();
        let spec = &version["spec"]["install"]["spec"];
        for (field, rule) in [("clusterPermissions", "functions/status"), ("permissions", "leases")] {
            assert_eq!(spec[field].as_array().unwrap().len(), 4);
            assert!(spec[field][0]["rules"].to_string().contains(rule));
        }
        assert_eq!(spec["deployments"].as_array().unwrap().len(), 4);
        assert_eq!(text.matches("example.com/function-mesh@sha256:0").count(), 5);
        assert_eq!(version["spec"]["customresourcedefinitions"]["owned"].as_array().unwrap().len(), 5);
        assert!(files.get("manifests/functions.crd.yaml").is_some());
        let icon = version["spec"]["icon"][0]["base64data"].as_str().unwrap();
        assert!(STANDARD.decode(icon).unwrap().starts_with(b"<svg"));
    }
}
