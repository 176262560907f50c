//! A failed write does not affect the conditions about running pods.

use super::{ready, until_gone, warnings};
use anyhow::{Result, ensure};
use e2e::scenarios::fleet::{FUNCTION, Fleet};
use e2e::testing::children::{Child, repairs};
use e2e::testing::objects::{AVAILABLE, create, merge, until_condition, until_ready};
use e2e::testing::proxy::rule::{Action, Rule};
use e2e::testing::{Proxy, TestEnv};
use serde_json::json;

const FAILED: &str = "ReconcileFailed";

/// A Function that runs, behind a proxy.
async fn running(env: &TestEnv, namespace: &str) -> Result<Fleet> {
    let mut fleet = Fleet::start(env, namespace, &FUNCTION, 1).await?;
    fleet.replace(Some(Proxy::start(env).await?)).await?;
    fleet.create(&FUNCTION.spec()).await?;
    fleet.until_ready().await?;
    fleet.controller.until_idle(env).await?;
    Ok(fleet)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_failed_write_does_not_change_conditions_about_pods() -> Result<()> {
    let env = TestEnv::connect().await?;
    env.prepare().await?;
    env.test("onefault", |env, namespace| async move {
        let fleet = running(&env, &namespace).await?;
        let before = ready(&fleet.objects.get("o0").await?)?;
        let service = Child::of(&env, &namespace, "Service", "o0-function-headless")?;
        let rule = |code| Rule::new(Action::Answer(code)).verb("patch").resource("services");
        for code in [409, 500, 504] {
            fleet.proxy()?.add(rule(code).times(1));
        }
        service.delete().await?;
        env.until("the Service", || async { service.whole().await.map(drop) }).await?;
        ensure!(fleet.proxy()?.rules_left() == 0, "not every fault came");
        ensure!(ready(&fleet.objects.get("o0").await?)? == before, "the pods ran all the time");
        let reported = warnings(&env, &namespace).await?;
        ensure!(reported.is_empty(), "{reported:?}");

        // A refused write has its own condition.
        fleet.proxy()?.add(rule(403));
        service.delete().await?;
        let message = until_condition(&env, &fleet.objects, "o0", FAILED, ("True", "Forbidden")).await?;
        ensure!(message.contains("Service o0-function-headless"), "{message}");
        let now = fleet.objects.get("o0").await?;
        ensure!(ready(&now)? == before, "{:?}", now.data);
        env.until("one Warning", || async {
            let reported = warnings(&env, &namespace).await?;
            ensure!(reported.len() == 1 && reported[0].starts_with("o0 Forbidden: "), "{reported:?}");
            Ok(())
        })
        .await?;
        fleet.proxy()?.clear();
        until_gone(&env, &fleet.objects, "o0", FAILED).await?;
        ensure!(ready(&fleet.objects.get("o0").await?)? == before, "the pods ran all the time");
        Ok(())
    })
    .await
}

/// The text of a difference is read from the API server once.
#[tokio::test(flavor = "multi_thread")]
async fn a_failed_read_does_not_change_conditions_about_pods() -> Result<()> {
    let env = TestEnv::connect().await?;
    env.prepare().await?;
    env.test("unread", |env, namespace| async move {
        let mut fleet = running(&env, &namespace).await?;
        let before = ready(&fleet.objects.get("o0").await?)?;
        let proxy = Proxy::start(&env).await?;
        proxy.add(Rule::new(Action::Answer(500)).verb("get").resource("statefulsets").times(2));
        fleet.flags.push("--add-default-affinity=false".to_owned());
        fleet.replace(Some(proxy)).await?;
        env.until("the differences", || async {
            let waits = ("True", "OperatorConfigChanged");
            let message = until_condition(&env, &fleet.objects, "o0", "UpdateAvailable", waits).await?;
            ensure!(message.contains("affinity"), "{message}");
            Ok(())
        })
        .await?;
        ensure!(fleet.proxy()?.rules_left() == 0, "the read did not fail");
        ensure!(ready(&fleet.objects.get("o0").await?)? == before, "the pods ran all the time");
        let reported = warnings(&env, &namespace).await?;
        ensure!(reported.is_empty(), "{reported:?}");
        Ok(())
    })
    .await
}

/// An autoscaler that was refused at first did not exist before.
#[tokio::test(flavor = "multi_thread")]
async fn an_autoscaler_that_is_admitted_late_was_not_deleted() -> Result<()> {
    let env = TestEnv::connect().await?;
    env.prepare().await?;
    env.test("late", |env, namespace| async move {
        let fleet = running(&env, &namespace).await?;
        let refused = Rule::new(Action::Answer(403)).verb("patch").resource("horizontalpodautoscalers");
        fleet.proxy()?.add(refused.clone());
        merge(&fleet.objects, "o0", json!({"spec": {"maxReplicas": 3}})).await?;
        let mut spec = FUNCTION.spec();
        spec["maxReplicas"] = json!(3);
        create(&fleet.objects, FUNCTION.kind, "new", &spec).await?;
        for name in ["o0", "new"] {
            until_condition(&env, &fleet.objects, name, FAILED, ("True", "Forbidden")).await?;
            // Its pods match the spec.
            until_ready(&env, &fleet.objects, name, AVAILABLE).await?;
        }
        fleet.proxy()?.clear();
        for name in ["o0", "new"] {
            until_gone(&env, &fleet.objects, name, FAILED).await?;
            Child::of(&env, &namespace, "HorizontalPodAutoscaler", &format!("{name}-function"))?
                .state()
                .await?;
            let reported = repairs(&env, &namespace, name).await?;
            ensure!(reported.is_empty(), "{reported:?}");
        }
        Ok(())
    })
    .await
}
