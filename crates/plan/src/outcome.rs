//! The outcome of one reconcile.

use crate::health::reason::Reason;
use crate::observed::statefulset::StatefulSetView;
use functionmesh_api::condition::DesiredCondition;
use functionmesh_api::status::StatefulSetStatusRef;
use std::collections::BTreeMap;

/// The result of one reconcile.
#[derive(Clone, Debug)]
pub enum Outcome {
    /// Nothing could be rendered or written; a user has to change the object, or another object that conflicts with it.
    Refused {
        /// The kind of refusal.
        reason: Reason,
        /// The message: what is wrong, and what to do.
        message: String,
        /// The `StatefulSet`, if it was written before a failure.
        written: Option<Box<StatefulSetStatusRef>>,
        /// The `StatefulSet` as last observed, if known.
        live: Option<Box<StatefulSetView>>,
    },
    /// The object is deleted, and its cleanup is not complete.
    CleanupPending {
        /// Whether the cleanup may still succeed.
        reason: Reason,
        /// What it waits for, or the failure.
        message: String,
    },
    /// The children match the rendering.
    Applied {
        /// The `StatefulSet` as last observed.
        stateful_set: Box<StatefulSetView>,
        /// The record of it for the status.
        recorded: Option<Box<StatefulSetStatusRef>>,
        /// Selector of the pods.
        selector: BTreeMap<String, String>,
        /// Further conditions.
        notices: Vec<DesiredCondition>,
        /// Why the spec cannot be applied, if it cannot.
        blocked: Option<String>,
        /// A failing write although the pods match the spec.
        failed: Option<FailedWrite>,
    },
}

/// A write that is refused or fails repeatedly.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FailedWrite {
    /// The kind of failure.
    pub reason: Reason,
    /// The message: what is wrong, and what to do.
    pub message: String,
}

impl Outcome {
    /// Whether nothing was written.
    pub fn refused(reason: Reason, message: String) -> Self {
        Self::Refused { reason, message, written: None, live: None }
    }

    /// The failure, or what is awaited; empty if neither.
    pub fn message(&self) -> &str {
        match self {
            Self::Refused { message, .. } | Self::CleanupPending { message, .. } => message,
            Self::Applied { .. } => "",
        }
    }
}
