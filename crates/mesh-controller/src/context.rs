//! State that all reconciles of the mesh-controller share.

use crate::components::Components;
use crate::decoded::DecodedMeshes;
use crate::mesh::Mesh;
use crate::reports::Reports;
use functionmesh_api::status::MeshStatus;
use functionmesh_api::{Function, Sink, Source};
use functionmesh_runtime::apply::Writer;
use functionmesh_runtime::event::Events;
use functionmesh_runtime::failing::Failing;
use functionmesh_runtime::mutation_cache::PendingWrites;
use functionmesh_runtime::terminating_namespaces::TerminatingNamespaces;

/// What every reconcile shares.
pub(crate) struct Context {
    /// Writes with the field manager of this controller.
    pub(crate) writer: Writer,
    /// Publishes Events.
    pub(crate) events: Events,
    /// Components by kind.
    pub(crate) functions: Components<Function>,
    /// Source components, as above.
    pub(crate) sources: Components<Source>,
    /// Sink components, as above.
    pub(crate) sinks: Components<Sink>,
    /// The controller's own status writes, until the cache shows them.
    pub(crate) statuses: PendingWrites<Mesh, MeshStatus>,
    /// The decoded specs.
    pub(crate) decoded: DecodedMeshes,
    /// When the last statuses were written.
    pub(crate) reports: Reports,
    /// Meshes whose writes fail.
    pub(crate) failing: Failing,
    /// Terminating namespaces.
    pub(crate) terminating_namespaces: TerminatingNamespaces,
    /// Keys of the labels that select meshes; components carry these labels as well.
    pub(crate) selected_by: Vec<String>,
}
