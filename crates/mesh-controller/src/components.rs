//! The components of one kind, by name and by the mesh that they belong to.

use crate::children::{Child, ObservedComponent};
use crate::decoded::Decoded;
use crate::items::{DesiredComponent, Kind};
use crate::mesh::Mesh;
use functionmesh_runtime::index::{Indexed, Key};
use functionmesh_runtime::mutation_cache::MutationCache;
use kube::core::NamespaceResourceScope;
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
        let desired: HashMap<&str, &DesiredComponent> =
            decoded.items.iter().filter(|w| w.kind == kind).map(|w| (w.name.as_str(), w)).collect();
        let is_ours = |child: &Child<K>| child.owner_references().iter().any(|r| r.uid == uid);
        let name = |child: &Child<K>| child.meta().name.as_deref().unwrap_or_default().to_owned();
        let related = |child: &Child<K>| {
            child.meta().namespace.as_deref() == Some(&namespace)
                && (desired.contains_key(name(child).as_str()) || is_ours(child))
        };
        let named =
            desired.keys().filter_map(|name| self.by_owner.get(&ObjectRef::new(name).within(&namespace)));
        let cached = self.by_owner.with(Key::of(Some(&namespace), &uid)).into_iter().chain(named);
        let newest = self.cache.newest(cached, related);
        let observe = |child: &Child<K>| {
            let item = desired.get(name(child).as_str()).copied();
            ObservedComponent::of(kind, child, &owner, item, &decoded.compared)
        };
        newest.iter().map(|child| observe(child)).collect()
    }

    /// Number of entries beside the cache: keys of the index, and writes that the cache does not show yet.
    pub(crate) fn entries(&self) -> usize {
        self.by_owner.entries() + self.cache.entries()
    }

    /// Whether a component of the mesh was written that its cache does not show yet, or no longer.
    pub(crate) fn awaits(&self, mesh: &Mesh) -> bool {
        let uid = mesh.uid().unwrap_or_default();
        self.cache.unconfirmed(|child| child.owner_references().iter().any(|owner| owner.uid == uid))
    }
}
