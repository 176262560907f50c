//! The vocabulary: what goes into the renderer and what comes out.

use crate::details::FunctionDetails;
use crate::java::Java;
use crate::names::WorkloadName;
use crate::vertical_autoscaler::VerticalPodAutoscaler;
use functionmesh_api::common::SecretRef;
use functionmesh_api::pod::PodPolicy;
use k8s_openapi::api::apps::v1::{StatefulSet, StatefulSetPersistentVolumeClaimRetentionPolicy};
use k8s_openapi::api::autoscaling::v2::HorizontalPodAutoscaler;
use k8s_openapi::api::core::v1::{PersistentVolumeClaim, ResourceRequirements, Service, VolumeMount};
use std::collections::BTreeMap;

/// Which kind of component a workload is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Role {
    /// Consumes, computes, produces.
    Function,
    /// Brings messages into Pulsar.
    Source,
    /// Takes messages out of Pulsar.
    Sink,
}

impl Role {
    /// The word in names, labels and container names.
    pub fn word(self) -> &'static str {
        match self {
            Role::Function => "function",
            Role::Source => "source",
            Role::Sink => "sink",
        }
    }

    /// The kind of the custom resource.
    pub fn kind(self) -> &'static str {
        match self {
            Role::Function => "Function",
            Role::Source => "Source",
            Role::Sink => "Sink",
        }
    }

    /// The name Pulsar has for it.
    pub(crate) fn component_type(self) -> &'static str {
        match self {
            Role::Function => "FUNCTION",
            Role::Source => "SOURCE",
            Role::Sink => "SINK",
        }
    }
}

/// The custom resource that owns the rendered objects.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Owner {
    /// `metadata.name`.
    pub name: String,
    /// `metadata.uid`.
    pub uid: String,
}

/// One long-running Pulsar worker set, whatever kind it was declared as: checked, defaulted, ready to render.
#[derive(Clone, Debug)]
pub struct Workload {
    /// Kind of component.
    pub role: Role,
    /// The custom resource.
    pub owner: Owner,
    /// Kubernetes namespace of everything rendered.
    pub namespace: String,
    /// Name of the `StatefulSet`, from which the others derive.
    pub name: WorkloadName,
    /// Number of pods.
    pub replicas: i32,
    /// Bounds of the autoscaler, which then sets `replicas` through the scale subresource.
    pub autoscaling: Option<Autoscaling>,
    /// Image of the main container; `None` takes the configured runner image.
    pub image: Option<String>,
    /// What runs in the main container.
    pub(crate) java: Java,
    /// Pulsar's description of the component.
    pub details: FunctionDetails,
    /// Pulsar's name for this cluster, a metrics label of the instance.
    pub cluster_name: String,
    /// `ConfigMap` with `webServiceURL` and `brokerServiceURL`.
    pub pulsar_config: String,
    /// Secrets given to the component as environment variables.
    pub secrets: BTreeMap<String, SecretRef>,
    /// Resources of the main container.
    pub resources: Option<ResourceRequirements>,
    /// Additional mounts of the main container.
    pub volume_mounts: Vec<VolumeMount>,
    /// Secrets with keys for end-to-end encryption, in the order of declaration.
    pub(crate) crypto_secrets: Vec<CryptoSecret>,
    /// What the user says about the pod.
    pub pod: PodPolicy,
    /// Storage of each pod.
    pub volume_claim_templates: Vec<PersistentVolumeClaim>,
    /// What becomes of that storage.
    pub claim_retention: Option<StatefulSetPersistentVolumeClaimRetentionPolicy>,
}

/// Bounds of the autoscaler.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Autoscaling {
    /// Fewest pods.
    pub min: i32,
    /// Most pods.
    pub max: i32,
}

/// A key of a Secret that is mounted as a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct CryptoSecret {
    pub secret: String,
    pub key: String,
    /// Where to mount it; without, the volume is there and a mount of the user's own uses it.
    pub mount_path: Option<String>,
}

/// What rendering depends on besides the object: the operator's configuration (behaviour reference 6.1 and 6.2).
#[derive(Clone, Debug)]
pub struct Environment {
    /// Images for components that name none.
    pub runner_images: RunnerImages,
    /// Pull policy of the main container; without it that of the object, then `IfNotPresent`.
    pub image_pull_policy: Option<String>,
    /// Names of Secrets for pulling images, added to those of the object.
    pub image_pull_secrets: Vec<String>,
    /// Labels of every pod.
    pub resource_labels: BTreeMap<String, String>,
    /// Annotations of every pod.
    pub resource_annotations: BTreeMap<String, String>,
    /// Whether the pods of a component avoid each other's nodes (flag `--add-default-affinity`).
    pub add_default_affinity: bool,
    /// Whether packages are downloaded by an init container instead of the main container's command (flag
    /// `--enable-init-containers`).
    pub init_containers: bool,
}

impl Default for Environment {
    /// The defaults of the original.
    fn default() -> Self {
        Self {
            runner_images: RunnerImages::default(),
            image_pull_policy: None,
            image_pull_secrets: Vec::new(),
            resource_labels: BTreeMap::new(),
            resource_annotations: BTreeMap::new(),
            add_default_affinity: true,
            init_containers: false,
        }
    }
}

/// Images for components that name none (behaviour reference 2.6).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RunnerImages {
    /// For the Java runtime.
    pub java: String,
    /// For the Python runtime.
    pub python: String,
    /// For the Go runtime.
    pub go: String,
    /// For the generic runtime, by language.
    pub generic: BTreeMap<String, String>,
    /// For everything else: connectors that the image brings.
    pub connectors: String,
}

impl Default for RunnerImages {
    /// The defaults of the original (behaviour reference 6.2).
    fn default() -> Self {
        let runner =
            |language: &str| format!("streamnative/pulsar-functions-{language}-runner:2.10.0.0-rc10");
        let generic = [("nodejs", "nodejs"), ("python", "python"), ("executable", "base"), ("wasm", "base")];
        Self {
            java: runner("java"),
            python: runner("python"),
            go: runner("go"),
            generic: generic
                .map(|(language, image)| {
                    let image = format!("streamnative/pulsar-functions-generic-{image}-runner:0.1.0");
                    (language.to_owned(), image)
                })
                .into(),
            connectors: "streamnative/pulsar-all:2.10.0.0-rc10".to_owned(),
        }
    }
}

/// The objects of one workload, in the order in which they are applied: the `StatefulSet` after the Service, so that
/// what its pods refer to exists, and the autoscalers last. Taken apart without `..` where it is applied, so that a new
/// kind does not compile until handled.
#[derive(Clone, Debug, PartialEq)]
pub struct Desired {
    /// Headless Service that gives the pods their names.
    pub service: Service,
    /// The pods.
    pub stateful_set: StatefulSet,
    /// Scales the custom resource, when `spec.maxReplicas` is set.
    pub horizontal_autoscaler: Option<HorizontalPodAutoscaler>,
    /// Adjusts the resources of the pods, when `spec.pod.vpa` is set.
    pub vertical_autoscaler: Option<VerticalPodAutoscaler>,
}
