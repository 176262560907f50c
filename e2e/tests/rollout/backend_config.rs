//! BackendConfigs on a real API server: which objects a change affects, when, and how many requests it costs.

use anyhow::{Context, Result, bail, ensure};
use e2e::testing::fake_statefulset_controller::FakeStatefulSetController;
use e2e::testing::objects::{
    AVAILABLE, api, condition, create, function_spec, functions, merge, until_condition, until_ready,
};
use e2e::testing::{Controller, TestEnv};
use k8s_openapi::api::apps::v1::StatefulSet;
use kube::api::{Api, DeleteParams, DynamicObject};
use serde_json::{Value, json};

const N: usize = 10;

struct Fleet {
    env: TestEnv,
    controller: Controller,
    functions: Api<DynamicObject>,
    configs: Api<DynamicObject>,
    sets: Api<StatefulSet>,
    flags: Vec<String>,
}

impl Fleet {
    /// A controller with a global BackendConfig, and functions that run.
    async fn start(env: &TestEnv, namespace: &str, first: Option<Value>) -> Result<Self> {
        let flags = vec![
            format!("--watched-namespace={namespace}"),
            "--leader-elect=false".to_owned(),
            "--global-backend-config=everybody".to_owned(),
            format!("--global-backend-config-namespace={namespace}"),
        ];
        let configs = api(env, namespace, "BackendConfig", "backendconfigs");
        if let Some(spec) = first {
            create(&configs, "BackendConfig", "backend-config", &spec).await?;
        }
        let this = Self {
            env: env.clone(),
            controller: launch(env, &flags).await?,
            functions: functions(env, namespace),
            configs,
            sets: Api::namespaced(env.client.clone(), namespace),
            flags,
        };
        for i in 0..N {
            create(&this.functions, "Function", &format!("f{i}"), &function_spec()).await?;
        }
        this.ready().await?;
        Ok(this)
    }

    async fn restart(&mut self) -> Result<()> {
        self.controller = launch(&self.env, &self.flags).await?;
        self.controller.reconciled(&self.env, N as u64).await
    }

    async fn ready(&self) -> Result<()> {
        for i in 0..N {
            until_ready(&self.env, &self.functions, &format!("f{i}"), AVAILABLE).await?;
        }
        Ok(())
    }

    /// Changes a BackendConfig and waits until every function is reconciled.
    async fn change(&self, name: &str, patch: Value) -> Result<()> {
        let before = self.controller.metric("function_mesh_reconciles_total")?;
        merge(&self.configs, name, patch).await?;
        self.controller.reconciled(&self.env, before + N as u64).await
    }

    /// Value of a variable in the main container of a function.
    async fn variable(&self, function: &str, name: &str) -> Result<Option<String>> {
        let set = self.sets.get(&format!("{function}-function")).await?;
        let containers = set.spec.template.spec.context("no pod")?.containers;
        let main = containers.into_iter().find(|c| c.name == "pulsar-function").context("no container")?;
        Ok(main.env.into_iter().flatten().find(|v| v.name == name).and_then(|v| v.value))
    }

    async fn until_variable(&self, name: &str, value: Option<&str>) -> Result<()> {
        for i in 0..N {
            self.env
                .until(&format!("{name} in f{i}"), || async {
                    let found = self.variable(&format!("f{i}"), name).await?;
                    if found.as_deref() == value { Ok(()) } else { bail!("{found:?}") }
                })
                .await?;
        }
        Ok(())
    }

    fn written(&self, what: &str) -> Result<usize> {
        let counts = self.env.audit()?.by(&self.controller.user).writes().counts();
        Ok(counts.get(what).copied().unwrap_or_default())
    }
}

