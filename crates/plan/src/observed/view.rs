//! The common interface of all cached forms of children.

use kube::Resource;
use kube::core::NamespaceResourceScope;
use serde::de::DeserializeOwned;
use std::fmt::Debug;

/// The cached form of a child.
pub trait View:
    Resource<DynamicType = (), Scope = NamespaceResourceScope>
    + Clone
    + Debug
    + DeserializeOwned
    + Send
    + Sync
    + 'static
{
    /// Drops what is not compared. `manager` is the field manager under which we write.
    fn prune(&mut self, manager: &str);

    /// Whether the Go operator still owns fields of it, which have to be taken over before it is applied: otherwise what is
    /// no longer rendered would stay.
    fn is_inherited(&self) -> bool {
        false
    }
}
