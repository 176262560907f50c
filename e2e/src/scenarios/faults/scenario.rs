//! The scenarios of fault injection: what happens to one object.

use crate::scenarios::faults::state::normal;
use crate::scenarios::fleet::Kind;
use crate::testing::fake_statefulset_controller::FakeStatefulSetController;
use crate::testing::objects::{AVAILABLE, api, create, merge, until_ready};
use crate::testing::{Child, TestEnv};
use anyhow::{Context as _, Result, ensure};
use k8s_openapi::api::apps::v1::StatefulSet;
use kube::ResourceExt;
use kube::api::{Api, DeleteParams, DynamicObject, ListParams, Patch, PatchParams};
use serde_json::{Value, json};

/// Name of the object.
const NAME: &str = "x";
const CHILDREN: [&str; 4] = ["StatefulSet", "Service", "HorizontalPodAutoscaler", "Job"];

/// An action on an object.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Scenario {
    /// It is created.
    Create,
    /// It is created, with a cleanup at its deletion.
    CreateWithCleanup,
    /// Its image changes.
    Image,
    /// Its number of replicas changes.
    Scale,
    /// It gets an autoscaler.
    ScalerOn,
    /// It loses its autoscaler.
    ScalerOff,
    /// A BackendConfig adds a variable.
    BackendConfig,
    /// It is deleted.
    Delete,
    /// It is deleted, with a cleanup.
    DeleteWithCleanup,
    /// It is deleted, and recreated under the same name at once.
    Recreate,
    /// A user edits its StatefulSet and deletes its Service.
    Drift,
}

impl Scenario {
    /// All of them.
    pub const ALL: [Self; 11] = [
        Self::Create,
        Self::CreateWithCleanup,
        Self::Image,
        Self::Scale,
        Self::ScalerOn,
        Self::ScalerOff,
        Self::BackendConfig,
        Self::Delete,
        Self::DeleteWithCleanup,
        Self::Recreate,
        Self::Drift,
    ];

    fn creates(self) -> bool {
        matches!(self, Self::Create | Self::CreateWithCleanup)
    }

    fn cleans(self) -> bool {
        matches!(self, Self::CreateWithCleanup | Self::DeleteWithCleanup)
    }

    fn spec(self, kind: &Kind) -> Value {
        let mut spec = kind.spec();
        if let Some(fields) = spec.as_object_mut() {
            if self == Self::ScalerOff {
                fields.insert("maxReplicas".to_owned(), json!(5));
            }
            if self.cleans() {
                fields.insert("cleanupSubscription".to_owned(), json!(true));
            }
        }
        spec
    }

    /// Creates what has to exist before the action.
    ///
    /// # Errors
    /// When it cannot be created.
    pub async fn prepare(self, fixture: &Fixture) -> Result<()> {
        if self.creates() {
            return Ok(());
        }
        create(&fixture.objects, fixture.kind.kind, NAME, &self.spec(fixture.kind)).await?;
        until_ready(&fixture.env, &fixture.objects, NAME, AVAILABLE).await.map(drop)
    }

    /// Performs the action.
    ///
    /// # Errors
    /// When the API server refuses it.
    pub async fn act(self, fixture: &Fixture) -> Result<()> {
        let change = |spec: Value| merge(&fixture.objects, NAME, json!({"spec": spec}));
        match self {
            Self::Create | Self::CreateWithCleanup => {
                create(&fixture.objects, fixture.kind.kind, NAME, &self.spec(fixture.kind)).await
            }
            Self::Image => change(json!({"image": "example.com/image:2"})).await,
            Self::Scale => change(json!({"replicas": 3})).await,
            Self::ScalerOn => change(json!({"maxReplicas": 5})).await,
            Self::ScalerOff => change(json!({"maxReplicas": null})).await,
            Self::BackendConfig => {
                let configs = api(&fixture.env, &fixture.namespace, "BackendConfig", "backendconfigs");
                let spec = json!({"env": {"ADDED": "1"}, "autoUpdate": true});
                create(&configs, "BackendConfig", "backend-config", &spec).await
            }
            Self::Delete | Self::DeleteWithCleanup => fixture.delete().await,
            Self::Recreate => {
                fixture.delete().await?;
                create(&fixture.objects, fixture.kind.kind, NAME, &self.spec(fixture.kind)).await
            }
            Self::Drift => {
                let image = json!({"spec": {"template": {"spec": {"containers": [
                    {"name": fixture.container(), "image": "example.com/foreign:1"}]}}}});
                let name = fixture.child();
                fixture.sets.patch(&name, &PatchParams::default(), &Patch::Strategic(image)).await?;
                let services = fixture.list("Service").await?;
                let service = services.first().context("no Service")?.name_any();
                Child::of(&fixture.env, &fixture.namespace, "Service", &service)?.delete().await
            }
        }
    }

