//! The BackendConfig for all namespaces belongs to the administrator of the operator, not to the administrators of `default`.

use anyhow::{Result, bail, ensure};
use e2e::testing::fake_statefulset_controller::FakeStatefulSetController;
use e2e::testing::objects::{AVAILABLE, api, create, function_spec, functions, until_ready};
use e2e::testing::test_env::Build;
use e2e::testing::{Controller, TestEnv};
use k8s_openapi::api::apps::v1::StatefulSet;
use kube::api::{Api, DeleteParams};
use serde_json::json;

#[tokio::test(flavor = "multi_thread")]
async fn it_is_in_the_namespace_of_the_release() -> Result<()> {
    let env = TestEnv::connect().await?;
    env.prepare().await?;
    env.test("globalplace", |env, namespace| async move {
        let _statefulset_controller = FakeStatefulSetController::start(&env, &namespace);
        // An object of the same name, in the namespace that the Go operator uses.
        let old = api(&env, "default", "BackendConfig", "backendconfigs");
        create(&old, "BackendConfig", &namespace, &json!({"autoUpdate": true, "env": {"OLD": "1"}})).await?;
        let own = api(&env, &namespace, "BackendConfig", "backendconfigs");
        create(&own, "BackendConfig", &namespace, &json!({"autoUpdate": true, "env": {"NEW": "1"}})).await?;
        let namespace_of_pod = ("POD_NAMESPACE", &*Box::leak(namespace.clone().into_boxed_str()));
        let environment = [env.build.environment, &[namespace_of_pod]].concat();
        let mut inside = env.clone();
        inside.build = Build { environment: Box::leak(environment.into_boxed_slice()), ..env.build.clone() };
        let flags = [
            format!("--watched-namespace={namespace}"),
            "--leader-elect=false".to_owned(),
            format!("--global-backend-config={namespace}"),
        ];
        let flags: Vec<&str> = flags.iter().map(String::as_str).collect();
        let controller = Controller::spawn(&inside, "function-controller", &flags)?;
        controller.ready(&env).await?;
        let functions = functions(&env, &namespace);
        create(&functions, "Function", "f", &function_spec()).await?;
        until_ready(&env, &functions, "f", AVAILABLE).await?;
        let sets: Api<StatefulSet> = Api::namespaced(env.client.clone(), &namespace);
        let variables = || async {
            let pod = sets.get("f-function").await?.spec.template.spec.unwrap_or_default();
            let env = pod.containers.into_iter().flat_map(|c| c.env.unwrap_or_default());
            anyhow::Ok(env.map(|variable| variable.name).collect::<Vec<_>>())
        };
        let found = variables().await?;
        ensure!(found.contains(&"NEW".to_owned()) && !found.contains(&"OLD".to_owned()), "{found:?}");
        env.until("a warning", || async {
            let warning = format!("BackendConfig default/{namespace} is not used");
            if controller.log()?.contains(&warning) { Ok(()) } else { bail!("not in the log") }
        })
        .await?;

        // The former namespace works only if it is configured.
        drop(controller);
        let place = [flags, vec!["--global-backend-config-namespace=default"]].concat();
        let controller = Controller::spawn(&inside, "function-controller", &place)?;
        controller.ready(&env).await?;
        env.until("the old place", || async {
            if variables().await?.contains(&"OLD".to_owned()) { Ok(()) } else { bail!("not yet") }
        })
        .await?;
        ensure!(!controller.log()?.contains("is not used"), "a warning without a reason");
        old.delete(&namespace, &DeleteParams::default()).await?;
        Ok(())
    })
    .await
}
