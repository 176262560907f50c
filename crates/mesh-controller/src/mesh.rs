//! A FunctionMesh as it is cached.

use functionmesh_api::FunctionMesh;
use functionmesh_api::status::MeshStatus;
use functionmesh_runtime::raw_object::RawObject;

/// A mesh with its spec as text.
pub(crate) type Mesh = RawObject<FunctionMesh, MeshStatus>;
