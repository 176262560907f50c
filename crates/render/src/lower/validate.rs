//! Validation rules of every kind. What they reject can never run.

use crate::instance::package;
use crate::instance::pulsar_connection::{OAUTH2_PLUGIN, oauth2_parameters};
use crate::lower::problems::{Problem, Problems};
use crate::lower::{log_topic, pod_policy};
use crate::resource::hpa::BuiltinRule;
use crate::resource::labels::is_selector_label;
use crate::text::quantity::Decimal;
use crate::workload::CryptoSecret;
use functionmesh_api::Kind;
use functionmesh_api::common::{Common, LogTopicAgent};
use functionmesh_api::messaging::AuthConfig;
use functionmesh_api::pod::PodPolicy;
use k8s_openapi::api::core::v1::{Probe, ResourceRequirements};
use k8s_openapi::apimachinery::pkg::api::resource::Quantity;
use std::collections::BTreeMap;

/// Checks the fields that all kinds share.
pub(crate) fn common(kind: Kind, common: &Common, problems: &mut Problems) {
    services(common, problems);
    program(kind, common, problems);
    replicas(common, problems);
    if let Some(resources) = &common.resources {
        self::resources(resources, problems);
    }
    if let Some(pod) = &common.pod {
        self::pod(kind, pod, common.max_replicas.is_some(), problems);
        let log = log_topic::log(kind, common);
        container_names(kind, pod, log.sidecar && log.topic.is_some(), problems);
    }
    let policy = common.image_pull_policy.as_deref().unwrap_or_default();
    problems.when(
        !["", "Always", "IfNotPresent", "Never"].contains(&policy),
        "spec.imagePullPolicy",
        "must be Always, IfNotPresent or Never",
    );
}

fn services(common: &Common, problems: &mut Problems) {
    let named = |config: Option<&String>| config.is_some_and(|name| !name.is_empty());
    problems.when(
        !named(common.pulsar.as_ref().and_then(|p| p.pulsar_config.as_ref())),
        "spec.pulsar.pulsarConfig",
        "must name the ConfigMap with the addresses of the Pulsar cluster (keys webServiceURL and brokerServiceURL)",
    );
    problems.when(
        common.pulsar_package_service.as_ref().is_some_and(|p| !named(p.pulsar_config.as_ref())),
        "spec.pulsarPackageService.pulsarConfig",
        "must name the ConfigMap with the addresses of the package service; set it or remove spec.pulsarPackageService",
    );
    let auth = common.pulsar.as_ref().and_then(|p| p.auth_config.as_ref());
    if common.log_topic_agent == Some(LogTopicAgent::Sidecar)
        && let Some(problem) = auth.and_then(log_sidecar_problem)
    {
        problems.add("spec.pulsar.authConfig.genericAuth.clientAuthenticationParameters", problem);
    }
}

/// Why the log sidecar cannot authenticate. The Go operator silently omits the sidecar in this case and the log is
/// lost.
fn log_sidecar_problem(config: &AuthConfig) -> Option<&'static str> {
    let generic = config.generic_auth.as_ref()?;
    (generic.client_authentication_plugin == OAUTH2_PLUGIN && oauth2_parameters(generic).is_none())
        .then_some("must be a JSON object of strings, so that the log sidecar can authenticate with it")
}

/// Checks the program and its class. Only a Function has a choice of runtimes.
fn program(kind: Kind, common: &Common, problems: &mut Problems) {
    let class = common.class_name.as_ref().is_some_and(|class| !class.is_empty());
    problems.when(
        !class && (common.java.is_some() || (kind == Kind::Function && common.python.is_some())),
        "spec.className",
        "must be set: it is the class that runs",
    );
    problems.when(
        common.java.as_ref().is_some_and(|java| java.jar.is_empty()),
        "spec.java.jar",
        "must be the path of the package in the container",
    );
    if kind != Kind::Function {
        problems.when(common.java.is_none(), "spec.java", "must be set: connectors run as Java programs");
        return;
    }
    problems.when(
        common.python.as_ref().is_some_and(|python| python.py.is_empty()),
        "spec.python.py",
        "must be the path of the package in the container",
    );
    problems.when(
        common.golang.as_ref().is_some_and(|go| go.go.is_empty()),
        "spec.golang.go",
        "must be the path of the program in the container",
    );
    let runtimes = [common.java.is_some(), common.python.is_some(), common.golang.is_some()];
    let count = runtimes.iter().filter(|set| **set).count();
    problems.when(
        count == 0 && common.generic_runtime.is_none(),
        "spec",
        "must have one of java, python, golang and genericRuntime",
    );
    problems.when(count > 1, "spec", "must have one of java, python and golang only; remove the others");
    let state = common.stateful_config.as_ref().and_then(|state| state.pulsar.as_ref());
    problems.when(
        state.is_some() && common.golang.is_some(),
        "spec.statefulConfig",
        "must not be set with golang: Go functions have no state",
    );
    problems.when(
        state.is_some_and(|state| state.service_url.is_empty()),
        "spec.statefulConfig.pulsar.serviceUrl",
        "must be the address of the state store, such as bk://host:4181",
    );
}

