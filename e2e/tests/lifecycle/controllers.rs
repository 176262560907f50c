//! The release binaries of the controllers on a real API server: what they write, how often, and which objects they do not touch.

use anyhow::{Context, Result, bail, ensure};
use e2e::testing::fake_statefulset_controller::FakeStatefulSetController;
use e2e::testing::objects::{AVAILABLE, api, create, function_spec, functions, merge, object, until_ready};
use e2e::testing::{Controller, TestEnv};
use k8s_openapi::api::apps::v1::StatefulSet;
use k8s_openapi::api::core::v1::Service;
use kube::api::{Api, DeleteParams, ListParams, Patch, PatchParams, PostParams};
use serde_json::{Value, json};

#[tokio::test(flavor = "multi_thread")]
async fn creating_is_cheap_and_a_restart_writes_nothing() -> Result<()> {
    const N: usize = 20;
    let env = TestEnv::connect().await?;
    env.prepare().await?;
    env.test("quiet", |env, namespace| async move {
        let _statefulset_controller = FakeStatefulSetController::start(&env, &namespace);
        for (kind, plural) in [("Function", "functions"), ("Source", "sources"), ("Sink", "sinks")] {
            let controller =
                Controller::start(&env, &format!("{}-controller", kind.to_lowercase()), &namespace).await?;
            let api = api(&env, &namespace, kind, plural);
            let mut spec = function_spec();
            spec["sourceConfig"] = json!({"k": "v"});
            if kind == "Sink" {
                spec["sinkConfig"] = json!({"k": "v"});
            }
            if kind == "Function" {
                spec.as_object_mut().context("object")?.remove("sourceConfig");
            }
            for i in 0..N {
                create(&api, kind, &format!("o{i}"), &spec).await?;
            }
            for i in 0..N {
                until_ready(&env, &api, &format!("o{i}"), AVAILABLE).await?;
            }
            let requests = env.audit()?.by(&controller.user);
            let refused = requests.clone().refused();
            ensure!(refused.requests().is_empty(), "refused: {:?}", refused.counts());
            let counts = requests.counts();
            ensure!(!counts.keys().any(|k| k.starts_with("get ")), "reads: {counts:?}");
            let count = |what: &str| counts.get(what).copied().unwrap_or_default();
            let status = format!("patch {plural}/status");
            ensure!((count("patch statefulsets"), count("patch services")) == (N, N), "{counts:?}");
            ensure!((N..=2 * N).contains(&count(&status)), "{counts:?}");
            let lists: usize = counts.iter().filter(|(k, _)| k.starts_with("list ")).map(|(_, n)| n).sum();
            ensure!(lists <= 7, "lists: {counts:?}");
            println!("{kind}: requests for {N} objects: {counts:?}");

            // Killed, without a graceful shutdown.
            controller.signal("KILL")?;
            let successor =
                Controller::start(&env, &format!("{}-controller", kind.to_lowercase()), &namespace).await?;
            successor.reconciled(&env, N as u64).await?;
            let writes = env.audit()?.by(&successor.user).writes();
            ensure!(writes.requests().is_empty(), "writes after a restart: {:?}", writes.counts());

            // Edits that do not change the rendering.
            let before = successor.metric("function_mesh_reconciles_total")?;
            for i in 0..N {
                let edit = json!({"metadata": {"labels": {"a": "b"}, "annotations": {"c": "d"}}});
                merge(&api, &format!("o{i}"), edit).await?;
            }
            successor.reconciled(&env, before + N as u64).await?;
            let writes = env.audit()?.by(&successor.user).writes();
            ensure!(writes.requests().is_empty(), "writes after edits of metadata: {:?}", writes.counts());
        }
        Ok(())
    })
    .await
}

