//! The pod template (behaviour reference 2.3 to 2.7).

use crate::backend_defaults::Defaults;
use crate::instance::admin_cli::AdminTool;
use crate::instance::command::{Launch, Runtime};
use crate::instance::package;
use crate::instance::package::Tools;
use crate::pod::affinity;
use crate::pod::env;
use crate::pod::log_sidecar;
use crate::pod::package_downloader;
use crate::pod::probe::{Evidence, liveness};
use crate::pod::volumes::Storage;
use crate::resource::labels::selector_labels;
use crate::text::quantity;
use crate::workload::Environment;
use crate::workload::Workload;
use functionmesh_api::Kind;
use k8s_openapi::api::core::v1::{
    Capabilities, Container, ContainerPort, LocalObjectReference, PodSecurityContext, PodSpec,
    PodTemplateSpec, ResourceRequirements, SeccompProfile, SecurityContext, Volume,
};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use std::collections::BTreeMap;

/// Control port of the instance.
pub(crate) const GRPC_PORT: (&str, i32) = ("tcp-grpc", 9093);
/// Prometheus port of the instance.
pub(crate) const METRICS_PORT: (&str, i32) = ("http-metrics", 9094);
/// User and group of the runner images.
const USER: i64 = 10000;
const GROUP: i64 = 10001;

/// Renders the template of the component's pods.
pub(crate) fn template(
    workload: &Workload,
    environment: &Environment,
    defaults: &Defaults,
) -> PodTemplateSpec {
    let storage = Storage::of(workload, environment);
    let mut init_containers = workload.pod.init_containers.clone().unwrap_or_default();
    init_containers.extend(package_downloader::container(workload, environment, defaults, &storage));
    let mut containers = workload.pod.sidecars.clone().unwrap_or_default();
    containers.push(main_container(workload, environment, defaults, &storage));
    containers.extend(log_sidecar::container(workload, environment, &storage));
    let labels = labels(workload, environment, &selector_labels(workload));
    let parts = Parts { labels, init_containers, containers, volumes: storage.volumes };
    assemble(workload, environment, defaults, parts)
}

/// What differs between the pods of a component and the one that cleans up after it.
pub(crate) struct Parts {
    pub(crate) labels: BTreeMap<String, String>,
    pub(crate) init_containers: Vec<Container>,
    pub(crate) containers: Vec<Container>,
    pub(crate) volumes: Vec<Volume>,
}

/// Labels of a pod: `own`, then those of the operator's configuration, then the user's; later ones win.
pub(crate) fn labels(
    workload: &Workload,
    environment: &Environment,
    own: &BTreeMap<String, String>,
) -> BTreeMap<String, String> {
    merged([Some(own), Some(&environment.resource_labels), workload.pod.labels.as_ref()])
}

