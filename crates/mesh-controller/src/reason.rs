//! Every reason a condition of a FunctionMesh can have, and what it means: the source of the reference documentation.

use functionmesh_api::condition::{
    Health, PROGRESSING, READY, RECONCILE_FAILED, RECONCILING, ReasonDocs, STALLED,
};
use std::fmt;

/// `reason` of the conditions, and of the Events that report a change.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Reason {
    /// All components are ready.
    AllComponentsReady,
    /// Components are in progress, or have failures that their own status reports.
    ComponentsNotReady,
    /// Nothing is in progress, and a component timed out. The same reason as in the status of the component.
    ProgressDeadlineExceeded,
    /// Nothing is in progress.
    Complete,
    /// An item cannot become a component.
    Invalid,
    /// The name of a component is taken by an object that does not belong to the mesh.
    NameConflict,
    /// The API server refused a write, or failed repeatedly.
    ApplyFailed,
}

impl Reason {
    /// All reasons, in the order of declaration. A new one does not compile until it is listed here and has its texts below.
    pub const ALL: [Self; Self::ApplyFailed as usize + 1] = [
        Self::AllComponentsReady,
        Self::ComponentsNotReady,
        Self::ProgressDeadlineExceeded,
        Self::Complete,
        Self::Invalid,
        Self::NameConflict,
        Self::ApplyFailed,
    ];

    /// The name in the condition.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::AllComponentsReady => "AllComponentsReady",
            Self::ComponentsNotReady => "ComponentsNotReady",
            Self::ProgressDeadlineExceeded => "ProgressDeadlineExceeded",
            Self::Complete => "Complete",
            Self::Invalid => "Invalid",
            Self::NameConflict => "NameConflict",
            Self::ApplyFailed => "ApplyFailed",
        }
    }

    /// Its meaning for tools that wait for the mesh. If a user has to fix every remaining component, `ComponentsNotReady` is a
    /// failure.
    pub fn health(self) -> Health {
        match self {
            Self::AllComponentsReady | Self::Complete => Health::Current,
            // A failure if no retry can succeed.
            Self::ComponentsNotReady | Self::ApplyFailed => Health::InProgress,
            Self::ProgressDeadlineExceeded | Self::Invalid | Self::NameConflict => Health::Failed,
        }
    }

    /// Its meaning, and what to do.
    pub fn docs(self) -> ReasonDocs {
        let stopped: &[(&str, bool)] = &[(READY, false), (PROGRESSING, false), (STALLED, true)];
        let (conditions, cause, check, fix) = match self {
            Self::AllComponentsReady => (
                &[(READY, true)][..],
                "All functions, sources and sinks of the mesh are ready.",
                "`kubectl get fn,src,snk -l compute.functionmesh.io/mesh=NAME`",
                "Nothing.",
            ),
            Self::ComponentsNotReady => (
                &[
                    (READY, false),
                    (PROGRESSING, true),
                    (PROGRESSING, false),
                    (RECONCILING, true),
                    (STALLED, true),
                ][..],
                "Some components are not ready. The message counts them and names up to five with their reason, failures \
                 first. `Progressing` is false, and `Stalled` true, when none of them will become ready \
                 without help.",
                "`kubectl get fn,src,snk -o wide`",
                "Wait, or look up the component's reason in the table above.",
            ),
            Self::ProgressDeadlineExceeded => (
                &[(PROGRESSING, false), (STALLED, true)][..],
                "No component that is not ready is in progress any more, and at least one of them was not available for \
                 ten minutes.",
                "`kubectl get fmesh NAME -o wide`: `Ready` names the components and their causes.",
                "Look up the component's reason in the table above. The mesh follows its components: it is ready once they are.",
            ),
            Self::Complete => (
                &[(PROGRESSING, false)][..],
                "No component is in progress.",
                "`kubectl get fmesh NAME -o wide`",
                "Nothing; `Ready` is true as well.",
            ),
            Self::Invalid => (
                stopped,
                "An item of the mesh cannot become a component: its name is missing, too long, no DNS label, or used twice. \
                 The other items are reconciled all the same, but no component is deleted until all items are valid, as it \
                 may be the component of an invalid one. If the whole spec cannot be read, nothing is written.",
                "`kubectl get fmesh NAME -o wide`: the message names each item and what is wrong with it.",
                "Correct the items that the message names.",
            ),
            Self::NameConflict => (
                stopped,
                "A Function, Source or Sink with the name of a component exists and does not belong to this mesh. It \
                 is left unchanged.",
                "The message names the object. `kubectl get KIND NAME -o yaml`: its owner references show its owner.",
                "Delete or rename one of the two. The mesh creates its component as soon as the name is free.",
            ),
            Self::ApplyFailed => (
                &[
                    (READY, false),
                    (PROGRESSING, true),
                    (PROGRESSING, false),
                    (RECONCILING, true),
                    (STALLED, true),
                    (RECONCILE_FAILED, true),
                ][..],
                "The API server refused a component, or failed to answer six times in a row; the message quotes it. \
                 `Progressing` is true while a retry may help. The controller retries, at least every five minutes.",
                "The message quotes the API server; `kubectl logs deployment/function-mesh-mesh-controller` has each attempt.",
                "Correct what was refused: often a rule of the component's kind, which names `spec` and means the \
                 item.",
            ),
        };
        ReasonDocs { conditions, cause, check, fix }
    }
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_reason_is_there_once() {
        for (index, reason) in Reason::ALL.into_iter().enumerate() {
            assert_eq!(reason as usize, index, "{reason}");
        }
    }
}
