//! An autoscaler that its object does not want any more goes, although it lost the label by which it is watched (found by chaos).

use anyhow::{Result, ensure};
use e2e::testing::acker::Acker;
use e2e::testing::objects::{AVAILABLE, create, function_spec, functions, merge, until_ready};
use e2e::testing::{Child, Controller, Rig};
use serde_json::json;

#[tokio::test(flavor = "multi_thread")]
async fn an_autoscaler_without_its_label_goes() -> Result<()> {
    let rig = Rig::connect().await?;
    rig.prepare().await?;
    rig.test("leftover", |rig, namespace| async move {
        let _acker = Acker::start(&rig, &namespace);
        let functions = functions(&rig, &namespace);
        let mut controller = Controller::start(&rig, "function-controller", &namespace).await?;
        let mut spec = function_spec();
        spec["maxReplicas"] = json!(5);
        create(&functions, "Function", "f", &spec).await?;
        until_ready(&rig, &functions, "f", AVAILABLE).await?;
        let scaler = Child::of(&rig, &namespace, "HorizontalPodAutoscaler", "f-function")?;
        rig.until("record", || async {
            let status = functions.get("f").await?.data["status"].clone();
            ensure!(status["autoscalers"] == json!(["HorizontalPodAutoscaler"]), "{status}");
            Ok(())
        })
        .await?;
        controller.quiet(&rig).await?;

        // Both happen while no controller runs.
        controller.kill();
        let labels = json!({"compute.functionmesh.io/component": null, "compute.functionmesh.io/name": null});
        scaler.patch(&json!({"metadata": {"labels": labels}, "spec": {"maxReplicas": 9}})).await?;
        merge(&functions, "f", json!({"spec": {"maxReplicas": null}})).await?;
        let controller = Controller::start(&rig, "function-controller", &namespace).await?;
        rig.until("the end of the autoscaler", || async {
            ensure!(scaler.api.get_opt("f-function").await?.is_none(), "it is there");
            Ok(())
        })
        .await?;
        rig.until("record", || async {
            let status = functions.get("f").await?.data["status"].clone();
            ensure!(status["autoscalers"].is_null(), "{status}");
            Ok(())
        })
        .await?;
        controller.quiet(&rig).await?;
        let writes = rig.audit()?.by(&controller.user).writes().counts();
        let expected = [("delete horizontalpodautoscalers", 1), ("patch functions/status", 1)];
        ensure!(writes == expected.map(|(what, n)| (what.to_owned(), n)).into(), "{writes:?}");
        Ok(())
    })
    .await
}
