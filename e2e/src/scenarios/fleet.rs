//! Many objects of one kind, and the controller that reconciles them.

use crate::scenarios::request_counts::{RequestCounts, count, storage};
use crate::testing::fake_statefulset_controller::FakeStatefulSetController;
use crate::testing::many::{each, until_all};
use crate::testing::objects::{api, create, function_spec};
use crate::testing::{Controller, Proxy, TestEnv};
use anyhow::{Context, Result};
use k8s_openapi::api::apps::v1::StatefulSet;
use kube::api::{Api, DynamicObject};
use serde_json::{Value, json};

/// A kind of component.
#[derive(Debug)]
pub struct Kind {
    /// Its name.
    pub kind: &'static str,
    /// Its name in URLs.
    pub plural: &'static str,
    /// The controller of the kind.
    pub controller: &'static str,
    /// A required field that a Function does not have.
    config: Option<&'static str>,
}

/// Functions.
pub const FUNCTION: Kind =
    Kind { kind: "Function", plural: "functions", controller: "function-controller", config: None };
/// Sources.
pub const SOURCE: Kind =
    Kind { kind: "Source", plural: "sources", controller: "source-controller", config: Some("sourceConfig") };
/// Sinks.
pub const SINK: Kind =
    Kind { kind: "Sink", plural: "sinks", controller: "sink-controller", config: Some("sinkConfig") };

impl Kind {
    /// The smallest object that can run.
    pub fn spec(&self) -> Value {
        let mut spec = function_spec();
        if let (Some(field), Some(spec)) = (self.config, spec.as_object_mut()) {
            spec.insert(field.to_owned(), json!({"k": "v"}));
        }
        spec
    }
}

/// Objects of one kind in their own namespace.
pub struct Fleet {
    /// The cluster.
    pub env: TestEnv,
    /// Where the objects are.
    pub namespace: String,
    /// Their kind.
    pub kind: &'static Kind,
    /// Their names.
    pub names: Vec<String>,
    /// The objects.
    pub objects: Api<DynamicObject>,
    /// Their StatefulSets.
    pub sets: Api<StatefulSet>,
    /// The controller that reconciles them.
    pub controller: Controller,
    /// Flags of the controller.
    pub flags: Vec<String>,
    /// The proxy between the controller and the API server, if any.
    pub proxy: Option<Proxy>,
    _statefulset_controller: FakeStatefulSetController,
}

impl Fleet {
    /// Starts a controller for a number of objects that do not exist yet.
    ///
    /// # Errors
    /// When it does not become ready.
    pub async fn start(env: &TestEnv, namespace: &str, kind: &'static Kind, number: usize) -> Result<Self> {
        let flags = vec![format!("--watched-namespace={namespace}"), "--leader-elect=false".to_owned()];
        let controller = launch(env, None, kind, &flags).await?;
        Ok(Self {
            env: env.clone(),
            namespace: namespace.to_owned(),
            kind,
            names: (0..number).map(|i| format!("o{i}")).collect(),
            objects: api(env, namespace, kind.kind, kind.plural),
            sets: Api::namespaced(env.client.clone(), namespace),
            controller,
            flags,
            proxy: None,
            _statefulset_controller: FakeStatefulSetController::start(env, namespace),
        })
    }

    /// Kills the controller, without a graceful shutdown, and starts another one.
    ///
    /// # Errors
    /// When it does not become ready.
    pub async fn replace(&mut self, proxy: Option<Proxy>) -> Result<()> {
        self.controller.kill();
        self.controller = launch(&self.env, proxy.as_ref(), self.kind, &self.flags).await?;
        self.proxy = proxy;
        Ok(())
    }

    /// The proxy between the controller and the API server.
    ///
    /// # Errors
    /// If there is none.
    pub fn proxy(&self) -> Result<&Proxy> {
        self.proxy.as_ref().context("no proxy")
    }

    /// Number of objects.
    pub fn number(&self) -> usize {
        self.names.len()
    }

    /// Creates all objects of a specification.
    ///
    /// # Errors
    /// When the API server refuses one.
    pub async fn create(&self, spec: &Value) -> Result<()> {
        each(&self.names, |name| async move { create(&self.objects, self.kind.kind, &name, spec).await })
            .await
    }

    /// Waits until all are ready in their current generation.
    ///
    /// # Errors
    /// When they do not become so.
    pub async fn until_ready(&self) -> Result<()> {
        until_all(&self.env, &self.objects, self.number(), is_ready).await
    }

    /// Waits until a predicate holds for all StatefulSets and their pods are available.
    ///
    /// # Errors
    /// When it does not become so.
    pub async fn until_sets(&self, is: impl Fn(&StatefulSet) -> bool) -> Result<()> {
        let complete = |set: &StatefulSet| {
            let observed = set.status.as_ref().and_then(|status| status.observed_generation);
            observed == set.metadata.generation && is(set)
        };
        until_all(&self.env, &self.sets, self.number(), complete).await
    }

    /// Waits until the controller has made `number` more reconciles than `before` and is idle.
    ///
    /// # Errors
    /// When it does not reconcile them.
    pub async fn until_reconciled(&self, before: u64, number: usize) -> Result<()> {
        let number = u64::try_from(number).unwrap_or(u64::MAX);
        self.controller.reconciled(&self.env, before + number).await?;
        self.controller.until_idle(&self.env).await
    }

    /// Counts the controller's requests from the start of an action until the controller is idle.
    ///
    /// # Errors
    /// The error of the action, or when the controller does not become idle.
    pub async fn measure(&self, what: impl AsyncFnOnce(&Self) -> Result<()>) -> Result<RequestCounts> {
        self.controller.until_idle(&self.env).await?;
        let before = storage(&self.env, &self.namespace, self.kind.plural)?;
        let (reconciles, cpu) = (self.controller.reconciles()?, self.controller.cpu()?);
        let mark = self.env.mark().await?;
        what(self).await?;
        self.controller.until_idle(&self.env).await?;
        let after = storage(&self.env, &self.namespace, self.kind.plural)?;
        let audit = self.env.audit_since(&mark)?;
        Ok(RequestCounts {
            reconciles: self.controller.reconciles()? - reconciles,
            cpu: self.controller.cpu()?.saturating_sub(cpu),
            ..count(audit, &self.controller.user, &self.namespace, &before, &after)
        })
    }
}

async fn launch(env: &TestEnv, proxy: Option<&Proxy>, kind: &Kind, flags: &[String]) -> Result<Controller> {
    let flags: Vec<&str> = flags.iter().map(String::as_str).collect();
    let controller = Controller::spawn_behind(env, proxy, kind.controller, &flags)?;
    controller.ready(env).await?;
    Ok(controller)
}

/// Whether an object is ready in its current generation.
pub fn is_ready(object: &DynamicObject) -> bool {
    let generation = json!(object.metadata.generation);
    let Some(status) = object.data.get("status") else { return false };
    let ready = status.get("conditions").and_then(Value::as_array).into_iter().flatten().any(|condition| {
        condition.get("type") == Some(&json!("Ready"))
            && condition.get("status") == Some(&json!("True"))
            && condition.get("observedGeneration") == Some(&generation)
    });
    ready && status.get("observedGeneration") == Some(&generation)
}
