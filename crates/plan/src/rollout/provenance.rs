//! What a `StatefulSet` was rendered from, noted on it: with that, the reasons for a difference can be told apart.

use crate::health::reason::Reason;
use crate::rollout::backend_config::{Backend, Part};
use crate::takeover::marks::MADE_BY_GO_OPERATOR;
use functionmesh_objects::hash::hash_of;
use functionmesh_render::{Environment, renderer_version};
use k8s_openapi::api::apps::v1::{StatefulSet, StatefulSetSpec};
use kube::core::ObjectMeta;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

/// Annotation of a `StatefulSet`: what it was rendered from.
pub const RENDERED_FROM: &str = "compute.functionmesh.io/rendered-from";

/// Fields of a spec that say how many pods there are, and nothing about what they are.
const SCALING: [&str; 3] = [REPLICAS, "minReplicas", "maxReplicas"];
const REPLICAS: &str = "replicas";
/// The same below `pod`.
const POD_SCALING: [&str; 4] = ["autoScalingBehavior", "autoScalingMetrics", "builtinAutoscaler", "vpa"];
/// With this field the number of pods is in their command.
const PRECISE: &str = "showPreciseParallelism";

/// What a `StatefulSet` was rendered from.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Provenance {
    /// Hash of the object's spec, see [`inputs`].
    pub inputs: String,
    /// The hash of the same spec by a release that told a number of replicas that was left out from a 1.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    also: Option<String>,
    /// Hash of the operator's configuration.
    operator: String,
    /// Release and version of the renderer.
    renderer: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    global: Option<Part>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    namespaced: Option<Part>,
    /// The fields that cannot change.
    pub immutable: Immutable,
}

/// Hashes of the fields of a `StatefulSet` that the API server does not let change, but for those that a renderer never
/// sets, in the order of `FIELDS`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Immutable([String; 4]);

impl Provenance {
    /// Reads the note, if there is one.
    pub fn on(metadata: &ObjectMeta) -> Option<Self> {
        serde_json::from_str(metadata.annotations.as_ref()?.get(RENDERED_FROM)?).ok()
    }

    /// Writes it on a rendered object.
    pub fn write(&self, stateful_set: &mut StatefulSet) {
        let text = self.text();
        stateful_set.metadata.annotations.get_or_insert_default().insert(RENDERED_FROM.to_owned(), text);
    }

    /// As it stands in the annotation.
    pub fn text(&self) -> String {
        // Texts and flags only: encoding cannot fail.
        serde_json::to_string(self).unwrap_or_default()
    }

    /// What a rendered object comes from. `spec` is the object's, as text.
    pub fn of(spec: &str, rendered: &StatefulSet, operator: &str, backend: &Backend) -> Self {
        let version = renderer_version(rendered).unwrap_or_default();
        Self {
            inputs: inputs(spec),
            also: written_out(spec),
            operator: operator.to_owned(),
            renderer: format!("{}/{version}", env!("CARGO_PKG_VERSION")),
            global: backend.global.clone(),
            namespaced: backend.namespaced.clone(),
            immutable: Immutable::of(&rendered.spec),
        }
    }

    /// The same for a `StatefulSet` that the Go operator rendered. `immutable` are the names of the fields that cannot change
    /// and are not those that we render. `outdated` says that it was rendered from another spec.
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

    /// Whether a hash that is on record is of the spec that this was rendered from.
    pub fn is_of(&self, inputs: &str) -> bool {
        self.inputs == inputs || self.also.as_deref() == Some(inputs)
    }

