//! Fields that the Go operator wrote are taken over once: those that are no longer desired are removed, and nothing else changes.

use anyhow::{Context, Result, ensure};
use e2e::testing::fake_statefulset_controller::FakeStatefulSetController;
use e2e::testing::objects::{AVAILABLE, api, create, function_spec, functions, merge, object, until_ready};
use e2e::testing::{Child, Controller, TestEnv};
use kube::ResourceExt;
use kube::api::{Api, DynamicObject, Patch, PatchParams, PostParams};
use serde_json::{Value, json};
use std::collections::BTreeSet;

/// The state in which the Go operator left an object: its owners listed under its name, or not at all.
#[derive(Clone, Copy, Debug)]
enum Left {
    Listed,
    Unlisted,
}

fn manager() -> PostParams {
    PostParams { field_manager: Some("manager".to_owned()), ..PostParams::default() }
}

/// Managers that own fields of the `spec`.
fn owners(object: &DynamicObject) -> BTreeSet<String> {
    let entries = object.metadata.managed_fields.iter().flatten();
    let spec = entries.filter(|entry| {
        entry.subresource.is_none() && entry.fields_v1.as_ref().is_some_and(|f| f.0.get("f:spec").is_some())
    });
    spec.filter_map(|entry| entry.manager.clone()).collect()
}

/// An item of a mesh, and the fields that are removed from it.
fn item() -> Value {
    let mut item = function_spec();
    item["name"] = json!("a");
    item["timeout"] = json!(1000);
    item["java"]["javaOpts"] = json!(["-Da=b"]);
    item["pod"] = json!({"env": [{"name": "A", "value": "b"}], "labels": {"a": "b"}});
    item
}

/// The defaults that the Go operator's webhook had filled in.
fn filled() -> Value {
    json!({"tenant": "public", "namespace": "default", "clusterName": "kubernetes", "autoAck": true, "maxPendingAsyncRequests": 1000,
        "forwardSourceMessageProperty": true, "processingGuarantee": "atleast_once"})
}

/// A component as the Go operator creates it for an item.
async fn make(components: &Api<DynamicObject>, mesh: &DynamicObject, left: Left) -> Result<DynamicObject> {
    let mut spec = item();
    filled().as_object().into_iter().flatten().for_each(|(key, value)| spec[key] = value.clone());
    spec["output"]["typeClassName"] = json!("[B");
    let mut component = object("Function", "m-a", &spec)?;
    component.metadata.owner_references = Some(vec![serde_json::from_value(json!({
        "apiVersion": "compute.functionmesh.io/v1alpha1", "kind": "FunctionMesh", "name": "m",
        "uid": mesh.metadata.uid, "controller": true, "blockOwnerDeletion": true,
    }))?]);
    // A user's field, which no controller may remove.
    component.metadata.annotations = Some([("team".to_owned(), "x".to_owned())].into());
    components.create(&manager(), &component).await?;
    if matches!(left, Left::Unlisted) {
        let none = Patch::Merge(json!({"metadata": {"managedFields": [{}]}}));
        components.patch("m-a", &PatchParams::default(), &none).await?;
    }
    Ok(components.get("m-a").await?)
}

