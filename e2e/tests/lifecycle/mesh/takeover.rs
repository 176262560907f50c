//! Components that the Go operator ran.

use super::{MESH, meshes, spec, until_there};
use anyhow::{Result, ensure};
use e2e::testing::objects::{create, functions, merge, until_ready};
use e2e::testing::{Controller, TestEnv};
use serde_json::json;

/// Server-side apply is answered with 500 as long as the status holds the Go operator's map of conditions.
#[tokio::test(flavor = "multi_thread")]
async fn a_status_of_the_go_operator_is_converted_before_its_component_is_applied() -> Result<()> {
    let env = TestEnv::connect().await?;
    env.prepare().await?;
    env.test("mapstatus", |env, namespace| async move {
        let (meshes, functions) = (meshes(&env, &namespace), functions(&env, &namespace));
        let controller = Controller::start(&env, "mesh-controller", &namespace).await?;
        create(&meshes, "FunctionMesh", MESH, &spec(&["a"])).await?;
        until_there(&env, &functions, "m-a").await?;
        controller.until_idle(&env).await?;
        controller.signal("TERM")?;
        env.etcd()?.rewrite("functions", &namespace, "m-a", |function| {
            function["status"] = json!({"replicas": 1, "conditions": {"StatefulSet":
                {"condition": "StatefulSetReady", "status": "True", "action": "NoAction"}}});
        })?;
        env.until("the Go operator's status", || async {
            let conditions = functions.get("m-a").await?.data["status"]["conditions"].clone();
            ensure!(conditions.is_object(), "{conditions}");
            Ok(())
        })
        .await?;
        merge(
            &meshes,
            MESH,
            json!({"spec": {"functions": [{
            "name": "a", "className": "org.Other", "input": {"topics": ["in"]}, "output": {"topic": "out"},
            "pulsar": {"pulsarConfig": "pulsar"}, "java": {"jar": "/pulsar/a.jar"}}]}}),
        )
        .await?;

        let successor = Controller::start(&env, "mesh-controller", &namespace).await?;
        env.until("the item", || async {
            let function = functions.get("m-a").await?;
            ensure!(function.data["spec"]["className"] == json!("org.Other"), "{}", function.data["spec"]);
            ensure!(!function.data["status"]["conditions"].is_object(), "{}", function.data["status"]);
            Ok(())
        })
        .await?;
        until_ready(&env, &meshes, MESH, ("False", "ComponentsNotReady")).await?;
        successor.until_idle(&env).await?;
        let requests = env.audit()?.by(&successor.user);
        let refused = requests.clone().refused();
        ensure!(refused.requests().is_empty(), "refused: {:?}", refused.counts());
        let counts = requests.writes().counts();
        ensure!(counts.get("patch functions/status") == Some(&1), "{counts:?}");
        // The apply, and a change of the field ownership before and after it: the API server drops all owners when it writes an
        // object with such a status.
        ensure!(counts.get("patch functions").is_some_and(|n| *n <= 3), "{counts:?}");
        Ok(())
    })
    .await
}
