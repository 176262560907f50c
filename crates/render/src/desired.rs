//! What rendering produces.

use crate::backend_defaults::Defaults;
use crate::environment::Environment;
use crate::resource::hpa::horizontal_autoscaler;
use crate::resource::service::service;
use crate::resource::statefulset::stateful_set;
use crate::resource::vpa::{VerticalPodAutoscaler, vertical_autoscaler};
use crate::workload::Workload;
use k8s_openapi::api::apps::v1::StatefulSet;
use k8s_openapi::api::autoscaling::v2::HorizontalPodAutoscaler;
use k8s_openapi::api::core::v1::Service;

/// The objects of one workload, in the order in which they are applied: the `StatefulSet` after the Service, so that
/// what its pods refer to exists, and the autoscalers last. Consumers destructure it without `..`, so that a new kind
/// of child does not compile until they handle it.
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

/// Renders a workload to the objects that run it.
///
/// Infallible: [`Component::lower`](crate::Component::lower) has validated the workload.
pub fn render(workload: &Workload, environment: &Environment, defaults: &Defaults) -> Desired {
    Desired {
        service: service(workload),
        stateful_set: stateful_set(workload, environment, defaults),
        horizontal_autoscaler: horizontal_autoscaler(workload),
        vertical_autoscaler: vertical_autoscaler(workload),
    }
}
