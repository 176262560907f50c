//! The stages of a reconcile, each with its result for the next one.

use crate::context::Context;
use crate::finalize;
use crate::object::{Object, lower};
use functionmesh_plan::outcome::{FailedWrite, Outcome};
use functionmesh_plan::rollout::backend_config::Backend;
use functionmesh_plan::rollout::provenance::Provenance;
use functionmesh_render::{Component, Desired, Workload, rendered_hash};
use functionmesh_runtime::apply_error::ApplyError;
use std::time::Duration;

/// Why a reconcile ends before the children match the rendering.
pub(crate) enum Early {
    /// The user opted the object out.
    Unmanaged,
    /// A retry before this time cannot succeed.
    Hold(Duration),
    /// The namespace is being deleted.
    NamespaceTerminating,
    /// The spec cannot be rendered.
    Refused(Outcome),
    /// A write failed.
    Failed {
        /// The object's workload.
        workload: Box<Workload>,
        /// The outcome to report, if the error lasts.
        failed: FailedWrite,
        /// The error.
        error: ApplyError,
    },
}

/// An object that was decoded and checked.
pub(crate) struct Lowered(Box<Workload>);

impl Lowered {
    /// For an object.
    pub(crate) fn of<K: Component>(object: &Object<K>) -> Result<Self, Early> {
        lower(object).map(Box::new).map(Self).map_err(Early::Refused)
    }
}

/// A workload with the content of the objects that it refers to.
pub(crate) struct Dereferenced {
    /// The workload.
    pub(crate) workload: Box<Workload>,
    /// The content of the `BackendConfig`s.
    pub(crate) backend: Backend,
}

impl Dereferenced {
    /// Adds the `BackendConfig`s of the object's namespace.
    pub(crate) fn of<K: Component>(Lowered(workload): Lowered, cx: &Context<K>) -> Self {
        let backend = cx.backend_configs.of(&workload.namespace);
        Self { workload, backend }
    }
}

/// The rendered children.
pub(crate) struct Rendered {
    /// The children.
    pub(crate) desired: Desired,
    /// Hash of the `StatefulSet`, by which the rendering is approved.
    pub(crate) hash: String,
    /// Whether the deletion of the object needs a cleanup.
    pub(crate) cleanup: bool,
}

impl Rendered {
    /// Renders a workload. The same input renders to the same bytes.
    pub(crate) fn of<K: Component>(object: &Object<K>, from: &Dereferenced, cx: &Context<K>) -> Self {
        let Dereferenced { workload, backend } = from;
        let mut desired = (cx.render)(workload, &cx.environment, &backend.defaults);
        Provenance::of(object.spec_text(), &desired.stateful_set, &cx.operator, backend)
            .write(&mut desired.stateful_set);
        let hash = rendered_hash(&desired.stateful_set).unwrap_or_default().to_owned();
        let cleanup = finalize::job::job(object, workload, backend, cx).is_some();
        Self { desired, hash, cleanup }
    }
}
