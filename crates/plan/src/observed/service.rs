//! The cached form of a headless Service.

use crate::observed::metadata::{has_labels, has_owner, pruned_metadata};
use crate::observed::owned_fields::editor;
use crate::observed::packed::{Packed, owner};
use crate::observed::view::{Labelled, View};
use functionmesh_objects::bounded_json::metadata;
use functionmesh_objects::managed_fields::is_inherited;
use functionmesh_render::RENDERED_HASH;
use k8s_openapi::api::core::v1::{Service, ServicePort};
use kube::Resource;
use kube::core::ObjectMeta;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::hash::{DefaultHasher, Hash, Hasher};

/// The cached form of a headless Service. It has no generation, so its content is compared.
#[derive(Clone, Debug, Default, PartialEq, Deserialize, Serialize, Resource)]
#[resource(inherit = Service)]
pub struct ServiceView {
    /// Name, owner and labels.
    #[serde(deserialize_with = "metadata")]
    pub metadata: ObjectMeta,
    /// The fields that are rendered; [`View::prune`] leaves their digest only.
    #[serde(default, skip_serializing)]
    spec: Option<Box<ServiceSpecView>>,
    /// The digest of the rendered fields except for the ports: they are compared as a whole.
    #[serde(skip)]
    content: u64,
    /// The digest of each port. Another field manager may add ports, which a server-side apply does not remove.
    #[serde(skip)]
    ports: Box<[u64]>,
    /// The field manager that changed it last, if it is another one.
    #[serde(skip)]
    pub editor: Option<Box<str>>,
    /// The hash of the rendering, which distinguishes an edit from another rendering. Taken out of the annotations: a map for one
    /// string is ten times its size.
    #[serde(skip)]
    pub hash: Option<Box<str>>,
    #[serde(skip)]
    inherited: bool,
    #[serde(skip)]
    packed: Packed,
}

/// The rendered part of the `spec`.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct ServiceSpecView {
    /// The string `None` for a headless Service.
    #[serde(rename = "clusterIP")]
    cluster_ip: Option<String>,
    /// Ports in order.
    ports: Option<Vec<ServicePort>>,
    /// Labels of the pods.
    selector: Option<BTreeMap<String, String>>,
}

/// Digest of a value. It is never stored or sent.
fn digest(value: impl Hash) -> u64 {
    let mut hasher = DefaultHasher::new();
    value.hash(&mut hasher);
    hasher.finish()
}

/// Digests of ports, which can be serialized but not hashed; the order of their fields is fixed.
fn digests(ports: Option<&Vec<ServicePort>>) -> Box<[u64]> {
    let text = |port: &ServicePort| serde_json::to_string(port).unwrap_or_default();
    ports.into_iter().flatten().map(|port| digest(text(port))).collect()
}

impl View for ServiceView {
    fn is_inherited(&self) -> bool {
        self.inherited
    }

    fn prune(&mut self, manager: &str) {
        self.editor = editor(&self.metadata, manager);
        self.inherited = is_inherited(&self.metadata, manager);
        self.metadata = pruned_metadata(std::mem::take(&mut self.metadata), manager);
        let ServiceSpecView { cluster_ip, ports, selector } =
            *std::mem::take(&mut self.spec).unwrap_or_default();
        self.content = digest((cluster_ip, selector));
        self.ports = digests(ports.as_ref());
        let annotations = self.metadata.annotations.take();
        self.hash = annotations.and_then(|mut all| all.remove(RENDERED_HASH)).map(String::into_boxed_str);
    }

    fn pack(&mut self) {
        self.packed = Packed::take(&mut self.metadata);
    }

    fn unpacked(mut self) -> Self {
        self.packed.put_back(&mut self.metadata);
        self
    }
}

impl Labelled for ServiceView {
    fn owner(&self) -> Option<&str> {
        owner(&self.metadata, &self.packed)
    }
}

impl ServiceView {
    /// Whether the operator was the last manager to write it as a whole, with the current rendering.
    pub fn was_rendered_as(&self, desired: &Service) -> bool {
        let hash = desired.metadata.annotations.as_ref().and_then(|all| all.get(RENDERED_HASH));
        !self.inherited && hash.is_some() && self.hash.as_deref() == hash.map(String::as_str)
    }

    /// Whether the live object matches the rendering.
    pub fn matches(&self, desired: &Service) -> bool {
        let Some(spec) = &desired.spec else { return false };
        self.was_rendered_as(desired)
            && self.content == digest((&spec.cluster_ip, &spec.selector))
            && digests(spec.ports.as_ref()).iter().all(|port| self.ports.contains(port))
            && has_owner(&self.metadata, &desired.metadata)
            && has_labels(&self.metadata, &desired.metadata)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_service_is_compared_by_its_digest() {
        let rendered = |port: i32, app: &str| -> Service {
            serde_json::from_value(json!({
                "metadata": {"name": "s", "annotations": {RENDERED_HASH: "h"}, "ownerReferences": [
                    {"apiVersion": "v1", "kind": "Function", "name": "f", "uid": "u", "controller": true}]},
                "spec": {"clusterIP": "None", "ports": [{"port": port}], "selector": {"app": app}},
            }))
            .unwrap()
        };
        let mut live: ServiceView =
            serde_json::from_value(serde_json::to_value(rendered(1, "a")).unwrap()).unwrap();
        live.prune("ours");
        assert_eq!(live.spec, None, "more is kept than is compared");
        assert!(live.matches(&rendered(1, "a")));
        assert!(!live.matches(&rendered(2, "a")) && !live.matches(&rendered(1, "b")));
        let mut more = rendered(1, "a");
        let ports = more.spec.as_mut().and_then(|spec| spec.ports.as_mut());
        ports.unwrap().push(ServicePort { port: 7, ..ServicePort::default() });
        let mut live: ServiceView = serde_json::from_value(serde_json::to_value(more).unwrap()).unwrap();
        live.prune("ours");
        assert!(live.matches(&rendered(1, "a")), "what others add stays, whatever is applied");
    }
}
