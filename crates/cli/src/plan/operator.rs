//! The operator's configuration as its Deployments have it.

use crate::cluster::flags::Flags;
use crate::cluster::item::Item;
use crate::cluster::kubectl::Connection;
use anyhow::{Context, Result};
use functionmesh_objects::shard::Shard;
use functionmesh_plan::rollout::policy::RolloutPolicy;
use functionmesh_render::Environment;
use functionmesh_render::OperatorConfig;
use serde_json::Value;
use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::path::{Path, PathBuf};

/// Label of everything that the chart and `config/` install.
const PART: &str = "app.kubernetes.io/part-of=function-mesh,app.kubernetes.io/component=controller";
/// Label with the name of the controller.
const NAME: &str = "app.kubernetes.io/name";

/// What one controller was started with, as far as pods depend on it.
#[derive(Clone, Debug)]
pub(crate) struct Operator {
    /// What is rendered.
    pub(crate) environment: Environment,
    /// What may reach pods that run.
    pub(crate) policy: RolloutPolicy,
    /// Namespace and name of the BackendConfig for all namespaces.
    pub(crate) global: Option<(String, String)>,
    /// Name of the BackendConfig for the components of its namespace.
    pub(crate) namespaced: Option<String>,
    /// Namespaces that it watches; all when there are none.
    namespaces: Vec<String>,
    /// Label selector of the objects that it reconciles, if it has one.
    selector: Option<String>,
    /// Its share of the objects.
    shard: Shard,
    /// Namespace and name of its Deployment.
    deployment: String,
    /// Whether a pod of it is available.
    is_available: bool,
}

/// Whether a controller reconciles an object at present.
pub(crate) enum Running {
    Yes,
    /// Why not.
    No(String),
    /// The Deployments may not be read.
    Unknown,
}

/// The controllers of the cluster.
pub(crate) struct Operators {
    /// By the name of the controller.
    found: BTreeMap<String, Vec<Operator>>,
    /// For objects that none of them watches.
    other: Operator,
    /// Whether the Deployments could be read.
    is_known: bool,
}

impl Operators {
    /// Reads Deployments and ConfigMaps; `config` replaces the configuration file. What cannot be read is noted, and the
    /// defaults take its place.
    ///
    /// # Errors
    /// When a configuration file cannot be read or is invalid.
    pub(crate) fn read(
        cluster: &Connection,
        config: Option<&PathBuf>,
        notes: &mut Vec<String>,
    ) -> Result<Self> {
        let file = config.map(|file| text_of(file)).transpose()?;
        let other = Operator::new(&BTreeMap::new(), file.as_deref(), "")?;
        let selector = format!("--selector={PART}");
        let mut is_known = true;
        let deployments = match cluster.objects(&["deployments.apps", "--all-namespaces", &selector]) {
            Ok(deployments) => deployments,
            Err(error) => {
                notes.push(format!(
                    "the operator's configuration cannot be read, its defaults are assumed: {error:#}"
                ));
                is_known = false;
                Vec::new()
            }
        };
        let mut maps = ConfigMaps { cluster, known: BTreeMap::new() };
        let mut found: BTreeMap<String, Vec<Operator>> = BTreeMap::new();
        for deployment in &deployments {
            let Some(name) = deployment.pointer("/metadata/labels").and_then(|labels| labels[NAME].as_str())
            else {
                continue;
            };
            let metadata = |pointer| deployment.pointer(pointer).and_then(Value::as_str).unwrap_or_default();
            let namespace = metadata("/metadata/namespace");
            let path = format!("{namespace}/{}", metadata("/metadata/name"));
            let Flags { flags, unread } = Flags::of(deployment);
            notes.extend(unread.into_iter().map(|what| {
                format!("{what} of {path} is not read, the default is assumed; use --config for its file")
            }));
            let text = match &file {
                Some(text) => Some(text.clone()),
                None => configuration(deployment, namespace, &flags, &mut maps).unwrap_or_else(|error| {
                    notes.push(format!(
                        "the configuration of {path} cannot be read, its defaults are assumed: {error:#}"
                    ));
                    None
                }),
            };
            let operator = Operator::new(&flags, text.as_deref(), namespace)?;
            let available = deployment.pointer("/status/availableReplicas").and_then(Value::as_i64);
            found.entry(name.to_owned()).or_default().push(Operator {
                deployment: path,
                is_available: available.is_some_and(|number| number > 0),
                ..operator
            });
        }
        if deployments.is_empty() && notes.is_empty() {
            notes.push(
                "no controller is installed in this cluster, the operator's defaults are assumed".to_owned(),
            );
        }
        Ok(Self { found, other, is_known })
    }

    /// Whether a controller has this BackendConfig for all namespaces.
    pub(crate) fn is_global(&self, namespace: &str, name: &str) -> bool {
        let is = |operator: &Operator| {
            operator.global.as_ref().is_some_and(|(home, known)| home == namespace && known == name)
        };
        is(&self.other) || self.found.values().flatten().any(is)
    }

    /// Whether a controller reconciles the object at present.
    ///
    /// # Errors
    /// When kubectl fails.
    pub(crate) fn running(&self, item: &Item, cluster: &Connection) -> Result<Running> {
        if !self.is_known {
            return Ok(Running::Unknown);
        }
        let kind = if item.is_mesh() { "mesh".to_owned() } else { item.kind.to_lowercase() };
        let name = format!("{kind}-controller");
        let known = self.found.get(&name).into_iter().flatten();
        let mut why = format!("no {name} is installed that watches {}", item.namespace);
        let is_its = |operator: &&Operator| {
            operator.watches(&item.namespace) && operator.shard.has(&item.namespace, &item.name)
        };
        for operator in known.filter(is_its) {
            if let Some(selector) = &operator.selector {
                let (resource, selector) = (item.resource(), format!("--selector={selector}"));
                let field = format!("--field-selector=metadata.name={}", item.name);
                let words = [resource.as_str(), "--namespace", &item.namespace, &selector, &field];
                if cluster.objects(&words)?.is_empty() {
                    why =
                        format!("its labels do not match --watch-label-selector of {}", operator.deployment);
                    continue;
                }
            }
            if operator.is_available {
                return Ok(Running::Yes);
            }
            why = format!("{} has no available pod", operator.deployment);
        }
        Ok(Running::No(why))
    }

