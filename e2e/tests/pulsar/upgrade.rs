//! The controllers are upgraded from an earlier commit and back, with two replicas each, while messages flow and users edit: no pod of
//! a component restarts, no message and no edit is lost, and the time without a leader is short.

use anyhow::{Context, Result, bail, ensure};
use e2e::images::{self, Earlier};
use e2e::operator::{Kubectl, NAMESPACE};
use e2e::paths;
use e2e::pulsar::Broker;
use e2e::shell::{output, progress, until};
use e2e::testing::TestEnv;
use e2e::testing::objects::{create, functions, merge};
use e2e::testing::pods::{TEST_NAMESPACE, get, import_images, until_ready};
use futures::TryStreamExt;
use k8s_openapi::api::apps::v1::StatefulSet;
use k8s_openapi::api::coordination::v1::Lease;
use kube::api::Api;
use kube::runtime::{WatchStreamExt, watcher};
use kube::{Client, ResourceExt};
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};
use tokio::task::JoinHandle;

/// Longest time from the end of one leader to the next one.
const HAND_OVER: Duration = Duration::from_secs(3);
/// Objects that are edited in turn; they have no pods.
const EDITED: usize = 20;
/// Time between two edits.
const PAUSE: Duration = Duration::from_millis(150);
/// Messages in one batch.
const BATCH: usize = 50;
const EDIT: &str = "example.com/edit";

#[tokio::test(flavor = "multi_thread")]
#[ignore = "ten minutes: make upgrade"]
async fn an_upgrade_and_the_way_back_are_not_noticed() -> Result<()> {
    let env = TestEnv::connect().await?;
    let kubectl = env.kubectl.clone();
    let (pulsar, image) = import_images(&env)?;
    let commit = std::env::var("PREVIOUS").ok().filter(|commit| !commit.is_empty());
    let earlier = images::earlier(commit.as_deref().unwrap_or("HEAD~1"))?;
    let folder = env.folder()?;
    let name = folder.file_name().and_then(|name| name.to_str()).context("a cluster of the tests")?;
    e2e::cluster::Cluster::named(name)?.import(&earlier.image)?;

    let broker = Broker::deploy(&kubectl, TEST_NAMESPACE, &pulsar)?;
    install(&kubectl, &earlier.sources, &earlier.image.reference)?;
    broker.ready()?;
    let sample = std::fs::read_to_string(paths::root().join("config/samples/functionmesh.yaml"))?;
    kubectl.apply(TEST_NAMESPACE, &sample.replace(images::PULSAR_IMAGE, &pulsar))?;
    until_ready(&kubectl, "fmesh/sample", ("True", "AllComponentsReady"))?;

    let (before, mut sent) = (pods(&kubectl)?, Vec::new());
    let Earlier { sources, image: archive } = &earlier;
    for (direction, sources, image) in [
        ("upgrade", paths::root(), image.as_str()),
        ("the way back", sources.clone(), archive.reference.as_str()),
    ] {
        let load = Load::start(&env, &broker, direction).await?;
        progress(&format!("{direction}: {image}"));
        install(&kubectl, &sources, image)?;
        controllers_run(&kubectl, image)?;
        let (report, messages) = load.end(&env).await?;
        sent.extend(messages);
        progress(&format!("{direction}: {report}"));
        let after = pods(&kubectl)?;
        ensure!(before == after, "{direction}: the pods were {before:?} and are {after:?}");
    }
    // No instance was touched: each message arrives exactly once.
    let expected: BTreeSet<String> = sent.iter().map(|message| format!("{message}!")).collect();
    let received = broker.expect("persistent://public/default/out", &expected)?;
    progress(&format!("received {} of {} messages, each once", received.len(), sent.len()));
    Ok(())
}

/// Installs or upgrades the charts of some sources with two replicas of each controller.
fn install(kubectl: &Kubectl, sources: &Path, image: &str) -> Result<()> {
    let replicas =
        ["function", "source", "sink", "mesh"].map(|kind| format!("controllers.{kind}.replicas=2"));
    kubectl.install_from(sources, image, &replicas.each_ref().map(String::as_str))
}

