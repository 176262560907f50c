//! What the `BackendConfig`s contribute, and which of their changes may reach the pods (behaviour reference 4.5).
//!
//! A change of one that says `autoUpdate: true` reaches every component at once. Any other waits until the component's
//! pods are to be changed for another reason, see [`crate::pinned`].

use functionmesh_api::BackendConfig;
use functionmesh_api::backend_config::BackendConfigSpec;
use functionmesh_render::{Defaults, hash_of};
use functionmesh_runtime::declared::Declared;
use kube::runtime::reflector::store::WriterDropped;
use kube::runtime::reflector::{ObjectRef, Store};
use serde::de::IgnoredAny;
use serde::{Deserialize, Serialize};

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
    /// Of the one for all namespaces, if it is there.
    pub global: Option<Part>,
    /// Of the one for this namespace, if it is there.
    pub namespaced: Option<Part>,
}

/// One `BackendConfig` as it was when something was rendered.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Part {
    /// Hash of its content.
    pub hash: String,
    /// Whether its changes reach everybody at once.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub auto: bool,
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
    pub fn of(spec: &BackendConfigSpec) -> Self {
        let bytes = serde_json::to_vec(&(&spec.env, &spec.pod)).unwrap_or_default();
        Self { hash: hash_of(&bytes), auto: spec.auto_update == Some(true) }
    }
}