    /// Why what differs in `newer`, of the same spec, has to wait for somebody's word; `None` when it need not:
    /// a `BackendConfig` with `autoUpdate` changed, or nothing that could explain the difference but the spec.
    pub fn reason_to_wait(&self, newer: &Self) -> Option<Reason> {
        let changes = |old: &Option<Part>, new: &Option<Part>| {
            let hash = |part: &Option<Part>| part.as_ref().map(|part| part.hash.clone());
            // One that is gone counts as it was.
            (hash(old) != hash(new)).then(|| new.as_ref().or(old.as_ref()).is_some_and(|part| part.auto))
        };
        let backend = [changes(&self.global, &newer.global), changes(&self.namespaced, &newer.namespaced)];
        if backend.contains(&Some(true)) {
            None
        } else if self.renderer == MADE_BY_GO_OPERATOR {
            Some(Reason::AdoptedFromGoOperator)
        } else if self.renderer != newer.renderer {
            Some(Reason::RendererChanged)
        } else if self.operator != newer.operator {
            Some(Reason::OperatorConfigChanged)
        } else {
            backend.contains(&Some(false)).then_some(Reason::BackendConfigChanged)
        }
    }
}

impl Immutable {
    /// The fields, as they are spelled.
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

    /// Whether a field is noted to be the Go operator's and other than ours, whatever that was.
    pub fn is_of_the_go_operator(&self) -> bool {
        self.0.iter().any(|hash| hash == MADE_BY_GO_OPERATOR)
    }

    /// The same, but other than any rendering in the fields of these names.
    fn but_for(self, names: &[&str]) -> Self {
        let mut hashes = self.0;
        for (field, hash) in Self::FIELDS.iter().zip(&mut hashes) {
            if names.contains(field) {
                MADE_BY_GO_OPERATOR.clone_into(hash);
            }
        }
        Self(hashes)
    }

    /// The names of the fields that differ, with commas between; empty when none does.
    pub fn changed(&self, newer: &Self) -> String {
        let fields = Self::FIELDS.iter().zip(self.0.iter().zip(&newer.0));
        let changed: Vec<&str> =
            fields.filter(|(_, (old, new))| old != new).map(|(field, _)| *field).collect();
        changed.join(", ")
    }
}

/// Hash of the operator's configuration, which is the same for all objects.
pub fn operator(environment: &Environment) -> String {
    short(&hash_of(format!("{environment:?}").as_bytes()))
}

/// Hash of a spec, the fields about scaling left out: an autoscaler's step is no reason to restart a pod.
///
/// The order of fields does not matter, nor whether one is absent, null or empty. It is of the text as it is stored, so
/// that it does not change with the types of a later release. A default that a later release adds to the kinds, which
/// the API server shows in every object, has to be left out here: so has a number of replicas of 1.
pub fn inputs(spec: &str) -> String {
    digest(serde_json::from_str(spec).unwrap_or_default())
}

