//! A BackendConfig that affects many objects, and the objects that it does not affect.

use anyhow::{Result, ensure};
use e2e::testing::fake_statefulset_controller::FakeStatefulSetController;
use e2e::testing::objects::{AVAILABLE, api, create, function_spec, functions, merge, until_ready};
use e2e::testing::{Controller, TestEnv};
use k8s_openapi::api::apps::v1::StatefulSet;
use kube::api::{Api, DynamicObject, ListParams};
use serde_json::json;

const N: usize = 60;

/// Names of the functions whose pods have a value of the variable.
async fn having(sets: &Api<StatefulSet>, value: &str) -> Result<usize> {
    let has = |set: &StatefulSet| {
        let containers = set.spec.template.spec.iter().flat_map(|pod| &pod.containers);
        let mut variables = containers.flat_map(|container| container.env.iter().flatten());
        variables.any(|variable| variable.name == "A" && variable.value.as_deref() == Some(value))
    };
    Ok(sets.list(&ListParams::default()).await?.iter().filter(|set| has(set)).count())
}

async fn until_having(env: &TestEnv, sets: &Api<StatefulSet>, value: &str, number: usize) -> Result<()> {
    env.until("the variable", || async {
        let found = having(sets, value).await?;
        ensure!(found == number, "{found} of {number} have {value}");
        Ok(())
    })
    .await
}

async fn all_ready(env: &TestEnv, functions: &Api<DynamicObject>) -> Result<()> {
    for i in 0..N {
        until_ready(env, functions, &format!("f{i}"), AVAILABLE).await?;
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn one_object_is_not_behind_all_that_a_backend_config_concerns() -> Result<()> {
    let env = TestEnv::connect().await?;
    env.prepare().await?;
    env.test("fan-out", |env, namespace| async move {
        let _statefulset_controller = FakeStatefulSetController::start(&env, &namespace);
        let configs = api(&env, &namespace, "BackendConfig", "backendconfigs");
        create(&configs, "BackendConfig", "backend-config", &json!({"env": {"A": "1"}, "autoUpdate": true}))
            .await?;
        // Batches of four.
        let flags = [&format!("--watched-namespace={namespace}"), "--leader-elect=false", "--concurrency=2"];
        let controller = Controller::spawn(&env, "function-controller", &flags)?;
        controller.ready(&env).await?;
        let api = functions(&env, &namespace);
        let sets: Api<StatefulSet> = Api::namespaced(env.client.clone(), &namespace);
        for i in 0..N {
            create(&api, "Function", &format!("f{i}"), &function_spec()).await?;
        }
        all_ready(&env, &api).await?;
        let written = || -> Result<Vec<String>> {
            let patches = env
                .audit()?
                .by(&controller.user)
                .only(|r| r.verb == "patch" && r.resource() == "statefulsets");
            Ok(patches.requests().iter().map(|r| r.name().to_owned()).collect())
        };
        ensure!(written()?.len() == N, "created with more than one write each");

        merge(&configs, "backend-config", json!({"spec": {"env": {"A": "2"}}})).await?;
        create(&api, "Function", "meanwhile", &function_spec()).await?;
        until_having(&env, &sets, "2", N + 1).await?;
        all_ready(&env, &api).await?;
        let order = written()?.split_off(N);
        ensure!(order.len() == N + 1, "not one write each: {order:?}");
        let place = order.iter().position(|name| name == "meanwhile-function");
        ensure!(place.is_some_and(|place| place < N / 2), "it came {place:?} of {order:?}");

        // A second change while the first is in progress: no object keeps the first value.
        let before = written()?.len();
        merge(&configs, "backend-config", json!({"spec": {"env": {"A": "3"}}})).await?;
        env.until("some with the first", || async {
            ensure!(having(&sets, "3").await? > 0, "none");
            Ok(())
        })
        .await?;
        merge(&configs, "backend-config", json!({"spec": {"env": {"A": "4"}}})).await?;
        until_having(&env, &sets, "4", N + 1).await?;
        all_ready(&env, &api).await?;
        let number = written()?.len() - before;
        ensure!(
            number > N + 1 && number < 2 * (N + 1),
            "{number} writes: each object for both changes, or some for none"
        );

        // Nothing is left in progress.
        let requests = env.audit()?.by(&controller.user).writes().requests().len();
        let reconciles = controller.metric("function_mesh_reconciles_total")?;
        merge(&configs, "backend-config", json!({"metadata": {"labels": {"a": "b"}}})).await?;
        controller.reconciled(&env, reconciles + N as u64 + 1).await?;
        let after = env.audit()?.by(&controller.user).writes().requests().len();
        ensure!(requests == after, "an edit of metadata was written");
        Ok(())
    })
    .await
}
