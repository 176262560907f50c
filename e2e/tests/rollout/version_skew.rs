//! Parts of different releases: a schema that is narrower or wider than the controller expects, on a separate API server, and
//! upgrades from one release to the next (docs/reliability.md, T13, T14, T35).

use anyhow::{Context, Result, ensure};
use e2e::cluster::ApiOnly;
use e2e::scenarios::fleet::{FUNCTION, Fleet, SOURCE};
use e2e::testing::objects::{AVAILABLE, api, create, merge, until_ready};
use e2e::testing::{Controller, TestEnv};
use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition;
use kube::api::{Api, DynamicObject, ListParams, Patch, PatchParams};
use serde_json::{Value, json};
use std::time::Duration;

const NUMBER: usize = 5;
const KIND: &str = "functions.compute.functionmesh.io";

/// Changes the kind of Functions by a JSON patch, whose paths begin at its only version.
async fn change(env: &TestEnv, steps: &[(&str, &str, Value)]) -> Result<()> {
    let kinds: Api<CustomResourceDefinition> = Api::all(env.client.clone());
    let steps: Vec<Value> = steps
        .iter()
        .map(|(op, path, value)| json!({"op": op, "path": format!("/spec/versions/0{path}"), "value": value}))
        .collect();
    let patch: Patch<()> = Patch::Json(serde_json::from_value(json!(steps))?);
    kinds.patch(KIND, &PatchParams::default(), &patch).await.context("kind of Functions").map(drop)
}

/// Waits until a field of `status` is kept, or is not.
async fn until_kept(fleet: &Fleet, name: &str, field: &str, kept: bool) -> Result<()> {
    let patch = Patch::Merge(json!({"status": {field: {"probe": "x"}}}));
    let dry = PatchParams { dry_run: true, ..PatchParams::default() };
    fleet
        .env
        .until("the schema", || async {
            let status = fleet.objects.patch_status(name, &dry, &patch).await?.data;
            let found = status.pointer(&format!("/status/{field}/probe")).is_some();
            ensure!(found == kept, "{field} is kept: {found}");
            Ok(())
        })
        .await
}

