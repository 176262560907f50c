//! What `kubectl fmesh plan` says of deletions, of a BackendConfig for all namespaces, and of meshes with an invalid item.

use anyhow::{Context, Result, ensure};
use e2e::cluster::ApiOnly;
use e2e::testing::fake_statefulset_controller::FakeStatefulSetController;
use e2e::testing::objects::{AVAILABLE, api, create, function_spec, functions, merge, until_ready};
use e2e::testing::plugin::plan;
use e2e::testing::{Controller, TestEnv};
use k8s_openapi::api::apps::v1::{Deployment, StatefulSet};
use k8s_openapi::api::core::v1::{Namespace, PersistentVolumeClaim};
use kube::api::{Api, DeleteParams, ListParams, Patch, PatchParams, PostParams};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::path::PathBuf;

/// Entries of a report by the name of their object.
fn items(report: &Value) -> BTreeMap<String, Value> {
    let items = report["items"].as_array().into_iter().flatten();
    items.map(|item| (item["name"].as_str().unwrap_or_default().to_owned(), item.clone())).collect()
}

fn file(name: &str, objects: &[Value]) -> Result<PathBuf> {
    let file = std::env::temp_dir().join(format!("plan-{name}-{}.json", std::process::id()));
    std::fs::write(&file, json!({"apiVersion": "v1", "kind": "List", "items": objects}).to_string())?;
    Ok(file)
}

