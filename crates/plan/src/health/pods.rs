//! The combined diagnosis of the pods of one object.

use crate::health::diagnosis::Diagnosis;
use crate::health::reason::Reason;
use crate::observed::pod::PodView;
use crate::time::after;
use k8s_openapi::jiff::{SignedDuration, Timestamp};

/// How long a scheduled pod may take until its containers are being started. Pulling images comes later.
const START: SignedDuration = SignedDuration::from_secs(30);
/// The combined diagnosis of the pods of one object.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Pods {
    /// Number of pods, terminating ones included.
    pub number: usize,
    /// The most severe diagnosis.
    pub diagnosis: Option<Diagnosis>,
    /// Creation time of the youngest pod that is not ready.
    pub youngest: Option<Timestamp>,
    /// The diagnosis that applies from some time on, if there is no other.
    pub later: Option<(Timestamp, Diagnosis)>,
    /// When a diagnosis expires although no event occurs.
    pub until: Option<Timestamp>,
    /// From when on a pod counts as lost with its node, regardless of other diagnoses.
    pub lost: Option<(Timestamp, Diagnosis)>,
}

impl Pods {
    /// Combines pods. Ignores terminating pods, unless their node is lost, and pods of older templates, if the newest is known:
    /// the StatefulSet controller is about to replace them.
    pub fn of<'a>(pods: impl Iterator<Item = &'a PodView>, newest: Option<&str>, now: Timestamp) -> Self {
        let mut all = Self::default();
        for pod in pods {
            all.number += 1;
            let lost = [all.lost.take(), pod.lost.as_deref().cloned()];
            all.lost = lost.into_iter().flatten().min();
            if pod.metadata.deletion_timestamp.is_some() {
                continue;
            }
            let is_old =
                newest.is_some_and(|n| pod.revision.as_deref().is_some_and(|revision| revision != n));
            for (diagnosis, until) in pod.diagnoses.iter().filter(|_| !is_old) {
                if until.is_some_and(|until| until <= now) {
                    continue;
                }
                all.until = all.until.into_iter().chain(*until).min();
                all.diagnosis = all.diagnosis.take().into_iter().chain([diagnosis.clone()]).min();
            }
            if !pod.ready {
                let made = pod.metadata.creation_timestamp.as_ref().map(|t| t.0);
                all.youngest = all.youngest.max(made);
            }
            if let Some((since, needs)) = pod.starting.as_ref().filter(|_| !is_old) {
                let diagnosis =
                    not_starting(pod.metadata.name.as_deref().unwrap_or_default(), needs.as_deref());
                let later = [all.later.take(), Some((after(*since, START), diagnosis))];
                all.later = later.into_iter().flatten().min();
            }
            if let Some((from, was_connected)) = pod.unconnected.filter(|_| !is_old) {
                let diagnosis =
                    not_connected(pod.metadata.name.as_deref().unwrap_or_default(), was_connected);
                let later = [all.later.take(), Some((from, diagnosis))];
                all.later = later.into_iter().flatten().min();
            }
        }
        all
    }
}

fn not_starting(pod: &str, needs: Option<&str>) -> Diagnosis {
    let needs = needs.map(|needs| format!("; they need {needs}: check that each exists")).unwrap_or_default();
    let message = format!("pod {pod} has a node, and its volumes or its network are not ready there{needs}");
    Diagnosis { reason: Reason::VolumesNotReady, message }
}

fn not_connected(pod: &str, was_connected: bool) -> Diagnosis {
    let message = if was_connected {
        format!(
            "pod {pod} runs and has no connection to a broker: the broker is down or cannot be reached, or no longer accepts \
             the pod's credentials; kubectl logs {pod} has the reason"
        )
    } else {
        format!(
            "pod {pod} runs and has not connected to a broker yet: it downloads its package, or opens its state store or its \
             connector; kubectl logs {pod} tells how far it is"
        )
    };
    Diagnosis { reason: Reason::NotConnected, message }
}

#[cfg(test)]
mod tests;
