//! ConfigMaps and Secrets that are missing or lack keys, credentials that expire, and pods that read an older version.

use super::expiry::{Credential, dates, day, is_keystore};
use super::finding::{Findings, Severity, few};
use super::references::{Kind, Reference, of_pod, of_spec};
use super::snapshot::Snapshot;
use crate::cluster::item::Item;
use crate::cluster::kubectl::Connection;
use crate::cluster::parallel::{AT_ONCE, each};
use k8s_openapi::jiff::{SignedDuration, Timestamp};
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};

/// Names in one call of kubectl: its arguments have a limit.
const NAMES: usize = 200;
/// Where a token is mounted that the instance reads again when it changes.
const RENEWED: &str = "/etc/auth/pulsar-functions";

/// A ConfigMap or Secret: kind, namespace, name.
pub(crate) type Key = (Kind, String, String);

/// References with who has them: `function demo/enrich`.
type Uses = BTreeMap<Key, Vec<(Reference, String)>>;

/// The ConfigMaps and Secrets that could be read; `None` for those that do not exist.
pub(crate) type Found = BTreeMap<Key, Option<Value>>;

/// Everything that objects and their StatefulSets refer to.
fn uses(snapshot: &Snapshot) -> Uses {
    let mut uses = Uses::new();
    let mut add = |item: &Item, reference: Reference| {
        let key = (reference.kind, item.namespace.clone(), reference.name.clone());
        uses.entry(key).or_default().push((reference, item.to_string()));
    };
    for item in snapshot.components() {
        for reference in of_spec(item) {
            add(item, reference);
        }
    }
    for set in &snapshot.sets {
        let Some(owner) = snapshot.owner_of(set) else { continue };
        for reference in of_pod(set.object.pointer("/spec/template/spec").unwrap_or(&Value::Null)) {
            add(owner, reference);
        }
    }
    uses
}

/// Reads what is referred to and checks it. Returns what was read, without the data of Secrets.
pub(crate) fn check(
    snapshot: &Snapshot,
    cluster: &Connection,
    within: SignedDuration,
    now: Timestamp,
    findings: &mut Findings,
) -> Found {
    let uses = uses(snapshot);
    let mut found = read(&uses, cluster, findings);
    examine(&uses, &found, (now, within), findings);
    stale(snapshot, &found, findings);
    without_data(&mut found);
    found
}

/// Forgets the data of Secrets.
fn without_data(found: &mut Found) {
    for ((kind, _, _), object) in found {
        if let (Kind::Secret, Some(Value::Object(fields))) = (kind, object) {
            fields.remove("data");
        }
    }
}

fn examine(uses: &Uses, found: &Found, dates: (Timestamp, SignedDuration), findings: &mut Findings) {
    for (key, users) in uses {
        match found.get(key) {
            Some(Some(object)) => {
                missing_keys(key, object, users, findings);
                expiring(key, object, users, dates, findings);
            }
            Some(None) => missing(key, users, findings),
            // Not read; said already.
            None => {}
        }
    }
}

fn read(uses: &Uses, cluster: &Connection, findings: &mut Findings) -> Found {
    let mut names: BTreeMap<(Kind, &str), Vec<&str>> = BTreeMap::new();
    for (kind, namespace, name) in uses.keys() {
        names.entry((*kind, namespace)).or_default().push(name);
    }
    let calls: Vec<(Kind, &str, &[&str])> = names
        .iter()
        .flat_map(|((kind, namespace), names)| names.chunks(NAMES).map(|names| (*kind, *namespace, names)))
        .collect();
    let answers = each(&calls, AT_ONCE, |(kind, namespace, names)| {
        let words = [kind.resource(), "--namespace", namespace, "--show-managed-fields"];
        cluster.existing(&[&words[..], names].concat())
    });
    let mut found = Found::new();
    for ((kind, namespace, names), answer) in calls.iter().zip(answers) {
        match answer {
            Ok(objects) => {
                let key = |name: &str| (*kind, (*namespace).to_owned(), name.to_owned());
                found.extend(names.iter().map(|name| (key(name), None)));
                for object in objects {
                    let name = object.pointer("/metadata/name").and_then(Value::as_str).map(key);
                    found.extend(name.map(|name| (name, Some(object))));
                }
            }
            Err(error) => {
                findings.unchecked(&format!("{} in {namespace}", kind.resource()), &format!("{error:#}"));
            }
        }
    }
    found
}

