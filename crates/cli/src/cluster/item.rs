//! One object as the cluster has it.

use functionmesh_api::status::{ComponentStatus, MeshStatus};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Condition;
use serde_json::Value;
use std::fmt;

/// A Function, Source, Sink or FunctionMesh.
#[derive(Clone, Debug)]
pub(crate) struct Item {
    /// Its kind.
    pub(crate) kind: String,
    /// Its namespace.
    pub(crate) namespace: String,
    /// Its name.
    pub(crate) name: String,
    /// All of it.
    pub(crate) object: Value,
}

impl Item {
    /// Reads the object that kubectl printed.
    pub(crate) fn of(object: Value) -> Self {
        let text = |pointer| object.pointer(pointer).and_then(Value::as_str).unwrap_or_default().to_owned();
        Self {
            kind: text("/kind"),
            namespace: text("/metadata/namespace"),
            name: text("/metadata/name"),
            object,
        }
    }

    /// Its resource with the group, which no other kind of the same name has.
    pub(crate) fn resource(&self) -> String {
        let plural =
            if self.kind == "FunctionMesh" { "functionmeshes".to_owned() } else { format!("{}s", self.kind) };
        format!("{}.{}", plural.to_lowercase(), functionmesh_api::constants::GROUP)
    }

    /// Whether it is a FunctionMesh.
    pub(crate) fn is_mesh(&self) -> bool {
        self.kind == "FunctionMesh"
    }

    /// Its uid.
    pub(crate) fn uid(&self) -> &str {
        self.text("/metadata/uid")
    }

    /// A text of it, empty when there is none.
    pub(crate) fn text(&self, pointer: &str) -> &str {
        self.object.pointer(pointer).and_then(Value::as_str).unwrap_or_default()
    }

    /// An annotation.
    pub(crate) fn annotation(&self, key: &str) -> Option<&str> {
        self.object.pointer("/metadata/annotations")?.get(key)?.as_str()
    }

    /// Status of a Function, Source or Sink.
    pub(crate) fn status(&self) -> ComponentStatus {
        self.object.get("status").and_then(|s| serde_json::from_value(s.clone()).ok()).unwrap_or_default()
    }

    /// Its conditions, whatever its kind.
    pub(crate) fn conditions(&self) -> Vec<Condition> {
        let status = self.object.get("status").cloned().unwrap_or_default();
        let read: MeshStatus = serde_json::from_value(status).unwrap_or_default();
        read.conditions.list().to_vec()
    }

    /// The condition of a type.
    pub(crate) fn condition(&self, type_: &str) -> Option<Condition> {
        self.conditions().into_iter().find(|condition| condition.type_ == type_)
    }

    /// Whether the condition `Ready` is true and speaks of the newest generation.
    pub(crate) fn is_ready(&self) -> bool {
        let number = |pointer| self.object.pointer(pointer).and_then(Value::as_i64);
        let observed = number("/status/observedGeneration");
        self.condition("Ready").is_some_and(|ready| ready.status == "True")
            && (observed.is_none() || observed == number("/metadata/generation"))
    }

    /// Whether an object says that this one is its controller.
    pub(crate) fn owns(&self, child: &Value) -> bool {
        let owners = child.pointer("/metadata/ownerReferences").and_then(Value::as_array);
        owners
            .into_iter()
            .flatten()
            .any(|owner| owner["controller"] == true && owner["uid"] == self.uid() && !self.uid().is_empty())
    }
}

impl fmt::Display for Item {
    /// `function default/name`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}/{}", self.kind.to_lowercase(), self.namespace, self.name)
    }
}