/// Puts a pod together: what the object says counts, then what the `BackendConfig`s say.
pub(crate) fn assemble(
    workload: &Workload,
    environment: &Environment,
    defaults: &Defaults,
    parts: Parts,
) -> PodTemplateSpec {
    let Parts { labels, init_containers, mut containers, volumes } = parts;
    let policy = &workload.pod;
    let common = &defaults.pod;
    for container in &mut containers {
        env::prepend(container, &defaults.env);
    }
    let scrape = [("prometheus.io/scrape", "true"), ("prometheus.io/port", "9094")]
        .map(|(key, value)| (key.to_owned(), value.to_owned()));
    let annotations = merged([
        common.annotations.as_ref(),
        Some(&scrape.into()),
        Some(&environment.resource_annotations),
        policy.annotations.as_ref(),
    ]);
    let node_selector = merged([common.node_selector.as_ref(), policy.node_selector.as_ref()]);
    let affinity = policy.affinity.as_ref().or(common.affinity.as_ref());
    let spread = environment.add_default_affinity && policy.disable_default_affinity != Some(true);
    let affinity = if spread { Some(affinity::spread(affinity, &labels)) } else { affinity.cloned() };
    let mut tolerations = common.tolerations.clone().unwrap_or_default();
    tolerations.extend(policy.tolerations.clone().unwrap_or_default());
    let own_account = policy.service_account_name.clone().filter(|name| !name.is_empty());
    let service_account = own_account.or_else(|| common.service_account_name.clone());
    PodTemplateSpec {
        metadata: Some(ObjectMeta {
            labels: Some(merged([common.labels.as_ref(), Some(&labels)])),
            annotations: Some(annotations),
            ..ObjectMeta::default()
        }),
        spec: Some(PodSpec {
            init_containers: non_empty(init_containers),
            containers,
            volumes: non_empty(volumes),
            termination_grace_period_seconds: policy
                .termination_grace_period_seconds
                .or(common.termination_grace_period_seconds),
            node_selector: (!node_selector.is_empty()).then_some(node_selector),
            tolerations: non_empty(tolerations),
            image_pull_secrets: pull_secrets(workload, environment, defaults),
            // Under its old name as well: the API server keeps the two the same, and an apply that drops only the new one is
            // undone by the old one that is left.
            service_account: service_account.clone(),
            service_account_name: service_account,
            automount_service_account_token: policy
                .automount_service_account_token
                .or(common.automount_service_account_token),
            security_context: Some(
                policy
                    .security_context
                    .clone()
                    .or_else(|| common.security_context.clone())
                    .unwrap_or_else(security_context),
            ),
            affinity,
            ..PodSpec::default()
        }),
    }
}

fn main_container(
    workload: &Workload,
    environment: &Environment,
    defaults: &Defaults,
    storage: &Storage,
) -> Container {
    let image = image(workload, environment);
    let package = &workload.package;
    let file = if environment.init_containers {
        package.file_below_home()
    } else if matches!(workload.runtime, Runtime::Go(_)) {
        // A shell looks for a program without a slash in its `PATH`.
        package.absolute_file()
    } else {
        package.file.clone()
    };
    let download = (!environment.init_containers)
        .then(|| package.download(&file, tools(workload, &image), workload.packages()))
        .flatten();
    let policy = &workload.pod;
    let probe = policy.liveness.as_ref().and_then(liveness);
    let evidence = Evidence::of(workload);
    let startup = policy.startup_probe.as_ref().or(defaults.pod.startup_probe.as_ref());
    Container {
        command: Some(workload.runtime.command(workload, &Launch { file: &file, download })),
        volume_mounts: non_empty(storage.main_mounts(workload)),
        liveness_probe: probe.or_else(|| defaults.pod.liveness.as_ref().and_then(liveness)),
        readiness_probe: Some(evidence.readiness()),
        startup_probe: startup.cloned().or_else(|| evidence.startup()),
        ..bare_container(workload, environment, defaults, image)
    }
}

/// The container without its command and what belongs to it: also the one that cleans up.
pub(crate) fn bare_container(
    workload: &Workload,
    environment: &Environment,
    defaults: &Defaults,
    image: String,
) -> Container {
    let port = |(name, number): (&str, i32)| ContainerPort {
        name: Some(name.to_owned()),
        container_port: number,
        protocol: Some("TCP".to_owned()),
        ..ContainerPort::default()
    };
    let policy = environment.image_pull_policy.as_ref().or(workload.images.pull_policy.as_ref());
    Container {
        name: format!("pulsar-{}", workload.kind.singular()),
        image: Some(image),
        image_pull_policy: Some(policy.cloned().unwrap_or_else(|| "IfNotPresent".to_owned())),
        ports: Some(vec![port(GRPC_PORT), port(METRICS_PORT)]),
        env: Some(env::variables(workload)),
        env_from: Some(env::sources(workload)),
        resources: workload.resources.clone().map(canonical),
        termination_message_policy: Some("FallbackToLogsOnError".to_owned()),
        security_context: Some(main_security_context(workload, defaults)),
        ..Container::default()
    }
}

/// The same resources, each amount in the one spelling that Kubernetes has for it.
pub(crate) fn canonical(mut resources: ResourceRequirements) -> ResourceRequirements {
    for quantity in
        [&mut resources.limits, &mut resources.requests].into_iter().flatten().flat_map(BTreeMap::values_mut)
    {
        if let Some(canonical) = quantity::canonical(&quantity.0) {
            quantity.0 = canonical;
        }
    }
    resources
}

