//! Kinds that are missing, come, and go again, under a controller that runs (docs/reliability.md, T13). The only test of
//! its program: it takes a kind away from everybody.

use anyhow::{Context, Result, ensure};
use e2e::paths;
use e2e::scenarios::fleet::SOURCE;
use e2e::shell::run;
use e2e::testing::acker::Acker;
use e2e::testing::objects::{AVAILABLE, api, create, until_ready};
use e2e::testing::{Child, Controller, Rig};
use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition;
use kube::api::{Api, DeleteParams, ListParams};

const KIND: &str = "sources.compute.functionmesh.io";

async fn remove(rig: &Rig) -> Result<()> {
    let kinds: Api<CustomResourceDefinition> = Api::all(rig.client.clone());
    kinds.delete(KIND, &DeleteParams::default()).await?;
    rig.until("end of the kind", || async {
        ensure!(kinds.get_opt(KIND).await?.is_none(), "it is there");
        Ok(())
    })
    .await
}

fn install(rig: &Rig) -> Result<()> {
    let folder = paths::root().join("config/crd").display().to_string();
    run(&mut rig.kubectl.with(["apply", "--server-side", "--force-conflicts", "-k", &folder]))
}

async fn not_ready(rig: &Rig, controller: &Controller) -> Result<()> {
    rig.until("not ready", || async {
        let error = controller.get("readyz").err().context("it is ready")?.to_string();
        ensure!(error.contains("cache of Source: the kind is not installed"), "{error}");
        Ok(())
    })
    .await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_kind_that_comes_and_goes_needs_no_restart() -> Result<()> {
    let rig = Rig::connect().await?;
    rig.prepare().await?;
    rig.test("kinds", |rig, namespace| async move {
        let _acker = Acker::start(&rig, &namespace);
        let sources = api(&rig, &namespace, SOURCE.kind, SOURCE.plural);
        let children = Child::of(&rig, &namespace, "StatefulSet", "")?.api;
        remove(&rig).await?;
        let watched = format!("--watched-namespace={namespace}");
        let controller = Controller::spawn(&rig, SOURCE.controller, &[&watched, "--leader-elect=false"])?;
        for name in ["first", "second"] {
            not_ready(&rig, &controller).await?;
            install(&rig)?;
            controller.ready(&rig).await?;
            create(&sources, SOURCE.kind, name, &SOURCE.spec()).await?;
            until_ready(&rig, &sources, name, AVAILABLE).await?;
            remove(&rig).await?;
            // What they owned goes, and is not made again. The garbage collector does it only where it had time to learn of the
            // kind; here somebody does it at once.
            children.delete_collection(&DeleteParams::background(), &ListParams::default()).await?;
            rig.until("end of the children", || async {
                let left = children.list(&ListParams::default()).await?.items.len();
                ensure!(left == 0, "{left} left");
                Ok(())
            })
            .await?;
        }
        not_ready(&rig, &controller).await?;
        install(&rig)?;
        controller.ready(&rig).await?;
        ensure!(children.list(&ListParams::default()).await?.items.is_empty(), "made for nobody");
        Ok(())
    })
    .await
}