#[tokio::test(flavor = "multi_thread")]
async fn scaling_and_a_new_image_write_what_they_must() -> Result<()> {
    let env = TestEnv::connect().await?;
    env.prepare().await?;
    env.test("scale", |env, namespace| async move {
        let _statefulset_controller = FakeStatefulSetController::start(&env, &namespace);
        let controller = Controller::start(&env, "function-controller", &namespace).await?;
        let api = functions(&env, &namespace);
        let sets: Api<StatefulSet> = Api::namespaced(env.client.clone(), &namespace);
        create(&api, "Function", "f", &function_spec()).await?;
        until_ready(&env, &api, "f", AVAILABLE).await?;
        let before = sets.get("f-function").await?;
        let written =
            |env: &TestEnv| -> Result<_> { Ok(env.audit()?.by(&controller.user).writes().counts()) };
        let sets_written = |counts: &std::collections::BTreeMap<String, usize>| counts["patch statefulsets"];

        for (step, replicas) in [3, 0, 1].into_iter().enumerate() {
            let scale = json!({"spec": {"replicas": replicas}});
            api.patch_scale("f", &PatchParams::default(), &Patch::Merge(scale)).await?;
            let want = if replicas == 0 { ("True", "ScaledToZero") } else { AVAILABLE };
            until_ready(&env, &api, "f", want).await?;
            let set = sets.get("f-function").await?;
            ensure!(set.spec.replicas == Some(replicas), "{:?} replicas", set.spec.replicas);
            ensure!(set.spec.template == before.spec.template, "scaling changed the template");
            ensure!(sets_written(&written(&env)?) == step + 2, "{:?}", written(&env)?);
            let scale = api.get_scale("f").await?.status.context("scale without status")?;
            ensure!(scale.replicas == replicas, "the scale subresource says {}", scale.replicas);
            ensure!(
                scale.selector.is_some_and(|s| s.contains("compute.functionmesh.io/name=f")),
                "no selector"
            );
        }
        merge(&api, "f", json!({"spec": {"image": "example.com/image:2"}})).await?;
        until_ready(&env, &api, "f", AVAILABLE).await?;
        env.until("new image", || async {
            let set = sets.get("f-function").await?;
            let pod = set.spec.template.spec.context("no pod")?;
            let image = pod.containers.last().and_then(|c| c.image.clone());
            if image.as_deref() == Some("example.com/image:2") { Ok(()) } else { bail!("{image:?}") }
        })
        .await?;
        let counts = written(&env)?;
        ensure!((sets_written(&counts), counts["patch services"]) == (5, 1), "{counts:?}");
        Ok(())
    })
    .await
}

#[tokio::test(flavor = "multi_thread")]
async fn foreign_edits_are_reverted_and_foreign_objects_stay_unchanged() -> Result<()> {
    let env = TestEnv::connect().await?;
    env.prepare().await?;
    env.test("drift", |env, namespace| async move {
        let _statefulset_controller = FakeStatefulSetController::start(&env, &namespace);
        let api = functions(&env, &namespace);
        let sets: Api<StatefulSet> = Api::namespaced(env.client.clone(), &namespace);
        let services: Api<Service> = Api::namespaced(env.client.clone(), &namespace);
        // Exists before the controller starts.
        let foreign: StatefulSet = serde_json::from_value(json!({
            "metadata": {"name": "taken-function"},
            "spec": {"serviceName": "x", "selector": {"matchLabels": {"a": "b"}},
                     "template": {"metadata": {"labels": {"a": "b"}}, "spec": {"containers": [{"name": "c", "image": "i"}]}}},
        }))?;
        sets.create(&PostParams::default(), &foreign).await?;
        let controller = Controller::start(&env, "function-controller", &namespace).await?;
        create(&api, "Function", "taken", &function_spec()).await?;
        create(&api, "Function", "f", &function_spec()).await?;
        until_ready(&env, &api, "f", AVAILABLE).await?;
        let message = until_ready(&env, &api, "taken", ("False", "NameConflict")).await?;
        ensure!(message.contains("StatefulSet taken-function exists"), "{message}");
        let image = |set: &StatefulSet| {
            set.spec.template.spec.as_ref().and_then(|p| p.containers.last()).and_then(|c| c.image.clone())
        };
        ensure!(image(&sets.get("taken-function").await?).as_deref() == Some("i"), "a foreign object was changed");

        let edit = |image: &str| {
            Patch::Strategic(json!({"spec": {"template": {"spec": {"containers": [{"name": "pulsar-function", "image": image}]}}}}))
        };
        sets.patch("f-function", &PatchParams::default(), &edit("evil:1")).await?;
        let repaired = || async {
            let set = sets.get("f-function").await?;
            if image(&set).as_deref() == Some("example.com/image:1") { Ok(()) } else { bail!("{:?}", image(&set)) }
        };
        env.until("repair of an edit", repaired).await?;
        services.delete("f-function-headless", &DeleteParams::default()).await?;
        env.until("repair of a deletion", || async { Ok(services.get("f-function-headless").await?) }).await?;

        // The same while no controller runs.
        controller.signal("TERM")?;
        sets.patch("f-function", &PatchParams::default(), &edit("evil:2")).await?;
        services.delete("f-function-headless", &DeleteParams::default()).await?;
        let _successor = Controller::start(&env, "function-controller", &namespace).await?;
        env.until("repair of an older edit", repaired).await?;
        env.until("repair of an older deletion", || async { Ok(services.get("f-function-headless").await?) }).await?;

        // Fixed: the name becomes free.
        sets.delete("taken-function", &DeleteParams::default()).await?;
        merge(&api, "taken", json!({"metadata": {"annotations": {"again": "1"}}})).await?;
        until_ready(&env, &api, "taken", AVAILABLE).await?;
        Ok(())
    })
    .await
}

