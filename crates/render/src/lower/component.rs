//! What the renderer and the controllers need to know of a kind.

use crate::lower::problems::Invalid;
use crate::workload::Workload;
use functionmesh_api::Kind;
use functionmesh_api::common::Common;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use serde::de::DeserializeOwned;

/// A custom resource that runs as a set of Pulsar instances.
///
/// Implemented by Function, Source and Sink.
pub trait Component:
    kube::Resource<DynamicType = (), Scope = kube::core::NamespaceResourceScope> + Send + Sync + 'static
{
    /// Which kind it is.
    const KIND: Kind;

    /// The type of its `spec`.
    type Spec: DeserializeOwned + Send;

    /// The fields that all kinds share.
    fn common(spec: &Self::Spec) -> &Common;

    /// Validates the object, fills in the defaults and converts it to the common form.
    ///
    /// # Errors
    /// All problems, each with the path of its field.
    fn lower(metadata: &ObjectMeta, spec: Self::Spec) -> Result<Workload, Invalid>;
}
