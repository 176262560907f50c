//! The Job that removes a deleted component's subscriptions and topics from Pulsar.
//!
//! Unlike the Go operator's Job, it is created when the component is deleted, so that no pod waits for the deletion.
//! Its exit code reports the result, and it can be repeated: what does not exist is not a failure.

use crate::backend_defaults::Defaults;
use crate::environment::Environment;
use crate::instance::admin_cli::{Admin, AdminTool};
use crate::pod::container::{self, bare_container, non_empty};
use crate::pod::template::{Parts, assemble, labels};
use crate::pod::volumes::Storage;
use crate::resource::metadata::metadata;
use crate::text::shell::quote;
use crate::workload::{Leftovers, Log, Workload};
use functionmesh_api::constants;
use k8s_openapi::api::batch::v1::{Job, JobSpec};
use k8s_openapi::api::core::v1::{Container, PodSpec, ResourceRequirements};
use k8s_openapi::apimachinery::pkg::api::resource::Quantity;
use std::collections::BTreeMap;

/// Deadline of each pod of the Job, in seconds. The deadline of a Job would include the time that its pod waits for a
/// node; that of a pod starts when a kubelet accepts it.
pub const DEADLINE_SECONDS: i64 = 600;

/// Resources of the tool: pulsar-admin is a Java program with a heap of 128 MiB that runs for seconds. Requests and
/// limits are both set, so that neither a quota nor the defaults of a `LimitRange` prevent the creation of the pod.
const RESOURCES: [(&str, &str, &str); 2] = [("cpu", "50m", "1"), ("memory", "256Mi", "512Mi")];

/// Runs a command and records a failure. It is not a failure if Pulsar reports that the subscription or topic does not
/// exist, for example after an earlier attempt: pulsar-admin ends with `Reason: Subscription ... not found`, pulsarctl
/// with `code: 404 reason: Topic ... not found`. A missing tool or a wrong address (`Reason: HTTP 404 Not Found`) has
/// other messages. Exit codes 126 and 127 come from the shell: the tool did not run.
const FORGET: &str = "forget() { output=$(\"$@\" 2>&1); status=$?; \
                      if [ $status -eq 0 ]; then printf '%s\\n' \"$output\"; return; fi; \
                      printf '%s\\n' \"$output\" >&2; reason=; \
                      case $output in *[Rr]'eason: '*) reason=${output##*[Rr]'eason: '}; reason=${reason%%\"$newline\"*} ;; esac; \
                      [ $status -lt 126 ] || reason=; \
                      case $reason in 'Subscription '*'not found'*|'Topic '*'not found'*|'Partitioned '[Tt]'opic '*'not found'*\
                      |'Topic partitions were not yet created'*) ;; *) failed=1 ;; esac; }";

/// Renders the Job that runs when the component is deleted: it removes the subscriptions of a Function or Sink with
/// `cleanupSubscription`, and the intermediate topic of a batch source. `None` when nothing is to be removed.
pub fn cleanup(workload: &Workload, environment: &Environment, defaults: &Defaults) -> Option<Job> {
    let leftovers = workload.leftovers.as_ref()?;
    let workload = Workload {
        pulsar: workload.pulsar.for_cleanup(),
        // It downloads no package and sends no log.
        package_service: None,
        log: Log::default(),
        ..workload.clone()
    };
    let environment = Environment { init_containers: false, ..environment.clone() };
    let storage = Storage::of(&workload, &environment);
    let container = cleanup_container(&workload, &environment, defaults, leftovers, &storage);
    let name = workload.name.cleanup();
    // Not the labels that select the component's pods: the Service and the autoscaler must not select this pod.
    let own: BTreeMap<String, String> = [
        ("app.kubernetes.io/name", &name),
        ("app.kubernetes.io/instance", &name),
        (constants::LABEL_NAME, &workload.owner.name),
        (constants::LABEL_NAMESPACE, &workload.namespace),
    ]
    .map(|(key, value)| (key.to_owned(), value.clone()))
    .into();
    let parts = Parts {
        labels: labels(&workload, &environment, &own),
        init_containers: workload.pod.init_containers.clone().unwrap_or_default(),
        // A sidecar that does not exit would prevent the Job from completing.
        containers: vec![container],
        volumes: storage.volumes,
    };
    let mut template = assemble(&workload, &environment, defaults, parts);
    if let Some(metadata) = &mut template.metadata {
        metadata.annotations = metadata.annotations.take().and_then(without_scraping);
    }
    template.spec = template.spec.map(|spec| PodSpec {
        restart_policy: Some("OnFailure".to_owned()),
        active_deadline_seconds: Some(DEADLINE_SECONDS),
        ..spec
    });
    Some(Job {
        metadata: metadata(&workload, name),
        spec: Some(JobSpec { backoff_limit: Some(6), template, ..JobSpec::default() }),
        status: None,
    })
}