fn title((kind, namespace, name): &Key) -> String {
    format!("{} {namespace}/{name}", kind.word())
}

fn who(users: &[&(Reference, String)]) -> String {
    few(users.iter().map(|(_, user)| user.as_str()))
}

fn missing(key: &Key, users: &[(Reference, String)], findings: &mut Findings) {
    let required: Vec<&(Reference, String)> = users.iter().filter(|(r, _)| !r.optional).collect();
    if required.is_empty() {
        return;
    }
    let text = format!("does not exist; without it no pod starts of {}", who(&required));
    let remedy = format!("create it in the namespace {}, or correct the name in the objects", key.1);
    findings.add(Severity::Error, "MissingReference", title(key), text, remedy);
}

fn missing_keys(key: &Key, object: &Value, users: &[(Reference, String)], findings: &mut Findings) {
    let present: BTreeSet<&String> = ["data", "binaryData"]
        .iter()
        .filter_map(|field| object.get(field)?.as_object())
        .flat_map(serde_json::Map::keys)
        .collect();
    let wanted: BTreeSet<&String> =
        users.iter().filter(|(r, _)| !r.optional).filter_map(|(r, _)| r.key.as_ref()).collect();
    for name in wanted.into_iter().filter(|name| !present.contains(name)) {
        let of: Vec<&(Reference, String)> =
            users.iter().filter(|(r, _)| r.key.as_ref() == Some(name) && !r.optional).collect();
        let text = format!("has no key {name:?}, which {} needs", who(&of));
        findings.add(
            Severity::Error,
            "MissingKey",
            title(key),
            text,
            "add the key, or correct its name in the objects",
        );
    }
}

fn expiring(
    key: &Key,
    object: &Value,
    users: &[(Reference, String)],
    (now, within): (Timestamp, SignedDuration),
    findings: &mut Findings,
) {
    let all = users.iter().any(|(reference, _)| reference.key.is_none());
    for field in ["data", "binaryData"] {
        for (name, value) in object.get(field).and_then(Value::as_object).into_iter().flatten() {
            let readers: Vec<&(Reference, String)> = users
                .iter()
                .filter(|(reference, _)| reference.key.is_none() || reference.key.as_ref() == Some(name))
                .collect();
            if !all && readers.is_empty() {
                continue;
            }
            let data = decoded(key.0, field, value);
            if is_keystore(name, &data) {
                findings.unchecked(&format!("{}, key {name}", title(key)), "dates in keystores are not read");
            }
            for (credential, end) in dates(&data) {
                expires(key, name, (credential, end), &who(&readers), (now, within), findings);
            }
        }
    }
}

/// Bytes of a value; those of ConfigMaps are text.
fn decoded(kind: Kind, field: &str, value: &Value) -> Vec<u8> {
    use base64::Engine;
    let text = value.as_str().unwrap_or_default();
    if kind == Kind::ConfigMap && field == "data" {
        return text.as_bytes().to_vec();
    }
    base64::engine::general_purpose::STANDARD.decode(text).unwrap_or_default()
}

fn expires(
    key: &Key,
    name: &str,
    (credential, end): (Credential, Timestamp),
    who: &str,
    (now, within): (Timestamp, SignedDuration),
    findings: &mut Findings,
) {
    let left = end.duration_since(now);
    if left > within {
        return;
    }
    let what = match credential {
        Credential::Token => "token",
        Credential::Certificate => "certificate",
        Credential::FurtherCertificate => "further certificate",
    };
    let days = left.abs().as_hours() / 24;
    let days = crate::terminal::plural(usize::try_from(days).unwrap_or_default(), "day");
    let (severity, when) = if left.is_negative() {
        // Bundles of authorities keep old ones.
        let severity =
            if credential == Credential::FurtherCertificate { Severity::Warning } else { Severity::Error };
        (severity, format!("expired on {}, {days} ago", day(end)))
    } else {
        (Severity::Warning, format!("expires on {}, in {days}", day(end)))
    };
    let remedy = match credential {
        Credential::Token => {
            "replace it in the Secret; instances pick up a token of authSecret within two minutes, everything else needs a restart of the pods"
        }
        _ => "replace it, and restart the pods",
    };
    findings.add(
        severity,
        "Expiry",
        title(key),
        format!("the {what} in the key {name:?} {when}; used by {who}"),
        remedy,
    );
}