fn replicas(common: &Common, problems: &mut Problems) {
    problems.when(common.replicas.is_some_and(|n| n < 0), "spec.replicas", "must not be negative");
    let Some(max) = common.max_replicas else { return };
    let min = common.min_replicas.or(common.replicas).unwrap_or(1);
    problems.when(min < 1, "spec.minReplicas", "must be at least 1 with maxReplicas");
    problems.when(
        max < min,
        "spec.maxReplicas",
        "must not be below minReplicas, which is 1 unless set; raise one or lower the other",
    );
}

/// Rules for the creation of an object only: an autoscaler or `kubectl scale` may change the replicas later, and
/// objects of the Go operator may have locations that these rules reject. The API server checks the same rules on
/// creation.
pub fn refused_at_creation(common: &Common) -> Vec<Problem> {
    let mut problems = Problems::default();
    let min = common.min_replicas.unwrap_or(1);
    let replicas = common.replicas.or(common.min_replicas).unwrap_or(1);
    problems.when(min < 1, "spec.minReplicas", "must be at least 1");
    problems.when(
        common.max_replicas.is_some() && replicas == 0,
        "spec.replicas",
        "must not be 0 with maxReplicas, because autoscaling is disabled at 0 replicas",
    );
    problems.when(
        common.max_replicas.is_some_and(|max| replicas > max),
        "spec.maxReplicas",
        "must not be below replicas; raise one or lower the other",
    );
    problems.when(
        // The API server cannot distinguish 1 from an unset field.
        min > replicas && replicas != 1 && !(replicas == 0 && common.max_replicas.is_none()),
        "spec.minReplicas",
        "must not be above replicas; lower one or raise the other",
    );
    for (list, amounts) in
        common.resources.iter().flat_map(|r| [("requests", &r.requests), ("limits", &r.limits)])
    {
        let memory = amounts.as_ref().and_then(|amounts| Decimal::parse(&amounts.get("memory")?.0));
        problems.when(
            memory.is_some_and(|memory| memory.ceiling() == 0),
            &format!("spec.resources.{list}.memory"),
            "must be above 0; leave it out if it is not to be set",
        );
    }
    let locations = [
        ("spec.java.jarLocation", common.java.as_ref().and_then(|r| r.jar_location.as_ref())),
        ("spec.python.pyLocation", common.python.as_ref().and_then(|r| r.py_location.as_ref())),
        ("spec.golang.goLocation", common.golang.as_ref().and_then(|r| r.go_location.as_ref())),
    ];
    for (field, location) in locations {
        if let Some(problem) = location.filter(|l| !l.is_empty()).and_then(|l| package::location_problem(l)) {
            problems.add(field, problem);
        }
    }
    problems.into_vec()
}

type Amounts = BTreeMap<String, Quantity>;

fn resources(resources: &ResourceRequirements, problems: &mut Problems) {
    for (list, amounts) in [("requests", &resources.requests), ("limits", &resources.limits)] {
        for (resource, quantity) in amounts.iter().flatten() {
            if Decimal::parse(&quantity.0).is_none_or(Decimal::is_negative) {
                problems.add(
                    format!("spec.resources.{list}.{resource}"),
                    format!("{:?} is not a quantity; use one such as 500m or 1Gi", quantity.0),
                );
            }
        }
    }
    let milli = |amounts: &Option<Amounts>, resource: &str| {
        Decimal::parse(&amounts.as_ref()?.get(resource)?.0).map(Decimal::milli_ceiling)
    };
    for resource in ["cpu", "memory"] {
        let request = milli(&resources.requests, resource);
        // A limit of zero means no limit.
        let limit = milli(&resources.limits, resource).filter(|limit| *limit != 0);
        problems.when(
            request.zip(limit).is_some_and(|(request, limit)| request > limit),
            &format!("spec.resources.requests.{resource}"),
            &format!("must not be above spec.resources.limits.{resource}; lower one or raise the other"),
        );
    }
}

