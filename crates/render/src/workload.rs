//! The common form of Function, Source and Sink, between validation and rendering.

use crate::instance::function_details::FunctionDetails;
use crate::instance::package::Package;
use crate::instance::pulsar_connection::Messaging;
use crate::instance::runtime::Runtime;
use crate::resource::names::WorkloadName;
use functionmesh_api::Kind;
use functionmesh_api::common::SecretRef;
use functionmesh_api::pod::PodPolicy;
use functionmesh_api::runtime::RuntimeLogConfigRef;
use k8s_openapi::api::apps::v1::StatefulSetPersistentVolumeClaimRetentionPolicy;
use k8s_openapi::api::core::v1::{PersistentVolumeClaim, ResourceRequirements, VolumeMount};
use std::collections::BTreeMap;

/// The custom resource that owns the rendered objects.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Owner {
    /// `metadata.name`.
    pub name: String,
    /// `metadata.uid`.
    pub uid: String,
}

/// A component of any kind, validated and with its defaults, ready to render.
#[derive(Clone, Debug)]
pub struct Workload {
    /// Kind of component.
    pub kind: Kind,
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
    /// Images that the object names.
    pub(crate) images: Images,
    /// What runs in the main container.
    pub(crate) runtime: Runtime,
    /// The code.
    pub(crate) package: Package,
    /// Pulsar's description of the component.
    pub details: FunctionDetails,
    /// Pulsar's name for this cluster, a metrics label of the instance.
    pub(crate) cluster_name: String,
    /// The cluster that the component runs against.
    pub(crate) pulsar: Messaging,
    /// The cluster that the package is downloaded from, if it is another one.
    pub(crate) package_service: Option<Messaging>,
    /// Where the component keeps state.
    pub(crate) state: Option<StateStore>,
    /// Decides where the log goes.
    pub(crate) log: Log,
    /// Secrets given to the component as environment variables.
    pub(crate) secrets: BTreeMap<String, SecretRef>,
    /// Resources of the main container.
    pub(crate) resources: Option<ResourceRequirements>,
    /// Additional mounts of the main container.
    pub(crate) volume_mounts: Vec<VolumeMount>,
    /// Secrets with keys for end-to-end encryption, in the order of declaration.
    pub(crate) crypto_secrets: Vec<CryptoSecret>,
    /// Log configuration for the Python runtime of a connector, mounted although connectors run as Java programs.
    pub(crate) python_log_config: Option<RuntimeLogConfigRef>,
    /// The user's pod settings.
    pub(crate) pod: PodPolicy,
    /// Storage of each pod.
    pub(crate) volume_claim_templates: Vec<PersistentVolumeClaim>,
    /// What happens to that storage when the component is deleted or scaled down.
    pub(crate) claim_retention: Option<StatefulSetPersistentVolumeClaimRetentionPolicy>,
    /// What is to be removed from Pulsar when the component is deleted.
    pub(crate) leftovers: Option<Leftovers>,
    /// Time of a restart that a user asked for by annotation.
    pub(crate) restarted_at: Option<String>,
}

impl Workload {
    /// The cluster that packages are downloaded from.
    pub(crate) fn packages(&self) -> &Messaging {
        self.package_service.as_ref().unwrap_or(&self.pulsar)
    }
}

/// Images that the object names; `None` selects the default.
#[derive(Clone, Debug, Default)]
pub(crate) struct Images {
    pub(crate) main: Option<String>,
    pub(crate) pull_policy: Option<String>,
    pub(crate) has_pulsarctl: bool,
    pub(crate) has_wget: bool,
    pub(crate) downloader: Option<String>,
    pub(crate) filebeat: Option<String>,
    pub(crate) cleanup: Option<String>,
}

/// Where a component keeps state.
#[derive(Clone, Debug)]
pub(crate) struct StateStore {
    pub(crate) url: String,
    pub(crate) java_class: Option<String>,
}

/// Where the log goes besides the console.
#[derive(Clone, Debug, Default)]
pub(crate) struct Log {
    pub(crate) topic: Option<String>,
    /// Whether a sidecar reads the files; else the instance itself sends to the topic.
    pub(crate) sidecar: bool,
}

/// What is to be removed from Pulsar when the component is deleted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Leftovers {
    /// A subscription: on the listed topics, and in the whole of the listed namespaces for topics that are named by a
    /// pattern.
    Subscription { name: String, topics: Vec<String>, namespaces: Vec<String> },
    /// A subscription and its topic, which only the component itself used.
    Topic { subscription: String, topic: String },
}

/// Bounds of the autoscaler.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Autoscaling {
    /// Minimum number of pods.
    pub min: i32,
    /// Maximum number of pods.
    pub max: i32,
}

/// A key of a Secret that is mounted as a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct CryptoSecret {
    pub secret: String,
    pub key: String,
    /// Where to mount it; if `None`, the user mounts the volume.
    pub mount_path: Option<String>,
}
