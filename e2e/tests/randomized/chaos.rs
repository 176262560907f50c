//! Ten minutes of chaos with leader election: users, other field managers, edits of meshes, controllers that are killed or
//! suspended for longer than their lease. Within a minute after that the cluster matches the objects, and nothing is written any
//! more.

use crate::soak::{Rng, number};
use anyhow::{Context, Result, ensure};
use e2e::shell::progress;
use e2e::testing::fake_statefulset_controller::FakeStatefulSetController;
use e2e::testing::objects::{api, create, function_spec, merge};
use e2e::testing::{Child, Controller, TestEnv};
use kube::ResourceExt;
use kube::api::{Api, DeleteParams, DynamicObject, ListParams};
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

const FUNCTIONS: usize = 40;
const MESHES: usize = 5;
/// Items that a mesh may have.
const ITEMS: usize = 6;
const PAUSE: Duration = Duration::from_millis(200);
/// Maximum time until the cluster matches the objects.
const SETTLED: Duration = Duration::from_secs(60);
const CONTROLLERS: [&str; 2] = ["function-controller", "mesh-controller"];
/// Replicas of each controller, one of which is the leader.
const REPLICAS: usize = 2;
const LEASE: Duration = Duration::from_secs(5);
const FLAGS: [&str; 4] = [
    "--lease-namespace=function-mesh-system",
    "--lease-duration=5",
    "--lease-renew-deadline=3",
    "--lease-retry-period=1",
];

/// The objects, and the processes that change them.
struct Chaos {
    env: TestEnv,
    namespace: String,
    functions: Api<DynamicObject>,
    meshes: Api<DynamicObject>,
    controllers: Vec<(&'static str, Controller)>,
    flags: Vec<String>,
    dice: Rng,
    /// A suspended process, and when it is resumed.
    stopped: Option<(usize, Instant)>,
    users: BTreeSet<String>,
}

impl Chaos {
    async fn start(env: &TestEnv, namespace: &str, seed: u64) -> Result<Self> {
        let mut flags: Vec<String> = FLAGS.iter().map(|flag| (*flag).to_owned()).collect();
        flags.push(format!("--watched-namespace={namespace}"));
        let mut this = Self {
            env: env.clone(),
            namespace: namespace.to_owned(),
            functions: api(env, namespace, "Function", "functions"),
            meshes: api(env, namespace, "FunctionMesh", "functionmeshes"),
            controllers: Vec::new(),
            flags,
            dice: Rng(seed | 1),
            stopped: None,
            users: BTreeSet::new(),
        };
        for name in CONTROLLERS.into_iter().flat_map(|name| [name; REPLICAS]) {
            let controller = this.launch(name)?;
            this.controllers.push((name, controller));
        }
        for n in 0..FUNCTIONS {
            create(&this.functions, "Function", &format!("f{n}"), &function_spec()).await?;
        }
        for n in 0..MESHES {
            let mesh = this.mesh();
            create(&this.meshes, "FunctionMesh", &format!("m{n}"), &mesh).await?;
        }
        Ok(this)
    }

    fn launch(&mut self, name: &'static str) -> Result<Controller> {
        let flags: Vec<&str> = self.flags.iter().map(String::as_str).collect();
        let controller = Controller::spawn(&self.env, name, &flags)?;
        self.users.insert(controller.user.clone());
        Ok(controller)
    }

    /// A mesh of some items.
    fn mesh(&mut self) -> Value {
        let items: Vec<Value> = (0..ITEMS)
            .filter_map(|n| {
                if self.dice.roll(3) == 0 {
                    return None;
                }
                let mut item = function_spec();
                item["name"] = json!(format!("i{n}"));
                item["image"] = json!(format!("example.com/image:{}", self.dice.roll(5)));
                item["replicas"] = json!(1 + self.dice.roll(3));
                Some(item)
            })
            .collect();
        json!({"functions": items})
    }

    /// The name of a Function, of a user's or of a mesh.
    fn any(&mut self) -> String {
        if self.dice.roll(3) == 0 {
            format!("m{}-i{}", self.dice.roll(MESHES), self.dice.roll(ITEMS))
        } else {
            format!("f{}", self.dice.roll(FUNCTIONS))
        }
    }

