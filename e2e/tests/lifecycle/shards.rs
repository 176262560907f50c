//! Several processes divide the objects of a kind: no object has two writers, also while their number changes
//! (docs/decisions/0057-shards.md).
//!
//! The two tests have controllers, and so leases, of their own.

use anyhow::{Context, Error, Result, ensure};
use e2e::operator::NAMESPACE;
use e2e::testing::audit::Audit;
use e2e::testing::objects::{api, create, each, function_spec, functions, merge, until_ready};
use e2e::testing::{Controller, TestEnv};
use functionmesh_objects::shard::Shard;
use k8s_openapi::api::apps::v1::StatefulSet;
use k8s_openapi::api::coordination::v1::Lease;
use kube::api::{Api, ListParams};
use kube::{Client, ResourceExt};
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

const NUMBER: usize = 30;
const LEASE: Duration = Duration::from_secs(10);

/// Starts one shard of a controller.
fn spawn(env: &TestEnv, name: &str, namespace: &str, shard: &str) -> Result<Controller> {
    let (watched, shard) = (format!("--watched-namespace={namespace}"), format!("--shard={shard}"));
    let lease = format!("--lease-namespace={NAMESPACE}");
    // Long enough for an API server that stands still for some seconds on a busy machine: a lost lease ends a process.
    let times = ["--lease-duration=10", "--lease-renew-deadline=8", "--lease-retry-period=1"];
    let flags: Vec<&str> = [watched.as_str(), &shard, &lease].into_iter().chain(times).collect();
    Controller::spawn(env, name, &flags)
}

fn spawn_all(env: &TestEnv, name: &str, namespace: &str, count: usize) -> Result<Vec<Controller>> {
    (0..count).map(|index| spawn(env, name, namespace, &format!("{index}/{count}"))).collect()
}

async fn all_lead(env: &TestEnv, controllers: &[Controller]) -> Result<()> {
    for controller in controllers {
        controller.leads(env).await?;
    }
    Ok(())
}

async fn all_idle(env: &TestEnv, controllers: &[Controller]) -> Result<()> {
    for controller in controllers {
        controller.until_idle(env).await?;
    }
    Ok(())
}

/// Names of the objects that belong to each of the shards, by its user.
fn shares(
    controllers: &[Controller],
    namespace: &str,
    names: &[String],
) -> Result<BTreeMap<String, BTreeSet<String>>> {
    let count = controllers.len();
    let share = |(index, controller): (usize, &Controller)| -> Result<_> {
        let shard: Shard = format!("{index}/{count}").parse().map_err(Error::msg)?;
        let own = names.iter().filter(|name| shard.has(namespace, name)).cloned();
        Ok((controller.user.clone(), own.collect::<BTreeSet<_>>()))
    };
    let shares: Result<BTreeMap<_, _>> = controllers.iter().enumerate().map(share).collect();
    Ok(shares?.into_iter().filter(|(_, own)| !own.is_empty()).collect())
}

/// Names of objects by the user that wrote them; fails if an object was written by two.
fn writers(
    audit: &Audit,
    users: &[Controller],
    resource: &str,
) -> Result<BTreeMap<String, BTreeSet<String>>> {
    let (mut names, mut by) = (BTreeMap::new(), BTreeMap::<String, BTreeSet<String>>::new());
    for request in audit.requests().iter().filter(|r| r.is_write() && r.resource() == resource) {
        let (user, name) = (request.user().to_owned(), request.name().to_owned());
        if !users.iter().any(|controller| controller.user == user) {
            continue;
        }
        let first = names.entry(name.clone()).or_insert_with(|| user.clone()).clone();
        ensure!(first == user, "{resource} {name} was written by {first} and by {user}");
        by.entry(user).or_default().insert(name);
    }
    Ok(by)
}

/// Waits until each of the StatefulSets exists, with this image.
async fn until_image(env: &TestEnv, namespace: &str, names: &BTreeSet<String>, image: &str) -> Result<()> {
    let sets: Api<StatefulSet> = Api::namespaced(env.client.clone(), namespace);
    env.until(&format!("image {image}"), || async {
        let found = sets.list(&ListParams::default()).await?;
        let with: BTreeSet<String> = found
            .iter()
            .filter(|set| serde_json::to_string(set).is_ok_and(|text| text.contains(&format!("\"{image}\""))))
            .map(ResourceExt::name_any)
            .collect();
        let missing: Vec<_> = names.difference(&with).collect();
        ensure!(missing.is_empty(), "{} without: {missing:?}", missing.len());
        Ok(())
    })
    .await
}

fn mesh_spec(items: &[String]) -> Value {
    let item = |name: &String| {
        let mut item = function_spec();
        item["name"] = json!(name);
        item
    };
    json!({"functions": items.iter().map(item).collect::<Vec<_>>()})
}

