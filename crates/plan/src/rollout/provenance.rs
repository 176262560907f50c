//! The provenance of a `StatefulSet`, in an annotation: what it was rendered from. It gives the reason for a difference.

use crate::health::reason::Reason;
use crate::rollout::backend_config::{Backend, Part};
use crate::takeover::marks::MADE_BY_GO_OPERATOR;
use functionmesh_objects::hash::hash_of;
use functionmesh_render::{Environment, Helper, RunnerImages, renderer_version};
use k8s_openapi::api::apps::v1::{StatefulSet, StatefulSetSpec};
use kube::core::ObjectMeta;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

/// Annotation of a `StatefulSet`: what it was rendered from.
pub const RENDERED_FROM: &str = "compute.functionmesh.io/rendered-from";

/// Value of a field that another release recorded in an unknown form.
const UNKNOWN: &str = "unknown";

/// Fields of a spec that set the number of pods, and do not affect the pods themselves.
const SCALING: [&str; 3] = [REPLICAS, "minReplicas", "maxReplicas"];
const REPLICAS: &str = "replicas";
/// The same below `pod`.
const POD_SCALING: [&str; 4] = ["autoScalingBehavior", "autoScalingMetrics", "builtinAutoscaler", "vpa"];
/// If this field is set, the command of the pods contains their number.
const PRECISE: &str = "showPreciseParallelism";

/// What a `StatefulSet` was rendered from.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Provenance {
    /// Hash of the object's spec, see [`inputs`].
    pub inputs: String,
    /// The hash of the same spec by a release that distinguished an omitted number of replicas from 1.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    also: Option<String>,
    /// Hash of the operator's configuration.
    operator: String,
    /// The hash of the same configuration by releases that hashed its debug output; never stored.
    #[serde(skip)]
    operator_by_debug: Option<String>,
    /// Release and version of the renderer.
    renderer: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    global: Option<Part>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    namespaced: Option<Part>,
    /// Hashes of the immutable fields.
    pub immutable: Immutable,
}

/// Hashes of the immutable fields of a `StatefulSet`, except for those that no renderer sets, in the order of `FIELDS`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Immutable([String; 4]);

impl Provenance {
    /// Reads the annotation, if there is one. An unknown form comes from another release, never from the Go operator, which
    /// writes none.
    pub fn on(metadata: &ObjectMeta) -> Option<Self> {
        let text = metadata.annotations.as_ref()?.get(RENDERED_FROM)?;
        serde_json::from_str(text).ok().or_else(|| Self::of_another_release(text))
    }

    /// Reads the known fields of another form. Unknown fields do not count as a difference.
    fn of_another_release(text: &str) -> Option<Self> {
        let recorded: Map<String, Value> = serde_json::from_str(text).ok()?;
        let word = |field: &str| recorded.get(field).and_then(Value::as_str).unwrap_or(UNKNOWN).to_owned();
        Some(Self {
            inputs: word("inputs"),
            also: None,
            operator: word("operator"),
            operator_by_debug: None,
            renderer: word("renderer"),
            global: read(&recorded, "global"),
            namespaced: read(&recorded, "namespaced"),
            immutable: read(&recorded, "immutable").unwrap_or_else(Immutable::unknown),
        })
    }

    /// Hash of the object's spec, if it is known.
    pub fn spec_hash(&self) -> Option<&str> {
        Some(self.inputs.as_str()).filter(|hash| *hash != UNKNOWN)
    }

    /// Writes it on a rendered object.
    pub fn write(&self, stateful_set: &mut StatefulSet) {
        let text = self.text();
        stateful_set.metadata.annotations.get_or_insert_default().insert(RENDERED_FROM.to_owned(), text);
    }

    /// The value of the annotation.
    pub fn text(&self) -> String {
        // Strings and booleans only: encoding cannot fail.
        serde_json::to_string(self).unwrap_or_default()
    }

    /// The provenance of a rendering. `spec` is that of the object, as text.
    pub fn of(spec: &str, rendered: &StatefulSet, operator: &OperatorHash, backend: &Backend) -> Self {
        let version = renderer_version(rendered).unwrap_or_default();
        Self {
            inputs: inputs(spec),
            also: written_out(spec),
            operator: operator.hash.clone(),
            operator_by_debug: Some(operator.by_debug.clone()),
            renderer: format!("{}/{version}", env!("CARGO_PKG_VERSION")),
            global: backend.global.clone(),
            namespaced: backend.namespaced.clone(),
            immutable: Immutable::of(&rendered.spec),
        }
    }

