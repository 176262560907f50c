//! The main container, and what other containers have in common with it.

use crate::backend_defaults::Defaults;
use crate::environment::Environment;
use crate::instance::admin_cli::AdminTool;
use crate::instance::command::{Launch, command};
use crate::instance::package::{self, Tools};
use crate::instance::runtime::Runtime;
use crate::pod::env;
use crate::pod::ports::{GRPC_PORT, METRICS_PORT};
use crate::pod::probe::{Evidence, liveness};
use crate::pod::volumes::Storage;
use crate::text::quantity;
use crate::workload::Workload;
use functionmesh_api::Kind;
use k8s_openapi::api::core::v1::{
    Capabilities, Container, ContainerPort, ResourceRequirements, SecurityContext,
};
use std::collections::BTreeMap;

/// Renders the main container.
pub(crate) fn main_container(
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
        // A shell looks up programs without a slash in `PATH`.
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
        command: Some(command(workload, &Launch { file: &file, download })),
        volume_mounts: non_empty(storage.main_mounts(workload)),
        liveness_probe: probe.or_else(|| defaults.pod.liveness.as_ref().and_then(liveness)),
        readiness_probe: Some(evidence.readiness()),
        startup_probe: startup.cloned().or_else(|| evidence.startup()),
        ..bare_container(workload, environment, defaults, image)
    }
}

/// What the main container and the cleanup container have in common.
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

/// The same resources, with each quantity in its canonical form.
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

/// Security context of the containers that run as the pod's user. Pod Security "restricted" requires `runAsNonRoot`; it
/// is omitted if the user or the administrator sets the security context of the pod.
pub(crate) fn main_security_context(workload: &Workload, defaults: &Defaults) -> SecurityContext {
    let own_user = workload.pod.security_context.is_some() || defaults.pod.security_context.is_some();
    SecurityContext { run_as_non_root: (!own_user).then_some(true), ..no_privileges() }
}

/// Security context of all containers of the operator.
pub(crate) fn no_privileges() -> SecurityContext {
    SecurityContext {
        allow_privilege_escalation: Some(false),
        capabilities: Some(Capabilities { drop: Some(vec!["ALL".to_owned()]), add: None }),
        ..SecurityContext::default()
    }
}

/// Image of the main container: that of the object, otherwise the runner image of the language. A connector runs in the
/// image with all connectors, unless it is downloaded from Pulsar's package service.
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

/// Download tools in an image, from the object or from the name of the image. The images of the generic runtime have
/// all of them.
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

/// `None` for an empty list, which means the same and is not written.
pub(crate) fn non_empty<T>(list: Vec<T>) -> Option<Vec<T>> {
    (!list.is_empty()).then_some(list)
}
