//! The vocabulary: what goes into the renderer and what comes out.

use crate::instance::command::Runtime;
use crate::instance::function_details::FunctionDetails;
use crate::instance::package::Package;
use crate::instance::pulsar_connection::Messaging;
use crate::resource::names::WorkloadName;
use crate::resource::vpa::VerticalPodAutoscaler;
use functionmesh_api::Kind;
use functionmesh_api::common::SecretRef;
use functionmesh_api::pod::PodPolicy;
use functionmesh_api::runtime::RuntimeLogConfigRef;
use k8s_openapi::api::apps::v1::{StatefulSet, StatefulSetPersistentVolumeClaimRetentionPolicy};
use k8s_openapi::api::autoscaling::v2::HorizontalPodAutoscaler;
use k8s_openapi::api::core::v1::{PersistentVolumeClaim, ResourceRequirements, Service, VolumeMount};
use std::collections::BTreeMap;

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
    /// The service that the package comes from, when it is another one.
    pub(crate) package_service: Option<Messaging>,
    /// Where the component keeps state.
    pub(crate) state: Option<StateStore>,
    /// Where the log goes.
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
    /// What the user says about the pod.
    pub(crate) pod: PodPolicy,
    /// Storage of each pod.
    pub(crate) volume_claim_templates: Vec<PersistentVolumeClaim>,
    /// What becomes of that storage.
    pub(crate) claim_retention: Option<StatefulSetPersistentVolumeClaimRetentionPolicy>,
    /// What is to be removed from Pulsar when the component is deleted.
    pub(crate) leftovers: Option<Leftovers>,
}

impl Workload {
    /// The service that packages come from: the one for packages as a whole, else that of the component.
    pub(crate) fn packages(&self) -> &Messaging {
        self.package_service.as_ref().unwrap_or(&self.pulsar)
    }
}

/// Images that the object names, `None` where the default is meant.
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
    /// A subscription: on topics, and wherever it is in namespaces, where the topics are named by a pattern.
    Subscription { name: String, topics: Vec<String>, namespaces: Vec<String> },
    /// A subscription and its topic, which only the component itself used.
    Topic { subscription: String, topic: String },
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
    /// The init container that downloads packages.
    pub downloader: Helper,
    /// The sidecar that sends the log.
    pub filebeat: Helper,
}

/// What the operator's configuration says about a container beside the main one.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Helper {
    /// Image of components that name none; `None` is the default of Function Mesh.
    pub image: Option<String>,
    /// Pull policy; `None` is `IfNotPresent`.
    pub image_pull_policy: Option<String>,
    /// Requests and limits.
    pub resources: Option<ResourceRequirements>,
}

impl Helper {
    pub(crate) fn pull_policy(&self) -> String {
        self.image_pull_policy.clone().unwrap_or_else(|| "IfNotPresent".to_owned())
    }
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
            downloader: Helper::default(),
            filebeat: Helper::default(),
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
