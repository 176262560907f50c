//! Everything known about the objects of the Go operator, the former Function Mesh: how they are recognized, and how they are
//! taken over without restarting a pod. Field ownership, which the mesh-controller needs as well, is in
//! [`functionmesh_objects::managed_fields`].

pub mod adoption;
pub(crate) mod marks;