async fn launch(env: &TestEnv, flags: &[String]) -> Result<Controller> {
    let flags: Vec<&str> = flags.iter().map(String::as_str).collect();
    let controller = Controller::spawn(env, "function-controller", &flags)?;
    controller.ready(env).await?;
    Ok(controller)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_change_reaches_every_function_once() -> Result<()> {
    let env = TestEnv::connect().await?;
    env.prepare().await?;
    env.test("becfg", |env, namespace| async move {
        let _statefulset_controller = FakeStatefulSetController::start(&env, &namespace);
        let first = json!({"env": {"A": "1"}, "autoUpdate": true});
        let mut fleet = Fleet::start(&env, &namespace, Some(first)).await?;
        fleet.until_variable("A", Some("1")).await?;
        ensure!(fleet.written("patch statefulsets")? == N, "created with more than one write each");

        let status = fleet.written("patch functions/status")?;
        fleet.change("backend-config", json!({"metadata": {"labels": {"a": "b"}}})).await?;
        ensure!(fleet.written("patch statefulsets")? == N, "an edit of metadata was written");
        ensure!(fleet.written("patch functions/status")? == status, "an edit of metadata reached the status");

        fleet.change("backend-config", json!({"spec": {"env": {"A": "2"}}})).await?;
        fleet.until_variable("A", Some("2")).await?;
        fleet.ready().await?;
        ensure!(fleet.written("patch statefulsets")? == 2 * N, "a new value: not one write each");
        fleet.change("backend-config", json!({"spec": {"env": {"B": "1"}}})).await?;
        fleet.until_variable("B", Some("1")).await?;
        fleet.ready().await?;
        ensure!(fleet.written("patch statefulsets")? == 3 * N, "a new variable: not one write each");

        // The global one: that of the namespace has precedence.
        let before = fleet.controller.metric("function_mesh_reconciles_total")?;
        let spec = json!({"env": {"A": "global"}, "autoUpdate": true});
        create(&fleet.configs, "BackendConfig", "everybody", &spec).await?;
        fleet.controller.reconciled(&env, before + N as u64).await?;
        ensure!(fleet.written("patch statefulsets")? == 3 * N, "written although nothing changes");
        fleet.change("everybody", json!({"spec": {"env": {"C": "global"}}})).await?;
        fleet.until_variable("C", Some("global")).await?;
        fleet.ready().await?;
        ensure!(fleet.variable("f0", "A").await?.as_deref() == Some("2"), "the global one counted more");
        ensure!(fleet.written("patch services")? == N, "Services were written again");

        fleet.restart().await?;
        let writes = env.audit()?.by(&fleet.controller.user).writes();
        ensure!(writes.requests().is_empty(), "writes after a restart: {:?}", writes.counts());

        fleet.configs.delete("everybody", &DeleteParams::default()).await?;
        fleet.until_variable("C", None).await?;
        // A BackendConfig with another name has no effect.
        create(&fleet.configs, "BackendConfig", "other", &json!({"env": {"D": "1"}, "autoUpdate": true}))
            .await?;
        merge(&fleet.functions, "f0", json!({"spec": {"image": "example.com/image:2"}})).await?;
        fleet.ready().await?;
        ensure!(fleet.variable("f0", "D").await?.is_none(), "another BackendConfig counted");
        Ok(())
    })
    .await
}

#[tokio::test(flavor = "multi_thread")]
async fn without_auto_update_a_change_waits_for_a_reason() -> Result<()> {
    let env = TestEnv::connect().await?;
    env.prepare().await?;
    env.test("becfgwait", |env, namespace| async move {
        let _statefulset_controller = FakeStatefulSetController::start(&env, &namespace);
        let mut fleet = Fleet::start(&env, &namespace, Some(json!({"env": {"A": "1"}}))).await?;
        fleet.until_variable("A", Some("1")).await?;
        fleet.change("backend-config", json!({"spec": {"env": {"A": "2"}}})).await?;
        let waiting = |name: String| {
            let functions = fleet.functions.clone();
            async move { condition(&functions, &name, "UpdateAvailable").await.map(drop) }
        };
        for i in 0..N {
            env.until("UpdateAvailable", || waiting(format!("f{i}"))).await?;
        }
        ensure!(fleet.written("patch statefulsets")? == N, "a change reached pods");
        fleet.ready().await?;

        // A restart does not roll it out either, and writes nothing else.
        fleet.restart().await?;
        let writes = env.audit()?.by(&fleet.controller.user).writes();
        ensure!(writes.requests().is_empty(), "writes after a restart: {:?}", writes.counts());

        // A change of an object is a reason for this object.
        merge(&fleet.functions, "f0", json!({"spec": {"image": "example.com/image:2"}})).await?;
        env.until("the change", || async {
            let found = fleet.variable("f0", "A").await?;
            if found.as_deref() == Some("2") { Ok(()) } else { bail!("{found:?}") }
        })
        .await?;
        until_ready(&env, &fleet.functions, "f0", AVAILABLE).await?;
        env.until("no more UpdateAvailable", || async {
            let left = condition(&fleet.functions, "f0", "UpdateAvailable").await;
            if left.is_err() { Ok(()) } else { bail!("still there") }
        })
        .await?;
        ensure!(fleet.variable("f1", "A").await?.as_deref() == Some("1"), "another object was changed");
        ensure!(fleet.written("patch statefulsets")? == 1, "more than one StatefulSet was written");

        // `autoUpdate` is a reason as well.
        fleet.change("backend-config", json!({"spec": {"autoUpdate": true}})).await?;
        fleet.until_variable("A", Some("2")).await?;
        fleet.ready().await?;
        ensure!(fleet.written("patch statefulsets")? == N, "not one write each");
        Ok(())
    })
    .await
}

#[tokio::test(flavor = "multi_thread")]
async fn one_that_cannot_be_read_stops_no_pod() -> Result<()> {
    let env = TestEnv::connect().await?;
    env.prepare().await?;
    env.test("becfgbad", |env, namespace| async move {
        let _statefulset_controller = FakeStatefulSetController::start(&env, &namespace);
        let fleet = Fleet::start(&env, &namespace, None).await?;
        // The schema accepts it, but it does not fit into a 32-bit integer.
        let spec = json!({"autoUpdate": true, "pod": {"terminationGracePeriodSeconds": 5,
            "liveness": {"initialDelaySeconds": 3_000_000_000_u64}}});
        create(&fleet.configs, "BackendConfig", "backend-config", &spec).await?;
        // The pods match their own spec, so the object stays ready.
        let refused = ("True", "InvalidBackendConfig");
        let message = until_condition(&env, &fleet.functions, "f0", "ReconcileFailed", refused).await?;
        until_ready(&env, &fleet.functions, "f0", AVAILABLE).await?;
        ensure!(message.contains("BackendConfig") && message.contains("backend-config"), "{message}");
        ensure!(fleet.written("patch statefulsets")? == N, "pods were changed");
        let fixed = json!({"spec": {"pod": {"liveness": null}}});
        fleet.change("backend-config", fixed).await?;
        fleet.ready().await?;
        let set = fleet.sets.get("f0-function").await?;
        let grace = set.spec.template.spec.and_then(|pod| pod.termination_grace_period_seconds);
        ensure!(grace == Some(5), "{grace:?}");
        Ok(())
    })
    .await
}