    /// The same for a `StatefulSet` that the Go operator rendered. `immutable` names the immutable fields whose values differ
    /// from the rendering. `outdated` is true if it was rendered from another spec.
    #[must_use]
    pub fn of_the_go_operator(self, immutable: &[&str], outdated: bool) -> Self {
        let inputs = if outdated { String::new() } else { self.inputs };
        Self {
            renderer: MADE_BY_GO_OPERATOR.to_owned(),
            inputs,
            immutable: self.immutable.but_for(immutable),
            ..self
        }
    }

    /// Whether a recorded hash matches the spec that this was rendered from; an unknown hash matches any.
    pub fn is_of(&self, inputs: &str) -> bool {
        inputs == UNKNOWN || self.inputs == inputs || self.also.as_deref() == Some(inputs)
    }

    /// Why the difference to `newer`, rendered from the same spec, has to wait for approval. `None` if it need not: a
    /// `BackendConfig` with `autoUpdate` changed, or only the spec can explain the difference.
    pub fn reason_to_wait(&self, newer: &Self) -> Option<Reason> {
        let changes = |old: &Option<Part>, new: &Option<Part>| {
            let hash = |part: &Option<Part>| part.as_ref().map(|part| part.hash.clone());
            // A deleted BackendConfig counts as it was.
            (hash(old) != hash(new)).then(|| new.as_ref().or(old.as_ref()).is_some_and(|part| part.auto))
        };
        let backend = [changes(&self.global, &newer.global), changes(&self.namespaced, &newer.namespaced)];
        if backend.contains(&Some(true)) {
            None
        } else if self.renderer == MADE_BY_GO_OPERATOR {
            Some(Reason::AdoptedFromGoOperator)
        } else if self.renderer != newer.renderer {
            Some(Reason::RendererChanged)
        } else if self.operator != newer.operator && Some(&self.operator) != newer.operator_by_debug.as_ref()
        {
            Some(Reason::OperatorConfigChanged)
        } else {
            backend.contains(&Some(false)).then_some(Reason::BackendConfigChanged)
        }
    }
}

fn read<T: DeserializeOwned>(recorded: &Map<String, Value>, field: &str) -> Option<T> {
    serde_json::from_value(recorded.get(field)?.clone()).ok()
}

impl Immutable {
    /// The names of the fields.
    pub(crate) const FIELDS: [&str; 4] =
        ["serviceName", "selector", "podManagementPolicy", "volumeClaimTemplates"];

    fn of(spec: &StatefulSetSpec) -> Self {
        let hash = |bytes: Result<Vec<u8>, _>| {
            let bytes = bytes.unwrap_or_else(|_: serde_json::Error| Vec::new());
            hash_of(&bytes).chars().take(8).collect()
        };
        Self([
            hash(serde_json::to_vec(&spec.service_name)),
            hash(serde_json::to_vec(&spec.selector)),
            hash(serde_json::to_vec(&spec.pod_management_policy)),
            hash(serde_json::to_vec(&spec.volume_claim_templates)),
        ])
    }

    fn unknown() -> Self {
        Self([UNKNOWN; 4].map(str::to_owned))
    }

    /// Whether a field is recorded as the Go operator's, with a value that differs from any rendering.
    pub fn is_of_the_go_operator(&self) -> bool {
        self.0.iter().any(|hash| hash == MADE_BY_GO_OPERATOR)
    }

    /// The same provenance, with values in the named fields that differ from any rendering.
    fn but_for(self, names: &[&str]) -> Self {
        let mut hashes = self.0;
        for (field, hash) in Self::FIELDS.iter().zip(&mut hashes) {
            if names.contains(field) {
                MADE_BY_GO_OPERATOR.clone_into(hash);
            }
        }
        Self(hashes)
    }

    /// The names of the differing fields, separated by commas; empty if there are none.
    pub fn changed(&self, newer: &Self) -> String {
        let fields = Self::FIELDS.iter().zip(self.0.iter().zip(&newer.0));
        let changed: Vec<&str> =
            fields.filter(|(_, (old, new))| old != new && *old != UNKNOWN).map(|(field, _)| *field).collect();
        changed.join(", ")
    }
}

