//! The BackendConfigs that hold in a namespace: those of the input before those of the cluster.

use super::operator::Operator;
use crate::cluster::kubectl::Connection;
use anyhow::Result;
use functionmesh_api::BackendConfigSpec;
use functionmesh_api::constants::GROUP;
use functionmesh_plan::rollout::backend_config::{Backend, Read};
use functionmesh_render::decode;
use serde_json::{Value, json};
use std::collections::BTreeMap;

/// All that were read so far.
#[derive(Default)]
pub(crate) struct Configs {
    known: BTreeMap<(String, String), Option<Value>>,
}

impl Configs {
    /// Puts one of the input before that of the cluster; none for one that is deleted.
    pub(crate) fn insert(&mut self, namespace: &str, name: &str, object: Option<Value>) {
        self.known.insert((namespace.to_owned(), name.to_owned()), object);
    }

    /// What holds for the components of a namespace.
    ///
    /// # Errors
    /// When the cluster cannot be asked.
    pub(crate) fn of(
        &mut self,
        namespace: &str,
        operator: &Operator,
        cluster: &Connection,
    ) -> Result<Backend> {
        let global = match &operator.global {
            Some((home, name)) => self.read(home, name, cluster)?,
            None => None,
        };
        let namespaced = match &operator.namespaced {
            Some(name) => self.read(namespace, name, cluster)?,
            None => None,
        };
        Ok(Backend::of(global, namespaced))
    }

    fn read(&mut self, namespace: &str, name: &str, cluster: &Connection) -> Result<Option<Read>> {
        let key = (namespace.to_owned(), name.to_owned());
        if !self.known.contains_key(&key) {
            let resource = format!("backendconfigs.{GROUP}");
            let words = [resource.as_str(), name, "--namespace", namespace, "--ignore-not-found"];
            let found = cluster.objects_if_any(&words)?.pop();
            self.known.insert(key.clone(), found);
        }
        let Some(Some(object)) = self.known.get(&key) else { return Ok(None) };
        let spec = object.get("spec").cloned().unwrap_or_else(|| json!({}));
        let spec = decode::<BackendConfigSpec>(&spec).map_err(|invalid| invalid.to_string());
        Ok(Some(Read { name: format!("{namespace}/{name}"), spec }))
    }
}