    /// The next action. Whether it succeeds depends on earlier ones: only the end state counts.
    async fn happen(&mut self) -> Result<()> {
        match self.dice.roll(20) {
            0..8 => self.user().await,
            8..14 => self.foreign_hand().await?,
            14..18 => self.mesh_edit().await,
            _ => self.process()?,
        }
        Ok(())
    }

    async fn user(&mut self) {
        let (name, n) = (format!("f{}", self.dice.roll(FUNCTIONS)), self.dice.roll(1000));
        let patch = match self.dice.roll(7) {
            0 | 1 => json!({"spec": {"image": format!("example.com/image:{n}")}}),
            2 => json!({"metadata": {"labels": {"n": format!("{n}")}}}),
            3 => json!({"spec": {"replicas": n % 4}}),
            4 => {
                json!({"spec": {"replicas": 1, "maxReplicas": if n.is_multiple_of(2) { Some(2 + n % 5) } else { None }}})
            }
            5 => {
                json!({"spec": {"timeout": if n.is_multiple_of(2) { json!(5000) } else { json!(3_000_000_000_u64) }}})
            }
            _ => {
                drop(self.functions.delete(&name, &DeleteParams::background()).await);
                drop(create(&self.functions, "Function", &name, &function_spec()).await);
                return;
            }
        };
        drop(merge(&self.functions, &name, patch).await);
    }

    /// A user who knows nothing of Function Mesh and uses `kubectl edit`.
    async fn foreign_hand(&mut self) -> Result<()> {
        let (name, n) = (self.any(), self.dice.roll(1000));
        let child = |kind: &'static str, suffix: &str| {
            Child::of(&self.env, &self.namespace, kind, &format!("{name}{suffix}"))
        };
        let (set, service) = (child("StatefulSet", "-function")?, child("Service", "-function-headless")?);
        let scaler = child("HorizontalPodAutoscaler", "-function")?;
        let labels = json!({"compute.functionmesh.io/component": null, "compute.functionmesh.io/name": null});
        let done = match self.dice.roll(11) {
            0 => set.delete().await,
            1 => service.delete().await,
            2 => scaler.delete().await,
            3 => set.patch(&json!({"spec": {"replicas": 7}})).await,
            4 => service.patch(&json!({"spec": {"selector": {"app": format!("x{n}")}}})).await,
            5 => set.patch(&json!({"metadata": {"labels": labels}})).await,
            6 => set.patch(&json!({"metadata": {"ownerReferences": null}})).await,
            // The operator's label and one of its fields in one edit.
            7 => set.patch(&json!({"metadata": {"labels": labels}, "spec": {"replicas": 6}})).await,
            8 => {
                service
                    .patch(&json!({"metadata": {"labels": labels}, "spec": {"selector": {"app": "y"}}}))
                    .await
            }
            9 => scaler.patch(&json!({"metadata": {"labels": labels}, "spec": {"maxReplicas": 9}})).await,
            _ => {
                let image = json!([{"name": "pulsar-function", "image": format!("example.com/foreign:{n}")}]);
                set.patch(&json!({"spec": {"template": {"spec": {"containers": image}}}})).await
            }
        };
        drop(done);
        Ok(())
    }

    async fn mesh_edit(&mut self) {
        let name = format!("m{}", self.dice.roll(MESHES));
        match self.dice.roll(6) {
            0 => {
                let component = format!("{name}-i{}", self.dice.roll(ITEMS));
                drop(self.functions.delete(&component, &DeleteParams::background()).await);
            }
            1 => {
                let component = format!("{name}-i{}", self.dice.roll(ITEMS));
                let image = json!({"spec": {"image": "example.com/foreign:1"}});
                drop(merge(&self.functions, &component, image).await);
            }
            2 => {
                let spec = self.mesh();
                drop(self.meshes.delete(&name, &DeleteParams::background()).await);
                drop(create(&self.meshes, "FunctionMesh", &name, &spec).await);
            }
            _ => {
                let spec = self.mesh();
                drop(merge(&self.meshes, &name, json!({"spec": spec})).await);
            }
        }
    }

