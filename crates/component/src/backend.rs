//! What the `BackendConfig`s contribute, and which of their changes may reach the pods (behaviour reference 4.5).
//!
//! A change of one that says `autoUpdate: true` reaches every component at once. Any other waits until the component's
//! pods are to be changed for another reason, see [`crate::pinned`].

use functionmesh_api::BackendConfig;
use functionmesh_api::backend_config::BackendConfigSpec;
use functionmesh_render::{Defaults, check_backend_config, hash_of};
use functionmesh_runtime::declared::Declared;
use kube::api::ListParams;
use kube::runtime::reflector::store::WriterDropped;
use kube::runtime::reflector::{ObjectRef, Store};
use kube::{Api, Client};
use serde::de::IgnoredAny;
use serde::{Deserialize, Serialize};
use tracing::{debug, warn};

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
    /// Merged, for the renderer. Without those that are refused.
    pub defaults: Defaults,
    /// The sources of the defaults, the global one first.
    sources: Vec<(String, BackendConfigSpec)>,
    /// Which `BackendConfig`s cannot be rendered, and why; nothing may be rendered into pods then.
    pub refused: Option<String>,
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

    /// What holds in a namespace. One that cannot be read, or has content that the API server refuses in a pod, is left
    /// out and noted.
    pub fn of(&self, namespace: &str) -> Backend {
        let mut backend = Backend::default();
        if let Some((namespace, name, store)) = &self.global {
            backend.global = backend.add(store, namespace, name);
        }
        if let Some((name, store)) = &self.namespaced {
            backend.namespaced = backend.add(store, namespace, name);
        }
        backend.defaults = backend.merged(None);
        backend
    }
}

impl Backend {
    /// Reads one of them, if it is there.
    fn add(&mut self, store: &Store<Config>, namespace: &str, name: &str) -> Option<Part> {
        let config = store.get(&ObjectRef::new(name).within(namespace))?;
        let name = format!("{namespace}/{name}");
        let read = config.spec::<BackendConfigSpec>().map_err(|error| error.to_string());
        match read
            .and_then(|spec| check_backend_config(&spec).map(|()| spec).map_err(|error| error.to_string()))
        {
            Ok(spec) => {
                let part = Part::of(&spec);
                self.sources.push((name, spec));
                Some(part)
            }
            Err(problem) => {
                let refused = format!("BackendConfig {name}: {problem}; correct it");
                self.refused =
                    Some(self.refused.take().map_or(refused.clone(), |first| format!("{first}. {refused}")));
                None
            }
        }
    }

    /// The defaults, without one of the sources if one is given.
    fn merged(&self, without: Option<usize>) -> Defaults {
        let mut specs =
            self.sources.iter().enumerate().filter(|(i, _)| Some(*i) != without).map(|(_, (_, spec))| spec);
        let first = specs.next();
        Defaults::merge(first, specs.next())
    }

    /// The `BackendConfig`s without which `render` gives something else, by namespace and name.
    pub fn contributors<T: PartialEq>(&self, render: impl Fn(&Defaults) -> T) -> Vec<&str> {
        let whole = render(&self.defaults);
        let sources = self.sources.iter().enumerate();
        let found = sources.filter(|(i, _)| render(&self.merged(Some(*i))) != whole);
        found.map(|(_, (name, _))| name.as_str()).collect()
    }
}

/// Namespace of the global `BackendConfig` of the Go operator, unless it was told otherwise.
const OLD_PLACE: &str = "default";

/// Warns of a global `BackendConfig` where the Go operator has it by default: it is not used unless the namespace is
/// given, as whoever administers that namespace would decide about the pods of all. Asks once; without the permission to
/// read there, nothing is known and nothing is said.
pub(crate) async fn warn_of_old_place(client: Client, name: String, namespace: String) {
    if namespace == OLD_PLACE {
        return;
    }
    let api: Api<Config> = Api::namespaced(client, OLD_PLACE);
    let named = ListParams::default().fields(&format!("metadata.name={name}")).limit(1);
    match api.list(&named).await {
        Ok(found) if !found.items.is_empty() => warn!(
            "BackendConfig {OLD_PLACE}/{name} is not used: the global BackendConfig is {namespace}/{name}; move it there, \
             or set --global-backend-config-namespace={OLD_PLACE} to trust the administrators of that namespace with all \
             pods"
        ),
        Ok(_) => {}
        Err(error) => debug!(error = %error, "looking for BackendConfig {OLD_PLACE}/{name}"),
    }
}

impl Part {
    /// The content that is rendered; whether it is to reach everybody at once is no content.
    pub fn of(spec: &BackendConfigSpec) -> Self {
        let bytes = serde_json::to_vec(&(&spec.env, &spec.pod)).unwrap_or_default();
        Self { hash: hash_of(&bytes), auto: spec.auto_update == Some(true) }
    }
}
