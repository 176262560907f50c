//! The number of replicas of components of a mesh: the mesh sets it if an item states it, and otherwise the scaler does.

use super::{apply_number, kubectl_scale, scale, until_runs};
use anyhow::{Context, Result, ensure};
use e2e::testing::fake_statefulset_controller::FakeStatefulSetController;
use e2e::testing::objects::{api, create, function_spec, functions, merge};
use e2e::testing::proxy::rule::{Action, Rule};
use e2e::testing::{Controller, Proxy, TestEnv};
use kube::api::{Api, DynamicObject};
use serde_json::{Value, json};
use std::time::Duration;

/// An item with further fields besides those of the smallest Function, of some version.
fn item(name: &str, version: u32, fields: &Value) -> Value {
    let mut item = function_spec();
    item.as_object_mut().into_iter().for_each(|item| drop(item.remove("replicas")));
    item["name"] = json!(name);
    item["image"] = json!(format!("example.com/image:{version}"));
    fields.as_object().into_iter().flatten().for_each(|(key, value)| item[key] = value.clone());
    item
}

fn items(version: u32, all: &[(&str, Value)]) -> Value {
    json!({"functions": all.iter().map(|(name, fields)| item(name, version, fields)).collect::<Vec<_>>()})
}

/// Waits until every component is of a version.
async fn until_version(
    env: &TestEnv,
    components: &Api<DynamicObject>,
    all: &[(&str, Value)],
    version: u32,
) -> Result<()> {
    for (name, _) in all {
        env.until(&format!("version {version} of {name}"), || async {
            let image = components.get(&format!("m-{name}")).await?.data["spec"]["image"].clone();
            ensure!(image == json!(format!("example.com/image:{version}")), "{image}");
            Ok(())
        })
        .await?;
    }
    Ok(())
}

const NAMES: [&str; 6] = ["auto", "none", "applied", "stated", "left", "added"];

/// Waits until the components have these numbers, and their pods.
async fn until_all_run(env: &TestEnv, namespace: &str, wanted: [i32; 6]) -> Result<()> {
    let components = functions(env, namespace);
    for (name, replicas) in NAMES.into_iter().zip(wanted) {
        let name = format!("m-{name}");
        env.until(&format!("{replicas} replicas of component {name}"), || async {
            let live = components.get(&name).await?.data["spec"]["replicas"].clone();
            ensure!(live == json!(replicas), "{live}");
            Ok(())
        })
        .await?;
        until_runs(env, namespace, &name, replicas).await?;
    }
    Ok(())
}

/// Managers that own the number of a component.
async fn owners(components: &Api<DynamicObject>, name: &str) -> Result<Vec<String>> {
    let entries = components.get(name).await?.metadata.managed_fields.unwrap_or_default();
    let owns = entries.into_iter().filter(|entry| {
        let fields = entry.fields_v1.as_ref().and_then(|fields| fields.0.pointer("/f:spec/f:replicas"));
        fields.is_some()
    });
    Ok(owns.filter_map(|entry| entry.manager).collect())
}

