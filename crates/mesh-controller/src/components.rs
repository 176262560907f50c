//! The components of one kind, by name and by the mesh that they belong to.

use crate::children::{Child, ObservedComponent};
use crate::decoded::Decoded;
use crate::items::{DesiredComponent, Kind};
use crate::mesh::Mesh;
use functionmesh_runtime::index::{Indexed, Key};
use functionmesh_runtime::mutation_cache::MutationCache;
use kube::core::{NamespaceResourceScope, ObjectMeta};
use kube::runtime::reflector::ObjectRef;
use kube::{Resource, ResourceExt};
use std::collections::HashMap;

/// The cached components of one kind, overlaid with the controller's own writes.
pub(crate) struct Components<K: Resource<DynamicType = (), Scope = NamespaceResourceScope> + 'static> {
    /// By name.
    pub(crate) cache: MutationCache<Child<K>>,
    by_owner: Indexed<Child<K>>,
}

/// The keys of a component: the uids of its owners.
pub(crate) fn keys<K: Resource<DynamicType = ()>>(child: &Child<K>) -> Vec<Key> {
    let namespace = child.meta().namespace.as_deref();
    child.owner_references().iter().map(|owner| Key::of(namespace, &owner.uid)).collect()
}

impl<K: Resource<DynamicType = (), Scope = NamespaceResourceScope> + 'static> Components<K> {
    /// Wraps a cache with an index by [`keys`].
    pub(crate) fn over(by_owner: Indexed<Child<K>>) -> Self {
        Self { cache: MutationCache::over(by_owner.store().clone()), by_owner }
    }

    /// The objects of this kind that belong to the mesh or have the name of one of its components.
    pub(crate) fn observed(&self, kind: Kind, mesh: &Mesh, decoded: &Decoded) -> Vec<ObservedComponent> {
        let (uid, namespace) = (mesh.uid().unwrap_or_default(), mesh.namespace().unwrap_or_default());
        let owner = mesh.controller_owner_ref(&()).unwrap_or_default();
        let desired = desired(kind, decoded);
        let named =
            desired.keys().filter_map(|name| self.by_owner.get(&ObjectRef::new(name).within(&namespace)));
        let cached = self.by_owner.with(Key::of(Some(&namespace), &uid)).into_iter().chain(named);
        let newest = self.cache.newest(cached, |child| concerns(child.meta(), mesh, &desired));
        let observe = |child: &Child<K>| {
            let item = desired.get(child.name_any().as_str()).copied();
            ObservedComponent::of(kind, child, &owner, item, &decoded.compared)
        };
        newest.iter().map(|child| observe(child)).collect()
    }

    /// Number of entries beside the cache: keys of the index, and writes that the cache does not show yet.
    pub(crate) fn entries(&self) -> usize {
        self.by_owner.entries() + self.cache.entries()
    }

    /// Whether a component that belongs to the mesh or has the name of one of its components was written, and its cache does not
    /// show it yet, or no longer. Both count as existing for a while: a component of a deleted mesh of this name as well, and no
    /// event reports that the while is over.
    pub(crate) fn awaits(&self, kind: Kind, mesh: &Mesh, decoded: &Decoded) -> bool {
        let desired = desired(kind, decoded);
        self.cache.unconfirmed(|child| concerns(child.meta(), mesh, &desired))
    }
}

/// The components of one kind that the mesh asks for, by name.
fn desired(kind: Kind, decoded: &Decoded) -> HashMap<&str, &DesiredComponent> {
    let items = decoded.items.iter().filter(|item| item.kind == kind);
    items.map(|item| (item.name.as_str(), item)).collect()
}

/// Whether a component belongs to the mesh, or has the name of one of its components.
fn concerns(component: &ObjectMeta, mesh: &Mesh, desired: &HashMap<&str, &DesiredComponent>) -> bool {
    let uid = mesh.uid().unwrap_or_default();
    let mut owners = component.owner_references.iter().flatten();
    component.namespace == mesh.namespace()
        && (desired.contains_key(component.name.as_deref().unwrap_or_default())
            || owners.any(|owner| owner.uid == uid))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::decoded::DecodedMeshes;
    use functionmesh_api::Function;
    use kube::runtime::reflector;
    use serde_json::json;

    fn mesh(uid: &str, item: &str) -> Mesh {
        serde_json::from_value(json!({
            "metadata": {"name": "m", "namespace": "ns", "uid": uid, "generation": 1},
            "spec": {"functions": [{"name": item, "className": "A"}]},
        }))
        .unwrap()
    }

    fn component(namespace: &str, name: &str, owner: &str) -> Child<Function> {
        let owner = json!({"apiVersion": "v1", "kind": "FunctionMesh", "name": "m", "uid": owner});
        let metadata = json!({"name": name, "namespace": namespace, "ownerReferences": [owner]});
        serde_json::from_value(json!({"metadata": metadata, "spec": {}})).unwrap()
    }

    /// Found by chaos: a mesh was deleted and recreated twice within a quarter of a second. The component that the controller had
    /// created for the second one was deleted with it, before a reconcile saw it in the cache, and the third one waited for ever.
    #[test]
    fn a_write_for_a_deleted_mesh_of_this_name_is_awaited() {
        let decoded = DecodedMeshes::default().of(&mesh("new", "a")).unwrap();
        let awaited = |mesh: &Mesh, component: &Child<Function>| {
            let cache = MutationCache::over(reflector::store().0);
            cache.wrote(ObjectRef::from_obj(component), component.clone());
            let desired = desired(Kind::Function, &decoded);
            cache.unconfirmed(|child| concerns(child.meta(), mesh, &desired))
        };
        let new = mesh("new", "a");
        assert!(awaited(&new, &component("ns", "m-a", "old")), "its name is needed");
        assert!(awaited(&new, &component("ns", "m-b", "new")), "it is to be deleted");
        assert!(!awaited(&new, &component("ns", "m-b", "old")));
        assert!(!awaited(&new, &component("other", "m-a", "old")));
    }
}
