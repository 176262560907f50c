//! Only the observed object is deleted: a deletion has preconditions on uid and resource version.

use anyhow::{Context, Result, ensure};
use e2e::testing::objects::{api, create, function_spec, functions, merge, until_gone};
use e2e::testing::proxy::rule::{Action, Rule};
use e2e::testing::{Controller, Proxy, TestEnv};
use kube::ResourceExt;
use serde_json::{Value, json};
use std::time::Duration;

fn item(name: &str) -> Value {
    let mut item = function_spec();
    item["name"] = json!(name);
    item
}

/// The component leaves the mesh, and during the deletion a user removes it from the mesh.
#[tokio::test(flavor = "multi_thread")]
async fn a_component_that_no_longer_belongs_to_the_mesh_is_not_deleted() -> Result<()> {
    let env = TestEnv::connect().await?;
    env.prepare().await?;
    env.test("taken-out", |env, namespace| async move {
        let proxy = Proxy::start(&env).await?;
        let flags = [&*format!("--watched-namespace={namespace}"), "--leader-elect=false"];
        let controller = Controller::spawn_behind(&env, Some(&proxy), "mesh-controller", &flags)?;
        controller.ready(&env).await?;
        let meshes = api(&env, &namespace, "FunctionMesh", "functionmeshes");
        let components = functions(&env, &namespace);
        create(&meshes, "FunctionMesh", "m", &json!({"functions": [item("a"), item("b"), item("c")]}))
            .await?;
        for name in ["m-a", "m-b", "m-c"] {
            env.until(name, || async { Ok(components.get(name).await?) }).await?;
        }
        controller.until_idle(&env).await?;
        let uid = components.get("m-b").await?.uid();
        proxy.add(Rule::new(Action::Delay(Duration::from_secs(2))).verb("delete").name("m-b").times(1));
        merge(&meshes, "m", json!({"spec": {"functions": [item("a")]}})).await?;
        env.until("the deletion", || async {
            let asked = proxy.writes().iter().any(|write| write.verb == "delete" && write.name == "m-b");
            ensure!(asked, "not asked for");
            Ok(())
        })
        .await?;
        merge(&components, "m-b", json!({"metadata": {"ownerReferences": null}})).await?;
        // The other one is deleted.
        until_gone(&env, &components, "m-c").await?;
        controller.until_idle(&env).await?;
        let left =
            components.get_opt("m-b").await?.context("it was deleted although it is no longer the mesh's")?;
        ensure!(left.uid() == uid && left.metadata.deletion_timestamp.is_none(), "{:?}", left.metadata);
        let refused = env.audit()?.by(&controller.user).only(|r| r.verb == "delete" && r.code() == 409);
        ensure!(refused.requests().len() == 1, "{:?}", refused.counts());
        ensure!(!components.get("m-a").await?.owner_references().is_empty(), "m-a lost its owner");
        Ok(())
    })
    .await
}
