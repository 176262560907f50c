//! Items that do not decode.

use super::{MESH, item, meshes, spec, until_there};
use anyhow::{Result, ensure};
use e2e::testing::objects::{create, functions, merge, until_gone, until_ready};
use e2e::testing::{Controller, TestEnv};
use kube::ResourceExt;
use serde_json::json;

/// An item that was renamed to an existing name does not count as removed.
#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_deleted_while_an_item_is_invalid() -> Result<()> {
    let env = TestEnv::connect().await?;
    env.prepare().await?;
    env.test("invaliditem", |env, namespace| async move {
        let (meshes, functions) = (meshes(&env, &namespace), functions(&env, &namespace));
        let controller = Controller::start(&env, "mesh-controller", &namespace).await?;
        let mut two = spec(&["a", "b"]);
        two["functions"][1]["cleanupSubscription"] = json!(true);
        create(&meshes, "FunctionMesh", MESH, &two).await?;
        until_there(&env, &functions, "m-a").await?;
        let before = until_there(&env, &functions, "m-b").await?;

        let mut twice = two.clone();
        twice["functions"][1]["name"] = json!("a");
        twice["functions"][0]["image"] = json!("example.com/image:2");
        merge(&meshes, MESH, json!({"spec": twice})).await?;
        let message = until_ready(&env, &meshes, MESH, ("False", "Invalid")).await?;
        for text in ["spec.functions[1].name: \"a\" is used twice", "Function m-b is kept"] {
            ensure!(message.contains(text), "no {text:?} in {message}");
        }
        // The others are reconciled nevertheless.
        env.until("the other item", || async {
            let image = functions.get("m-a").await?.data["spec"]["image"].clone();
            ensure!(image == json!("example.com/image:2"), "{image}");
            Ok(())
        })
        .await?;
        controller.until_idle(&env).await?;
        let kept = functions.get("m-b").await?;
        ensure!(kept.uid() == Some(before) && kept.metadata.deletion_timestamp.is_none(), "it was deleted");

        merge(&meshes, MESH, json!({"spec": spec(&["a"])})).await?;
        until_gone(&env, &functions, "m-b").await
    })
    .await
}

/// The API server refuses a name that no component can have.
#[tokio::test(flavor = "multi_thread")]
async fn the_name_of_an_item_is_a_dns_label() -> Result<()> {
    let env = TestEnv::connect().await?;
    env.prepare().await?;
    env.test("itemname", |env, namespace| async move {
        let meshes = meshes(&env, &namespace);
        let long = "a".repeat(42);
        for name in ["", "A", "a.b", "a_b", "-a", "a-", &long] {
            let answer = create(&meshes, "FunctionMesh", MESH, &spec(&[name])).await;
            let refused = answer.err().map(|error| format!("{error:#}")).unwrap_or_default();
            ensure!(refused.contains("spec.functions[0].name"), "{name:?}: {refused:?}");
        }
        let mut nameless = item("a");
        nameless.as_object_mut().map(|item| item.remove("name"));
        let answer = create(&meshes, "FunctionMesh", MESH, &json!({"functions": [nameless]})).await;
        let refused = answer.err().map(|error| format!("{error:#}")).unwrap_or_default();
        ensure!(refused.contains("spec.functions[0].name"), "no name: {refused:?}");
        create(&meshes, "FunctionMesh", MESH, &spec(&["a", "0-b"])).await
    })
    .await
}