/// What the Job of [`cleanup`] removes from Pulsar, in words.
pub fn removals(workload: &Workload) -> Vec<String> {
    match &workload.leftovers {
        None => Vec::new(),
        Some(Leftovers::Subscription { name, topics, namespaces }) => {
            let everywhere =
                namespaces.iter().map(|namespace| format!("subscription {name} in all of {namespace}"));
            everywhere.chain(topics.iter().map(|topic| format!("subscription {name} on {topic}"))).collect()
        }
        Some(Leftovers::Topic { subscription, topic }) => {
            vec![format!("subscription {subscription} on {topic}"), format!("topic {topic}")]
        }
    }
}

/// The annotations without those for Prometheus: the Job has no metrics.
fn without_scraping(mut annotations: BTreeMap<String, String>) -> Option<BTreeMap<String, String>> {
    annotations.retain(|key, _| !key.starts_with("prometheus.io/"));
    (!annotations.is_empty()).then_some(annotations)
}

fn cleanup_container(
    workload: &Workload,
    environment: &Environment,
    defaults: &Defaults,
    leftovers: &Leftovers,
    storage: &Storage,
) -> Container {
    let main_image = container::image(workload, environment);
    let image = workload.images.cleanup.clone().unwrap_or(main_image);
    let tool = container::tools(workload, &image).admin;
    let mut mounts = storage.cleanup_mounts(workload);
    // The Job's pod has none of the StatefulSet's claims.
    mounts.retain(|mount| storage.volumes.iter().any(|volume| volume.name == mount.name));
    Container {
        name: "cleanup".to_owned(),
        command: Some(["sh", "-c", &script(workload, leftovers, tool)].map(str::to_owned).to_vec()),
        ports: None,
        resources: Some(resources(workload.resources.as_ref())),
        volume_mounts: non_empty(mounts),
        ..bare_container(workload, environment, defaults, image)
    }
}

/// Small, independent of the component's size. `ephemeral-storage` is taken from the component, because a quota may
/// require it.
fn resources(component: Option<&ResourceRequirements>) -> ResourceRequirements {
    let own = |pick: fn(&ResourceRequirements) -> Option<&BTreeMap<String, Quantity>>| {
        let stated = component.and_then(pick).into_iter().flatten();
        let storage = stated.filter(|(name, _)| *name == "ephemeral-storage");
        storage.map(|(name, amount)| (name.clone(), amount.clone())).collect::<BTreeMap<_, _>>()
    };
    let mut requests = own(|resources| resources.requests.as_ref());
    let mut limits = own(|resources| resources.limits.as_ref());
    for (name, request, limit) in RESOURCES {
        requests.insert(name.to_owned(), Quantity(request.to_owned()));
        limits.insert(name.to_owned(), Quantity(limit.to_owned()));
    }
    ResourceRequirements { requests: Some(requests), limits: Some(limits), claims: None }
}

fn script(workload: &Workload, leftovers: &Leftovers, tool: AdminTool) -> String {
    let Admin { preparation, command } = Admin::new(tool, &workload.pulsar, workload.pulsar.auth());
    let commands: Vec<String> = arguments(leftovers, tool)
        .iter()
        .map(|arguments| format!("forget {command} {arguments}; "))
        .collect();
    format!("failed=0; newline='\n'; {FORGET}; {preparation}{{ {}exit $failed; }}", commands.concat())
}

/// The arguments of each call of the tool, one call for each thing to remove.
fn arguments(leftovers: &Leftovers, tool: AdminTool) -> Vec<String> {
    let unsubscribe = |subscription: &str, topic: &str| match tool {
        AdminTool::Pulsarctl => format!("subscriptions delete {} {}", quote(topic), quote(subscription)),
        AdminTool::PulsarAdmin => format!("topics unsubscribe -s {} {}", quote(subscription), quote(topic)),
    };
    match leftovers {
        Leftovers::Subscription { name, topics, namespaces } => {
            let everywhere = |namespace: &String| match tool {
                AdminTool::Pulsarctl => {
                    format!("namespaces unsubscribe {} {}", quote(namespace), quote(name))
                }
                AdminTool::PulsarAdmin => {
                    format!("namespaces unsubscribe -s {} {}", quote(name), quote(namespace))
                }
            };
            let in_namespaces = namespaces.iter().map(everywhere);
            in_namespaces.chain(topics.iter().map(|topic| unsubscribe(name, topic))).collect()
        }
        Leftovers::Topic { subscription, topic } => {
            // By default pulsarctl treats topics as partitioned, and the broker answers 409.
            let flags = match tool {
                AdminTool::Pulsarctl => "-f --non-partitioned",
                AdminTool::PulsarAdmin => "-f",
            };
            vec![unsubscribe(subscription, topic), format!("topics delete {flags} {}", quote(topic))]
        }
    }
}

#[cfg(test)]
mod tests;
