//! Scaling, by any client: exact numbers of writes, no restart, and no replicas that flip back.

use anyhow::{Context, Result, ensure};
use e2e::shell;
use e2e::testing::fake_statefulset_controller::FakeStatefulSetController;
use e2e::testing::objects::{AVAILABLE, create, each, function_spec, functions, merge, until_ready};
use e2e::testing::{Child, Controller, TestEnv};
use futures::{StreamExt, TryFutureExt};
use kube::api::{Api, DynamicObject, Patch, PatchParams, WatchEvent, WatchParams};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use tokio::task::JoinHandle;

const SETS: (&str, usize) = ("patch statefulsets", 1);
const STATUS: &str = "patch functions/status";
const SCALER: (&str, usize) = ("patch horizontalpodautoscalers", 1);
const NO_SCALER: (&str, usize) = ("delete horizontalpodautoscalers", 1);
const ZERO: (&str, &str) = ("True", "ScaledToZero");

/// Every state of a `StatefulSet` that a watch shows: replicas and template.
struct StateRecorder {
    seen: Arc<Mutex<Vec<(Value, String)>>>,
    task: JoinHandle<()>,
}

impl StateRecorder {
    /// Watches from now on.
    async fn of(set: &Child) -> Result<Self> {
        let parameters = WatchParams::default().fields(&format!("metadata.name={}", set.name)).timeout(290);
        let now = set.api.get(&set.name).await?;
        let version = now.metadata.resource_version.clone().unwrap_or_default();
        let mut events = set.api.watch(&parameters, &version).await?.boxed();
        let state = |set: &DynamicObject| {
            let spec = &set.data["spec"];
            (spec["replicas"].clone(), spec["template"].to_string())
        };
        let seen = Arc::new(Mutex::new(vec![state(&now)]));
        let kept = seen.clone();
        let task = tokio::spawn(async move {
            while let Some(Ok(event)) = events.next().await {
                if let WatchEvent::Added(set) | WatchEvent::Modified(set) = event {
                    kept.lock().unwrap_or_else(PoisonError::into_inner).push(state(&set));
                }
            }
        });
        Ok(Self { seen, task })
    }

    /// The numbers of replicas, each change once; the template was the same throughout.
    fn replicas(&self) -> Result<Vec<Value>> {
        let seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        let first = seen.first().context("nothing seen")?;
        ensure!(seen.iter().all(|(_, template)| *template == first.1), "the template changed");
        let mut replicas: Vec<Value> = seen.iter().map(|(replicas, _)| replicas.clone()).collect();
        replicas.dedup();
        Ok(replicas)
    }

    async fn until(&self, env: &TestEnv, wanted: &[i32]) -> Result<()> {
        env.until("replicas over time", || async {
            let replicas = self.replicas()?;
            ensure!(Value::from(replicas.clone()) == json!(wanted), "{replicas:?} instead of {wanted:?}");
            Ok(())
        })
        .await
    }
}

impl Drop for StateRecorder {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// Functions, a controller, and its writes so far.
struct Bench {
    env: TestEnv,
    api: Api<DynamicObject>,
    controller: Controller,
    names: Vec<String>,
    counts: BTreeMap<String, usize>,
    steps: usize,
}

impl Bench {
    async fn start(env: &TestEnv, namespace: &str, number: usize) -> Result<Self> {
        let controller = Controller::start(env, "function-controller", namespace).await?;
        let api = functions(env, namespace);
        let spec = function_spec();
        let names = (0..number).map(|i| format!("f{i}")).collect();
        let this = Self { env: env.clone(), api, controller, names, counts: BTreeMap::new(), steps: 0 };
        each(&this.names, |name| create(&this.api, "Function", name, &spec)).await?;
        Ok(this)
    }