#[tokio::test(flavor = "multi_thread")]
async fn an_invalid_object_reports_the_reason_and_affects_no_other() -> Result<()> {
    let env = TestEnv::connect().await?;
    env.prepare().await?;
    env.test("invalid", |env, namespace| async move {
        let _statefulset_controller = FakeStatefulSetController::start(&env, &namespace);
        let controller = Controller::start(&env, "function-controller", &namespace).await?;
        let api = functions(&env, &namespace);
        let mut undecodable = function_spec();
        // The schema accepts it, but it does not fit into a 32-bit integer.
        undecodable["timeout"] = json!(3_000_000_000_u64);
        create(&api, "Function", "undecodable", &undecodable).await?;
        let mut unsupported = function_spec();
        // A number below a free-form field, which no rule can see and which would lose digits as a float.
        unsupported["funcConfig"] = json!({"serial": 10_000_000_000_000_000_001_u64});
        create(&api, "Function", "unsupported", &unsupported).await?;
        create(&api, "Function", "good", &function_spec()).await?;
        until_ready(&env, &api, "good", AVAILABLE).await?;
        let message = until_ready(&env, &api, "undecodable", ("False", "Invalid")).await?;
        ensure!(message.contains("3000000000"), "{message}");
        let message = until_ready(&env, &api, "unsupported", ("False", "Invalid")).await?;
        ensure!(message.starts_with("spec.funcConfig.serial: "), "{message}");

        let requests = env.audit()?.by(&controller.user).writes();
        let reported = requests.only(|r| r.name() == "undecodable");
        ensure!(reported.requests().len() == 1, "reported more than once: {:?}", reported.counts());

        merge(&api, "undecodable", json!({"spec": {"timeout": null}})).await?;
        until_ready(&env, &api, "undecodable", AVAILABLE).await?;
        Ok(())
    })
    .await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_mesh_touches_only_what_changed() -> Result<()> {
    let env = TestEnv::connect().await?;
    env.prepare().await?;
    env.test("mesh", |env, namespace| async move {
        let _statefulset_controller = FakeStatefulSetController::start(&env, &namespace);
        let mesh_controller = Controller::start(&env, "mesh-controller", &namespace).await?;
        let _functions = Controller::start(&env, "function-controller", &namespace).await?;
        let _sinks = Controller::start(&env, "sink-controller", &namespace).await?;
        let meshes = api(&env, &namespace, "FunctionMesh", "functionmeshes");
        let functions = functions(&env, &namespace);
        let item = |name: &str| {
            let mut item = function_spec();
            item["name"] = json!(name);
            item.as_object_mut().map(|i| i.remove("replicas"));
            item
        };
        let mut sink = item("s");
        sink["sinkConfig"] = json!({"k": "v"});
        let spec = json!({"functions": [item("a"), item("b"), item("c")], "sinks": [sink]});
        create(&meshes, "FunctionMesh", "m", &spec).await?;
        let message = until_ready(&env, &meshes, "m", ("True", "AllComponentsReady")).await?;
        ensure!(message == "4/4 ready", "{message}");
        let writes = |env: &TestEnv| -> Result<_> { Ok(env.audit()?.by(&mesh_controller.user).writes()) };
        let first = writes(&env)?;
        let components = first.clone().only(|r| r.resource() != "functionmeshes/status");
        ensure!(components.requests().len() == 4, "{:?}", first.counts());

        // One item changes: one write, besides the status.
        let mut changed = spec.clone();
        changed["functions"][1]["image"] = json!("example.com/image:2");
        merge(&meshes, "m", json!({"spec": changed})).await?;
        env.until("the changed component", || async {
            let image = functions.get("m-b").await?.data["spec"]["image"].clone();
            if image == json!("example.com/image:2") { Ok(()) } else { bail!("{image}") }
        })
        .await?;
        until_ready(&env, &meshes, "m", ("True", "AllComponentsReady")).await?;
        let components = writes(&env)?.only(|r| r.resource() != "functionmeshes/status");
        let last = components.requests().last().context("no write")?;
        ensure!((components.requests().len(), last.name()) == (5, "m-b"), "{:?}", components.counts());

        // One item is removed: its component is deleted, nothing else is written.
        let mut fewer = changed.clone();
        fewer["functions"].as_array_mut().context("list")?.remove(2);
        merge(&meshes, "m", json!({"spec": fewer})).await?;
        env.until("the removed component", || async {
            if functions.get_opt("m-c").await?.is_none() { Ok(()) } else { bail!("still there") }
        })
        .await?;
        let components = writes(&env)?.only(|r| r.resource() != "functionmeshes/status");
        ensure!(components.requests().len() == 6, "{:?}", components.counts());

        // Restarted: nothing.
        mesh_controller.signal("KILL")?;
        let successor = Controller::start(&env, "mesh-controller", &namespace).await?;
        successor.reconciled(&env, 1).await?;
        let writes = env.audit()?.by(&successor.user).writes();
        ensure!(writes.requests().is_empty(), "writes after a restart: {:?}", writes.counts());

        // Deleted: the garbage collector removes everything.
        meshes.delete("m", &DeleteParams::background()).await?;
        env.until("the end of the components", || async {
            let left = functions.list(&ListParams::default()).await?.items.len();
            if left == 0 { Ok(()) } else { bail!("{left} left") }
        })
        .await?;
        let writes = env.audit()?.by(&successor.user).writes();
        ensure!(writes.requests().is_empty(), "writes at the end: {:?}", writes.counts());
        Ok(())
    })
    .await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_standby_takes_over_at_once_and_writes_nothing() -> Result<()> {
    let env = TestEnv::connect().await?;
    env.prepare().await?;
    env.test("lease", |env, namespace| async move {
        let _statefulset_controller = FakeStatefulSetController::start(&env, &namespace);
        let watched = format!("--watched-namespace={namespace}");
        let flags = [watched.as_str(), "--lease-namespace=function-mesh-system", "--lease-retry-period=1"];
        let api = functions(&env, &namespace);
        let leader = Controller::spawn(&env, "function-controller", &flags)?;
        env.until("leader", || async {
            if leader.metric("function_mesh_leader")? == 1 { Ok(()) } else { bail!("not leading") }
        })
        .await?;
        create(&api, "Function", "f", &function_spec()).await?;
        until_ready(&env, &api, "f", AVAILABLE).await?;
        let standby = Controller::spawn(&env, "function-controller", &flags)?;
        standby.ready(&env).await?;
        ensure!(standby.metric("function_mesh_leader")? == 0, "two leaders");
        let status = leader.signal("TERM")?;
        ensure!(status.success(), "SIGTERM ended with {status}");
        let released = std::time::Instant::now();
        env.until("takeover", || async {
            if standby.metric("function_mesh_leader")? == 1 { Ok(()) } else { bail!("not leading") }
        })
        .await?;
        println!("handover took {} ms", released.elapsed().as_millis());
        standby.reconciled(&env, 1).await?;
        let writes = env.audit()?.by(&standby.user).writes();
        ensure!(writes.requests().is_empty(), "writes after taking over: {:?}", writes.counts());
        Ok(())
    })
    .await
}

#[tokio::test(flavor = "multi_thread")]
async fn the_api_server_refuses_what_cannot_run() -> Result<()> {
    let env = TestEnv::connect().await?;
    env.prepare().await?;
    env.test("rules", |env, namespace| async move {
        let functions = functions(&env, &namespace);
        let refused = |change: fn(&mut Value), name: &'static str, text: &'static str| {
            let functions = functions.clone();
            async move {
                let mut spec = function_spec();
                change(&mut spec);
                match functions.create(&PostParams::default(), &object("Function", name, &spec)?).await {
                    Err(kube::Error::Api(status)) if status.code == 422 && status.message.contains(text) => {
                        Ok(())
                    }
                    other => bail!("{text}: {other:?}"),
                }
            }
        };
        refused(|s| s["pulsar"] = json!({}), "a", "spec.pulsar.pulsarConfig").await?;
        refused(|s| s["java"]["jar"] = json!(""), "a", "spec.java.jar").await?;
        refused(|s| s["className"] = json!(""), "a", "spec.className").await?;
        refused(|s| s["python"] = json!({"py": "a.py"}), "a", "exactly one of java").await?;
        refused(|s| s["maxReplicas"] = json!(0), "a", "spec.maxReplicas must not be below").await?;
        refused(|_| {}, "a-name-of-more-than-forty-three-characters-in-all", "at most 43 characters").await?;
        // The rules apply to updates as well, and accept everything else.
        create(&functions, "Function", "a", &function_spec()).await?;
        let answer = merge(&functions, "a", json!({"spec": {"pulsar": null}})).await;
        ensure!(answer.is_err(), "an update that cannot run was accepted");
        merge(&functions, "a", json!({"spec": {"replicas": 0}})).await
    })
    .await
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_granted_is_what_is_requested() -> Result<()> {
    let env = TestEnv::connect().await?;
    env.prepare().await?;
    env.test("permissions", |env, namespace| async move {
        let _statefulset_controller = FakeStatefulSetController::start(&env, &namespace);
        let controller = Controller::start(&env, "function-controller", &namespace).await?;
        let api = functions(&env, &namespace);
        create(&api, "Function", "f", &function_spec()).await?;
        until_ready(&env, &api, "f", AVAILABLE).await?;
        let requests = env.audit()?.by(&controller.user);
        let forbidden = requests.clone().only(|r| r.code() == 403);
        ensure!(forbidden.requests().is_empty(), "forbidden: {:?}", forbidden.counts());
        let used: Vec<String> = requests
            .counts()
            .into_keys()
            .filter(|k| !k.contains("leases") && !k.contains("events"))
            .collect();
        // Where there are no streaming lists, a watch needs "list" as well. Server-side apply needs "create" besides "patch"; the finalizers are for clusters that check owner references.
        let want = [
            "patch functions/status",
            "patch services",
            "patch statefulsets",
            "watch backendconfigs",
            "watch functions",
            "watch horizontalpodautoscalers",
            "watch jobs",
            "watch pods",
            "watch services",
            "watch statefulsets",
        ];
        ensure!(used == want, "{used:?}");
        Ok(())
    })
    .await
}
