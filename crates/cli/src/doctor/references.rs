//! The ConfigMaps and Secrets that objects and their pods refer to.

use crate::cluster::item::Item;
use serde_json::Value;

/// What is referred to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Kind {
    ConfigMap,
    Secret,
}

impl Kind {
    /// Plural, for `kubectl get`.
    pub(crate) fn resource(self) -> &'static str {
        match self {
            Self::ConfigMap => "configmaps",
            Self::Secret => "secrets",
        }
    }

    /// As a message names it.
    pub(crate) fn word(self) -> &'static str {
        match self {
            Self::ConfigMap => "ConfigMap",
            Self::Secret => "Secret",
        }
    }
}

/// One reference.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Reference {
    pub(crate) kind: Kind,
    pub(crate) name: String,
    /// The key that is read; all keys without one.
    pub(crate) key: Option<String>,
    /// Whether pods start without it.
    pub(crate) optional: bool,
    /// The container that reads it once, when it starts: as environment variable or by `subPath`. Everything else is a
    /// file that the kubelet keeps up to date.
    pub(crate) read_once_by: Option<String>,
}

impl Reference {
    fn new(kind: Kind, name: &Value, key: Option<&Value>, optional: &Value) -> Option<Self> {
        let name = name.as_str().filter(|name| !name.is_empty())?.to_owned();
        let key = key.and_then(Value::as_str).map(str::to_owned);
        Some(Self { kind, name, key, optional: *optional == true, read_once_by: None })
    }

    fn read_once(self, container: &Value) -> Self {
        let name = container["name"].as_str().unwrap_or_default().to_owned();
        Self { read_once_by: Some(name), ..self }
    }
}

fn list<'a>(object: &'a Value, field: &str) -> impl Iterator<Item = &'a Value> {
    object.get(field).and_then(Value::as_array).into_iter().flatten()
}

/// The references of a pod's specification.
pub(crate) fn of_pod(spec: &Value) -> Vec<Reference> {
    let mut found = Vec::new();
    for container in list(spec, "initContainers").chain(list(spec, "containers")) {
        let whole = list(container, "envFrom").flat_map(|source| {
            let of = |kind, field: &str| {
                let source = source.get(field)?;
                Reference::new(kind, &source["name"], None, &source["optional"])
            };
            [of(Kind::ConfigMap, "configMapRef"), of(Kind::Secret, "secretRef")]
        });
        let single = list(container, "env").flat_map(|variable| {
            let of = |kind, field: &str| {
                let source = variable.get("valueFrom")?.get(field)?;
                Reference::new(kind, &source["name"], source.get("key"), &source["optional"])
            };
            [of(Kind::ConfigMap, "configMapKeyRef"), of(Kind::Secret, "secretKeyRef")]
        });
        found.extend(whole.chain(single).flatten().map(|reference| reference.read_once(container)));
    }
    for volume in list(spec, "volumes") {
        let references = of_volume(volume);
        let readers = list(spec, "containers").filter(|container| {
            list(container, "volumeMounts").any(|mount| {
                mount["name"] == volume["name"]
                    && ["subPath", "subPathExpr"].iter().any(|f| mount.get(f).is_some())
            })
        });
        for container in readers {
            found.extend(references.iter().cloned().map(|reference| reference.read_once(container)));
        }
        found.extend(references);
    }
    found
}

fn of_volume(volume: &Value) -> Vec<Reference> {
    let projected = volume.get("projected").into_iter().flat_map(|projected| list(projected, "sources"));
    let mut found = Vec::new();
    for source in std::iter::once(volume).chain(projected) {
        for (kind, field) in [(Kind::ConfigMap, "configMap"), (Kind::Secret, "secret")] {
            let Some(source) = source.get(field) else { continue };
            // Volumes of Secrets have their own name for the name.
            let name = source.get("secretName").or_else(|| source.get("name")).unwrap_or(&Value::Null);
            let keys: Vec<Option<&Value>> = match source.get("items").and_then(Value::as_array) {
                Some(items) => items.iter().map(|item| item.get("key")).collect(),
                None => vec![None],
            };
            found.extend(
                keys.into_iter().filter_map(|key| Reference::new(kind, name, key, &source["optional"])),
            );
        }
    }
    found
}

