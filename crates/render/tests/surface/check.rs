//! Conditions that every rendered object has to satisfy, so that the API server accepts it.

use crate::case::{Case, Rendered, own_containers};
use k8s_openapi::api::core::v1::PodTemplateSpec;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use serde_json::Value;
use std::collections::BTreeSet;

/// The problems of the objects rendered for a case.
pub(crate) fn problems(rendered: &Rendered, case: &Case) -> Vec<String> {
    let mut found = Vec::new();
    let set = &rendered.desired.stateful_set;
    let objects = [&set.metadata, &rendered.desired.service.metadata];
    for metadata in objects.into_iter().chain(rendered.cleanup.as_ref().map(|job| &job.metadata)) {
        object(metadata, &mut found);
    }
    let claims: Vec<&str> = set
        .spec
        .volume_claim_templates
        .iter()
        .flatten()
        .filter_map(|claim| claim.metadata.name.as_deref())
        .collect();
    for each in rendered.templates() {
        template(each, case, &claims, &mut found);
    }
    let selector = set.spec.selector.match_labels.iter().flatten();
    let labels = set.spec.template.metadata.as_ref().and_then(|m| m.labels.clone()).unwrap_or_default();
    for (key, value) in selector {
        if labels.get(key) != Some(value) {
            found.push(format!("the selector's {key}={value} is not on the pods"));
        }
    }
    found
}

fn object(metadata: &ObjectMeta, found: &mut Vec<String>) {
    let name = metadata.name.as_deref().unwrap_or_default();
    if !is_dns_label(name) {
        found.push(format!("{name:?} is no name of an object"));
    }
    labels(metadata, found);
}

fn labels(metadata: &ObjectMeta, found: &mut Vec<String>) {
    for (key, value) in metadata.labels.iter().flatten() {
        let name = key.rsplit('/').next().unwrap_or_default();
        if name.is_empty() || !is_label_value(name) || !is_label_value(value) {
            found.push(format!("{key:?}={value:?} is no label"));
        }
    }
}

fn template(template: &PodTemplateSpec, case: &Case, claims: &[&str], found: &mut Vec<String>) {
    let spec = &case.spec;
    // The labels of a BackendConfig are not checked: it belongs to the administrator.
    let mut metadata = template.metadata.clone().unwrap();
    for config in &case.backend_configs {
        let labels = config.pointer("/pod/labels").and_then(Value::as_object);
        for key in labels.into_iter().flat_map(|labels| labels.keys()) {
            metadata.labels.as_mut().unwrap().remove(key);
        }
    }
    labels(&metadata, found);
    let pod = template.spec.as_ref().unwrap();
    let containers = pod.init_containers.iter().flatten().chain(&pod.containers);
    let own: Vec<&str> =
        own_containers(template).into_iter().map(|container| container.name.as_str()).collect();
    let names = containers.map(|container| container.name.as_str()).filter(|name| own.contains(name));
    unique("container", names, found);
    let volumes: Vec<&str> = pod.volumes.iter().flatten().map(|volume| volume.name.as_str()).collect();
    unique("volume", volumes.iter().copied(), found);
    let users = |pointer: &str, key: &str| -> BTreeSet<String> {
        let list = spec.pointer(pointer).and_then(Value::as_array);
        list.into_iter().flatten().filter_map(|item| item[key].as_str().map(str::to_owned)).collect()
    };
    let users_volumes = users("/pod/volumes", "name");
    for name in volumes.iter().filter(|name| !users_volumes.contains(**name) && !is_dns_label(name)) {
        found.push(format!("{name:?} is no name of a volume"));
    }
    let users_mounts = users("/volumeMounts", "mountPath");
    for container in own_containers(template) {
        let name = &container.name;
        unique(&format!("{name}: variable"), container.env.iter().flatten().map(|v| v.name.as_str()), found);
        let mounts = || container.volume_mounts.iter().flatten();
        unique(&format!("{name}: mount"), mounts().map(|mount| mount.mount_path.as_str()), found);
        for mount in mounts() {
            let known = volumes.contains(&mount.name.as_str()) || claims.contains(&mount.name.as_str());
            // A user's own mount may name a missing volume; the API server reports it.
            if !known && !users_mounts.contains(&mount.mount_path) {
                found.push(format!(
                    "{name}: the volume {:?} of {:?} does not exist",
                    mount.name, mount.mount_path
                ));
            }
        }
    }
}

fn unique<'a>(what: &str, names: impl Iterator<Item = &'a str>, found: &mut Vec<String>) {
    let mut seen = BTreeSet::new();
    for name in names {
        if !seen.insert(name) {
            found.push(format!("{what} {name:?} is there twice"));
        }
    }
}

/// The names of everything that becomes part of an address.
fn is_dns_label(name: &str) -> bool {
    let inner = name.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-');
    inner && (1..=63).contains(&name.len()) && !name.starts_with('-') && !name.ends_with('-')
}

fn is_label_value(value: &str) -> bool {
    let end = |c: Option<char>| c.is_none_or(|c| c.is_ascii_alphanumeric());
    let inner = value.chars().all(|c| c.is_ascii_alphanumeric() || "-_.".contains(c));
    inner && value.len() <= 63 && end(value.chars().next()) && end(value.chars().last())
}
