//! The seam between the custom resources and the renderer.

use crate::lower::problems::Invalid;
use crate::workload::Workload;
use functionmesh_api::Kind;
use functionmesh_api::common::Common;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use serde::de::DeserializeOwned;

/// A custom resource that runs as a set of Pulsar instances.
///
/// Implemented by Function, Source and Sink; the implementations hold only what differs between them.
pub trait Component:
    kube::Resource<DynamicType = (), Scope = kube::core::NamespaceResourceScope> + Send + Sync + 'static
{
    /// Which kind it is.
    const KIND: Kind;

    /// The type of its `spec`.
    type Spec: DeserializeOwned + Send;

    /// The fields that all kinds share.
    fn common(spec: &Self::Spec) -> &Common;

    /// Checks the object, fills in the defaults and brings it to the common form.
    ///
    /// # Errors
    /// Everything that is wrong with it, with the path of each field.
    fn lower(metadata: &ObjectMeta, spec: Self::Spec) -> Result<Workload, Invalid>;
}