    /// Waits until all replicas are as expected and nothing is left to do; then compares the writes since the last time, for each
    /// object.
    async fn wrote(&mut self, what: &str, ready: (&str, &str), wanted: &[(&str, usize)]) -> Result<()> {
        let done = |name| until_ready(&self.env, &self.api, name, ready).map_ok(drop);
        each(self.names.iter().map(String::as_str), done).await.with_context(|| what.to_owned())?;
        self.steps += 1;
        let before = self.controller.metric("function_mesh_reconciles_total")?;
        let mark = json!({"metadata": {"annotations": {"step": self.steps.to_string()}}});
        each(&self.names, |name| merge(&self.api, name, mark.clone())).await?;
        self.controller.reconciled(&self.env, before + self.names.len() as u64).await?;
        let audit = self.env.audit()?.by(&self.controller.user).writes();
        let refused = audit.clone().refused();
        ensure!(refused.requests().is_empty(), "{what}: {:?}", refused.counts());
        let now = audit.counts();
        let new = now.iter().map(|(k, n)| (k.clone(), n - self.counts.get(k).copied().unwrap_or_default()));
        let new: BTreeMap<_, _> = new.filter(|(_, n)| *n > 0).collect();
        let wanted: BTreeMap<_, _> =
            wanted.iter().map(|(k, n)| ((*k).to_owned(), n * self.names.len())).collect();
        ensure!(new == wanted, "{what}: {new:?} instead of {wanted:?}");
        self.counts = now;
        Ok(())
    }

    /// As an autoscaler, or `kubectl scale`.
    async fn scale(&self, replicas: i32) -> Result<()> {
        let scale = Patch::Merge(json!({"spec": {"replicas": replicas}}));
        each(&self.names, |name| async {
            self.api.patch_scale(name, &PatchParams::default(), &scale).await?;
            Ok(())
        })
        .await
    }

    async fn edit(&self, spec: Value) -> Result<()> {
        each(&self.names, |name| merge(&self.api, name, json!({"spec": spec}))).await
    }