/// Each pod of a component: its UID and the restarts of its containers.
fn pods(kubectl: &Kubectl) -> Result<BTreeMap<String, (String, i64)>> {
    let list = get(kubectl, "pods -l compute.functionmesh.io/name")?;
    let pods = list["items"].as_array().cloned().unwrap_or_default();
    ensure!(!pods.is_empty(), "no pods");
    let text =
        |pod: &Value, path: &str| pod.pointer(path).and_then(Value::as_str).unwrap_or_default().to_owned();
    let restarts = |pod: &Value| -> i64 {
        let containers = pod["status"]["containerStatuses"].as_array().cloned().unwrap_or_default();
        containers.iter().filter_map(|container| container["restartCount"].as_i64()).sum()
    };
    Ok(pods
        .iter()
        .map(|pod| (text(pod, "/metadata/name"), (text(pod, "/metadata/uid"), restarts(pod))))
        .collect())
}

/// Waits until only pods of this image run, and none of them restarted.
fn controllers_run(kubectl: &Kubectl, image: &str) -> Result<()> {
    until("controllers", Duration::from_secs(120), || {
        let list = format!("-n {NAMESPACE} get pods -o json");
        let list: Value = serde_json::from_str(&output(&mut kubectl.command(&list))?)?;
        let pods = list["items"].as_array().cloned().unwrap_or_default();
        let wrong = pods.iter().filter(|pod| pod["spec"]["containers"][0]["image"] != image).count();
        ensure!(pods.len() == 8 && wrong == 0, "{} pods, {wrong} of another image", pods.len());
        let restarted = pods.iter().any(|pod| pod["status"]["containerStatuses"][0]["restartCount"] != 0);
        if restarted { bail!("a controller restarted") } else { Ok(()) }
    })
}

/// Edits, messages, and what is seen of both.
struct Load {
    stop: Arc<AtomicBool>,
    namespace: String,
    editor: JoinHandle<Result<BTreeMap<String, usize>>>,
    sender: std::thread::JoinHandle<Result<Vec<String>>>,
    watchers: Vec<JoinHandle<Result<()>>>,
    seen: Arc<Seen>,
}

/// What the watches saw.
#[derive(Default)]
struct Seen {
    /// When an edit was made, by object and number.
    made: Mutex<BTreeMap<(String, usize), Instant>>,
    /// Times from an edit to the StatefulSet that has it.
    latencies: Mutex<Vec<Duration>>,
    /// The last edit in each StatefulSet.
    applied: Mutex<BTreeMap<String, usize>>,
    /// When a lease was released, by its name.
    released: Mutex<BTreeMap<String, Instant>>,
    /// Times without a leader, with the name of the lease.
    hand_overs: Mutex<Vec<(Duration, String)>>,
}

fn locked<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Seen {
    fn set(&self, set: &StatefulSet) {
        let template = set.spec.template.metadata.as_ref();
        let annotations = template.and_then(|metadata| metadata.annotations.as_ref());
        let Some(number) = annotations.and_then(|a| a.get(EDIT)).and_then(|number| number.parse().ok())
        else {
            return;
        };
        let name = set.name_any().trim_end_matches("-function").to_owned();
        if let Some(made) = locked(&self.made).remove(&(name.clone(), number)) {
            locked(&self.latencies).push(made.elapsed());
        }
        locked(&self.applied).insert(name, number);
    }

    fn lease(&self, lease: &Lease) {
        let holder = lease.spec.as_ref().and_then(|spec| spec.holder_identity.clone()).unwrap_or_default();
        let name = lease.name_any();
        if holder.is_empty() {
            locked(&self.released).insert(name, Instant::now());
        } else if let Some(released) = locked(&self.released).remove(&name) {
            locked(&self.hand_overs).push((released.elapsed(), name));
        }
    }
}

impl Load {
    async fn start(env: &TestEnv, broker: &Broker, direction: &str) -> Result<Self> {
        let (stop, seen) = (Arc::new(AtomicBool::new(false)), Arc::new(Seen::default()));
        let namespace = direction.replace(' ', "-");
        env.kubectl.namespace(&namespace)?;
        let watchers = vec![
            watch::<StatefulSet>(&env.client, &namespace, seen.clone(), Seen::set),
            watch::<Lease>(&env.client, NAMESPACE, seen.clone(), Seen::lease),
        ];
        let editor = tokio::spawn(edit(env.clone(), namespace.clone(), stop.clone(), seen.clone()));
        let (to, until, tag) = (broker.clone(), stop.clone(), namespace.clone());
        let sender = std::thread::spawn(move || send(&to, &until, &tag));
        // Under way before the upgrade begins.
        env.until("edits", || async {
            let made = locked(&seen.latencies).len();
            ensure!(made >= EDITED, "{made}");
            Ok(())
        })
        .await?;
        Ok(Self { stop, namespace, editor, sender, watchers, seen })
    }