async fn a_component_is_taken_over(left: Left) -> Result<()> {
    let env = TestEnv::connect().await?;
    env.prepare().await?;
    env.test("inherited-mesh", |env, namespace| async move {
        let (meshes, components) =
            (api(&env, &namespace, "FunctionMesh", "functionmeshes"), functions(&env, &namespace));
        create(&meshes, "FunctionMesh", "m", &json!({"functions": [item()]})).await?;
        let before = make(&components, &meshes.get("m").await?, left).await?;
        let controller = Controller::start(&env, "mesh-controller", &namespace).await?;
        let shared = |live: &DynamicObject, field: &str| {
            let entries = live.metadata.managed_fields.iter().flatten();
            let owning =
                entries.filter(|e| e.fields_v1.as_ref().is_some_and(|f| f.0.pointer(field).is_some()));
            owning.filter_map(|entry| entry.manager.clone()).collect::<Vec<_>>()
        };
        env.until("one owner", || async {
            let live = components.get("m-a").await?;
            let owners = shared(&live, "/f:spec/f:timeout");
            ensure!(owners == ["mesh-controller"], "{owners:?}");
            Ok(())
        })
        .await?;
        controller.until_idle(&env).await?;
        let live = components.get("m-a").await?;
        ensure!(
            live.data["spec"] == before.data["spec"],
            "{} instead of {}",
            live.data["spec"],
            before.data["spec"]
        );
        ensure!(live.metadata.generation == before.metadata.generation, "the pods would restart");
        ensure!(live.annotations().get("team").is_some(), "a user's annotation is gone");
        let requests =
            env.audit()?.by(&controller.user).only(|r| r.resource() == "functions" && r.name() == "m-a");
        let counts = requests.counts();
        ensure!(
            counts == [("get functions".to_owned(), 1), ("patch functions".to_owned(), 2)].into(),
            "{counts:?}"
        );

        let mut next = item();
        next["timeout"] = Value::Null;
        next["java"] = json!({"jar": "/pulsar/a.jar"});
        next["pod"] = json!({"labels": {"a": "b"}});
        merge(&meshes, "m", json!({"spec": {"functions": [next]}})).await?;
        env.until("the fields are gone", || async {
            let spec = components.get("m-a").await?.data["spec"].clone();
            ensure!(spec.get("timeout").is_none() && spec["java"].get("javaOpts").is_none(), "{spec}");
            ensure!(spec["pod"] == json!({"labels": {"a": "b"}}), "{spec}");
            Ok(())
        })
        .await?;
        controller.until_idle(&env).await?;
        let live = components.get("m-a").await?;
        for (field, value) in filled().as_object().into_iter().flatten() {
            ensure!(live.data["spec"][field] == *value, "{field} went as well: {}", live.data["spec"]);
        }
        ensure!(live.annotations().get("team").is_some(), "a user's annotation is gone");
        controller.signal("TERM")?;

        let successor = Controller::start(&env, "mesh-controller", &namespace).await?;
        successor.reconciled(&env, 1).await?;
        successor.until_idle(&env).await?;
        let requests =
            env.audit()?.by(&successor.user).only(|r| r.is_write() || r.verb == "get" && r.name() == "m-a");
        ensure!(requests.requests().is_empty(), "after a restart: {:?}", requests.counts());
        Ok(())
    })
    .await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_component_of_the_go_operator_loses_what_leaves_its_mesh() -> Result<()> {
    a_component_is_taken_over(Left::Listed).await
}

/// As measured: the API server gives all fields to `before-first-apply`.
#[tokio::test(flavor = "multi_thread")]
async fn a_component_without_a_list_of_owners_loses_what_leaves_its_mesh() -> Result<()> {
    a_component_is_taken_over(Left::Unlisted).await
}

const HASH: &str = "compute.functionmesh.io/rendered-hash";

/// A Function whose autoscaler and Service the Go operator created.
struct Inherited {
    api: Api<DynamicObject>,
    children: [Child; 2],
    set: Child,
}

fn scaled() -> Value {
    let mut spec = function_spec();
    spec["maxReplicas"] = json!(5);
    spec["pod"] = json!({"autoScalingBehavior": {"scaleDown": {"stabilizationWindowSeconds": 600}}});
    spec
}

impl Inherited {
    async fn make(env: &TestEnv, namespace: &str) -> Result<Self> {
        let api = functions(env, namespace);
        let controller = Controller::start(env, "function-controller", namespace).await?;
        create(&api, "Function", "f", &scaled()).await?;
        until_ready(env, &api, "f", AVAILABLE).await?;
        controller.until_idle(env).await?;
        controller.signal("TERM")?;
        let child = |kind, name| Child::of(env, namespace, kind, name);
        let children =
            [child("HorizontalPodAutoscaler", "f-function")?, child("Service", "f-function-headless")?];
        Ok(Self { api, children, set: child("StatefulSet", "f-function")? })
    }

    /// Creates the children as the Go operator does: the same content, and no annotation.
    async fn by_the_go_operator(&self, env: &TestEnv) -> Result<()> {
        for child in &self.children {
            let mut object = child.api.get(&child.name).await?;
            child.delete().await?;
            env.until("end of the child", || async {
                ensure!(child.api.get_opt(&child.name).await?.is_none(), "it is there");
                Ok(())
            })
            .await?;
            object.annotations_mut().remove(HASH);
            object.metadata.managed_fields = None;
            object.metadata.resource_version = None;
            object.metadata.uid = None;
            child.api.create(&manager(), &object).await?;
        }
        Ok(())
    }

    /// Adds an owner to the children as another release left it: `manager` wrote fields at some time.
    async fn add_owner(&self, time: &str) -> Result<()> {
        let fields = [
            json!({"f:behavior": {"f:scaleDown": {"f:stabilizationWindowSeconds": {}}}}),
            json!({"f:selector": {}, "f:type": {}}),
        ];
        for (child, spec) in self.children.iter().zip(fields) {
            let live = child.api.get(&child.name).await?;
            let api_version =
                live.metadata.managed_fields.iter().flatten().find_map(|e| e.api_version.clone());
            let entry = json!({"manager": "manager", "operation": "Update", "apiVersion": api_version, "time": time,
                "fieldsType": "FieldsV1", "fieldsV1": {"f:spec": spec}});
            let step = json!([{"op": "add", "path": "/metadata/managedFields/-", "value": entry}]);
            let patch: Patch<()> = Patch::Json(serde_json::from_value(step)?);
            let answer = child.api.patch(&child.name, &PatchParams::default(), &patch).await?;
            ensure!(owners(&answer).contains("manager"), "{:?}", answer.metadata.managed_fields);
        }
        Ok(())
    }

    async fn until_owned_by(&self, env: &TestEnv, wanted: &[&str]) -> Result<()> {
        for child in &self.children {
            env.until(&format!("owners of {}", child.kind), || async {
                let owners = owners(&child.api.get(&child.name).await?);
                ensure!(owners.iter().eq(wanted.iter().copied()), "{owners:?}");
                Ok(())
            })
            .await?;
        }
        Ok(())
    }
}

/// Requests for a child by a controller: reads and writes.
fn requests(env: &TestEnv, controller: &Controller, child: &Child) -> Result<(usize, usize)> {
    let all =
        env.audit()?.by(&controller.user).only(|r| r.resource() == child.resource && r.name() == child.name);
    let of = |verb: &str| all.requests().iter().filter(|r| r.verb == verb).count();
    Ok((of("get"), of("patch")))
}

/// A controller that starts, and finds nothing to do.
async fn writes_nothing(env: &TestEnv, namespace: &str) -> Result<()> {
    let controller = Controller::start(env, "function-controller", namespace).await?;
    controller.reconciled(env, 1).await?;
    controller.until_idle(env).await?;
    let writes = env.audit()?.by(&controller.user).writes();
    ensure!(writes.requests().is_empty(), "writes after a restart: {:?}", writes.counts());
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn children_of_the_go_operator_have_one_owner_afterwards() -> Result<()> {
    let env = TestEnv::connect().await?;
    env.prepare().await?;
    env.test("inherited", |env, namespace| async move {
        let _statefulset_controller = FakeStatefulSetController::start(&env, &namespace);
        let inherited = Inherited::make(&env, &namespace).await?;
        inherited.by_the_go_operator(&env).await?;
        inherited.until_owned_by(&env, &["manager"]).await?;
        let before = inherited.set.whole().await?;

        let controller = Controller::start(&env, "function-controller", &namespace).await?;
        inherited.until_owned_by(&env, &["function-controller"]).await?;
        controller.until_idle(&env).await?;
        for child in &inherited.children {
            let counts = requests(&env, &controller, child)?;
            ensure!(counts == (1, 2), "{}: {counts:?}", child.kind);
        }
        let scaler = inherited.children[0].state().await?;
        let window = "/spec/behavior/scaleDown/stabilizationWindowSeconds";
        ensure!(scaler.pointer(window) == Some(&json!(600)), "{scaler}");
        merge(&inherited.api, "f", json!({"spec": {"pod": null}})).await?;
        env.until("no behavior", || async {
            let scaler = inherited.children[0].state().await?;
            ensure!(scaler["spec"].get("behavior").is_none(), "{scaler}");
            Ok(())
        })
        .await?;
        controller.until_idle(&env).await?;
        let after = inherited.set.whole().await?;
        ensure!(
            after["metadata"]["generation"] == before["metadata"]["generation"],
            "the StatefulSet was changed"
        );
        controller.signal("TERM")?;
        writes_nothing(&env, &namespace).await
    })
    .await
}

/// An earlier release applied the children and left the Go operator's ownership of fields in them.
#[tokio::test(flavor = "multi_thread")]
async fn what_an_earlier_release_left_to_the_go_operator_is_taken_over_once() -> Result<()> {
    let env = TestEnv::connect().await?;
    env.prepare().await?;
    env.test("left-over", |env, namespace| async move {
        let _statefulset_controller = FakeStatefulSetController::start(&env, &namespace);
        let inherited = Inherited::make(&env, &namespace).await?;
        inherited.add_owner("2026-01-01T00:00:00Z").await?;
        let controller = Controller::start(&env, "function-controller", &namespace).await?;
        inherited.until_owned_by(&env, &["function-controller"]).await?;
        controller.until_idle(&env).await?;
        for child in &inherited.children {
            let counts = requests(&env, &controller, child)?;
            ensure!(counts == (1, 2), "{}: {counts:?}", child.kind);
        }
        let events = e2e::testing::children::repairs(&env, &namespace, "f").await?;
        ensure!(events.is_empty(), "a takeover is no repair: {events:?}");
        controller.signal("TERM")?;

        // Another program of that name, later than the operator's last write: its additions stay, and there is no endless
        // conflict.
        inherited.add_owner("2100-01-01T00:00:00Z").await?;
        writes_nothing(&env, &namespace).await.context("a foreign owner")?;
        inherited.until_owned_by(&env, &["function-controller", "manager"]).await
    })
    .await
}
