//! Objects from the schemas of the kinds, one property at a time: created, changed and changed back on a real API server. No
//! panic, no object is left behind, and a reverted change renders as before.

use anyhow::{Context, Result, bail, ensure};
use e2e::scenarios::fleet::{FUNCTION, Kind, SINK, SOURCE};
use e2e::scenarios::fuzz::{Mutation, mutations, spread};
use e2e::shell::progress;
use e2e::testing::fake_statefulset_controller::FakeStatefulSetController;
use e2e::testing::objects::{api, object};
use e2e::testing::{Controller, TestEnv};
use futures::{StreamExt, TryStreamExt, stream};
use k8s_openapi::api::apps::v1::StatefulSet;
use kube::Resource;
use kube::api::{Api, DeleteParams, DynamicObject, PostParams};
use kube::runtime::reflector::{self, ObjectRef, Store};
use kube::runtime::{WatchStreamExt, watcher};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::fmt::Debug;
use std::hash::Hash;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

/// Number of objects at the same time.
const SLICE: usize = 96;

/// One kind with its controller and the results.
struct Bench {
    env: TestEnv,
    kind: &'static Kind,
    objects: Api<DynamicObject>,
    sets: Api<StatefulSet>,
    seen: Store<DynamicObject>,
    seen_sets: Store<StatefulSet>,
    /// Number of objects by the result of the change.
    outcomes: Mutex<BTreeMap<String, usize>>,
}

/// A cache that is filled as long as the task runs.
fn cached<K>(api: Api<K>, kind: K::DynamicType) -> (Store<K>, tokio::task::JoinHandle<()>)
where
    K: Resource + Clone + Debug + serde::de::DeserializeOwned + Send + Sync + 'static,
    K::DynamicType: Hash + Eq + Clone + Send + Sync,
{
    let writer = reflector::store::Writer::new(kind);
    let store = writer.as_reader();
    let changes = watcher(api, watcher::Config::default()).default_backoff().reflect(writer);
    (store, tokio::spawn(changes.for_each(|_| std::future::ready(()))))
}

impl Bench {
    fn key(&self, name: &str) -> ObjectRef<DynamicObject> {
        let resource = e2e::testing::objects::resource(self.kind.kind, self.kind.plural);
        let namespace = self.objects.namespace().unwrap_or_default();
        ObjectRef::new_with(name, resource).within(namespace)
    }

