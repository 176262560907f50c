//! The contribution of the `BackendConfig`s, and which of their changes may reach the pods.
//!
//! A change of one with `autoUpdate: true` reaches every component at once. Any other change is pending until the pods of a
//! component change for another reason, see [`crate::rollout::decision`].

use functionmesh_api::backend_config::BackendConfigSpec;
use functionmesh_objects::hash::hash_of;
use functionmesh_render::{Defaults, check_backend_config};
use serde::{Deserialize, Serialize};

/// The `BackendConfig`s that apply in one namespace.
#[derive(Clone, Debug, Default)]
pub struct Backend {
    /// Merged, for the renderer, without the refused ones.
    pub defaults: Defaults,
    /// The sources of the defaults, the global one first.
    sources: Vec<(String, BackendConfigSpec)>,
    /// The `BackendConfig`s that cannot be rendered, and why; no pod template may be rendered while there are any.
    pub refused: Option<String>,
    /// The one for all namespaces, if it exists.
    pub global: Option<Part>,
    /// The one for this namespace, if it exists.
    pub namespaced: Option<Part>,
}

/// A `BackendConfig` at the time of a rendering.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Part {
    /// Hash of its content.
    pub hash: String,
    /// Whether its changes reach all objects at once.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub auto: bool,
}

/// A `BackendConfig` from the cache.
#[derive(Clone, Debug)]
pub struct Read {
    /// Its namespace and name.
    pub name: String,
    /// Its content, or why it does not decode.
    pub spec: Result<BackendConfigSpec, String>,
}

impl Backend {
    /// Combines those that exist, each with its namespace and name: the one for all namespaces, and the one for this namespace.
    pub fn of(global: Option<Read>, namespaced: Option<Read>) -> Self {
        let mut backend = Self::default();
        backend.global = global.and_then(|read| backend.add(read));
        backend.namespaced = namespaced.and_then(|read| backend.add(read));
        backend.defaults = backend.merged(None);
        backend
    }

    fn add(&mut self, Read { name, spec }: Read) -> Option<Part> {
        match spec
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

    /// The `BackendConfig`s without which `render` returns another result, by namespace and name.
    pub fn contributors<T: PartialEq>(&self, render: impl Fn(&Defaults) -> T) -> Vec<&str> {
        let whole = render(&self.defaults);
        let sources = self.sources.iter().enumerate();
        let found = sources.filter(|(i, _)| render(&self.merged(Some(*i))) != whole);
        found.map(|(_, (name, _))| name.as_str()).collect()
    }
}

impl Part {
    /// The content that is rendered; `autoUpdate` is not part of it.
    pub fn of(spec: &BackendConfigSpec) -> Self {
        let bytes = serde_json::to_vec(&(&spec.env, &spec.pod)).unwrap_or_default();
        Self { hash: hash_of(&bytes), auto: spec.auto_update == Some(true) }
    }
}