/// Each way to scale, edits of the image before, between and after, and every change of the owner of the number.
#[tokio::test(flavor = "multi_thread")]
async fn a_number_that_the_mesh_does_not_state_is_never_reverted() -> Result<()> {
    let env = TestEnv::connect().await?;
    env.prepare().await?;
    env.test("scaled-mesh", |env, namespace| async move {
        let _statefulset_controller = FakeStatefulSetController::start(&env, &namespace);
        let _functions = Controller::start(&env, "function-controller", &namespace).await?;
        let controller = Controller::start(&env, "mesh-controller", &namespace).await?;
        let (meshes, components) =
            (api(&env, &namespace, "FunctionMesh", "functionmeshes"), functions(&env, &namespace));
        let fields = [
            json!({"replicas": 5, "maxReplicas": 10}),
            json!({}),
            json!({"replicas": 2, "maxReplicas": 9}),
            json!({"replicas": 3}),
            json!({"replicas": 2}),
            json!({"replicas": 2}),
        ];
        let mut all: Vec<_> = NAMES.into_iter().zip(fields).collect();
        create(&meshes, "FunctionMesh", "m", &items(1, &all)).await?;
        let runs = |wanted: [i32; 6]| until_all_run(&env, &namespace, wanted);
        runs([5, 1, 2, 3, 2, 2]).await.context("as the items say")?;
        merge(&meshes, "m", json!({"spec": items(2, &all)})).await?;
        until_version(&env, &components, &all, 2).await?;
        runs([5, 1, 2, 3, 2, 2]).await.context("an edit before scaling")?;
        for (name, mesh_owns) in [("auto", false), ("none", false), ("applied", false), ("stated", true)] {
            let owners = owners(&components, &format!("m-{name}")).await?;
            ensure!(owners.contains(&"mesh-controller".to_owned()) == mesh_owns, "{name}: {owners:?}");
        }

        scale(&components, "m-auto", 7).await?;
        kubectl_scale(&env, &namespace, "m-none", 4)?;
        apply_number(&components, "m-applied", 6).await.context("without force")?;
        kubectl_scale(&env, &namespace, "m-stated", 8)?;
        runs([7, 4, 6, 3, 2, 2]).await.context("scaled")?;
        merge(&meshes, "m", json!({"spec": items(3, &all)})).await?;
        until_version(&env, &components, &all, 3).await?;
        runs([7, 4, 6, 3, 2, 2]).await.context("an edit after that")?;

        // The owner of the number changes; the number does not.
        (all[4].1, all[5].1) = (json!({}), json!({"replicas": 2, "maxReplicas": 8}));
        merge(&meshes, "m", json!({"spec": items(4, &all)})).await?;
        until_version(&env, &components, &all, 4).await?;
        runs([7, 4, 6, 3, 2, 2]).await.context("no longer stated")?;
        apply_number(&components, "m-left", 5).await.context("unowned, without force")?;
        scale(&components, "m-added", 4).await?;
        merge(&meshes, "m", json!({"spec": items(5, &all)})).await?;
        until_version(&env, &components, &all, 5).await?;
        runs([7, 4, 6, 3, 5, 4]).await.context("scaled, and edited")?;
        // And back: the number in the item counts.
        (all[0].1, all[4].1) = (json!({"replicas": 2}), json!({"replicas": 1}));
        merge(&meshes, "m", json!({"spec": items(6, &all)})).await?;
        until_version(&env, &components, &all, 6).await?;
        runs([2, 4, 6, 3, 1, 4]).await.context("stated again")?;

        controller.until_idle(&env).await?;
        controller.signal("TERM")?;
        let successor = Controller::start(&env, "mesh-controller", &namespace).await?;
        successor.reconciled(&env, 1).await?;
        successor.until_idle(&env).await?;
        let requests = env.audit()?.by(&successor.user);
        let reads = requests.clone().only(|r| r.verb == "get" && r.resource() != "leases");
        let writes = requests.writes();
        ensure!(writes.requests().is_empty(), "writes after a restart: {:?}", writes.counts());
        ensure!(reads.requests().is_empty(), "reads after a restart: {:?}", reads.counts());
        Ok(())
    })
    .await
}

/// A scaler acts between the controller's read of the owners and its write of them: the write is refused and retried.
#[tokio::test(flavor = "multi_thread")]
async fn a_concurrent_scaler_keeps_a_number_that_the_mesh_gives_up() -> Result<()> {
    let env = TestEnv::connect().await?;
    env.prepare().await?;
    env.test("handed-over", |env, namespace| async move {
        let proxy = Proxy::start(&env).await?;
        let watched = format!("--watched-namespace={namespace}");
        let flags = [watched.as_str(), "--leader-elect=false"];
        let controller = Controller::spawn_behind(&env, Some(&proxy), "mesh-controller", &flags)?;
        controller.ready(&env).await?;
        let (meshes, components) =
            (api(&env, &namespace, "FunctionMesh", "functionmeshes"), functions(&env, &namespace));
        let stated = [("a", json!({"replicas": 2}))];
        create(&meshes, "FunctionMesh", "m", &items(1, &stated)).await?;
        until_version(&env, &components, &stated, 1).await?;
        let wait = Duration::from_secs(1);
        proxy.add(Rule::new(Action::Delay(wait)).verb("patch").resource("functions").times(1));
        let free = [("a", json!({}))];
        merge(&meshes, "m", json!({"spec": items(2, &free)})).await?;
        env.until("the write is in progress", || async {
            ensure!(proxy.rules_left() == 0, "not sent");
            Ok(())
        })
        .await?;
        scale(&components, "m-a", 7).await?;
        until_version(&env, &components, &free, 2).await?;
        controller.until_idle(&env).await?;
        let number = components.get("m-a").await?.data["spec"]["replicas"].clone();
        ensure!(number == json!(7), "{number}");
        let owners = owners(&components, "m-a").await?;
        ensure!(owners == ["kube-controller-manager"], "{owners:?}");
        let refused =
            env.audit()?.by(&controller.user).only(|r| r.what() == "patch functions" && r.code() >= 400);
        ensure!(!refused.requests().is_empty(), "nothing was refused: the test shows nothing");
        Ok(())
    })
    .await
}
