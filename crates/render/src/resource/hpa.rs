//! The `HorizontalPodAutoscaler`. It scales the custom resource, not the `StatefulSet`.

use crate::resource::metadata::{metadata, scale_target};
use crate::text::quantity::Decimal;
use crate::workload::Workload;
use k8s_openapi::api::autoscaling::v2::{
    ContainerResourceMetricSource, HorizontalPodAutoscaler, HorizontalPodAutoscalerSpec, MetricSpec,
    MetricTarget, ResourceMetricSource,
};

/// A predefined rule of the autoscaler.
pub(crate) struct BuiltinRule {
    /// `cpu` or `memory`.
    pub resource: &'static str,
    percent: i32,
}

impl BuiltinRule {
    /// Finds the rule of a name, such as `AverageUtilizationCPUPercent80`.
    pub(crate) fn named(name: &str) -> Option<Self> {
        let rest = name.strip_prefix("AverageUtilization")?;
        let (resource, percent) = [("cpu", "CPUPercent"), ("memory", "MemoryPercent")]
            .into_iter()
            .find_map(|(resource, prefix)| Some((resource, rest.strip_prefix(prefix)?)))?;
        let percent = ["80", "50", "20"].contains(&percent).then(|| percent.parse().ok()).flatten()?;
        Some(Self { resource, percent })
    }

    /// The metric: a percentage of the request, scaled so that it refers to the limit. If the pod has several
    /// containers, the metric covers the main container only: a pod metric requires requests in every container, which
    /// the log sidecar and many users' sidecars lack, and without which the autoscaler never scales.
    fn metric(&self, workload: &Workload) -> MetricSpec {
        let name = self.resource.to_owned();
        let target = MetricTarget {
            type_: "Utilization".to_owned(),
            average_utilization: Some(self.stretched(workload)),
            ..MetricTarget::default()
        };
        if is_alone(workload) {
            return MetricSpec {
                type_: "Resource".to_owned(),
                resource: Some(ResourceMetricSource { name, target }),
                ..MetricSpec::default()
            };
        }
        let container = format!("pulsar-{}", workload.kind.singular());
        MetricSpec {
            type_: "ContainerResource".to_owned(),
            container_resource: Some(ContainerResourceMetricSource { container, name, target }),
            ..MetricSpec::default()
        }
    }

    /// `percent` x limit / request, cut to a whole number; `percent` itself when one of them is missing or zero.
    fn stretched(&self, workload: &Workload) -> i32 {
        let resources = workload.resources.as_ref();
        let amount = |list: Option<&std::collections::BTreeMap<String, _>>| {
            let quantity: &k8s_openapi::apimachinery::pkg::api::resource::Quantity =
                list?.get(self.resource)?;
            let decimal = Decimal::parse(&quantity.0)?;
            let units = if self.resource == "cpu" { decimal.milli_ceiling() } else { decimal.ceiling() };
            (units > 0).then_some(units)
        };
        let limit = amount(resources.and_then(|r| r.limits.as_ref()));
        let request = amount(resources.and_then(|r| r.requests.as_ref()));
        let stretched = limit.zip(request).and_then(|(limit, request)| {
            i32::try_from(i128::from(self.percent).checked_mul(limit)? / request).ok()
        });
        stretched.unwrap_or(self.percent)
    }
}

/// Whether the pod has one container only.
fn is_alone(workload: &Workload) -> bool {
    let sends_log = workload.log.sidecar && workload.log.topic.is_some();
    !sends_log && workload.pod.sidecars.as_ref().is_none_or(Vec::is_empty)
}

/// Renders it if `spec.maxReplicas` is set.
pub(crate) fn horizontal_autoscaler(workload: &Workload) -> Option<HorizontalPodAutoscaler> {
    let bounds = workload.autoscaling?;
    let pod = &workload.pod;
    let given = pod.auto_scaling_metrics.clone().filter(|metrics| !metrics.is_empty());
    let names = pod.builtin_autoscaler.as_deref().unwrap_or_default();
    let behavior = pod.auto_scaling_behavior.clone();
    let (metrics, behavior) = if bounds.max <= bounds.min {
        // The bounds leave no choice. Without metrics the API server sets a default one.
        (given, behavior)
    } else if !names.is_empty() {
        (Some(builtin(workload, names)), None)
    } else if given.is_none() && behavior.is_none() {
        let rule = BuiltinRule { resource: "cpu", percent: 80 };
        (Some(vec![rule.metric(workload)]), None)
    } else {
        (given, behavior)
    };
    Some(HorizontalPodAutoscaler {
        metadata: metadata(workload, workload.name.to_string()),
        spec: HorizontalPodAutoscalerSpec {
            scale_target_ref: scale_target(workload),
            min_replicas: Some(bounds.min),
            max_replicas: bounds.max,
            metrics: metrics.filter(|metrics| !metrics.is_empty()),
            behavior,
        },
        status: None,
    })
}

/// The first rule for each resource, in the order of declaration; unknown names are ignored, as in the Go operator.
fn builtin(workload: &Workload, names: &[String]) -> Vec<MetricSpec> {
    let mut rules: Vec<BuiltinRule> = Vec::new();
    for rule in names.iter().filter_map(|name| BuiltinRule::named(name)) {
        if rules.iter().all(|known| known.resource != rule.resource) {
            rules.push(rule);
        }
    }
    rules.iter().map(|rule| rule.metric(workload)).collect()
}