/// The hash with a number of replicas of 1, where that number counts.
fn written_out(spec: &str) -> Option<String> {
    // Two looks for a word are cheaper than another parse of every spec.
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

/// A spec without what says nothing about the pods.
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

/// Drops what says nothing.
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
mod tests {
    use super::*;

    fn part(value: &str, auto: bool) -> Option<Part> {
        let spec = json!({"env": {"A": value}, "autoUpdate": auto});
        serde_json::from_value(spec).ok().as_ref().map(Part::of)
    }

    fn note(operator: &str, renderer: &str, global: Option<Part>, namespaced: Option<Part>) -> Provenance {
        let immutable = Immutable::of(&StatefulSetSpec::default());
        let (operator, renderer) = (operator.to_owned(), renderer.to_owned());
        Provenance { inputs: "i".to_owned(), also: None, operator, renderer, global, namespaced, immutable }
    }

    #[test]
    fn a_change_waits_when_nobody_asked_for_it() {
        let before = note("o", "1", part("1", true), part("1", false));
        let reason = |operator, renderer, global, namespaced| {
            before.reason_to_wait(&note(operator, renderer, global, namespaced))
        };
        let waits = Some(Reason::BackendConfigChanged);
        assert_eq!(reason("o", "1", part("1", true), part("2", false)), waits);
        assert_eq!(reason("o", "1", part("2", true), part("1", false)), None, "auto update");
        assert_eq!(reason("o", "1", part("2", true), part("2", false)), None, "both");
        assert_eq!(reason("o", "1", part("1", true), None), waits, "removed");
        assert_eq!(reason("o", "1", None, part("1", false)), None, "removed, was auto update");
        assert_eq!(reason("o", "1", part("1", true), part("1", false)), None, "nothing but the spec is left");
        let renderer = Some(Reason::RendererChanged);
        assert_eq!(reason("o", "2", part("1", true), part("1", false)), renderer);
        assert_eq!(reason("p", "2", part("1", true), part("2", false)), renderer);
        assert_eq!(reason("o", "2", part("2", true), part("1", false)), None, "auto update takes it along");
        let operator = Some(Reason::OperatorConfigChanged);
        assert_eq!(reason("p", "1", part("1", true), part("1", false)), operator);
        let none = note("o", "1", None, None);
        assert_eq!(none.reason_to_wait(&note("o", "1", None, part("1", false))), waits, "new");
        assert_eq!(none.reason_to_wait(&note("o", "1", None, part("1", true))), None, "new, auto");
    }

    #[test]
    fn the_note_can_be_read_again() {
        let note = note("o", "1", part("1", true), None);
        let mut set = StatefulSet::default();
        note.write(&mut set);
        assert_eq!(Provenance::on(&set.metadata), Some(note));
        assert_eq!(Provenance::on(&ObjectMeta::default()), None);
    }

    #[test]
    fn inputs_are_the_meaning_of_a_spec_without_its_scale() {
        let spec = json!({"image": "a", "replicas": 1, "pod": {"labels": {"a": "b"}}});
        let same = [
            json!({"pod": {"labels": {"a": "b"}}, "replicas": 3, "maxReplicas": 5, "minReplicas": 2, "image": "a"}),
            json!({"image": "a", "pod": {"labels": {"a": "b"}, "builtinAutoscaler": ["x"], "vpa": {"a": 1},
                "autoScalingMetrics": [], "autoScalingBehavior": {}, "annotations": {}}, "java": null, "input": {"a": {}}}),
        ];
        for other in same {
            assert_eq!(inputs(&spec.to_string()), inputs(&other.to_string()), "{other}");
        }
        let others = [
            json!({"image": "b", "pod": {"labels": {"a": "b"}}}),
            json!({"image": "a", "pod": {"labels": {"a": "c"}}}),
            json!({"image": "a", "pod": {"labels": {"a": "b"}}, "autoAck": false}),
        ];
        for other in others {
            assert_ne!(inputs(&spec.to_string()), inputs(&other.to_string()), "{other}");
        }
        let precise = |n: i32| inputs(&json!({"showPreciseParallelism": true, "replicas": n}).to_string());
        assert_ne!(precise(1), precise(2), "the number is in the command");
        let left_out = json!({"showPreciseParallelism": true}).to_string();
        assert_eq!(precise(1), inputs(&left_out), "the API server fills in the number");
        let of = |spec: &str| Provenance {
            inputs: inputs(spec),
            also: written_out(spec),
            ..note("o", "1", None, None)
        };
        let one = of(&json!({"showPreciseParallelism": true, "replicas": 1}).to_string());
        // What earlier releases recorded of the two.
        assert!(one.is_of("6ffc31187dc68e1a") && one.is_of("f3ccbe4a1cd596d2") && !one.is_of(&precise(2)));
        assert_eq!(of(&spec.to_string()).also, None, "where the number does not count");
    }

    #[test]
    fn fields_that_cannot_change_are_named() {
        let spec = StatefulSetSpec::default();
        let other = StatefulSetSpec { service_name: Some("s".to_owned()), replicas: Some(2), ..spec.clone() };
        assert_eq!(Immutable::of(&spec).changed(&Immutable::of(&other)), "serviceName");
        let other = StatefulSetSpec { volume_claim_templates: Some(Vec::new()), ..other };
        let names = Immutable::of(&spec).changed(&Immutable::of(&other));
        assert_eq!(names, "serviceName, volumeClaimTemplates");
    }
}
