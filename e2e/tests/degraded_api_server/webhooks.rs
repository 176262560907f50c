//! Admission webhooks of third parties, between the controller and its StatefulSets (docs/reliability.md, T19).

use anyhow::{Result, ensure};
use e2e::scenarios::fleet::{FUNCTION, Fleet};
use e2e::testing::objects::{AVAILABLE, create, merge, until_ready};
use e2e::testing::webhook::{Behaviour, is_injected};
use e2e::testing::{TestEnv, Webhook};
use serde_json::json;
use std::time::{Duration, Instant};

const SET: &str = "o0-function";

#[tokio::test(flavor = "multi_thread")]
async fn fields_that_a_webhook_adds_stay() -> Result<()> {
    const IMAGE: &str = "example.com/image:2";
    let env = TestEnv::connect().await?;
    env.prepare().await?;
    env.test("injecting", |env, namespace| async move {
        let mut fleet = Fleet::start(&env, &namespace, &FUNCTION, 5).await?;
        let webhook = Webhook::start(&env, &namespace, Behaviour::Inject).await?;
        let counts = fleet
            .measure(async |fleet| {
                fleet.create(&FUNCTION.spec()).await?;
                fleet.until_sets(is_injected).await?;
                fleet.until_ready().await
            })
            .await?;
        ensure!(counts.count("patch statefulsets") == 5, "{counts}");
        // A change by the operator reaches the pods, and the added fields stay.
        let counts = fleet
            .measure(async |fleet| {
                merge(&fleet.objects, "o0", json!({"spec": {"image": IMAGE}})).await?;
                until_ready(&fleet.env, &fleet.objects, "o0", AVAILABLE).await.map(drop)
            })
            .await?;
        ensure!(counts.count("patch statefulsets") == 1, "{counts}");
        let set = fleet.sets.get(SET).await?;
        let pod = set.spec.template.spec.clone().unwrap_or_default();
        let images: Vec<_> = pod.containers.iter().filter_map(|c| c.image.as_deref()).collect();
        ensure!(is_injected(&set) && images.contains(&IMAGE), "{images:?}");
        let variables = pod.containers.iter().flat_map(|c| c.env.iter().flatten());
        ensure!(
            variables.filter(|v| v.name == "INJECTED").count() == 1,
            "the variable is gone or twice there"
        );
        let label = set.metadata.labels.unwrap_or_default().get("injected").cloned();
        ensure!(label.as_deref() == Some("yes"), "the label is {label:?}");
        // A new process finds nothing to repair either.
        let mark = env.mark().await?;
        fleet.replace(None).await?;
        fleet.until_reconciled(0, 5).await?;
        let writes = env.audit_since(&mark)?.by(&fleet.controller.user).within(&namespace).writes();
        ensure!(writes.requests().is_empty(), "{:?}", writes.counts());
        webhook.remove().await
    })
    .await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_webhook_that_is_down_is_named() -> Result<()> {
    let env = TestEnv::connect().await?;
    env.prepare().await?;
    env.test("hookdown", |env, namespace| async move {
        let fleet = Fleet::start(&env, &namespace, &FUNCTION, 1).await?;
        let webhook = Webhook::start(&env, &namespace, Behaviour::Down).await?;
        let mark = env.mark().await?;
        create(&fleet.objects, FUNCTION.kind, "o0", &FUNCTION.spec()).await?;
        let message = until_ready(&env, &fleet.objects, "o0", ("False", "ApplyFailed")).await?;
        for word in [SET, "failed calling webhook", "sets.example.com"] {
            ensure!(message.contains(word), "no {word:?} in: {message}");
        }
        tokio::time::sleep(Duration::from_secs(10)).await;
        let tries = env.audit_since(&mark)?.by(&fleet.controller.user).writes();
        ensure!(tries.writes_to("statefulsets", SET) <= 6, "{:?}", tries.counts());
        ensure!(tries.writes_to("functions/status", "o0") <= 2, "{:?}", tries.counts());
        webhook.remove().await?;
        // It is retried without a user.
        until_ready(&env, &fleet.objects, "o0", AVAILABLE).await.map(drop)
    })
    .await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_webhook_that_is_slow_is_waited_for() -> Result<()> {
    const SLOW: Duration = Duration::from_secs(9);
    let env = TestEnv::connect().await?;
    env.prepare().await?;
    env.test("hookslow", |env, namespace| async move {
        let fleet = Fleet::start(&env, &namespace, &FUNCTION, 5).await?;
        let webhook = Webhook::start(&env, &namespace, Behaviour::Slow(SLOW)).await?;
        let started = Instant::now();
        let counts = fleet
            .measure(async |fleet| {
                fleet.create(&FUNCTION.spec()).await?;
                fleet.until_ready().await
            })
            .await?;
        ensure!(counts.count("patch statefulsets") == 5 && counts.refused.is_empty(), "{counts}");
        ensure!(started.elapsed() < SLOW * 5, "one after the other: {:?}", started.elapsed());
        webhook.remove().await
    })
    .await
}