    /// Kills a process and starts another one, or suspends it for longer than its lease.
    fn process(&mut self) -> Result<()> {
        let which = self.dice.roll(self.controllers.len());
        if self.stopped.is_some() || self.dice.roll(4) > 0 {
            return Ok(());
        }
        if self.dice.roll(2) == 0 {
            let (name, _) = &self.controllers[which];
            let name = *name;
            self.controllers[which].1.kill();
            self.controllers[which].1 = self.launch(name)?;
        } else {
            self.controllers[which].1.send("STOP")?;
            self.stopped = Some((which, Instant::now() + LEASE * 2));
        }
        Ok(())
    }

    /// Resumes suspended processes when their time is over, and replaces those that ended: a leader that lost its lease exits.
    fn revive(&mut self, at_once: bool) -> Result<()> {
        if let Some((which, until)) = self.stopped
            && (at_once || Instant::now() > until)
        {
            self.controllers[which].1.send("CONT")?;
            self.stopped = None;
        }
        for which in 0..self.controllers.len() {
            if self.controllers[which].1.has_ended()? {
                let name = self.controllers[which].0;
                self.controllers[which].1 = self.launch(name)?;
            }
        }
        Ok(())
    }

    /// The differences between the objects and the cluster.
    async fn wrong(&self) -> Result<Vec<String>> {
        let mut wrong = Vec::new();
        let functions: BTreeMap<String, DynamicObject> = self
            .functions
            .list(&ListParams::default())
            .await?
            .into_iter()
            .map(|f| (f.name_any(), f))
            .collect();
        for (name, function) in &functions {
            if let Err(error) = self.check_function(name, function).await {
                wrong.push(format!("Function {name}: {error:#}"));
            }
        }
        let mut components = BTreeSet::new();
        for mesh in self.meshes.list(&ListParams::default()).await? {
            let items = mesh.data["spec"]["functions"].as_array().cloned().unwrap_or_default();
            for item in &items {
                let name = format!("{}-{}", mesh.name_any(), item["name"].as_str().unwrap_or_default());
                let live = functions.get(&name).map(|function| &function.data["spec"]);
                let same = live.is_some_and(|live| {
                    ["image", "className", "replicas"].iter().all(|field| live[*field] == item[*field])
                });
                if !same {
                    wrong.push(format!("component {name} is not as its mesh says"));
                }
                components.insert(name);
            }
            if !is_true(&mesh, "Ready") {
                wrong.push(format!("mesh {}: {}", mesh.name_any(), mesh.data["status"]["conditions"]));
            }
        }
        let of_meshes = functions.keys().filter(|name| name.starts_with('m'));
        wrong.extend(
            of_meshes.filter(|name| !components.contains(*name)).map(|name| format!("{name} is in no mesh")),
        );
        Ok(wrong)
    }

    async fn check_function(&self, name: &str, function: &DynamicObject) -> Result<()> {
        ensure!(is_true(function, "Ready"), "{}", function.data["status"]["conditions"]);
        let spec = &function.data["spec"];
        let child = |kind: &'static str, suffix: &str| {
            Child::of(&self.env, &self.namespace, kind, &format!("{name}{suffix}"))
        };
        let set = child("StatefulSet", "-function")?.state().await?;
        let image = &set["spec"]["template"]["spec"]["containers"][0]["image"];
        ensure!(*image == spec["image"], "image {image}");
        ensure!(set["spec"]["replicas"] == spec["replicas"], "replicas {}", set["spec"]["replicas"]);
        let service = child("Service", "-function-headless")?.state().await?;
        let selector = &service["spec"]["selector"];
        let labels = &set["spec"]["selector"]["matchLabels"];
        ensure!(selector == labels, "the Service selects {selector}, not {labels}");
        for state in [&set, &service] {
            let owner = &state["ownerReferences"][0]["uid"];
            ensure!(*owner == json!(function.metadata.uid), "owner {owner}");
            let label = &state["labels"]["compute.functionmesh.io/name"];
            ensure!(*label == json!(name), "label {label}");
        }
        let scaler = child("HorizontalPodAutoscaler", "-function")?.state().await.ok();
        let most = scaler.as_ref().map(|scaler| &scaler["spec"]["maxReplicas"]);
        ensure!(most == spec.get("maxReplicas").filter(|most| !most.is_null()), "maxReplicas {most:?}");
        Ok(())
    }

    /// Waits until the cluster matches the objects.
    async fn settle(&mut self) -> Result<Duration> {
        let began = Instant::now();
        loop {
            self.revive(true)?;
            let wrong = self.wrong().await?;
            match wrong.first() {
                None => return Ok(began.elapsed()),
                Some(_) if began.elapsed() > SETTLED => {
                    return Err(anyhow::anyhow!(
                        "after {SETTLED:?} {} are wrong: {}",
                        wrong.len(),
                        wrong.join("; ")
                    ));
                }
                Some(_) => tokio::time::sleep(Duration::from_secs(1)).await,
            }
        }
    }
}