    /// Ends it, and checks that every edit arrived. Returns what was measured, and the messages that were sent.
    async fn end(self, env: &TestEnv) -> Result<(String, Vec<String>)> {
        self.stop.store(true, Ordering::Relaxed);
        let edited = self.editor.await??;
        env.until("the last edits", || async {
            let applied = locked(&self.seen.applied).clone();
            let missing: Vec<_> = edited.iter().filter(|(name, n)| applied.get(*name) != Some(*n)).collect();
            ensure!(missing.is_empty(), "{missing:?} are missing in {applied:?}");
            Ok(())
        })
        .await?;
        self.watchers.iter().for_each(JoinHandle::abort);
        let sent = self.sender.join().map_err(|_| anyhow::anyhow!("the sender panicked"))??;
        env.end_namespace(&self.namespace).await?;

        let mut latencies = locked(&self.seen.latencies).clone();
        latencies.sort();
        let hand_overs = locked(&self.seen.hand_overs).clone();
        ensure!(hand_overs.len() >= 4, "{hand_overs:?}");
        for (time, lease) in &hand_overs {
            ensure!(*time < HAND_OVER, "{lease} had no holder for {time:?}");
        }
        let longest = hand_overs.iter().max().context("hand-overs")?;
        let at = |percent: usize| latencies.get((latencies.len() * percent / 100).min(latencies.len() - 1));
        let report = format!(
            "{} hand-overs, at most {:?} without a leader ({}); {} edits, none lost, from edit to write p50 {:?}, p99 {:?}, \
             at most {:?}; {} messages sent",
            hand_overs.len(),
            longest.0,
            longest.1,
            edited.values().sum::<usize>(),
            at(50).context("edits")?,
            at(99).context("edits")?,
            latencies.last().context("edits")?,
            sent.len(),
        );
        Ok((report, sent))
    }
}

/// Watches objects until it is aborted.
fn watch<K>(client: &Client, namespace: &str, seen: Arc<Seen>, see: fn(&Seen, &K)) -> JoinHandle<Result<()>>
where
    K: kube::Resource<DynamicType = (), Scope = kube::core::NamespaceResourceScope>
        + Clone
        + std::fmt::Debug
        + serde::de::DeserializeOwned
        + Send
        + 'static,
{
    let api: Api<K> = Api::namespaced(client.clone(), namespace);
    tokio::spawn(async move {
        let mut objects =
            std::pin::pin!(watcher(api, watcher::Config::default()).default_backoff().applied_objects());
        while let Some(object) = objects.try_next().await? {
            see(&seen, &object);
        }
        Ok(())
    })
}

/// Edits objects in turn. Returns the number of the last edit of each.
async fn edit(
    env: TestEnv,
    namespace: String,
    stop: Arc<AtomicBool>,
    seen: Arc<Seen>,
) -> Result<BTreeMap<String, usize>> {
    let api = functions(&env, &namespace);
    let names: Vec<String> = (0..EDITED).map(|index| format!("edited-{index}")).collect();
    for name in &names {
        let mut spec = e2e::testing::objects::function_spec();
        spec["replicas"] = json!(0);
        create(&api, "Function", name, &spec).await?;
    }
    let mut last = BTreeMap::new();
    for number in 1.. {
        for name in &names {
            if stop.load(Ordering::Relaxed) {
                return Ok(last);
            }
            locked(&seen.made).insert((name.clone(), number), Instant::now());
            let patch = json!({"spec": {"pod": {"annotations": {EDIT: number.to_string()}}}});
            merge(&api, name, patch).await?;
            last.insert(name.clone(), number);
            tokio::time::sleep(PAUSE).await;
        }
    }
    Ok(last)
}

/// Sends batches of messages to the mesh. Returns all of them.
fn send(broker: &Broker, stop: &AtomicBool, tag: &str) -> Result<Vec<String>> {
    static NEXT: AtomicUsize = AtomicUsize::new(0);
    let mut sent = Vec::new();
    while !stop.load(Ordering::Relaxed) {
        let batch: Vec<String> =
            (0..BATCH).map(|_| format!("{tag}-{}", NEXT.fetch_add(1, Ordering::Relaxed))).collect();
        broker.produce("persistent://public/default/in", &batch)?;
        sent.extend(batch);
    }
    Ok(sent)
}