async fn generations(fleet: &Fleet) -> Result<Vec<(Option<String>, Option<i64>)>> {
    let sets = fleet.sets.list(&ListParams::default()).await?;
    Ok(sets.items.into_iter().map(|set| (set.metadata.name, set.metadata.generation)).collect())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_schema_of_another_release_breaks_nothing() -> Result<()> {
    const SCHEMA: &str = "/schema/openAPIV3Schema/properties";
    let server = ApiOnly::up("skew")?;
    let env = TestEnv::dedicated(&server).await?;
    env.test("schema", |env, namespace| async move {
        let mut fleet = Fleet::start(&env, &namespace, &FUNCTION, NUMBER).await?;
        fleet.create(&FUNCTION.spec()).await?;
        fleet.until_ready().await?;

        // Wider: fields that this release does not know, and values that it cannot decode.
        let anything = json!({"x-kubernetes-preserve-unknown-fields": true});
        let path = |field: &str| format!("{SCHEMA}/{field}");
        change(
            &env,
            &[
                ("add", &path("spec/properties/future"), anything.clone()),
                ("add", &path("status/properties/future"), anything.clone()),
                ("replace", &path("spec/properties/forwardSourceMessageProperty"), anything.clone()),
            ],
        )
        .await?;
        until_kept(&fleet, "o0", "future", true).await?;
        let mut spec = FUNCTION.spec();
        let map = spec.as_object_mut().context("spec")?;
        map.insert("future".to_owned(), json!({"a": [1]}));
        create(&fleet.objects, FUNCTION.kind, "future", &spec).await?;
        until_ready(&env, &fleet.objects, "future", AVAILABLE).await?;
        let mut poison = FUNCTION.spec();
        let map = poison.as_object_mut().context("spec")?;
        map.insert("forwardSourceMessageProperty".to_owned(), json!("perhaps"));
        create(&fleet.objects, FUNCTION.kind, "poison", &poison).await?;
        let message = until_ready(&env, &fleet.objects, "poison", ("False", "Invalid")).await?;
        ensure!(message.contains("forwardSourceMessageProperty"), "{message}");
        let theirs = Patch::Merge(json!({"status": {"future": {"a": 1}}}));
        fleet.objects.patch_status("o0", &PatchParams::default(), &theirs).await?;
        merge(&fleet.objects, "o0", json!({"spec": {"image": "example.com/image:wide"}})).await?;
        until_ready(&env, &fleet.objects, "o0", AVAILABLE).await?;
        let status = fleet.objects.get("o0").await?.data;
        ensure!(
            status.pointer("/status/future/a") == Some(&json!(1)),
            "the field of others is gone: {status}"
        );
        merge(&fleet.objects, "poison", json!({"spec": {"forwardSourceMessageProperty": true}})).await?;
        until_ready(&env, &fleet.objects, "poison", AVAILABLE).await?;

        // Narrower: the records of the controller in the status are dropped.
        for field in ["future", "statefulSet", "updatedReplicas"] {
            change(&env, &[("remove", &path(&format!("status/properties/{field}")), Value::Null)]).await?;
        }
        change(&env, &[("remove", &path("spec/properties/future"), Value::Null)]).await?;
        until_kept(&fleet, "o0", "statefulSet", false).await?;
        fleet.controller.until_idle(&env).await?;
        merge(&fleet.objects, "o1", json!({"spec": {"image": "example.com/image:narrow"}})).await?;
        until_ready(&env, &fleet.objects, "o1", AVAILABLE).await?;
        fleet.controller.until_idle(&env).await?;
        let before = generations(&fleet).await?;
        let mark = env.mark().await?;
        fleet.replace(None).await?;
        fleet.until_reconciled(0, NUMBER + 2).await?;
        let writes = env.audit_since(&mark)?.by(&fleet.controller.user).within(&namespace).writes();
        // The controller writes them again, once for each object.
        ensure!(writes.requests().len() <= 2 * (NUMBER + 2), "{:?}", writes.counts());
        ensure!(generations(&fleet).await? == before, "pods are rolled out because of a schema");

        // Without the status subresource nothing can be reported; the pods are created nevertheless.
        change(&env, &[("remove", "/subresources", Value::Null)]).await?;
        env.until("no status", || async {
            let probe = Patch::Merge(json!({}));
            let asked = fleet.objects.patch_status("o0", &PatchParams::default(), &probe).await;
            ensure!(asked.is_err(), "there is one");
            Ok(())
        })
        .await?;
        let mark = env.mark().await?;
        merge(&fleet.objects, "o2", json!({"spec": {"image": "example.com/image:mute"}})).await?;
        env.until("image", || async {
            let set = serde_json::to_string(&fleet.sets.get("o2-function").await?)?;
            ensure!(set.contains("image:mute"), "not yet");
            Ok(())
        })
        .await?;
        tokio::time::sleep(Duration::from_secs(10)).await;
        let writes = env.audit_since(&mark)?.by(&fleet.controller.user).within(&namespace).writes();
        ensure!(writes.requests().len() <= 8, "in ten seconds {:?}", writes.counts());
        change(&env, &[("add", "/subresources", json!({"status": {}}))]).await?;
        merge(&fleet.objects, "o2", json!({"spec": {"image": "example.com/image:reported"}})).await?;
        until_ready(&env, &fleet.objects, "o2", AVAILABLE).await?;
        ensure!(fleet.controller.metric("function_mesh_reconcile_panics_total")? == 0, "a panic");
        Ok(())
    })
    .await
}

/// Twenty upgrades with both releases running at the same time.
#[tokio::test(flavor = "multi_thread")]
async fn release_after_release_takes_over_and_restarts_nothing() -> Result<()> {
    const UPGRADES: usize = 20;
    let env = TestEnv::connect().await?;
    env.prepare().await?;
    env.test("surge", |env, namespace| async move {
        let watched = format!("--watched-namespace={namespace}");
        let flags = [
            watched.as_str(),
            "--lease-namespace=function-mesh-system",
            "--lease-duration=15",
            "--lease-renew-deadline=10",
            "--lease-retry-period=1",
        ];
        let _statefulset_controller =
            e2e::testing::fake_statefulset_controller::FakeStatefulSetController::start(&env, &namespace);
        let objects: Api<DynamicObject> = api(&env, &namespace, SOURCE.kind, SOURCE.plural);
        let sets: Api<DynamicObject> = e2e::testing::Child::of(&env, &namespace, "StatefulSet", "")?.api;
        let start = || Controller::spawn(&env, SOURCE.controller, &flags);
        let mut leader = start()?;
        leader.leads(&env).await?;
        for name in ["a", "b", "c"] {
            create(&objects, SOURCE.kind, name, &SOURCE.spec()).await?;
            until_ready(&env, &objects, name, AVAILABLE).await?;
        }
        leader.until_idle(&env).await?;
        let templates = || async {
            let list = sets.list(&ListParams::default()).await?;
            anyhow::Ok(
                list.items.iter().map(|s| s.data.pointer("/spec/template").cloned()).collect::<Vec<_>>(),
            )
        };
        let (before, mark) = (templates().await?, env.mark().await?);
        let mut users = vec![leader.user.clone()];
        for turn in 0..UPGRADES {
            let next = start()?;
            next.ready(&env).await?;
            // Which release does it depends on the timing.
            let name = ["a", "b", "c"].get(turn % 3).copied().unwrap_or_default();
            merge(&objects, name, json!({"spec": {"replicas": 2 + turn}})).await?;
            let ended = leader.signal("TERM")?;
            ensure!(ended.success(), "ended with {ended}");
            next.leads(&env).await?;
            until_ready(&env, &objects, name, AVAILABLE).await?;
            users.push(next.user.clone());
            leader = next;
        }
        leader.until_idle(&env).await?;
        ensure!(templates().await? == before, "pods were rolled out");
        let writes = env.audit_since(&mark)?.within(&namespace).writes();
        let mut ours: Vec<_> =
            writes.requests().iter().filter(|r| users.iter().any(|u| u == r.user())).collect();
        let of = |resource: &str| ours.iter().filter(|r| r.resource() == resource).count();
        ensure!((of("statefulsets"), of("services")) == (UPGRADES, 0), "{:?}", writes.counts());
        // The old release wrote nothing once its successor had started.
        ours.sort_by_key(|request| request.received().to_owned());
        let order: Vec<_> = ours.iter().filter_map(|r| users.iter().position(|u| u == r.user())).collect();
        ensure!(order.is_sorted(), "two writers: {order:?}");
        Ok(())
    })
    .await
}