/// The references of an object's own fields.
pub(crate) fn of_spec(item: &Item) -> Vec<Reference> {
    let spec = item.object.get("spec").unwrap_or(&Value::Null);
    let none = Value::Null;
    let mut found = Vec::new();
    for (messaging, address) in [("pulsar", "brokerServiceURL"), ("pulsarPackageService", "webServiceURL")] {
        let Some(messaging) = spec.get(messaging) else { continue };
        let address = Value::from(address);
        for key in [None, Some(&address)] {
            found.extend(Reference::new(Kind::ConfigMap, &messaging["pulsarConfig"], key, &none));
        }
        // Those that `tlsConfig` and `authConfig` replace are not read.
        if messaging.get("authConfig").is_none_or(Value::is_null) {
            found.extend(Reference::new(Kind::Secret, &messaging["authSecret"], None, &none));
        }
        let tls = &messaging["tlsConfig"];
        if tls.is_null() {
            found.extend(Reference::new(Kind::Secret, &messaging["tlsSecret"], None, &none));
        } else if tls.get("certSecretKey").is_some() {
            found.extend(Reference::new(
                Kind::Secret,
                &tls["certSecretName"],
                tls.get("certSecretKey"),
                &none,
            ));
        }
        for auth in ["authConfig", "cleanupAuthConfig"] {
            let Some(key) = messaging.pointer(&format!("/{auth}/oauth2Config")) else { continue };
            found.extend(Reference::new(Kind::Secret, &key["keySecretName"], key.get("keySecretKey"), &none));
        }
    }
    for secret in spec["secretsMap"].as_object().into_iter().flat_map(serde_json::Map::values) {
        found.extend(Reference::new(Kind::Secret, &secret["path"], secret.get("key"), &none));
    }
    for runtime in ["java", "python", "genericRuntime"] {
        if let Some(config) = spec.pointer(&format!("/{runtime}/log/logConfig")) {
            found.extend(Reference::new(Kind::ConfigMap, &config["name"], config.get("key"), &none));
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn short(references: &[Reference]) -> Vec<String> {
        let of = |r: &Reference| {
            let key = r.key.as_deref().unwrap_or("*");
            let (optional, once) =
                (if r.optional { "?" } else { "" }, r.read_once_by.as_deref().unwrap_or("-"));
            format!("{} {} {key}{optional} {once}", r.kind.word(), r.name)
        };
        references.iter().map(of).collect()
    }

    #[test]
    fn everything_that_a_pod_reads_is_found() {
        let spec = json!({
            "initContainers": [{"name": "i", "envFrom": [{"secretRef": {"name": "a"}}]}],
            "containers": [{"name": "c",
                "env": [{"name": "X", "value": "1"}, {"name": "Y", "valueFrom": {"secretKeyRef": {"name": "b", "key": "k"}}},
                    {"name": "Z", "valueFrom": {"configMapKeyRef": {"name": "m", "key": "k", "optional": true}}}],
                "envFrom": [{"configMapRef": {"name": "n"}}],
                "volumeMounts": [{"name": "v", "mountPath": "/x", "subPath": "p"}, {"name": "w", "mountPath": "/y"}]}],
            "volumes": [{"name": "v", "configMap": {"name": "files"}},
                {"name": "w", "secret": {"secretName": "s", "items": [{"key": "tls.crt", "path": "x"}]}},
                {"name": "p", "projected": {"sources": [{"secret": {"name": "t"}}, {"serviceAccountToken": {"path": "x"}}]}}],
        });
        assert_eq!(
            short(&of_pod(&spec)),
            [
                "Secret a * i",
                "ConfigMap n * c",
                "Secret b k c",
                "ConfigMap m k? c",
                "ConfigMap files * c",
                "ConfigMap files * -",
                "Secret s tls.crt -",
                "Secret t * -",
            ]
        );
    }

    #[test]
    fn an_object_without_pods_tells_what_they_will_read() {
        let item = Item::of(json!({"kind": "Function", "spec": {
            "pulsar": {"pulsarConfig": "p", "authSecret": "a", "tlsSecret": "unused",
                "tlsConfig": {"certSecretName": "ca", "certSecretKey": "ca.crt"}},
            "pulsarPackageService": {"pulsarConfig": "q", "authConfig": {"oauth2Config": {"keySecretName": "o", "keySecretKey": "k"}}},
            "secretsMap": {"DB": {"path": "db", "key": "password"}},
            "java": {"log": {"logConfig": {"name": "l", "key": "log4j"}}},
        }}));
        assert_eq!(
            short(&of_spec(&item)),
            [
                "ConfigMap p * -",
                "ConfigMap p brokerServiceURL -",
                "Secret a * -",
                "Secret ca ca.crt -",
                "ConfigMap q * -",
                "ConfigMap q webServiceURL -",
                "Secret o k -",
                "Secret db password -",
                "ConfigMap l log4j -",
            ]
        );
    }
}
