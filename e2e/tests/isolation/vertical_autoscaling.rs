//! VerticalPodAutoscalers, a kind that is installed while the controllers run. A program of its own, because it adds the kind.

use anyhow::{Result, bail, ensure};
use e2e::testing::fake_statefulset_controller::FakeStatefulSetController;
use e2e::testing::objects::{AVAILABLE, condition, create, function_spec, functions, merge, until_ready};
use e2e::testing::{Controller, TestEnv, vertical};
use kube::api::{Api, ApiResource, DynamicObject, Patch, PatchParams};
use serde_json::json;
use std::collections::BTreeMap;

const WRITE: &str = "patch verticalpodautoscalers";

#[tokio::test(flavor = "multi_thread")]
async fn an_autoscaler_comes_with_its_kind() -> Result<()> {
    let env = TestEnv::connect().await?;
    env.prepare().await?;
    env.test("vpa", |env, namespace| async move {
        let _statefulset_controller = FakeStatefulSetController::start(&env, &namespace);
        let controller = Controller::start(&env, "function-controller", &namespace).await?;
        let api = functions(&env, &namespace);
        let mut spec = function_spec();
        spec["pod"] = json!({"vpa": {"updatePolicy": {"updateMode": "Auto"}}});
        create(&api, "Function", "f", &spec).await?;
        // It runs without the kind, and reports what is missing.
        until_ready(&env, &api, "f", AVAILABLE).await?;
        let missing = || condition(&api, "f", "VerticalPodAutoscalerMissing");
        env.until("condition", missing).await?;
        controller.signal("TERM")?;
        let controller = Controller::start(&env, "function-controller", &namespace).await?;
        controller.reconciled(&env, 1).await?;
        let requests = env.audit()?.by(&controller.user);
        ensure!(
            requests.clone().writes().requests().is_empty(),
            "writes after a restart: {:?}",
            requests.counts()
        );
        let refused = requests.refused();
        ensure!(refused.requests().is_empty(), "{:?}", refused.counts());

        vertical::install(&env).await?;
        let resource = ApiResource::from_gvk_with_plural(
            &kube::core::GroupVersionKind::gvk("autoscaling.k8s.io", "v1", "VerticalPodAutoscaler"),
            "verticalpodautoscalers",
        );
        let autoscalers: Api<DynamicObject> = Api::namespaced_with(env.client.clone(), &namespace, &resource);
        let mode = || async {
            let mode =
                autoscalers.get("f-function").await?.data["spec"]["updatePolicy"]["updateMode"].clone();
            if mode == json!("Auto") { Ok(()) } else { bail!("{mode}") }
        };
        env.until("the autoscaler", mode).await?;
        env.until("end of the condition", || async {
            if missing().await.is_err() { Ok(()) } else { bail!("still there") }
        })
        .await?;
        ensure!(env.audit()?.by(&controller.user).writes().counts()[WRITE] == 1, "not one write");

        let edit = json!({"spec": {"updatePolicy": {"updateMode": "Off"}}});
        autoscalers.patch("f-function", &PatchParams::default(), &Patch::Merge(edit)).await?;
        env.until("repair", mode).await?;
        // The writes of the autoscaler itself.
        let status = json!({"status": {"recommendation": {}}});
        autoscalers.patch("f-function", &PatchParams::default(), &Patch::Merge(status)).await?;
        let user = controller.user.clone();
        controller.signal("TERM")?;
        // In total: one write for the kind and one for the edit, and the removal of the condition.
        let counts = env.audit()?.by(&user).writes().counts();
        let wanted = [(WRITE.to_owned(), 2), ("patch functions/status".to_owned(), 1)];
        ensure!(counts == BTreeMap::from(wanted), "{counts:?}");
        let controller = Controller::start(&env, "function-controller", &namespace).await?;
        controller.reconciled(&env, 1).await?;
        let writes = env.audit()?.by(&controller.user).writes();
        ensure!(writes.requests().is_empty(), "writes after a restart: {:?}", writes.counts());

        merge(&api, "f", json!({"spec": {"pod": {"vpa": null}}})).await?;
        env.until("end of the autoscaler", || async {
            if autoscalers.get_opt("f-function").await?.is_none() { Ok(()) } else { bail!("still there") }
        })
        .await?;
        let counts = env.audit()?.by(&controller.user).writes().only(|r| r.name() == "f-function").counts();
        ensure!(counts == BTreeMap::from([("delete verticalpodautoscalers".to_owned(), 1)]), "{counts:?}");
        vertical::remove(&env).await
    })
    .await
}
