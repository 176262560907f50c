//! Ordinary disturbances: one request in ten fails, the API server is slow, other clients write the same objects.

use super::{ready, warnings};
use anyhow::{Context, Result, ensure};
use e2e::scenarios::fleet::{FUNCTION, is_ready};
use e2e::shell::progress;
use e2e::testing::children::Child;
use e2e::testing::fake_statefulset_controller::FakeStatefulSetController;
use e2e::testing::many::until_all;
use e2e::testing::objects::{api, create, merge};
use e2e::testing::proxy::rule::{Action, Rule};
use e2e::testing::{Controller, Proxy, TestEnv};
use k8s_openapi::api::apps::v1::StatefulSet;
use k8s_openapi::api::autoscaling::v2::HorizontalPodAutoscaler;
use k8s_openapi::api::core::v1::Service;
use kube::ResourceExt;
use kube::api::{Api, DynamicObject, ListParams};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::time::{Duration, Instant};

const ITEM_HASH: &str = "compute.functionmesh.io/mesh-item-hash";

#[tokio::test(flavor = "multi_thread")]
async fn disturbances_change_no_ready_condition() -> Result<()> {
    disturbed("disturbed", Size { alone: 16, meshes: 2, items: 2 }, Duration::from_millis(300)).await
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "minutes: `make faults`"]
async fn disturbances_change_no_ready_condition_of_a_hundred() -> Result<()> {
    disturbed("disturbed-full", Size { alone: 50, meshes: 5, items: 10 }, Duration::from_secs(3)).await
}

/// Components without a mesh, meshes, and the components of each mesh.
struct Size {
    alone: usize,
    meshes: usize,
    items: usize,
}

async fn proxy(env: &TestEnv, delay: Duration) -> Result<Proxy> {
    let proxy = Proxy::start(env).await?;
    for (code, share) in [(500, 37), (503, 41), (409, 43), (504, 47)] {
        proxy.add(Rule::new(Action::Answer(code)).one_in(share));
    }
    proxy.add(Rule::new(Action::CutAfter).verb("patch").one_in(59));
    proxy.add(Rule::new(Action::Delay(delay)));
    Ok(proxy)
}

/// The condition `Ready` of each object.
async fn all_ready(api: &Api<DynamicObject>) -> Result<BTreeMap<String, Value>> {
    let objects = api.list(&ListParams::default()).await?;
    objects.iter().map(|object| Ok((object.name_any(), ready(object)?))).collect()
}

/// The spec of a mesh with this number of Functions.
fn mesh_of(number: usize) -> Value {
    let item = |i: usize| {
        let mut item = FUNCTION.spec();
        item["name"] = json!(format!("f{i}"));
        item
    };
    json!({"functions": (0..number).map(item).collect::<Vec<_>>()})
}