    /// Waits until the status describes a generation and, if requested, is ready. Reads the cache only.
    async fn settled(&self, name: &str, generation: Option<i64>, ready: bool) -> Result<String> {
        let mut last = String::new();
        let started = Instant::now();
        while started.elapsed() < self.env.timeout() {
            if let Some(object) = self.seen.get(&self.key(name)) {
                let conditions = object.data.pointer("/status/conditions").and_then(Value::as_array);
                let of_type = |c: &&Value| c["type"] == "Ready";
                let condition = conditions.into_iter().flatten().find(of_type).cloned().unwrap_or_default();
                let current = condition["observedGeneration"].as_i64() >= generation && generation.is_some();
                if current && (!ready || condition["status"] == "True") {
                    return Ok(condition["reason"].as_str().unwrap_or_default().to_owned());
                }
                last = condition.to_string();
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        bail!("{name}: not settled in generation {generation:?}: {last}")
    }

    /// The stored pod template, and the hash of its rendering.
    async fn template(&self, name: &str, generation: Option<i64>) -> Result<Value> {
        let set = format!("{name}-{}", self.kind.kind.to_lowercase());
        let key = ObjectRef::new(&set).within(self.objects.namespace().unwrap_or_default());
        let wanted = |set: &StatefulSet| generation.is_none() || set.metadata.generation >= generation;
        let started = Instant::now();
        while started.elapsed() < self.env.timeout() {
            if let Some(set) = self.seen_sets.get(&key).filter(|set| wanted(set)) {
                let annotations = set.metadata.annotations.clone().unwrap_or_default();
                let hash = annotations.get("compute.functionmesh.io/rendered-hash").cloned();
                let service = &set.spec.service_name;
                return Ok(json!({"hash": hash, "template": set.spec.template, "service": service}));
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        bail!("no StatefulSet {set}")
    }

    async fn replace(&self, name: &str, spec: &Value) -> Result<Option<DynamicObject>> {
        loop {
            let mut object = self.objects.get(name).await?;
            object.data["spec"] = spec.clone();
            match self.objects.replace(name, &PostParams::default(), &object).await {
                Ok(object) => return Ok(Some(object)),
                // Refused by the schema or a rule: that is a valid result.
                Err(kube::Error::Api(status)) if status.code == 422 || status.code == 400 => return Ok(None),
                // The status was written in the meantime.
                Err(kube::Error::Api(status)) if status.code == 409 => {}
                Err(error) => return Err(error.into()),
            }
        }
    }

    /// The lifecycle of one object.
    async fn run(&self, name: &str, mutation: &Mutation) -> Result<()> {
        let base = self.kind.spec();
        let made = self.objects.create(&PostParams::default(), &object(self.kind.kind, name, &base)?).await?;
        self.settled(name, made.metadata.generation, true).await?;
        let before = self.template(name, None).await?;
        let outcome = match self.replace(name, &mutation.spec).await? {
            None => "refused by the API server".to_owned(),
            Some(changed) => {
                let outcome = self.settled(name, changed.metadata.generation, false).await?;
                let back = self.replace(name, &base).await?.context("what was there before is refused")?;
                self.settled(name, back.metadata.generation, true).await?;
                let set = self.sets.get(&format!("{name}-{}", self.kind.kind.to_lowercase())).await?;
                let after = self.template(name, set.metadata.generation).await?;
                ensure!(before == after, "rendered differently after it was changed back: {before}\n{after}");
                outcome
            }
        };
        *self.outcomes.lock().map_err(|_| anyhow::anyhow!("poisoned"))?.entry(outcome).or_default() += 1;
        self.objects.delete(name, &DeleteParams::background()).await?;
        Ok(())
    }
}

/// Tests this number of changes of a kind.
async fn fuzz(kind: &'static Kind, number: usize) -> Result<()> {
    let env = TestEnv::connect().await?;
    env.prepare().await?;
    let file = e2e::paths::root().join(format!("config/crd/{}.yaml", kind.plural));
    let crd: Value = serde_yaml::from_str(&std::fs::read_to_string(file)?)?;
    let schema = &crd["spec"]["versions"][0]["schema"]["openAPIV3Schema"]["properties"]["spec"];
    let chosen = spread(mutations(schema, &kind.spec()), number);
    ensure!(!chosen.is_empty(), "no changes");
    env.test("fuzz", |env, namespace| async move {
        let controller = Controller::start(&env, kind.controller, &namespace).await?;
        let _statefulset_controller = FakeStatefulSetController::start(&env, &namespace);
        let objects = api(&env, &namespace, kind.kind, kind.plural);
        let sets: Api<StatefulSet> = Api::namespaced(env.client.clone(), &namespace);
        let (seen, one) = cached(objects.clone(), e2e::testing::objects::resource(kind.kind, kind.plural));
        let (seen_sets, other) = cached(sets.clone(), ());
        let bench = Bench { env, kind, objects, sets, seen, seen_sets, outcomes: Mutex::default() };
        let (bench, done, total) = (Arc::new(bench), AtomicUsize::new(0), chosen.len());
        let failed = Mutex::new(Vec::new());
        stream::iter(chosen.iter().enumerate())
            .map(|(index, mutation)| {
                let (bench, done, failed) = (bench.clone(), &done, &failed);
                async move {
                    if let Err(error) = bench.run(&format!("z{index}"), mutation).await {
                        let text = format!("{}: {error:#}\n  {}", mutation.path, mutation.spec);
                        failed.lock().map_err(|_| anyhow::anyhow!("poisoned"))?.push(text);
                    }
                    let done = done.fetch_add(1, Ordering::Relaxed) + 1;
                    if done.is_multiple_of(500) {
                        progress(&format!("{}: {done} of {total} objects", bench.kind.kind));
                    }
                    anyhow::Ok(())
                }
            })
            .buffer_unordered(SLICE)
            .try_collect::<()>()
            .await?;
        one.abort();
        other.abort();
        let failed = failed.into_inner().unwrap_or_default();
        let outcomes = bench.outcomes.lock().map_err(|_| anyhow::anyhow!("poisoned"))?.clone();
        progress(&format!("{}: {total} objects: {outcomes:?}", kind.kind));
        let panics = controller.metric("function_mesh_reconcile_panics_total").unwrap_or_default();
        ensure!(panics == 0, "{panics} panics");
        let shown: Vec<_> = failed.iter().take(20).cloned().collect();
        ensure!(failed.is_empty(), "{} of {total} failed:\n{}", failed.len(), shown.join("\n"));
        bench.env.end_namespace(bench.objects.namespace().unwrap_or_default()).await
    })
    .await
}

#[tokio::test(flavor = "multi_thread")]
async fn some_changes_of_a_function() -> Result<()> {
    fuzz(&FUNCTION, 60).await
}

/// `make fuzz`.
#[tokio::test(flavor = "multi_thread")]
#[ignore = "ten thousand objects take a while"]
async fn ten_thousand_objects() -> Result<()> {
    let all = std::env::var("N").ok().and_then(|n| n.parse().ok()).unwrap_or(10_000);
    for (kind, number) in [(&FUNCTION, all / 2), (&SOURCE, all / 4), (&SINK, all / 4)] {
        fuzz(kind, number).await?;
    }
    Ok(())
}
