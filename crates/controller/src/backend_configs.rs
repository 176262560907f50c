//! The caches of the `BackendConfig`s.

use functionmesh_api::BackendConfig;
use functionmesh_api::backend_config::BackendConfigSpec;
use functionmesh_plan::rollout::backend_config::{Backend, Read};
use functionmesh_runtime::raw_object::RawObject;
use kube::api::ListParams;
use kube::runtime::reflector::store::WriterDropped;
use kube::runtime::reflector::{ObjectRef, Store};
use kube::{Api, Client};
use serde::de::IgnoredAny;
use tracing::{debug, warn};

/// A `BackendConfig` as it is cached. One that fails to decode affects only the objects that use it.
pub(crate) type Config = RawObject<BackendConfig, IgnoredAny>;

/// The caches of the global `BackendConfig` and of those of each namespace.
#[derive(Clone, Default)]
pub(crate) struct BackendConfigs {
    /// Namespace, name and cache of the first.
    pub(crate) global: Option<(String, String, Store<Config>)>,
    /// Name and cache of the others.
    pub(crate) namespaced: Option<(String, Store<Config>)>,
}

impl BackendConfigs {
    /// Waits until the caches were filled once.
    ///
    /// # Errors
    /// If a watch ended permanently.
    pub(crate) async fn filled(&self) -> Result<(), WriterDropped> {
        let global = self.global.iter().map(|(_, _, store)| store);
        for store in global.chain(self.namespaced.iter().map(|(_, store)| store)) {
            store.wait_until_ready().await?;
        }
        Ok(())
    }

    /// The `BackendConfig`s that apply in a namespace. One that fails to decode, or has content that the API server refuses in a
    /// pod, is left out and reported.
    pub(crate) fn of(&self, namespace: &str) -> Backend {
        let global = self.global.as_ref().and_then(|(namespace, name, store)| read(store, namespace, name));
        let namespaced = self.namespaced.as_ref().and_then(|(name, store)| read(store, namespace, name));
        Backend::of(global, namespaced)
    }
}

/// Reads one of them, if it exists.
fn read(store: &Store<Config>, namespace: &str, name: &str) -> Option<Read> {
    let config = store.get(&ObjectRef::new(name).within(namespace))?;
    let spec = config.spec::<BackendConfigSpec>().map_err(|error| error.to_string());
    Some(Read { name: format!("{namespace}/{name}"), spec })
}

/// Namespace of the global `BackendConfig` of the Go operator, unless configured otherwise.
const OLD_PLACE: &str = "default";

/// Warns about a global `BackendConfig` in the Go operator's default namespace. It is not used unless that namespace is set
/// explicitly, because its administrators would control the pods of all namespaces. Reads once; without permission to read
/// there, it logs nothing.
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
