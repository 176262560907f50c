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
    /// Drops everything that is not compared. `manager` is the operator's field manager.
    fn prune(&mut self, manager: &str);

    /// Whether the Go operator still owns fields of it. They have to be taken over before an apply: otherwise fields that are no
    /// longer rendered would stay.
    fn is_inherited(&self) -> bool {
        false
    }
}