fn is_true(object: &DynamicObject, type_: &str) -> bool {
    let conditions = object.data["status"]["conditions"].as_array();
    let current = |c: &&Value| c["observedGeneration"] == json!(object.metadata.generation);
    let found = conditions.into_iter().flatten().filter(current).find(|c| c["type"] == type_);
    found.is_some_and(|c| c["status"] == "True")
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "half an hour"]
async fn chaos_settles() -> Result<()> {
    let env = TestEnv::connect().await?;
    env.prepare().await?;
    let length = Duration::from_secs(60 * number("MINUTES", 10));
    let first = number("SEED", 1);
    for seed in first..first + number("SEEDS", 3) {
        let env = env.clone();
        env.test("chaos", |env, namespace| async move {
            one(&env, &namespace, seed, length).await.with_context(|| format!("SEED={seed}"))
        })
        .await?;
    }
    Ok(())
}

async fn one(env: &TestEnv, namespace: &str, seed: u64, length: Duration) -> Result<()> {
    let _statefulset_controller = FakeStatefulSetController::start(env, namespace);
    let mut chaos = Chaos::start(env, namespace, seed).await?;
    chaos.settle().await.context("before anything happened")?;
    let (began, mut turns) = (Instant::now(), 0);
    while began.elapsed() < length {
        chaos.revive(false)?;
        chaos.happen().await?;
        turns += 1;
        tokio::time::sleep(PAUSE).await;
    }
    // Objects that cannot run are fixed; no other client writes from here on.
    for n in 0..FUNCTIONS {
        let name = format!("f{n}");
        if chaos.functions.get_opt(&name).await?.is_none() {
            create(&chaos.functions, "Function", &name, &function_spec()).await?;
        }
        merge(&chaos.functions, &name, json!({"spec": {"timeout": 5000}})).await?;
    }
    let took = chaos.settle().await?;
    progress(&format!(
        "seed {seed}: {turns} operations, {} processes; settled in {} s",
        chaos.users.len(),
        took.as_secs()
    ));
    // Writes in progress may finish.
    tokio::time::sleep(Duration::from_secs(5)).await;
    let mark = env.mark().await?;
    tokio::time::sleep(Duration::from_secs(60)).await;
    let writes = env.audit_since(&mark)?.within(namespace).writes().only(|r| chaos.users.contains(r.user()));
    ensure!(writes.requests().is_empty(), "writes in the minute after: {:?}", writes.counts());
    let mark = env.mark().await?;
    for which in 0..chaos.controllers.len() {
        let name = chaos.controllers[which].0;
        chaos.controllers[which].1.kill();
        chaos.controllers[which].1 = chaos.launch(name)?;
    }
    // One replica of each kind leads once the lease of the killed one has expired.
    env.until("a look at every object", || async {
        for (kind, number) in CONTROLLERS.into_iter().zip([FUNCTIONS, MESHES]) {
            let of_kind = chaos.controllers.iter().filter(|(name, _)| *name == kind);
            let looks: u64 = of_kind.filter_map(|(_, controller)| controller.reconciles().ok()).sum();
            ensure!(looks >= u64::try_from(number)?, "{kind}: {looks} of {number}");
        }
        Ok(())
    })
    .await?;
    for (_, controller) in &chaos.controllers {
        controller.until_idle(env).await?;
    }
    let writes = env.audit_since(&mark)?.within(namespace).writes().only(|r| chaos.users.contains(r.user()));
    ensure!(writes.requests().is_empty(), "writes after a restart: {:?}", writes.counts());
    Ok(())
}