/// Stands for a Deployment of a controller: nothing runs it.
async fn deployment(
    env: &TestEnv,
    namespace: &str,
    name: &str,
    container: Value,
    available: i64,
) -> Result<()> {
    let labels = json!({"app.kubernetes.io/part-of": "function-mesh", "app.kubernetes.io/component": "controller",
        "app.kubernetes.io/name": name});
    let mut container = container;
    container["name"] = json!("controller");
    container["image"] = json!("example.com/controllers:1");
    let object: Deployment = serde_json::from_value(json!({
        "metadata": {"name": name, "labels": labels},
        "spec": {"selector": {"matchLabels": labels}, "template": {"metadata": {"labels": labels},
            "spec": {"containers": [container]}}},
    }))?;
    let deployments: Api<Deployment> = Api::namespaced(env.client.clone(), namespace);
    deployments.create(&PostParams::default(), &object).await?;
    let status = json!({"status": {"replicas": available, "availableReplicas": available, "readyReplicas": available}});
    deployments.patch_status(name, &PatchParams::default(), &Patch::Merge(status)).await?;
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_deletion_is_planned_with_what_it_keeps_and_why_it_hangs() -> Result<()> {
    let server = ApiOnly::up("deletion")?;
    let env = TestEnv::dedicated(&server).await?;
    env.test("deletion", |env, namespace| async move {
        let _statefulset_controller = FakeStatefulSetController::start(&env, &namespace);
        let functions = functions(&env, &namespace);
        let meshes = api(&env, &namespace, "FunctionMesh", "functionmeshes");
        let controller = Controller::start(&env, "function-controller", &namespace).await?;
        let mesh_controller = Controller::start(&env, "mesh-controller", &namespace).await?;
        let mut kept = function_spec();
        kept["volumeClaimTemplates"] = json!([{"metadata": {"name": "data"}, "spec": {"accessModes": ["ReadWriteOnce"],
            "resources": {"requests": {"storage": "1Gi"}}}}]);
        kept["name"] = json!("a");
        let mut cleaned = function_spec();
        cleaned["cleanupSubscription"] = json!(true);
        cleaned["subscriptionName"] = json!("s");
        cleaned["name"] = json!("b");
        create(&meshes, "FunctionMesh", "mm", &json!({"functions": [kept, cleaned]})).await?;
        for name in ["mm-a", "mm-b"] {
            until_ready(&env, &functions, name, AVAILABLE).await?;
        }
        // As the controller of StatefulSets creates it.
        let set = Api::<StatefulSet>::namespaced(env.client.clone(), &namespace).get("mm-a-function").await?;
        let claim: PersistentVolumeClaim = serde_json::from_value(json!({
            "metadata": {"name": "data-mm-a-function-0", "labels": set.spec.selector.match_labels},
            "spec": {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Gi"}}}}))?;
        Api::namespaced(env.client.clone(), &namespace).create(&PostParams::default(), &claim).await?;

        // No Deployment: nobody would remove the finalizer.
        let words = ["--deletion", "functionmesh", "mm", "--namespace", &namespace];
        let (report, done) = plan(&env, &words)?;
        let found = items(&report);
        ensure!(found.len() == 3 && report["pods"] == 2, "{report:#}");
        ensure!(found.values().all(|item| item["result"] == "Deleted"), "{report:#}");
        let said = |name: &str| found[name]["details"].to_string();
        ensure!(said("mm-a").contains("StatefulSet mm-a-function"), "{report:#}");
        ensure!(said("mm-a").contains("keeps PersistentVolumeClaim data-mm-a-function-0"), "{report:#}");
        ensure!(said("mm-a").contains("keeps its topics and subscriptions"), "{report:#}");
        ensure!(said("mm-b").contains("Job mm-b-function-cleanup removes subscription s on "), "{report:#}");
        let hangs = found["mm-b"]["hangs"].as_str().unwrap_or_default();
        ensure!(hangs.contains("no function-controller is installed"), "{hangs}");
        ensure!(found["mm-a"]["hangs"].is_null() && done.status.code() == Some(1), "{report:#}");

        // One without a pod, and then one with a pod.
        deployment(&env, &namespace, "function-controller", json!({}), 0).await?;
        let (report, _) = plan(&env, &words)?;
        ensure!(items(&report)["mm-b"]["hangs"].to_string().contains("has no available pod"), "{report:#}");
        let deployments: Api<Deployment> = Api::namespaced(env.client.clone(), &namespace);
        deployments.delete("function-controller", &DeleteParams::background()).await?;
        deployment(&env, &namespace, "function-controller", json!({}), 1).await?;
        let (report, done) = plan(&env, &words)?;
        ensure!(items(&report)["mm-b"]["hangs"].is_null() && done.status.code() == Some(2), "{report:#}");

        // By file: objects that are not in the cluster are reported as well.
        let object = |name: &str| json!({"apiVersion": "compute.functionmesh.io/v1alpha1", "kind": "Function",
            "metadata": {"name": name}, "spec": function_spec()});
        let path = file("deletion", &[object("mm-a"), object("absent")])?;
        let path = path.to_str().context("no path")?;
        let (report, _) = plan(&env, &["--deletion", "--filename", path, "--namespace", &namespace])?;
        let found = items(&report);
        ensure!(found["mm-a"]["result"] == "Deleted" && found["absent"]["result"] == "Absent", "{report:#}");
        std::fs::remove_file(path)?;

        // An invalid item: nothing leaves the mesh.
        let long = "a".repeat(41);
        let mesh = |items: Value| json!({"apiVersion": "compute.functionmesh.io/v1alpha1", "kind": "FunctionMesh",
            "metadata": {"name": "mm"}, "spec": {"functions": items}});
        let mut invalid = function_spec();
        invalid["name"] = json!(long);
        let path = file("mesh", &[mesh(json!([kept, invalid]))])?;
        let path = path.to_str().context("no path")?;
        let (report, done) = plan(&env, &["--filename", path, "--namespace", &namespace])?;
        let found = items(&report);
        ensure!(found["mm"]["result"] == "Invalid" && found["mm-b"]["result"] == "Kept", "{report:#}");
        ensure!(done.status.code() == Some(1), "{report:#}");
        merge(&meshes, "mm", json!({"spec": {"functions": [kept, invalid]}})).await?;
        until_ready(&env, &meshes, "mm", ("False", "Invalid")).await?;
        mesh_controller.until_idle(&env).await?;
        functions.get("mm-b").await.context("it was kept")?;
        std::fs::remove_file(path)?;
        drop(controller);
        Ok(())
    })
    .await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_backend_config_for_all_namespaces_is_planned_for_all() -> Result<()> {
    let server = ApiOnly::up("gplan")?;
    let env = TestEnv::dedicated(&server).await?;
    env.test("globalplan", |env, namespace| async move {
        let other = format!("{namespace}-other");
        let namespaces: Api<Namespace> = Api::all(env.client.clone());
        let object = serde_json::from_value(json!({"metadata": {"name": other}}))?;
        namespaces.create(&PostParams::default(), &object).await?;
        let flags = [
            format!("--watched-namespace={namespace},{other}"),
            "--leader-elect=false".to_owned(),
            "--global-backend-config=all".to_owned(),
            format!("--global-backend-config-namespace={namespace}"),
        ];
        let flags: Vec<&str> = flags.iter().map(String::as_str).collect();
        let controller = Controller::spawn(&env, "function-controller", &flags)?;
        controller.ready(&env).await?;
        // The same by environment variables and a command.
        let container = json!({"command": ["/function-controller", "--global-backend-config=all"],
            "env": [{"name": "GLOBAL_BACKEND_CONFIG_NAMESPACE", "value": namespace}]});
        deployment(&env, &namespace, "function-controller", container, 1).await?;
        for namespace in [&namespace, &other] {
            create(&functions(&env, namespace), "Function", &format!("in-{namespace}"), &function_spec())
                .await?;
        }
        let templates = || async {
            let sets: Api<StatefulSet> = Api::all(env.client.clone());
            let sets = sets.list(&ListParams::default()).await?.items;
            ensure!(sets.len() == 2, "{} StatefulSets", sets.len());
            anyhow::Ok(sets.into_iter().map(|set| set.spec.template).collect::<Vec<_>>())
        };
        let before = env.until("the StatefulSets", templates).await?;
        controller.until_idle(&env).await?;
        let config = json!({"apiVersion": "compute.functionmesh.io/v1alpha1", "kind": "BackendConfig",
            "metadata": {"name": "all", "namespace": namespace},
            "spec": {"autoUpdate": true, "env": {"FROM_CONFIG": "a"}}});
        let path = file("global", std::slice::from_ref(&config))?;
        let path = path.to_str().context("no path")?;
        let (report, done) = plan(&env, &["--filename", path, "--namespace", &namespace])?;
        let found = items(&report);
        let restarts = found.values().filter(|item| item["result"] == "Restarts").count();
        ensure!(restarts == 2 && done.status.code() == Some(2), "{report:#}");
        e2e::shell::run(&mut env.kubectl.with(["apply", "--filename", path]))?;
        let after = env
            .until("both restart", || async {
                let now = templates().await?;
                ensure!(now.iter().zip(&before).all(|(now, before)| now != before), "not yet");
                Ok(now)
            })
            .await?;
        // Without it both restart again, unless its content is no reason.
        controller.until_idle(&env).await?;
        let (report, _) = plan(&env, &["--deletion", "--filename", path])?;
        let said: Vec<String> = items(&report).values().map(|item| item["result"].to_string()).collect();
        e2e::shell::run(&mut env.kubectl.with(["delete", "--filename", path]))?;
        controller.until_idle(&env).await?;
        let restarted = said.iter().filter(|result| result.contains("Restarts")).count();
        env.until("what the plan said", || async {
            let now = templates().await?;
            let changed = now.iter().zip(&after).filter(|(now, after)| now != after).count();
            ensure!(changed == restarted, "{changed} restarted, the plan said {said:?}");
            Ok(())
        })
        .await?;
        std::fs::remove_file(path)?;
        namespaces.delete(&other, &DeleteParams::background()).await?;
        Ok(())
    })
    .await
}