async fn disturbed(name: &'static str, size: Size, delay: Duration) -> Result<()> {
    let env = TestEnv::connect().await?;
    env.prepare().await?;
    let env = env.with_timeout(Duration::from_secs(900));
    env.test(name, |env, namespace| async move {
        let _statefulset_controller = FakeStatefulSetController::start(&env, &namespace);
        let functions = api(&env, &namespace, FUNCTION.kind, FUNCTION.plural);
        let meshes = api(&env, &namespace, "FunctionMesh", "functionmeshes");
        let flags = [format!("--watched-namespace={namespace}"), "--leader-elect=false".to_owned()];
        let flags: Vec<&str> = flags.iter().map(String::as_str).collect();
        let launch = async |proxy: Option<&Proxy>, name: &str, more: &[&str]| -> Result<Controller> {
            let all: Vec<&str> = flags.iter().chain(more).copied().collect();
            let controller = Controller::spawn_behind(&env, proxy, name, &all)?;
            controller.ready(&env).await?;
            Ok(controller)
        };
        let clear = launch(None, FUNCTION.controller, &[]).await?;
        let clear_mesh = launch(None, "mesh-controller", &[]).await?;
        let mut spec = FUNCTION.spec();
        spec["maxReplicas"] = json!(5);
        let alone: Vec<String> = (0..size.alone).map(|i| format!("a{i}")).collect();
        let named: Vec<String> = (0..size.meshes).map(|i| format!("m{i}")).collect();
        for name in &alone {
            create(&functions, FUNCTION.kind, name, &spec).await?;
        }
        for name in &named {
            create(&meshes, "FunctionMesh", name, &mesh_of(size.items)).await?;
        }
        let number = size.alone + size.meshes * size.items;
        until_all(&env, &functions, number, is_ready).await?;
        until_all(&env, &meshes, size.meshes, is_ready).await?;
        clear.until_idle(&env).await?;
        clear_mesh.until_idle(&env).await?;
        drop((clear, clear_mesh));
        let before = (all_ready(&functions).await?, all_ready(&meshes).await?);
        let sets: Api<StatefulSet> = Api::namespaced(env.client.clone(), &namespace);
        let generations = async || -> Result<Vec<_>> {
            let sets = sets.list(&ListParams::default()).await?;
            Ok(sets.iter().map(|set| (set.name_any(), set.metadata.generation)).collect())
        };
        let untouched = generations().await?;

        // A new process finds a pending update for each of them, and reads the live objects for the message.
        let (started, mark) = (Instant::now(), env.mark().await?);
        let (component_proxy, mesh_proxy) = (proxy(&env, delay).await?, proxy(&env, delay).await?);
        let affinity = ["--add-default-affinity=false"];
        let controller = launch(Some(&component_proxy), FUNCTION.controller, &affinity).await?;
        let mesh_controller = launch(Some(&mesh_proxy), "mesh-controller", &[]).await?;
        // Meanwhile autoscalers change, Services are deleted, and others edit what a mesh wrote.
        let edit = json!({"spec": {"maxReplicas": 6}});
        for (i, name) in alone.iter().enumerate() {
            merge(&functions, name, edit.clone()).await?;
            if i % 2 == 1 {
                continue;
            }
            Child::of(&env, &namespace, "Service", &format!("{name}-function-headless"))?.delete().await?;
        }
        let hashless = json!({"metadata": {"annotations": {ITEM_HASH: "edited"}}});
        for mesh in &named {
            merge(&functions, &format!("{mesh}-f0"), hashless.clone()).await?;
        }
        let waits = |object: &DynamicObject| {
            let conditions = object.data.pointer("/status/conditions").and_then(Value::as_array);
            let reported = conditions.into_iter().flatten().filter(|c| c["type"] == "UpdateAvailable");
            let known = |c: &Value| c["message"].as_str().is_some_and(|text| text.contains("affinity"));
            reported.into_iter().any(known) && object.annotations().get(ITEM_HASH).is_none_or(|hash| hash != "edited")
        };
        until_all(&env, &functions, number, |object| is_ready(object) && waits(object)).await?;
        let autoscalers: Api<HorizontalPodAutoscaler> = Api::namespaced(env.client.clone(), &namespace);
        let is_new = |autoscaler: &HorizontalPodAutoscaler| autoscaler.spec.max_replicas == 6;
        until_all(&env, &autoscalers, size.alone, is_new).await?;
        let services: Api<Service> = Api::namespaced(env.client.clone(), &namespace);
        until_all(&env, &services, number, |_| true).await?;
        controller.until_idle(&env).await?;
        mesh_controller.until_idle(&env).await?;
        let took = started.elapsed();

        let after = (all_ready(&functions).await?, all_ready(&meshes).await?);
        for (name, ready) in before.0.iter().chain(&before.1) {
            let now = after.0.get(name).or_else(|| after.1.get(name)).context("gone")?;
            ensure!(now == ready, "Ready of {name} was {ready} and is {now}");
        }
        let reported = warnings(&env, &namespace).await?;
        ensure!(reported.is_empty(), "{reported:?}");
        ensure!(generations().await? == untouched, "a StatefulSet was changed");
        let errors = controller.metric("function_mesh_reconcile_errors_total")?
            + mesh_controller.metric("function_mesh_reconcile_errors_total")?;
        ensure!(errors > 0, "no disturbance");
        let writes = env.audit_since(&mark)?.by(&controller.user).within(&namespace).writes();
        progress(&format!(
            "{number} components and {} meshes, {delay:?} slower: {} writes, {errors} reconciles failed, {took:?}",
            size.meshes,
            writes.requests().len()
        ));
        Ok(())
    })
    .await
}