/// Pods whose containers read a ConfigMap or Secret before its last change, and will not read it again.
fn stale(snapshot: &Snapshot, found: &Found, findings: &mut Findings) {
    let mut pods: BTreeMap<(Key, String), (Timestamp, usize)> = BTreeMap::new();
    for pod in &snapshot.pods {
        let spec = pod.object.get("spec").unwrap_or(&Value::Null);
        let mut seen = BTreeSet::new();
        for reference in of_pod(spec) {
            let Some(container) = &reference.read_once_by else { continue };
            let key = (reference.kind, pod.namespace.clone(), reference.name.clone());
            let Some(changed) = found.get(&key).and_then(Option::as_ref).and_then(changed) else { continue };
            let Some(started) = started(pod, container) else { continue };
            if changed <= started || is_renewed(spec, &reference) || !seen.insert(key.clone()) {
                continue;
            }
            let set = owner(pod);
            pods.entry((key, set)).or_insert((changed, 0)).1 += 1;
        }
    }
    for ((key, set), (changed, number)) in pods {
        let pods = crate::terminal::plural(number, "pod");
        let text = format!(
            "was changed on {} ({}), after {pods} of StatefulSet {set} read it",
            changed.strftime("%Y-%m-%d %H:%M:%S UTC"),
            if key.0 == Kind::Secret {
                "as environment variables or by subPath"
            } else {
                "as environment or by subPath"
            }
        );
        let remedy = restart(&set, &key.1);
        findings.add(Severity::Warning, "StaleConfiguration", title(&key), text, remedy);
    }
}

/// The command that restarts the pods of a StatefulSet: of the object that it is named after, if it is one.
fn restart(set: &str, namespace: &str) -> String {
    let object = set.rsplit_once('-').filter(|(_, kind)| matches!(*kind, "function" | "source" | "sink"));
    match object {
        Some((name, kind)) => format!("kubectl fmesh restart {kind} {name} --namespace {namespace}"),
        None => format!("kubectl rollout restart statefulset {set} --namespace {namespace}"),
    }
}

fn owner(pod: &Item) -> String {
    let owners = pod.object.pointer("/metadata/ownerReferences").and_then(Value::as_array);
    let name = owners.and_then(|owners| owners.first()?.get("name")?.as_str());
    let base = || pod.name.trim_end_matches(|c: char| c.is_ascii_digit()).trim_end_matches('-');
    name.unwrap_or_else(base).to_owned()
}

/// Whether the instance reads the changed Secret again by itself: a token of `authSecret`.
fn is_renewed(pod: &Value, reference: &Reference) -> bool {
    let list =
        |value: &Value, field: &str| value.get(field).and_then(Value::as_array).cloned().unwrap_or_default();
    reference.kind == Kind::Secret
        && list(pod, "volumes").iter().any(|volume| {
            let is_at = |mount: &Value| mount.get("mountPath").and_then(Value::as_str) == Some(RENEWED);
            let mounts =
                || list(pod, "containers").into_iter().flat_map(|container| list(&container, "volumeMounts"));
            volume.pointer("/secret/secretName").and_then(Value::as_str) == Some(&reference.name)
                && mounts().any(|mount| mount.get("name") == volume.get("name") && is_at(&mount))
        })
}

/// When the running container started.
fn started(pod: &Item, container: &str) -> Option<Timestamp> {
    let statuses = pod.object.pointer("/status/containerStatuses")?.as_array()?;
    let status = statuses.iter().find(|status| status["name"] == container)?;
    status.pointer("/state/running/startedAt")?.as_str()?.parse().ok()
}

/// When the data was last changed, as the API server noted it for the field managers of the data.
fn changed(object: &Value) -> Option<Timestamp> {
    let managers = object.pointer("/metadata/managedFields")?.as_array()?;
    let of_data = managers.iter().filter(|entry| {
        ["f:data", "f:binaryData", "f:stringData"]
            .iter()
            .any(|field| entry.get("fieldsV1").is_some_and(|fields| fields.get(field).is_some()))
    });
    of_data.filter_map(|entry| entry["time"].as_str()?.parse().ok()).max()
}

#[cfg(test)]
#[path = "referenced/tests.rs"]
mod tests;