fn sets_of(names: impl IntoIterator<Item = String>) -> BTreeSet<String> {
    names.into_iter().map(|name| format!("{name}-function")).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn no_object_has_two_writers_and_a_lost_shard_affects_no_other() -> Result<()> {
    let env = TestEnv::connect().await?;
    env.prepare().await?;
    env.test("shards", |env, namespace| async move {
        let (functions, meshes) =
            (functions(&env, &namespace), api(&env, &namespace, "FunctionMesh", "functionmeshes"));
        let mut of_functions = spawn_all(&env, "function-controller", &namespace, 3)?;
        let of_meshes = spawn_all(&env, "mesh-controller", &namespace, 3)?;
        all_lead(&env, &of_functions).await?;
        all_lead(&env, &of_meshes).await?;
        let names: Vec<String> = (0..NUMBER).map(|i| format!("fn-{i}")).collect();
        each(names.clone(), |name| {
            let functions = functions.clone();
            async move { create(&functions, "Function", &name, &function_spec()).await }
        })
        .await?;
        for mesh in 0..4 {
            let items: Vec<String> = (0..3).map(|i| format!("f{i}")).collect();
            create(&meshes, "FunctionMesh", &format!("mesh-{mesh}"), &mesh_spec(&items)).await?;
        }
        let components: Vec<String> =
            (0..4).flat_map(|mesh| (0..3).map(move |i| format!("mesh-{mesh}-f{i}"))).collect();
        let sets = sets_of(names.iter().chain(&components).cloned());
        until_image(&env, &namespace, &sets, "example.com/image:1").await?;
        all_idle(&env, &of_functions).await?;
        all_idle(&env, &of_meshes).await?;

        let audit = env.audit()?.within(&namespace);
        let by_user = writers(&audit, &of_functions, "functions/status")?;
        let all: Vec<String> = names.iter().chain(&components).cloned().collect();
        ensure!(by_user == shares(&of_functions, &namespace, &all)?, "{by_user:?}");
        writers(&audit, &of_functions, "services")?;
        writers(&audit, &of_functions, "statefulsets")?;
        let by_mesh = writers(&audit, &of_meshes, "functions")?;
        ensure!(writers(&audit, &of_meshes, "functionmeshes/status")?.values().flatten().count() == 4);
        ensure!(by_mesh.values().flatten().count() == components.len(), "{by_mesh:?}");
        // Each caches its own objects only.
        for controller in &of_functions {
            let cached = controller.metric("function_mesh_objects")?;
            let own = by_user.get(&controller.user).map_or(0, BTreeSet::len);
            ensure!(cached == u64::try_from(own)?, "{} caches {cached} of {own}", controller.user);
        }
        name_conflicts(&env, &namespace).await?;

        let mut lost = of_functions.remove(1);
        let (mut of_lost, mut of_others) = (BTreeSet::new(), BTreeSet::new());
        for (user, own) in by_user {
            let free = sets_of(own.into_iter().filter(|name| name.starts_with("fn-")));
            if user == lost.user { of_lost.extend(free) } else { of_others.extend(free) }
        }
        lost.kill();
        let killed = Instant::now();
        each(names, |name| {
            let functions = functions.clone();
            async move { merge(&functions, &name, json!({"spec": {"image": "example.com/image:2"}})).await }
        })
        .await?;
        until_image(&env, &namespace, &of_others, "example.com/image:2").await?;
        println!("{} objects of the other shards: {:?}", of_others.len(), killed.elapsed());
        let all: Api<StatefulSet> = Api::namespaced(env.client.clone(), &namespace);
        for name in &of_lost {
            let set = serde_json::to_string(&all.get(name).await?)?;
            ensure!(!set.contains("example.com/image:2"), "{name} was written by another shard");
        }
        let started = Instant::now();
        let next = spawn(&env, "function-controller", &namespace, "1/3")?;
        until_image(&env, &namespace, &of_lost, "example.com/image:2").await?;
        let took = started.elapsed();
        println!("{} objects of the lost shard: {took:?} after its successor started", of_lost.len());
        ensure!(took < LEASE + Duration::from_secs(5), "{took:?}");
        of_functions.push(next);
        writers(&env.audit()?.within(&namespace), &of_functions, "statefulsets").map(drop)
    })
    .await
}

/// Two meshes, in some cases of different shards, need components of one name.
async fn name_conflicts(env: &TestEnv, namespace: &str) -> Result<()> {
    let meshes = api(env, namespace, "FunctionMesh", "functionmeshes");
    for pair in 0..4 {
        let (first, second) = (format!("p{pair}"), format!("p{pair}-x"));
        create(&meshes, "FunctionMesh", &first, &mesh_spec(&["x-c".to_owned()])).await?;
        until_ready(env, &meshes, &first, ("False", "ComponentsNotReady")).await?;
        create(&meshes, "FunctionMesh", &second, &mesh_spec(&["c".to_owned()])).await?;
        until_ready(env, &meshes, &second, ("False", "NameConflict")).await?;
        // The name becomes free.
        merge(&meshes, &first, mesh_patch(&["other".to_owned()])).await?;
        until_ready(env, &meshes, &second, ("False", "ComponentsNotReady")).await?;
    }
    Ok(())
}

fn mesh_patch(items: &[String]) -> Value {
    json!({"spec": mesh_spec(items)})
}

async fn holder(client: &Client, name: &str) -> Result<String> {
    let lease = Api::<Lease>::namespaced(client.clone(), NAMESPACE).get(name).await?;
    Ok(lease.spec.and_then(|spec| spec.holder_identity).unwrap_or_default())
}

/// Waits until each of some controllers holds its lease and waits for the others.
async fn all_wait(env: &TestEnv, controllers: &[Controller]) -> Result<()> {
    env.until("shards that wait", || async {
        for controller in controllers {
            ensure!(controller.metric("function_mesh_leader")? == 0, "{} works", controller.user);
        }
        let waits = |controller: &&Controller| {
            controller.log().is_ok_and(|log| log.contains("waiting for shards of another division to end"))
        };
        ensure!(controllers.iter().any(|controller| waits(&controller)), "none waits");
        Ok(())
    })
    .await
}

#[tokio::test(flavor = "multi_thread")]
async fn another_number_of_shards_writes_nothing_and_never_works_beside_the_old() -> Result<()> {
    const NAME: &str = "source-controller";
    let env = TestEnv::connect().await?;
    env.prepare().await?;
    env.test("divisions", |env, namespace| async move {
        let sources = api(&env, &namespace, "Source", "sources");
        let mut spec = function_spec();
        spec.as_object_mut().context("a spec")?.remove("input");
        spec["sourceConfig"] = json!({});
        let names: Vec<String> = (0..NUMBER).map(|i| format!("src-{i}")).collect();
        each(names.clone(), |name| {
            let (sources, spec) = (sources.clone(), spec.clone());
            async move { create(&sources, "Source", &name, &spec).await }
        })
        .await?;
        let sets: BTreeSet<String> = names.iter().map(|name| format!("{name}-source")).collect();
        let edit = async |image: &str| {
            each(names.clone(), |name| {
                let (sources, patch) = (sources.clone(), json!({"spec": {"image": image}}));
                async move { merge(&sources, &name, patch).await }
            })
            .await?;
            until_image(&env, &namespace, &sets, image).await
        };

        let mut three = spawn_all(&env, NAME, &namespace, 3)?;
        all_lead(&env, &three).await?;
        until_image(&env, &namespace, &sets, "example.com/image:1").await?;
        all_idle(&env, &three).await?;

        // One more: no shard of four works before the last of three has ended.
        let mark = env.mark().await?;
        let mut four = spawn_all(&env, NAME, &namespace, 4)?;
        all_wait(&env, &four).await?;
        ensure!(holder(&env.client, "source-controller-3").await?.starts_with(&four[3].user));
        let killed = three.pop().context("three")?;
        for controller in three.drain(..) {
            ensure!(controller.signal("TERM")?.success());
        }
        all_wait(&env, &four).await?;
        drop(killed);
        all_lead(&env, &four).await?;
        all_idle(&env, &four).await?;
        let written = env.audit_since(&mark)?.within(&namespace).writes().by_any(NAME);
        ensure!(written.requests().is_empty(), "the change wrote {:?}", written.counts());
        let mark = env.mark().await?;
        edit("example.com/image:2").await?;
        all_idle(&env, &four).await?;
        let audit = env.audit_since(&mark)?.within(&namespace);
        writers(&audit, &four, "statefulsets")?;
        let by_user = writers(&audit, &four, "sources/status")?;
        ensure!(by_user == shares(&four, &namespace, &names)?, "{by_user:?}");

        // Back to one process. A lease that nobody released does not stop it, nor the one after it.
        let mark = env.mark().await?;
        let whole = spawn(&env, NAME, &namespace, "0/1")?;
        all_wait(&env, std::slice::from_ref(&whole)).await?;
        let killed = four.pop().context("four")?;
        for controller in four.drain(..) {
            ensure!(controller.signal("TERM")?.success());
        }
        all_wait(&env, std::slice::from_ref(&whole)).await?;
        drop(killed);
        whole.leads(&env).await?;
        ensure!(holder(&env.client, "source-controller-3").await?.is_empty(), "nobody waits for it again");
        whole.until_idle(&env).await?;
        let written = env.audit_since(&mark)?.within(&namespace).writes().by_any(NAME);
        ensure!(written.requests().is_empty(), "the change wrote {:?}", written.counts());
        edit("example.com/image:3").await
    })
    .await
}
