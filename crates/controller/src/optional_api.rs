//! The `VerticalPodAutoscaler`, an optional kind ([`functionmesh_runtime::optional`]). In a cluster without it, objects that
//! configure one run without it, and have a condition that reports it.

use functionmesh_api::condition::DesiredCondition;
use functionmesh_plan::conditions::MISSING;
use functionmesh_plan::health::reason::Reason;
use functionmesh_plan::observed::autoscaler::AutoscalerView;
use functionmesh_render::VerticalPodAutoscaler;
use functionmesh_runtime::presence::Absence;

/// The cached form of an autoscaler.
pub(crate) type View = AutoscalerView<VerticalPodAutoscaler>;

/// The condition of an object that configures one although the kind is missing.
pub(crate) fn missing(absence: &Absence) -> DesiredCondition {
    const WANTED: &str = "spec.pod.vpa asks for a VerticalPodAutoscaler (autoscaling.k8s.io/v1), which";
    let message = match absence {
        Absence::Missing => {
            format!("{WANTED} this cluster does not have; install it or remove the field")
        }
        Absence::Forbidden(text) => {
            format!(
                "{WANTED} this controller is not permitted to list; grant the permission or remove the field: {text}"
            )
        }
        Absence::Unavailable => format!("{WANTED} the API server cannot list at present"),
    };
    DesiredCondition { type_: MISSING, status: true, reason: Reason::ApiMissing.to_string(), message }
}