    /// The replicas in the scale subresource.
    async fn scaled_to(&self, replicas: i32) -> Result<()> {
        each(&self.names, |name| async move {
            let scale = self.api.get_scale(name).await?;
            let reported = scale.status.context("scale without status")?.replicas;
            let wanted = scale.spec.and_then(|spec| spec.replicas).unwrap_or_default();
            ensure!((reported, wanted) == (replicas, replicas), "{name}: {reported} of {wanted}");
            Ok(())
        })
        .await
    }
}

/// All ways to scale, for many objects: two status writes for each change of the pods, one if only a bound changed.
#[tokio::test(flavor = "multi_thread")]
async fn every_way_to_scale_costs_what_it_must() -> Result<()> {
    const N: usize = 50;
    let env = TestEnv::connect().await?;
    env.prepare().await?;
    env.test("scaling", |env, namespace| async move {
        let _statefulset_controller = FakeStatefulSetController::start(&env, &namespace);
        let mut all = Bench::start(&env, &namespace, N).await?;
        all.wrote("created", AVAILABLE, &[SETS, ("patch services", 1), (STATUS, 2)]).await?;
        let set = Child::of(&env, &namespace, "StatefulSet", "f0-function")?;
        let history = StateRecorder::of(&set).await?;

        all.edit(json!({"replicas": 3})).await?;
        all.wrote("by spec", AVAILABLE, &[SETS, (STATUS, 2)]).await?;
        all.scale(2).await?;
        all.wrote("by the scale subresource", AVAILABLE, &[SETS, (STATUS, 2)]).await?;
        all.scale(2).await?;
        all.wrote("to what it is", AVAILABLE, &[]).await?;
        all.edit(json!({"maxReplicas": 5})).await?;
        all.wrote("autoscaler on", AVAILABLE, &[SCALER, (STATUS, 1)]).await?;
        all.scale(4).await?;
        all.wrote("a step of the autoscaler", AVAILABLE, &[SETS, (STATUS, 2)]).await?;
        all.scaled_to(4).await?;
        all.edit(json!({"maxReplicas": null})).await?;
        all.wrote("autoscaler off", AVAILABLE, &[NO_SCALER, (STATUS, 1)]).await?;
        all.scaled_to(4).await?;
        all.scale(0).await?;
        all.wrote("to zero", ZERO, &[SETS, (STATUS, 2)]).await?;
        all.scaled_to(0).await?;
        all.scale(1).await?;
        all.wrote("back from zero", AVAILABLE, &[SETS, (STATUS, 2)]).await?;
        history.until(&env, &[1, 3, 2, 4, 0, 1]).await
    })
    .await
}

#[tokio::test(flavor = "multi_thread")]
async fn an_autoscaler_and_the_controller_do_not_fight() -> Result<()> {
    let env = TestEnv::connect().await?;
    env.prepare().await?;
    env.test("fights", |env, namespace| async move {
        let _statefulset_controller = FakeStatefulSetController::start(&env, &namespace);
        let mut one = Bench::start(&env, &namespace, 1).await?;
        one.wrote("created", AVAILABLE, &[SETS, ("patch services", 1), (STATUS, 2)]).await?;
        let set = Child::of(&env, &namespace, "StatefulSet", "f0-function")?;
        let scaler = Child::of(&env, &namespace, "HorizontalPodAutoscaler", "f0-function")?;
        let history = StateRecorder::of(&set).await?;

        one.edit(json!({"maxReplicas": 5})).await?;
        one.wrote("autoscaler on", AVAILABLE, &[SCALER, (STATUS, 1)]).await?;
        let step = [SETS, (STATUS, 2)];
        for replicas in [3, 5, 2, 4] {
            one.scale(replicas).await?;
            one.wrote("a step of the autoscaler", AVAILABLE, &step).await?;
        }
        // Periodic status writes of its controller.
        let status = json!({"status": {"currentReplicas": 4, "desiredReplicas": 4, "conditions": []}});
        let parameters = PatchParams::default();
        scaler.api.patch_status(&scaler.name, &parameters, &Patch::Merge(status)).await?;
        one.wrote("a status of the autoscaler", AVAILABLE, &[]).await?;

        // Below its own choice: only the autoscaler changes the number.
        one.edit(json!({"maxReplicas": 2})).await?;
        one.wrote("a lower bound", AVAILABLE, &[SCALER, (STATUS, 1)]).await?;
        one.scaled_to(4).await?;
        ensure!(scaler.state().await?["spec"]["maxReplicas"] == json!(2), "the bound was not passed on");
        one.scale(2).await?;
        one.wrote("it follows", AVAILABLE, &step).await?;

        // Zero disables the autoscaler, and keeps it for later.
        let kubectl = |replicas: i32| {
            shell::run(&mut env.kubectl.command(&format!("-n {namespace} scale fn f0 --replicas={replicas}")))
        };
        kubectl(0)?;
        one.wrote("zero with an autoscaler", ZERO, &step).await?;
        kubectl(1)?;
        one.wrote("back with an autoscaler", AVAILABLE, &step).await?;

        // A fixed number again, and then an autoscaler again, at the current number.
        one.edit(json!({"maxReplicas": null})).await?;
        one.wrote("fixed", AVAILABLE, &[NO_SCALER, (STATUS, 1)]).await?;
        one.scaled_to(1).await?;
        one.edit(json!({"replicas": 3})).await?;
        one.wrote("fixed by spec", AVAILABLE, &step).await?;
        one.edit(json!({"maxReplicas": 6})).await?;
        one.wrote("autoscaler again", AVAILABLE, &[SCALER, (STATUS, 1)]).await?;
        one.scaled_to(3).await?;
        history.until(&env, &[1, 3, 5, 2, 4, 2, 0, 1, 3]).await?;

        // Steps faster than the controller follows: no step is reverted to an older one.
        let steps = [4, 5, 6, 5, 4, 3, 2];
        for replicas in steps {
            one.scale(replicas).await?;
        }
        until_ready(&env, &one.api, "f0", AVAILABLE).await?;
        env.until("the last step", || async {
            let replicas = set.state().await?["spec"]["replicas"].clone();
            ensure!(replicas == json!(2), "{replicas}");
            Ok(())
        })
        .await?;
        let seen = history.replicas()?;
        let mut later = steps.iter();
        for replicas in &seen[9..] {
            ensure!(later.any(|step| json!(step) == *replicas), "{seen:?} flips back");
        }
        Ok(())
    })
    .await
}
