//! The pod template (behaviour reference 2.3 to 2.7).

use crate::labels::selector_labels;
use crate::{Defaults, Environment, Role, Workload, affinity, env, volumes};
use functionmesh_api::pod::Liveness;
use k8s_openapi::api::core::v1::{
    Capabilities, Container, ContainerPort, HTTPGetAction, LocalObjectReference, PodSecurityContext, PodSpec,
    PodTemplateSpec, Probe, SeccompProfile, SecurityContext,
};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use k8s_openapi::apimachinery::pkg::util::intstr::IntOrString;
use std::collections::BTreeMap;

/// Control port of the instance.
pub(crate) const GRPC_PORT: (&str, i32) = ("tcp-grpc", 9093);
/// Prometheus port of the instance.
pub(crate) const METRICS_PORT: (&str, i32) = ("http-metrics", 9094);
/// User and group of the runner images.
const USER: i64 = 10000;
const GROUP: i64 = 10001;

/// Renders the template.
pub(crate) fn template(
    workload: &Workload,
    environment: &Environment,
    _defaults: &Defaults,
) -> PodTemplateSpec {
    let policy = &workload.pod;
    let labels = merged([
        Some(&selector_labels(workload)),
        Some(&environment.resource_labels),
        policy.labels.as_ref(),
    ]);
    let scrape = [("prometheus.io/scrape", "true"), ("prometheus.io/port", "9094")]
        .map(|(key, value)| (key.to_owned(), value.to_owned()));
    let annotations =
        merged([Some(&scrape.into()), Some(&environment.resource_annotations), policy.annotations.as_ref()]);
    let spread = environment.add_default_affinity && policy.disable_default_affinity != Some(true);
    let affinity = if spread {
        Some(affinity::spread(policy.affinity.as_ref(), &labels))
    } else {
        policy.affinity.clone()
    };
    let mut containers = policy.sidecars.clone().unwrap_or_default();
    containers.push(main_container(workload, environment));
    PodTemplateSpec {
        metadata: Some(ObjectMeta {
            labels: Some(labels),
            annotations: Some(annotations),
            ..ObjectMeta::default()
        }),
        spec: Some(PodSpec {
            init_containers: non_empty(policy.init_containers.clone().unwrap_or_default()),
            containers,
            volumes: non_empty(volumes::volumes(workload)),
            termination_grace_period_seconds: policy.termination_grace_period_seconds,
            node_selector: policy.node_selector.clone(),
            tolerations: policy.tolerations.clone(),
            image_pull_secrets: pull_secrets(workload, environment),
            service_account_name: policy.service_account_name.clone(),
            security_context: Some(policy.security_context.clone().unwrap_or_else(security_context)),
            affinity,
            ..PodSpec::default()
        }),
    }
}

fn main_container(workload: &Workload, environment: &Environment) -> Container {
    let port = |(name, number): (&str, i32)| ContainerPort {
        name: Some(name.to_owned()),
        container_port: number,
        protocol: Some("TCP".to_owned()),
        ..ContainerPort::default()
    };
    let policy = &workload.pod;
    Container {
        name: format!("pulsar-{}", workload.role.word()),
        image: Some(image(workload, environment)),
        image_pull_policy: Some(
            environment.image_pull_policy.clone().unwrap_or_else(|| "IfNotPresent".to_owned()),
        ),
        command: Some(workload.java.command(workload)),
        ports: Some(vec![port(GRPC_PORT), port(METRICS_PORT)]),
        env: Some(env::variables(workload)),
        env_from: Some(env::sources(workload)),
        resources: workload.resources.clone(),
        volume_mounts: non_empty(volumes::mounts(workload)),
        liveness_probe: policy.liveness.as_ref().and_then(liveness),
        readiness_probe: Some(readiness()),
        startup_probe: policy.startup_probe.clone(),
        termination_message_policy: Some("FallbackToLogsOnError".to_owned()),
        security_context: Some(SecurityContext {
            allow_privilege_escalation: Some(false),
            capabilities: Some(Capabilities { drop: Some(vec!["ALL".to_owned()]), add: None }),
            // Pod Security "restricted"; a user who chooses the pod's user decides this as well.
            run_as_non_root: policy.security_context.is_none().then_some(true),
            ..SecurityContext::default()
        }),
        ..Container::default()
    }
}

/// A Function without an image runs in the configured runner image, a connector in the image with all connectors.
fn image(workload: &Workload, environment: &Environment) -> String {
    workload.image.clone().unwrap_or_else(|| match workload.role {
        Role::Function => environment.runner_images.java.clone(),
        Role::Source | Role::Sink => environment.runner_images.connectors.clone(),
    })
}

fn probe(path: &str) -> Probe {
    Probe {
        http_get: Some(HTTPGetAction {
            path: Some(path.to_owned()),
            port: IntOrString::Int(METRICS_PORT.1),
            scheme: Some("HTTP".to_owned()),
            ..HTTPGetAction::default()
        }),
        ..Probe::default()
    }
}

/// Only when a period is given; the timeout equals the period.
fn liveness(liveness: &Liveness) -> Option<Probe> {
    let period = liveness.period_seconds.filter(|period| *period > 0)?;
    Some(Probe {
        initial_delay_seconds: Some(liveness.initial_delay_seconds.unwrap_or_default().max(0)),
        timeout_seconds: Some(period),
        period_seconds: Some(period),
        // Zero means "not given" to the API server, which then fills in its default.
        success_threshold: liveness.success_threshold.filter(|n| *n != 0),
        failure_threshold: liveness.failure_threshold.filter(|n| *n != 0),
        ..probe("/")
    })
}

/// The instance opens its metrics port once the function thread was started (design section 4).
fn readiness() -> Probe {
    Probe {
        period_seconds: Some(5),
        timeout_seconds: Some(5),
        failure_threshold: Some(3),
        // Any path answers on every instance; this one does not gather metrics on those that know it.
        ..probe("/-/healthy")
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

fn pull_secrets(workload: &Workload, environment: &Environment) -> Option<Vec<LocalObjectReference>> {
    let mut secrets = workload.pod.image_pull_secrets.clone().unwrap_or_default();
    for name in &environment.image_pull_secrets {
        if secrets.iter().all(|known| known.name != *name) {
            secrets.push(LocalObjectReference { name: name.clone() });
        }
    }
    non_empty(secrets)
}

/// Later maps win.
fn merged<const N: usize>(maps: [Option<&BTreeMap<String, String>>; N]) -> BTreeMap<String, String> {
    maps.into_iter().flatten().flatten().map(|(key, value)| (key.clone(), value.clone())).collect()
}

/// An absent list and an empty one mean the same; the absent one is written.
fn non_empty<T>(list: Vec<T>) -> Option<Vec<T>> {
    (!list.is_empty()).then_some(list)
}
