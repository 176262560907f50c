//! The pod template.

use crate::backend_defaults::Defaults;
use crate::environment::Environment;
use crate::pod::container::{main_container, non_empty};
use crate::pod::volumes::Storage;
use crate::pod::{affinity, env, log_sidecar, package_downloader};
use crate::resource::labels::selector_labels;
use crate::workload::Workload;
use k8s_openapi::api::core::v1::{
    Container, LocalObjectReference, PodSecurityContext, PodSpec, PodTemplateSpec, SeccompProfile, Volume,
};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use std::collections::BTreeMap;

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

/// What differs between the pods of a component and the pod of its cleanup Job.
pub(crate) struct Parts {
    pub(crate) labels: BTreeMap<String, String>,
    pub(crate) init_containers: Vec<Container>,
    pub(crate) containers: Vec<Container>,
    pub(crate) volumes: Vec<Volume>,
}

/// Labels of a pod: `own`, those of the operator's configuration and the user's; later ones take precedence.
pub(crate) fn labels(
    workload: &Workload,
    environment: &Environment,
    own: &BTreeMap<String, String>,
) -> BTreeMap<String, String> {
    merged([Some(own), Some(&environment.resource_labels), workload.pod.labels.as_ref()])
}

/// Assembles a pod template; settings of the object take precedence over those of `BackendConfig`s.
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
            // The deprecated field as well: the API server keeps both equal, so an apply that removed only the new
            // field would be undone by the old one.
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

/// User and group of the runner images. The Go operator sets `runAsNonRoot: false` here, which Pod Security
/// "restricted" rejects regardless of the containers; here `runAsNonRoot` is set on the containers.
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

/// Merges maps; later ones take precedence.
fn merged<const N: usize>(maps: [Option<&BTreeMap<String, String>>; N]) -> BTreeMap<String, String> {
    maps.into_iter().flatten().flatten().map(|(key, value)| (key.clone(), value.clone())).collect()
}
