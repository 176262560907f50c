//! Kinds that are missing, installed and removed again while a controller runs (docs/reliability.md, T13). This module
//! runs alone, because it removes a kind that other tests need.

use anyhow::{Context, Result, ensure};
use e2e::paths;
use e2e::scenarios::fleet::SOURCE;
use e2e::shell::run;
use e2e::testing::fake_statefulset_controller::FakeStatefulSetController;
use e2e::testing::objects::{AVAILABLE, api, create, until_ready};
use e2e::testing::{Child, Controller, TestEnv};
use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition;
use kube::api::{Api, DeleteParams, ListParams};

const KIND: &str = "sources.compute.functionmesh.io";

async fn remove(env: &TestEnv) -> Result<()> {
    let kinds: Api<CustomResourceDefinition> = Api::all(env.client.clone());
    kinds.delete(KIND, &DeleteParams::default()).await?;
    env.until("end of the kind", || async {
        ensure!(kinds.get_opt(KIND).await?.is_none(), "it is there");
        Ok(())
    })
    .await
}

fn install(env: &TestEnv) -> Result<()> {
    let folder = paths::root().join("config/crd").display().to_string();
    run(&mut env.kubectl.with(["apply", "--server-side", "--force-conflicts", "-k", &folder]))
}

async fn not_ready(env: &TestEnv, controller: &Controller) -> Result<()> {
    env.until("not ready", || async {
        let error = controller.get("readyz").err().context("it is ready")?.to_string();
        ensure!(error.contains("cache of Source: the kind is not installed"), "{error}");
        Ok(())
    })
    .await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_kind_that_comes_and_goes_needs_no_restart() -> Result<()> {
    let env = TestEnv::connect().await?;
    env.prepare().await?;
    env.test("kinds", |env, namespace| async move {
        let _statefulset_controller = FakeStatefulSetController::start(&env, &namespace);
        let sources = api(&env, &namespace, SOURCE.kind, SOURCE.plural);
        let children = Child::of(&env, &namespace, "StatefulSet", "")?.api;
        remove(&env).await?;
        let watched = format!("--watched-namespace={namespace}");
        let controller = Controller::spawn(&env, SOURCE.controller, &[&watched, "--leader-elect=false"])?;
        for name in ["first", "second"] {
            not_ready(&env, &controller).await?;
            install(&env)?;
            controller.ready(&env).await?;
            create(&sources, SOURCE.kind, name, &SOURCE.spec()).await?;
            until_ready(&env, &sources, name, AVAILABLE).await?;
            remove(&env).await?;
            // Their children are deleted and not recreated. The garbage collector deletes them only after it has discovered the
            // kind; here the test does it at once.
            children.delete_collection(&DeleteParams::background(), &ListParams::default()).await?;
            env.until("end of the children", || async {
                let left = children.list(&ListParams::default()).await?.items.len();
                ensure!(left == 0, "{left} left");
                Ok(())
            })
            .await?;
        }
        not_ready(&env, &controller).await?;
        install(&env)?;
        controller.ready(&env).await?;
        ensure!(children.list(&ListParams::default()).await?.items.is_empty(), "made without its kind");
        Ok(())
    })
    .await
}
