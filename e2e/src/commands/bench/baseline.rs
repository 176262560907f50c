//! The baseline: a client that sends only the ideal requests, three for each object, with the same concurrency as our
//! controllers. Its duration is the time that the API server needs.

use crate::scenarios::FUNCTION;
use crate::scenarios::fleet::Fleet;
use crate::testing::fake_statefulset_controller::FakeStatefulSetController;
use crate::testing::many::{CONCURRENCY, each};
use crate::testing::objects::{create, functions};
use crate::testing::test_env::TestEnv;
use anyhow::{Context, Result};
use futures::StreamExt;
use k8s_openapi::api::apps::v1::StatefulSet;
use k8s_openapi::api::core::v1::Service;
use kube::ResourceExt;
use kube::api::{Api, DynamicObject, Patch, PatchParams, PostParams};
use kube::runtime::{WatchStreamExt, watcher};
use serde::de::DeserializeOwned;
use serde_json::{Value, json};
use std::collections::HashSet;
use std::time::Duration;

/// User of the baseline client.
const USER: &str = "baseline";
/// Name of the object that is copied: nothing else in it contains this text.
const PATTERN: &str = "zz-pattern-zz";

/// Templates of the children of one Function.
pub(super) struct Pattern {
    namespace: String,
    uid: String,
    set: String,
    service: String,
}

/// The durations.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Baseline {
    /// Until all children existed.
    pub children: Duration,
    /// Until the last write.
    pub last_write: Duration,
}

impl Pattern {
    /// Lets the controller create one.
    ///
    /// # Errors
    /// When it does not.
    pub(super) async fn learn(env: &TestEnv, namespace: &str) -> Result<Self> {
        let mut fleet = Fleet::start(env, namespace, &FUNCTION, 1).await?;
        fleet.names = vec![PATTERN.to_owned()];
        fleet.create(&FUNCTION.spec()).await?;
        fleet.until_ready().await?;
        let uid = fleet.objects.get(PATTERN).await?.uid().context("object without a uid")?;
        let services: Api<Service> = Api::namespaced(env.client.clone(), namespace);
        let set = serde_json::to_value(fleet.sets.get(&format!("{PATTERN}-function")).await?)?;
        let service = serde_json::to_value(services.get(&format!("{PATTERN}-function-headless")).await?)?;
        Ok(Self {
            namespace: namespace.to_owned(),
            uid,
            set: as_sent(set).to_string(),
            service: as_sent(service).to_string(),
        })
    }

    fn of<K: DeserializeOwned>(&self, text: &str, object: &DynamicObject) -> Result<K> {
        let (uid, namespace) = (object.uid().unwrap_or_default(), object.namespace().unwrap_or_default());
        let text = text.replace(PATTERN, &object.name_any());
        let text = text.replace(&self.uid, &uid).replace(&self.namespace, &namespace);
        Ok(serde_json::from_str(&text)?)
    }
}

/// The request body for an object that was read.
fn as_sent(mut object: Value) -> Value {
    let Some(fields) = object.as_object_mut() else { return object };
    fields.remove("status");
    if let Some(metadata) = fields.get_mut("metadata").and_then(Value::as_object_mut) {
        metadata
            .retain(|key, _| matches!(key.as_str(), "name" | "labels" | "annotations" | "ownerReferences"));
    }
    object
}

/// Creates Functions, and what they need, as fast as the API server can.
///
/// # Errors
/// When the API server refuses something.
pub(super) async fn run(
    env: &TestEnv,
    namespace: &str,
    number: usize,
    pattern: &Pattern,
) -> Result<Baseline> {
    let _statefulset_controller = FakeStatefulSetController::start(env, namespace);
    let names: Vec<String> = (0..number).map(|i| format!("o{i}")).collect();
    let objects = functions(env, namespace);
    let spec = FUNCTION.spec();
    let mark = env.mark().await?;
    let declared = each(&names, |name| {
        let (objects, spec) = (&objects, &spec);
        async move { create(objects, FUNCTION.kind, &name, spec).await }
    });
    let worked = tokio::time::timeout(env.timeout(), work(env, namespace, number, pattern));
    let (declared, worked) = tokio::join!(declared, worked);
    declared?;
    worked.context("the baseline client did not come to its end")??;
    let audit = env.audit_since(&mark)?;
    let others = audit.clone().not_by(USER).within(namespace).writes();
    let ours = audit.by(USER).writes();
    let children = ours.clone().only(|r| r.verb == "create");
    Ok(Baseline { children: others.until(&children), last_write: others.until(&ours) })
}

async fn work(env: &TestEnv, namespace: &str, number: usize, pattern: &Pattern) -> Result<()> {
    let client = env.client_of(USER)?;
    let sets: Api<StatefulSet> = Api::namespaced(client.clone(), namespace);
    let services: Api<Service> = Api::namespaced(client.clone(), namespace);
    let objects: Api<DynamicObject> = Api::namespaced_with(
        client,
        namespace,
        &crate::testing::objects::resource(FUNCTION.kind, FUNCTION.plural),
    );
    let mut seen = HashSet::new();
    let new = watcher(objects.clone(), watcher::Config::default())
        .applied_objects()
        .filter_map(|change| {
            let new = change.ok().filter(|object| seen.insert(object.name_any()));
            std::future::ready(new)
        })
        .take(number);
    let (sets, services, objects) = (&sets, &services, &objects);
    let mut done = new
        .map(|object| async move {
            let post = PostParams::default();
            services.create(&post, &pattern.of(&pattern.service, &object)?).await?;
            sets.create(&post, &pattern.of(&pattern.set, &object)?).await?;
            let status = json!({"status": {"observedGeneration": 1, "replicas": 1, "readyReplicas": 1}});
            let name = object.name_any();
            objects.patch_status(&name, &PatchParams::default(), &Patch::Merge(&status)).await?;
            anyhow::Ok(())
        })
        .buffer_unordered(CONCURRENCY)
        .boxed_local();
    while let Some(result) = done.next().await {
        result?;
    }
    Ok(())
}
