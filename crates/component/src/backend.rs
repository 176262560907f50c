//! What the `BackendConfig`s contribute, and which of their changes may reach the pods (behaviour reference 4.5).
//!
//! A change of one that says `autoUpdate: true` reaches every component at once. Any other waits until the component's
//! pods are to be changed for another reason. To know the reasons apart, each `StatefulSet` records what it was rendered
//! from: the hash it would have without any `BackendConfig`, and the content of each.

use crate::applied::hash_of;
use functionmesh_api::BackendConfig;
use functionmesh_api::backend_config::BackendConfigSpec;
use functionmesh_render::{Defaults, Environment, Workload, render, rendered_hash};
use functionmesh_runtime::declared::Declared;
use k8s_openapi::api::apps::v1::StatefulSet;
use kube::core::ObjectMeta;
use kube::runtime::reflector::store::WriterDropped;
use kube::runtime::reflector::{ObjectRef, Store};
use serde::de::IgnoredAny;
use serde::{Deserialize, Serialize};

/// Annotation of a `StatefulSet`: what it was rendered from.
pub const RENDERED_FROM: &str = "compute.functionmesh.io/rendered-from";

/// A `BackendConfig` as it is cached. One that does not decode stops only who needs it.
pub type Config = Declared<BackendConfig, IgnoredAny>;

/// The caches: of the one for all namespaces, and of those for one namespace each.
#[derive(Clone, Default)]
pub struct BackendConfigs {
    /// Namespace, name and cache of the first.
    pub global: Option<(String, String, Store<Config>)>,
    /// Name and cache of the others.
    pub namespaced: Option<(String, Store<Config>)>,
}

/// What holds in one namespace.
#[derive(Clone, Debug, Default)]
pub struct Backend {
    /// Merged, for the renderer.
    pub defaults: Defaults,
    global: Option<Part>,
    namespaced: Option<Part>,
}

/// One `BackendConfig` as it was when something was rendered.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Part {
    hash: String,
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    auto: bool,
}

/// What a `StatefulSet` was rendered from.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RenderedFrom {
    /// Hash of the rendering without any `BackendConfig`.
    own: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    global: Option<Part>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    namespaced: Option<Part>,
}

impl BackendConfigs {
    /// Waits until the caches were filled once.
    ///
    /// # Errors
    /// When a watch ended for good.
    pub async fn filled(&self) -> Result<(), WriterDropped> {
        let global = self.global.iter().map(|(_, _, store)| store);
        for store in global.chain(self.namespaced.iter().map(|(_, store)| store)) {
            store.wait_until_ready().await?;
        }
        Ok(())
    }

    /// What holds in a namespace.
    ///
    /// # Errors
    /// Which `BackendConfig` cannot be read, and why.
    pub fn of(&self, namespace: &str) -> Result<Backend, String> {
        let read = |store: &Store<Config>, namespace: &str, name: &str| {
            let Some(config) = store.get(&ObjectRef::new(name).within(namespace)) else { return Ok(None) };
            let spec = config.spec::<BackendConfigSpec>();
            spec.map(Some).map_err(|error| format!("BackendConfig {namespace}/{name}: {error}; correct it"))
        };
        let global = match &self.global {
            Some((namespace, name, store)) => read(store, namespace, name)?,
            None => None,
        };
        let namespaced = match &self.namespaced {
            Some((name, store)) => read(store, namespace, name)?,
            None => None,
        };
        Ok(Backend {
            defaults: Defaults::merge(global.as_ref(), namespaced.as_ref()),
            global: global.as_ref().map(Part::of),
            namespaced: namespaced.as_ref().map(Part::of),
        })
    }
}

impl Part {
    /// The content that is rendered; whether it is to reach everybody at once is no content.
    fn of(spec: &BackendConfigSpec) -> Self {
        let bytes = serde_json::to_vec(&(&spec.env, &spec.pod)).unwrap_or_default();
        Self { hash: hash_of(&bytes), auto: spec.auto_update == Some(true) }
    }
}

impl Backend {
    /// Notes on a rendered `StatefulSet` what it was rendered from.
    pub fn note(&self, stateful_set: &mut StatefulSet, workload: &Workload, environment: &Environment) {
        let none = Defaults::default();
        let own = if self.defaults == none {
            rendered_hash(stateful_set).map(str::to_owned)
        } else {
            rendered_hash(&render(workload, environment, &none).stateful_set).map(str::to_owned)
        };
        let from = RenderedFrom {
            own: own.unwrap_or_default(),
            global: self.global.clone(),
            namespaced: self.namespaced.clone(),
        };
        let text = serde_json::to_string(&from).unwrap_or_default();
        stateful_set.metadata.annotations.get_or_insert_default().insert(RENDERED_FROM.to_owned(), text);
    }
}

impl RenderedFrom {
    /// Reads the note, if there is one.
    pub fn on(metadata: &ObjectMeta) -> Option<Self> {
        serde_json::from_str(metadata.annotations.as_ref()?.get(RENDERED_FROM)?).ok()
    }

    /// Whether what differs in `newer` has to wait: it comes from nothing but `BackendConfig`s that do not reach
    /// everybody at once. One that is gone counts as it was.
    pub fn waits_for_a_reason(&self, newer: &Self) -> bool {
        let waits = |old: &Option<Part>, new: &Option<Part>| {
            let hash = |part: &Option<Part>| part.as_ref().map(|part| part.hash.clone());
            let last = new.as_ref().or(old.as_ref());
            hash(old) == hash(new) || last.is_none_or(|part| !part.auto)
        };
        self.own == newer.own
            && waits(&self.global, &newer.global)
            && waits(&self.namespaced, &newer.namespaced)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn part(value: &str, auto: bool) -> Option<Part> {
        let spec = json!({"env": {"A": value}, "autoUpdate": auto});
        serde_json::from_value(spec).ok().as_ref().map(Part::of)
    }

    fn from(own: &str, global: Option<Part>, namespaced: Option<Part>) -> RenderedFrom {
        RenderedFrom { own: own.to_owned(), global, namespaced }
    }

    #[test]
    fn a_change_waits_when_it_comes_from_configs_without_auto_update_only() {
        let before = from("x", part("1", true), part("1", false));
        assert!(before.waits_for_a_reason(&from("x", part("1", true), part("2", false))));
        assert!(!before.waits_for_a_reason(&from("y", part("1", true), part("2", false))), "own spec");
        assert!(!before.waits_for_a_reason(&from("x", part("2", true), part("1", false))), "auto update");
        assert!(!before.waits_for_a_reason(&from("x", part("2", true), part("2", false))), "both");
        assert!(before.waits_for_a_reason(&from("x", part("1", true), None)), "removed");
        assert!(!before.waits_for_a_reason(&from("x", None, part("1", false))), "removed, was auto update");
        assert!(from("x", None, None).waits_for_a_reason(&from("x", None, part("1", false))), "new");
        assert!(!from("x", None, None).waits_for_a_reason(&from("x", None, part("1", true))), "new, auto");
        assert!(before.waits_for_a_reason(&from("x", part("1", false), part("2", false))), "the flag alone");
    }

    #[test]
    fn the_note_can_be_read_again() {
        let note = from("x", part("1", true), None);
        let text = serde_json::to_string(&note).unwrap();
        let metadata = ObjectMeta {
            annotations: Some([(RENDERED_FROM.to_owned(), text)].into()),
            ..ObjectMeta::default()
        };
        assert_eq!(RenderedFrom::on(&metadata), Some(note));
        assert_eq!(RenderedFrom::on(&ObjectMeta::default()), None);
    }
}