    /// The controller of a kind that watches a namespace.
    pub(crate) fn of(&self, kind: &str, namespace: &str) -> &Operator {
        let known = self.found.get(&format!("{}-controller", kind.to_lowercase()));
        known.into_iter().flatten().find(|operator| operator.watches(namespace)).unwrap_or(&self.other)
    }
}

impl Operator {
    fn watches(&self, namespace: &str) -> bool {
        self.namespaces.is_empty() || self.namespaces.iter().any(|watched| watched == namespace)
    }

    fn new(flags: &BTreeMap<String, String>, config: Option<&str>, namespace: &str) -> Result<Self> {
        let is = |flag: &str, default: bool| {
            flags.get(flag).map_or(default, |value| value.is_empty() || value == "true")
        };
        let text = |flag: &str| flags.get(flag).filter(|value| !value.is_empty()).cloned();
        let mut environment = Environment {
            add_default_affinity: is("add-default-affinity", true),
            init_containers: is("enable-init-containers", false),
            ..Environment::default()
        };
        if let Some(config) = config {
            let parsed = OperatorConfig::parse(config);
            parsed
                .map_err(|problem| anyhow::anyhow!("the operator's configuration: {problem}"))?
                .apply(&mut environment);
        }
        let home = text("global-backend-config-namespace").unwrap_or_else(|| namespace.to_owned());
        Ok(Self {
            environment,
            policy: RolloutPolicy {
                paused: is("pause-rollout", false),
                approve_all: is("approve-updates", false),
                ..RolloutPolicy::default()
            },
            global: text("global-backend-config").map(|name| (home, name)),
            namespaced: match flags.get("namespaced-backend-config") {
                Some(name) => Some(name.clone()).filter(|name| !name.is_empty()),
                None => Some("backend-config".to_owned()),
            },
            namespaces: flags
                .get("watched-namespace")
                .map(|names| {
                    names
                        .split(',')
                        .map(|name| name.trim().to_owned())
                        .filter(|name| !name.is_empty())
                        .collect()
                })
                .unwrap_or_default(),
            selector: text("watch-label-selector"),
            shard: text("shard").and_then(|shard| shard.parse().ok()).unwrap_or(Shard::WHOLE),
            deployment: String::new(),
            is_available: false,
        })
    }
}

/// ConfigMaps of the controllers, each read once: most of them share one.
struct ConfigMaps<'a> {
    cluster: &'a Connection,
    known: BTreeMap<(String, String), Value>,
}

impl ConfigMaps<'_> {
    fn get(&mut self, namespace: &str, name: &str) -> Result<&Value> {
        Ok(match self.known.entry((namespace.to_owned(), name.to_owned())) {
            Entry::Occupied(known) => known.into_mut(),
            Entry::Vacant(new) => {
                new.insert(self.cluster.json(&["get", "configmaps", name, "--namespace", namespace])?)
            }
        })
    }
}

/// The text of the configuration file, from the ConfigMap that is mounted.
fn configuration(
    deployment: &Value,
    namespace: &str,
    flags: &BTreeMap<String, String>,
    maps: &mut ConfigMaps,
) -> Result<Option<String>> {
    let Some(path) = flags.get("config-file").filter(|path| !path.is_empty()) else {
        return Ok(None);
    };
    let key = Path::new(path).file_name().and_then(|name| name.to_str()).unwrap_or_default();
    let volumes = deployment.pointer("/spec/template/spec/volumes").and_then(Value::as_array);
    let name = volumes.into_iter().flatten().find_map(|volume| volume.pointer("/configMap/name")?.as_str());
    let name = name.with_context(|| format!("{path} comes from no ConfigMap; use --config"))?;
    let data = maps.get(namespace, name)?.get("data");
    let text = data.and_then(|data| data.get(key)?.as_str());
    text.map(|text| Some(text.to_owned())).with_context(|| format!("ConfigMap {name} has no {key}"))
}

fn text_of(file: &Path) -> Result<String> {
    std::fs::read_to_string(file).with_context(|| format!("cannot read {}", file.display()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn flags_decide_what_is_rendered_and_what_waits() {
        let arguments = json!([
            "--pause-rollout=true",
            "--add-default-affinity",
            "false",
            "--watched-namespace=a,b",
            "--global-backend-config=all",
            "--shard=1/3",
            "--leader-elect"
        ]);
        let deployment = json!({"spec": {"template": {"spec": {"containers": [{"args": arguments}]}}}});
        let operator = Operator::new(&Flags::of(&deployment).flags, None, "home").unwrap();
        assert!(operator.policy.paused && !operator.environment.add_default_affinity);
        assert_eq!(
            (operator.namespaces.join("+").as_str(), operator.shard.to_string().as_str()),
            ("a+b", "1/3")
        );
        assert_eq!(operator.global, Some(("home".to_owned(), "all".to_owned())));
        assert_eq!(operator.namespaced.as_deref(), Some("backend-config"));
    }

    #[test]
    fn a_configuration_that_is_wrong_is_an_error() {
        assert!(Operator::new(&BTreeMap::new(), Some("runnerImages: 5"), "").is_err());
    }
}
