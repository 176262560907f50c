//! One input of the renderer, and its result.

pub(crate) use functionmesh_api::Kind;
use functionmesh_api::{BackendConfigSpec, Function, Sink, Source};
use functionmesh_render::{Component, Defaults, Desired, Environment, Invalid, cleanup, render};
use k8s_openapi::api::batch::v1::Job;
use k8s_openapi::api::core::v1::{Container, PodTemplateSpec};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

/// An object with the other inputs of rendering.
#[derive(Clone, Debug)]
pub(crate) struct Case {
    pub kind: Kind,
    /// `metadata.name`.
    pub name: String,
    pub spec: Value,
    /// Specs of the two `BackendConfig`s, `null` if there is none.
    pub backend_configs: [Value; 2],
    /// Whether init containers download packages.
    pub init_containers: bool,
}

/// Everything that a case renders to.
#[derive(Clone, Debug)]
pub(crate) struct Rendered {
    pub desired: Desired,
    pub cleanup: Option<Job>,
}

/// The result of a case.
pub(crate) type Outcome = Result<Rendered, Invalid>;

impl Case {
    /// Without `BackendConfig`s, downloading in the command.
    pub(crate) fn new(kind: Kind, spec: Value) -> Self {
        Self {
            kind,
            name: "enrich".to_owned(),
            spec,
            backend_configs: [Value::Null, Value::Null],
            init_containers: false,
        }
    }

    /// Decodes and renders; the error is that of the decoding.
    pub(crate) fn outcome(&self) -> Result<Outcome, String> {
        self.outcome_of(&self.spec.to_string())
    }

    /// As [`Case::outcome`] with another text of the same spec.
    pub(crate) fn outcome_of(&self, spec: &str) -> Result<Outcome, String> {
        match self.kind {
            Kind::Function => self.run::<Function>(spec),
            Kind::Source => self.run::<Source>(spec),
            Kind::Sink => self.run::<Sink>(spec),
        }
    }

    fn run<K: Component>(&self, spec: &str) -> Result<Outcome, String> {
        let spec: K::Spec =
            serde_json::from_str(spec).map_err(|error| format!("spec does not decode: {error}"))?;
        let metadata = ObjectMeta {
            name: Some(self.name.clone()),
            namespace: Some("ns1".to_owned()),
            uid: Some("00000000-1111-2222-3333-444444444444".to_owned()),
            ..ObjectMeta::default()
        };
        let configs: Vec<Option<BackendConfigSpec>> = self
            .backend_configs
            .iter()
            .map(|config| serde_json::from_value(config.clone()))
            .collect::<Result<_, _>>()
            .map_err(|error| format!("BackendConfig does not decode: {error}"))?;
        let defaults = Defaults::merge(configs[0].as_ref(), configs[1].as_ref());
        let environment = Environment { init_containers: self.init_containers, ..Environment::default() };
        Ok(K::lower(&metadata, spec).map(|workload| Rendered {
            desired: render(&workload, &environment, &defaults),
            cleanup: cleanup(&workload, &environment, &defaults),
        }))
    }

    /// The spec once decoded and encoded, once more, which have to be the same.
    pub(crate) fn round_trips(&self) -> Result<[Value; 2], String> {
        match self.kind {
            Kind::Function => round_trips::<functionmesh_api::FunctionSpec>(&self.spec),
            Kind::Source => round_trips::<functionmesh_api::SourceSpec>(&self.spec),
            Kind::Sink => round_trips::<functionmesh_api::SinkSpec>(&self.spec),
        }
    }
}

/// A value decoded as `T` and encoded, once and twice.
pub(crate) fn round_trips<T: DeserializeOwned + Serialize>(value: &Value) -> Result<[Value; 2], String> {
    let trip = |value: &Value| -> Result<Value, String> {
        let decoded: T =
            serde_json::from_value(value.clone()).map_err(|e| format!("does not decode: {e}"))?;
        serde_json::to_value(&decoded).map_err(|e| format!("does not encode: {e}"))
    };
    let first = trip(value)?;
    let second = trip(&first)?;
    Ok([first, second])
}

impl Rendered {
    /// All objects as bytes.
    pub(crate) fn text(&self) -> String {
        let Desired { service, stateful_set, horizontal_autoscaler, vertical_autoscaler } = &self.desired;
        [
            serde_json::to_string(service),
            serde_json::to_string(stateful_set),
            serde_json::to_string(horizontal_autoscaler),
            serde_json::to_string(vertical_autoscaler),
            serde_json::to_string(&self.cleanup),
        ]
        .map(Result::unwrap)
        .join("\n")
    }

    /// The pod templates: that of the component and that of its cleanup.
    pub(crate) fn templates(&self) -> Vec<&PodTemplateSpec> {
        let component = &self.desired.stateful_set.spec.template;
        std::iter::once(component)
            .chain(self.cleanup.iter().filter_map(|job| job.spec.as_ref()).map(|spec| &spec.template))
            .collect()
    }

    /// The containers that the operator brings, in all templates: not those that the user wrote.
    pub(crate) fn own_containers(&self) -> Vec<&Container> {
        self.templates().into_iter().flat_map(own_containers).collect()
    }
}

/// The containers of a template that the operator brings.
pub(crate) fn own_containers(template: &PodTemplateSpec) -> Vec<&Container> {
    let pod = template.spec.as_ref().unwrap();
    let own = ["downloader", "pulsar-function", "pulsar-source", "pulsar-sink", "filebeat", "cleanup"];
    pod.init_containers
        .iter()
        .flatten()
        .chain(&pod.containers)
        .filter(|container| own.contains(&container.name.as_str()) && container.command.is_some())
        .collect()
}
