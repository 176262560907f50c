//! The names of the children of a workload.

use functionmesh_render::Workload;
use kube::Resource;
use kube::runtime::reflector::ObjectRef;

/// Names of the children.
pub(crate) struct ChildNames<'a>(&'a Workload);

impl<'a> ChildNames<'a> {
    /// Of a workload.
    pub(crate) fn of(workload: &'a Workload) -> Self {
        Self(workload)
    }

    /// Of the headless Service.
    pub(crate) fn service<V: Resource<DynamicType = ()>>(&self) -> ObjectRef<V> {
        ObjectRef::new(&self.0.name.service()).within(&self.0.namespace)
    }

    /// Of the Job that cleans up.
    pub(crate) fn cleanup<V: Resource<DynamicType = ()>>(&self) -> ObjectRef<V> {
        ObjectRef::new(&self.0.name.cleanup()).within(&self.0.namespace)
    }

    /// Of everything that has the name of the `StatefulSet`.
    pub(crate) fn same<V: Resource<DynamicType = ()>>(&self) -> ObjectRef<V> {
        ObjectRef::new(self.0.name.as_str()).within(&self.0.namespace)
    }
}