    /// Waits until the result is complete.
    ///
    /// # Errors
    /// When it does not end; with what is missing.
    pub async fn done(self, fixture: &Fixture) -> Result<()> {
        fixture.env.until(&format!("end of {self:?}"), || self.is_done(fixture)).await
    }

    async fn is_done(self, fixture: &Fixture) -> Result<()> {
        if matches!(self, Self::Delete | Self::DeleteWithCleanup) {
            fixture.finish_jobs().await?;
            ensure!(fixture.objects.get_opt(NAME).await?.is_none(), "the object is there");
            for kind in CHILDREN {
                ensure!(fixture.list(kind).await?.is_empty(), "a {kind} is there");
            }
            return Ok(());
        }
        let object = fixture.objects.get(NAME).await?;
        let (status, reason, message) = crate::testing::objects::ready(&fixture.objects, NAME).await?;
        ensure!((status.as_str(), reason.as_str()) == AVAILABLE, "{reason}: {message}");
        let set = fixture.sets.get(&fixture.child()).await?;
        let owner = set.owner_references().first().map(|owner| owner.uid.clone());
        ensure!(owner == object.metadata.uid, "the StatefulSet is the predecessor's");
        ensure!(fixture.list("Service").await?.len() == 1, "no Service");
        let scalers = fixture.list("HorizontalPodAutoscaler").await?.len();
        let wanted = usize::from(self == Self::ScalerOn);
        ensure!(scalers == wanted, "{scalers} autoscalers");
        let text = serde_json::to_string(&set.spec)?;
        ensure!(!text.contains("foreign"), "not repaired");
        ensure!(self != Self::Image || text.contains("image:2"), "the old image");
        ensure!(self != Self::Scale || set.spec.replicas == Some(3), "the old number");
        ensure!(self != Self::BackendConfig || text.contains("ADDED"), "no variable");
        Ok(())
    }
}

/// The namespace of a scenario.
pub struct Fixture {
    env: TestEnv,
    namespace: String,
    kind: &'static Kind,
    objects: Api<DynamicObject>,
    sets: Api<StatefulSet>,
    _statefulset_controller: FakeStatefulSetController,
}

impl Fixture {
    /// In a namespace, with a controller that reports pods as available.
    pub fn new(env: &TestEnv, namespace: &str, kind: &'static Kind) -> Self {
        Self {
            env: env.clone(),
            namespace: namespace.to_owned(),
            kind,
            objects: api(env, namespace, kind.kind, kind.plural),
            sets: Api::namespaced(env.client.clone(), namespace),
            _statefulset_controller: FakeStatefulSetController::start(env, namespace),
        }
    }

    /// The final state, which has to be equal in each run.
    ///
    /// # Errors
    /// When it cannot be read.
    pub async fn state(&self) -> Result<Value> {
        let object = self.objects.get_opt(NAME).await?;
        let uid = object.as_ref().and_then(|object| object.metadata.uid.clone()).unwrap_or_default();
        let names = [(uid, "UID"), (self.namespace.clone(), "NAMESPACE")];
        let mut all = vec![("object", object.into_iter().collect())];
        for kind in CHILDREN {
            all.push((kind, self.list(kind).await?));
        }
        let mut state = serde_json::Map::new();
        for (kind, objects) in all {
            for object in objects {
                let value = normal(&serde_json::to_value(&object)?, &names);
                state.insert(format!("{kind} {}", object.name_any()), value);
            }
        }
        Ok(state.into())
    }

    async fn list(&self, kind: &'static str) -> Result<Vec<DynamicObject>> {
        Ok(Child::of(&self.env, &self.namespace, kind, "")?.api.list(&ListParams::default()).await?.items)
    }

    fn child(&self) -> String {
        format!("{NAME}-{}", self.kind.kind.to_lowercase())
    }

    fn container(&self) -> String {
        format!("pulsar-{}", self.kind.kind.to_lowercase())
    }

    async fn delete(&self) -> Result<()> {
        self.objects.delete(NAME, &DeleteParams::default()).await?;
        Ok(())
    }

    /// Simulates the Job controller, which does not run here.
    async fn finish_jobs(&self) -> Result<()> {
        let jobs = Child::of(&self.env, &self.namespace, "Job", "")?.api;
        let time = "2026-01-01T00:00:00Z";
        let condition = |type_: &str| {
            json!({"type": type_, "status": "True", "reason": "CompletionsReached", "message": "for a test",
                   "lastProbeTime": time, "lastTransitionTime": time})
        };
        let status = json!({"status": {"startTime": time, "completionTime": time, "succeeded": 1,
            "conditions": [condition("SuccessCriteriaMet"), condition("Complete")]}});
        for job in jobs.list(&ListParams::default()).await? {
            let ended = job.data.pointer("/status/completionTime").is_some();
            if !ended && job.metadata.deletion_timestamp.is_none() {
                jobs.patch_status(&job.name_any(), &PatchParams::default(), &Patch::Merge(&status)).await?;
            }
        }
        Ok(())
    }
}