/// Hash of the operator's configuration, which is the same for all objects.
#[derive(Clone, Debug)]
pub struct OperatorHash {
    /// Of the fields as JSON.
    hash: String,
    /// Of the debug output, as in the first release: hashes that it recorded are compared with this one.
    by_debug: String,
}

impl OperatorHash {
    /// Hashes a configuration.
    pub fn of(environment: &Environment) -> Self {
        let hash = short(&hash_of(fields_of(environment).to_string().as_bytes()));
        Self { hash, by_debug: short(&hash_of(format!("{environment:?}").as_bytes())) }
    }
}

/// The configuration as JSON. A field that a later release adds has to be null or empty if it is not set: it is then left out,
/// and the hash does not change.
fn fields_of(environment: &Environment) -> Value {
    // Destructured without `..`: a new field does not compile until it is added here.
    let Environment {
        runner_images,
        image_pull_policy,
        image_pull_secrets,
        resource_labels,
        resource_annotations,
        add_default_affinity,
        init_containers,
        downloader,
        filebeat,
    } = environment;
    let RunnerImages { java, python, go, generic, connectors } = runner_images;
    let helper = |helper: &Helper| {
        let Helper { image, image_pull_policy, resources } = helper;
        json!({"image": image, "imagePullPolicy": image_pull_policy, "resources": resources})
    };
    let mut fields = json!({
        "runnerImages": {"java": java, "python": python, "go": go, "generic": generic, "connectors": connectors},
        "imagePullPolicy": image_pull_policy,
        "imagePullSecrets": image_pull_secrets,
        "resourceLabels": resource_labels,
        "resourceAnnotations": resource_annotations,
        "addDefaultAffinity": add_default_affinity,
        "initContainers": init_containers,
        "downloader": helper(downloader),
        "filebeat": helper(filebeat),
    });
    if let Value::Object(fields) = &mut fields {
        prune(fields);
    }
    fields
}

/// Hash of a spec without its scaling fields: a step of an autoscaler is no reason to restart a pod.
///
/// Ignores the order of fields, and whether one is absent, null or empty. It covers the text as it is stored, so that it does not
/// change with the types of a later release. A default that a later release adds to the schema, which the API server then shows
/// in every object, has to be ignored here, like the default of 1 for the number of replicas.
pub fn inputs(spec: &str) -> String {
    digest(serde_json::from_str(spec).unwrap_or_default())
}

/// The hash with a number of replicas of 1, if the number is part of the command.
fn written_out(spec: &str) -> Option<String> {
    // Two searches are cheaper than a second parse of every spec.
    let spec: Value = spec.contains(PRECISE).then(|| serde_json::from_str(spec).ok())??;
    let counts = spec.get(PRECISE) == Some(&Value::Bool(true)) && spec.get(REPLICAS) == Some(&json!(1));
    counts.then(|| short(&hash_of(meaning(spec).to_string().as_bytes())))
}

fn digest(mut spec: Value) -> String {
    if let Value::Object(fields) = &mut spec
        && fields.get(REPLICAS) == Some(&json!(1))
    {
        fields.remove(REPLICAS);
    }
    short(&hash_of(meaning(spec).to_string().as_bytes()))
}

/// A spec without the parts that do not affect the pods.
fn meaning(mut spec: Value) -> Value {
    if let Value::Object(fields) = &mut spec {
        if fields.get(PRECISE) != Some(&Value::Bool(true)) {
            fields.retain(|field, _| !SCALING.contains(&field.as_str()));
        }
        if let Some(Value::Object(pod)) = fields.get_mut("pod") {
            pod.retain(|field, _| !POD_SCALING.contains(&field.as_str()));
        }
        prune(fields);
    }
    spec
}

/// Drops empty values.
fn prune(fields: &mut Map<String, Value>) {
    fields.retain(|_, value| {
        if let Value::Object(below) = value {
            prune(below);
            return !below.is_empty();
        }
        !value.is_null()
    });
}

fn short(hash: &str) -> String {
    hash.chars().take(16).collect()
}

#[cfg(test)]
mod tests;
