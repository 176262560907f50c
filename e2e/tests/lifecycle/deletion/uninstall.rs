//! Objects whose deletion would hang without their controller are named before the controller is uninstalled.

use super::{FINALIZER, cleaning};
use anyhow::{Result, ensure};
use e2e::shell::command;
use e2e::testing::objects::{create, function_spec, functions, merge};
use e2e::testing::{TestEnv, binary};
use kube::api::DeleteParams;
use serde_json::json;

#[tokio::test(flavor = "multi_thread")]
async fn objects_that_would_hang_are_named_before_an_uninstall() -> Result<()> {
    let env = TestEnv::connect().await?;
    env.prepare().await?;
    env.test("hanging", |env, namespace| async move {
        let api = functions(&env, &namespace);
        let check = || -> Result<(bool, String)> {
            let watched = format!("--watched-namespace={namespace}");
            let arguments = ["check-uninstall", &watched, "--watch-label-selector=shard=a"];
            let output = command(binary("function-controller")?, arguments).output()?;
            let text = [output.stdout, output.stderr].concat();
            Ok((output.status.success(), String::from_utf8_lossy(&text).into_owned()))
        };
        create(&api, "Function", "plain", &function_spec()).await?;
        create(&api, "Function", "f", &cleaning()).await?;
        create(&api, "Function", "g", &cleaning()).await?;
        let (passed, text) = check()?;
        ensure!(passed, "{text}");
        for name in ["f", "g"] {
            merge(&api, name, json!({"metadata": {"finalizers": [FINALIZER]}})).await?;
        }
        api.delete("g", &DeleteParams::default()).await?;
        let (passed, text) = check()?;
        ensure!(!passed && text.contains("2 functions have the finalizer"), "{text}");
        ensure!(
            text.contains(&format!("{namespace}/f\n")) && text.contains(&format!("{namespace}/g (deleted")),
            "{text}"
        );
        ensure!(!text.contains("plain"), "{text}");
        for name in ["f", "g"] {
            merge(&api, name, json!({"metadata": {"finalizers": null}})).await?;
        }
        let (passed, text) = check()?;
        ensure!(passed, "{text}");
        Ok(())
    })
    .await
}
