//! What was decoded of each mesh, until its spec changes: most events of a mesh are about the status of a component.

use crate::children::Compared;
use crate::items::{DesiredComponent, Problem, items};
use crate::mesh::Mesh;
use functionmesh_runtime::raw_object::Undecodable;
use kube::runtime::reflector::ObjectRef;
use kube::{Resource, ResourceExt};
use serde_json::Value;
use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

/// The decoded spec of a mesh.
#[derive(Debug, Default)]
pub(crate) struct Decoded {
    /// The components.
    pub(crate) items: Vec<DesiredComponent>,
    /// Items that cannot become a component.
    pub(crate) invalid: Vec<Problem>,
    /// The components that were compared with these items.
    pub(crate) compared: Compared,
}

/// The newest spec of each mesh.
#[derive(Default)]
pub(crate) struct DecodedMeshes(Mutex<HashMap<ObjectRef<Mesh>, Entry>>);

/// The uid and the generation of the mesh that was decoded.
type Entry = ((Option<String>, Option<i64>), Arc<Decoded>);

impl DecodedMeshes {
    /// The decoded spec of a mesh.
    ///
    /// # Errors
    /// If it does not decode.
    pub(crate) fn of(&self, mesh: &Mesh) -> Result<Arc<Decoded>, Undecodable> {
        let key = ObjectRef::from_obj(mesh);
        let version = (mesh.uid(), mesh.meta().generation);
        let known = |meshes: &HashMap<_, Entry>| {
            meshes.get(&key).filter(|(known, _)| *known == version).map(|(_, decoded)| decoded.clone())
        };
        if let Some(decoded) = known(&self.0.lock().unwrap_or_else(PoisonError::into_inner)) {
            return Ok(decoded);
        }
        let spec: Value = mesh.spec()?;
        let (items, invalid) = items(&mesh.name_any(), &spec);
        let decoded = Arc::new(Decoded { items, invalid, compared: Compared::default() });
        let mut meshes = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        meshes.insert(key, (version, decoded.clone()));
        Ok(decoded)
    }

    /// Number of meshes.
    pub(crate) fn entries(&self) -> usize {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).len()
    }

    /// Drops a mesh that does not exist any more.
    pub(crate) fn forget(&self, key: &ObjectRef<Mesh>) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).remove(key);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn mesh(uid: &str, generation: i64, item: &str) -> Mesh {
        serde_json::from_value(json!({
            "metadata": {"name": "m", "namespace": "ns", "uid": uid, "generation": generation},
            "spec": {"functions": [{"name": item}]},
        }))
        .unwrap()
    }

    #[test]
    fn a_spec_is_decoded_once() {
        let meshes = DecodedMeshes::default();
        let first = meshes.of(&mesh("1", 1, "a")).unwrap();
        assert_eq!(first.items[0].name, "m-a");
        assert!(Arc::ptr_eq(&first, &meshes.of(&mesh("1", 1, "a")).unwrap()), "the same spec");
        assert_eq!(meshes.of(&mesh("1", 2, "b")).unwrap().items[0].name, "m-b", "a newer spec");
        assert_eq!(meshes.of(&mesh("2", 2, "c")).unwrap().items[0].name, "m-c", "another mesh of this name");
        meshes.forget(&ObjectRef::from_obj(&mesh("2", 2, "c")));
        assert!(meshes.0.lock().unwrap().is_empty());
    }
}