/// Security settings of the containers that run as the pod's user. Pod Security "restricted" wants `runAsNonRoot`; whoever
/// chooses the pod's user decides this as well.
pub(crate) fn main_security_context(workload: &Workload, defaults: &Defaults) -> SecurityContext {
    let own_user = workload.pod.security_context.is_some() || defaults.pod.security_context.is_some();
    SecurityContext { run_as_non_root: (!own_user).then_some(true), ..no_privileges() }
}

/// Security settings that no container of ours can do with less than.
pub(crate) fn no_privileges() -> SecurityContext {
    SecurityContext {
        allow_privilege_escalation: Some(false),
        capabilities: Some(Capabilities { drop: Some(vec!["ALL".to_owned()]), add: None }),
        ..SecurityContext::default()
    }
}

/// Image of the main container: that of the object, else by language (behaviour reference 2.6). A connector runs in the
/// image with all connectors, unless it is a package of Pulsar.
pub(crate) fn image(workload: &Workload, environment: &Environment) -> String {
    let images = &environment.runner_images;
    if let Some(image) = &workload.images.main {
        return image.clone();
    }
    match (&workload.runtime, workload.kind) {
        (Runtime::Java(_), Kind::Function) => images.java.clone(),
        (Runtime::Python(_), _) => images.python.clone(),
        (Runtime::Go(_), _) => images.go.clone(),
        (Runtime::Generic(generic), _) => images.generic.get(&generic.language).cloned().unwrap_or_default(),
        (Runtime::Java(_), Kind::Source | Kind::Sink) if workload.package.is_from_pulsar() => {
            images.java.clone()
        }
        (Runtime::Java(_), Kind::Source | Kind::Sink) => images.connectors.clone(),
    }
}

/// What an image has for downloading: what the object says of it, or what its name says. The images of the generic
/// runtime have everything.
pub(crate) fn tools(workload: &Workload, image: &str) -> Tools {
    if matches!(workload.runtime, Runtime::Generic(_)) || package::has_all_tools(image) {
        return Tools::FULL;
    }
    let pulsarctl = workload.images.has_pulsarctl;
    Tools {
        admin: if pulsarctl { AdminTool::Pulsarctl } else { AdminTool::PulsarAdmin },
        wget: workload.images.has_wget,
    }
}

/// User and group of the runner images. The original says `runAsNonRoot: false` here, which Pod Security "restricted"
/// refuses whatever the containers say; ours says it on the container (design section 4).
fn security_context() -> PodSecurityContext {
    PodSecurityContext {
        run_as_user: Some(USER),
        run_as_group: Some(GROUP),
        fs_group: Some(GROUP),
        seccomp_profile: Some(SeccompProfile { type_: "RuntimeDefault".to_owned(), localhost_profile: None }),
        ..PodSecurityContext::default()
    }
}

fn pull_secrets(
    workload: &Workload,
    environment: &Environment,
    defaults: &Defaults,
) -> Option<Vec<LocalObjectReference>> {
    let configured =
        environment.image_pull_secrets.iter().map(|name| LocalObjectReference { name: name.clone() });
    let mut secrets: Vec<LocalObjectReference> = Vec::new();
    let common = defaults.pod.image_pull_secrets.iter().flatten().cloned();
    let own = workload.pod.image_pull_secrets.iter().flatten().cloned();
    for secret in common.chain(own).chain(configured) {
        if !secrets.contains(&secret) {
            secrets.push(secret);
        }
    }
    non_empty(secrets)
}

/// Later maps win.
fn merged<const N: usize>(maps: [Option<&BTreeMap<String, String>>; N]) -> BTreeMap<String, String> {
    maps.into_iter().flatten().flatten().map(|(key, value)| (key.clone(), value.clone())).collect()
}

/// An absent list and an empty one mean the same; the absent one is written.
pub(crate) fn non_empty<T>(list: Vec<T>) -> Option<Vec<T>> {
    (!list.is_empty()).then_some(list)
}