fn pod(kind: Kind, pod: &PodPolicy, autoscaled: bool, problems: &mut Problems) {
    for key in pod.labels.iter().flat_map(BTreeMap::keys).filter(|key| is_selector_label(key)) {
        problems
            .add(format!("spec.pod.labels.{key}"), "the pods are selected by this label; use another key");
    }
    probes(pod, problems);
    for (i, variable) in pod.env.iter().flatten().enumerate() {
        pod_policy::variable(&format!("spec.pod.env[{i}].name"), &variable.name, problems);
    }
    pod_policy::settings(pod, problems);
    problems.when(
        pod.vpa.is_some() && autoscaled,
        "spec.pod.vpa",
        "must not be set with maxReplicas: the two autoscalers would conflict; remove one",
    );
    let policies = pod.vpa.as_ref().and_then(|vpa| vpa.resource_policy.as_ref()?.container_policies.as_ref());
    for (i, policy) in policies.into_iter().flatten().enumerate() {
        problems.when(
            policy.container_name.as_ref().is_none_or(String::is_empty),
            &format!("spec.pod.vpa.resourcePolicy.containerPolicies[{i}].containerName"),
            "must be set; '*' means every container",
        );
    }
    if kind == Kind::Function {
        let mut seen = Vec::new();
        for (i, name) in pod.builtin_autoscaler.iter().flatten().enumerate() {
            let Some(BuiltinRule { resource, .. }) = BuiltinRule::named(name) else { continue };
            problems.when(
                seen.contains(&resource),
                &format!("spec.pod.builtinAutoscaler[{i}]"),
                &format!("must not be a second rule for {resource}; remove one"),
            );
            seen.push(resource);
        }
    }
}

/// Checks that probes of the user's containers have a handler; the component's own probe is checked with the pod
/// settings.
fn probes(pod: &PodPolicy, problems: &mut Problems) {
    let mut check = |probe: Option<&Probe>, field: &str| {
        let idle = |probe: &Probe| {
            probe.exec.is_none()
                && probe.http_get.is_none()
                && probe.tcp_socket.is_none()
                && probe.grpc.is_none()
        };
        problems.when(probe.is_some_and(idle), field, "must have one of exec, httpGet, tcpSocket and grpc");
    };
    for (list, containers) in [("initContainers", &pod.init_containers), ("sidecars", &pod.sidecars)] {
        for (i, container) in containers.iter().flatten().enumerate() {
            for (name, probe) in [
                ("livenessProbe", &container.liveness_probe),
                ("readinessProbe", &container.readiness_probe),
                ("startupProbe", &container.startup_probe),
            ] {
                check(probe.as_ref(), &format!("spec.pod.{list}[{i}].{name}"));
            }
        }
    }
}

/// Checks that no container of the user has the name of one of the operator's containers, which the API server rejects.
fn container_names(kind: Kind, pod: &PodPolicy, sends_log: bool, problems: &mut Problems) {
    let main = format!("pulsar-{}", kind.singular());
    for (list, containers) in [("initContainers", &pod.init_containers), ("sidecars", &pod.sidecars)] {
        for (i, container) in containers.iter().flatten().enumerate() {
            problems.when(
                container.name == main || (sends_log && container.name == "filebeat"),
                &format!("spec.pod.{list}[{i}].name"),
                &format!("{:?} is the name of a container of the operator; choose another", container.name),
            );
        }
    }
}

/// Checks that no two keys are mounted at the same path, where one would hide the other.
pub(crate) fn crypto_paths(secrets: &[CryptoSecret], problems: &mut Problems) {
    for (i, secret) in secrets.iter().enumerate() {
        let Some(path) = &secret.mount_path else { continue };
        let mut earlier = secrets.iter().take(i).filter(|known| known.mount_path.as_ref() == Some(path));
        if let Some(known) =
            earlier.find(|known| (&known.secret, &known.key) != (&secret.secret, &secret.key))
        {
            problems.add(
                "spec.*.cryptoConfig.cryptoSecrets.asVolume",
                format!(
                    "{path} is the path of key {} of Secret {} and of key {} of Secret {}; give each a path of its own",
                    known.key, known.secret, secret.key, secret.secret
                ),
            );
        }
    }
}
