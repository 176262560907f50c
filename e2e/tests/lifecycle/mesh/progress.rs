//! Many components, with slow or refused writes.

use super::{MESH, item, meshes, until_there};
use anyhow::{Result, ensure};
use e2e::testing::objects::{create, functions, until_ready};
use e2e::testing::proxy::Proxy;
use e2e::testing::proxy::rule::{Action, Rule};
use e2e::testing::{Controller, TestEnv};
use k8s_openapi::api::core::v1::{ConfigMap, Namespace};
use kube::api::{Api, DeleteParams, ListParams, Patch, PatchParams, PostParams};
use serde_json::{Value, json};
use std::time::{Duration, Instant};

fn many(number: usize) -> Value {
    json!({"functions": (0..number).map(|i| item(&format!("f{i}"))).collect::<Vec<_>>()})
}

/// A mesh-controller for which every write of a Function takes this long.
async fn slow(env: &TestEnv, namespace: &str, wait: Duration) -> Result<(Proxy, Controller)> {
    let proxy = Proxy::start(env).await?;
    proxy.add(Rule::new(Action::Delay(wait)).verb("patch").resource("functions"));
    let watched = format!("--watched-namespace={namespace}");
    let flags = [watched.as_str(), "--leader-elect=false"];
    let controller = Controller::spawn_behind(env, Some(&proxy), "mesh-controller", &flags)?;
    controller.ready(env).await?;
    Ok((proxy, controller))
}

async fn until_made(env: &TestEnv, namespace: &str, number: usize) -> Result<()> {
    let functions = functions(env, namespace);
    env.until("the components", || async {
        let made = functions.list_metadata(&ListParams::default()).await?.items.len();
        ensure!(made == number, "{made} of {number}");
        Ok(())
    })
    .await
}

/// Sequentially they would take 30 s.
#[tokio::test(flavor = "multi_thread")]
async fn components_are_written_some_at_a_time() -> Result<()> {
    const NUMBER: usize = 30;
    let env = TestEnv::connect().await?;
    env.prepare().await?;
    env.test("sometime", |env, namespace| async move {
        let (_proxy, controller) = slow(&env, &namespace, Duration::from_secs(1)).await?;
        let started = Instant::now();
        create(&meshes(&env, &namespace), "FunctionMesh", MESH, &many(NUMBER)).await?;
        until_made(&env, &namespace, NUMBER).await?;
        let took = started.elapsed();
        ensure!(took < Duration::from_secs(NUMBER as u64 * 2 / 3), "{took:?}");
        until_ready(&env, &meshes(&env, &namespace), MESH, ("False", "ComponentsNotReady")).await?;
        controller.until_idle(&env).await?;
        // One write each and one status; two, if a slow machine takes more than twenty seconds.
        let mut counts = env.audit()?.by(&controller.user).writes().counts();
        let statuses = counts.remove("patch functionmeshes/status").unwrap_or_default();
        ensure!(counts == [("patch functions".to_owned(), NUMBER)].into(), "{counts:?}");
        ensure!((1..=2).contains(&statuses), "{statuses} statuses");
        Ok(())
    })
    .await
}

/// A reconcile may last a minute; these writes take three, and the status reports the progress.
#[tokio::test(flavor = "multi_thread")]
#[ignore = "minutes: `make faults`"]
async fn five_hundred_components_behind_a_slow_webhook_make_progress() -> Result<()> {
    const NUMBER: usize = 500;
    let env = TestEnv::connect().await?.with_timeout(Duration::from_secs(420));
    env.prepare().await?;
    env.test("slowhook", |env, namespace| async move {
        let (_proxy, controller) = slow(&env, &namespace, Duration::from_secs(3)).await?;
        let started = Instant::now();
        let meshes = meshes(&env, &namespace);
        create(&meshes, "FunctionMesh", MESH, &many(NUMBER)).await?;
        let message = until_ready(&env, &meshes, MESH, ("False", "ComponentsNotReady")).await?;
        let reported = started.elapsed();
        ensure!(reported < Duration::from_secs(40), "reported after {reported:?}: {message}");
        until_made(&env, &namespace, NUMBER).await?;
        eprintln!("reported after {reported:?}, made after {:?}", started.elapsed());
        let audit = env.audit()?.by(&controller.user).writes();
        let written = audit.counts().get("patch functions").copied().unwrap_or_default();
        ensure!(written == NUMBER, "{written} writes: some were made twice");
        let log = controller.log()?;
        ensure!(!log.contains("reconcile gave up"), "a reconcile was given up");
        Ok(())
    })
    .await
}

/// The components of a namespace that is being deleted are deleted in any order, and each triggers its mesh as long as it exists.
#[tokio::test(flavor = "multi_thread")]
async fn one_refusal_is_enough_in_a_namespace_that_is_being_deleted() -> Result<()> {
    const NUMBER: usize = 20;
    let env = TestEnv::connect().await?;
    env.prepare().await?;
    env.test("terminating", |env, namespace| async move {
        let (meshes, functions) = (meshes(&env, &namespace), functions(&env, &namespace));
        let proxy = Proxy::start(&env).await?;
        let watched = format!("--watched-namespace={namespace}");
        let flags = [watched.as_str(), "--leader-elect=false"];
        let controller = Controller::spawn_behind(&env, Some(&proxy), "mesh-controller", &flags)?;
        controller.ready(&env).await?;
        create(&meshes, "FunctionMesh", MESH, &many(NUMBER)).await?;
        for i in 0..NUMBER {
            until_there(&env, &functions, &format!("m-f{i}")).await?;
        }
        until_ready(&env, &meshes, MESH, ("False", "ComponentsNotReady")).await?;
        controller.until_idle(&env).await?;
        // It blocks the deletion of the namespace, and the controller gets no event about the deletion of the mesh.
        let held: ConfigMap = serde_json::from_value(
            json!({"metadata": {"name": "held", "finalizers": ["example.com/held"]}}),
        )?;
        let maps: Api<ConfigMap> = Api::namespaced(env.client.clone(), &namespace);
        maps.create(&PostParams::default(), &held).await?;
        proxy.freeze_watches_of("functionmeshes");
        let namespaces: Api<Namespace> = Api::all(env.client.clone());
        namespaces.delete(&namespace, &DeleteParams::default()).await?;
        env.until("end of the components", || async {
            let left = functions.list_metadata(&ListParams::default()).await?.items.len();
            ensure!(left == 0, "{left} left");
            Ok(())
        })
        .await?;
        // As long as three retries would take.
        tokio::time::sleep(Duration::from_secs(5)).await;
        let refused = env.audit()?.by(&controller.user).refused();
        let tried = refused.only(|r| r.verb == "patch" && r.resource() == "functions");
        let release = Patch::Merge(json!({"metadata": {"finalizers": null}}));
        maps.patch("held", &PatchParams::default(), &release).await?;
        let tried = tried.requests().len();
        ensure!((1..=2).contains(&tried), "{tried} requests in vain");
        Ok(())
    })
    .await
}
