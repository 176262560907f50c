//! Objects and children that the Go operator left are taken over as a whole.

use anyhow::{Context, Result, ensure};
use e2e::shell;
use e2e::testing::Rig;
use serde_json::{Value, json};

/// The kinds can be installed by a plain `kubectl apply`, which stores each in an annotation.
#[tokio::test(flavor = "multi_thread")]
async fn the_kinds_fit_into_the_annotation_of_kubectl_apply() -> Result<()> {
    let rig = Rig::connect().await?;
    rig.prepare().await?;
    let folder = e2e::paths::root().join("config/crd/functionmeshes.yaml");
    let file = folder.to_str().context("no path")?;
    let name = "customresourcedefinitions/functionmeshes.compute.functionmesh.io";
    let list = shell::output(&mut rig.kubectl.with(["get", name, "--output=json"]))?;
    let before: Value = serde_json::from_str(&list)?;
    shell::run(&mut rig.kubectl.with(["apply", "--filename", file]))?;
    let list = shell::output(&mut rig.kubectl.with(["get", name, "--output=json"]))?;
    let after: Value = serde_json::from_str(&list)?;
    ensure!(after["spec"] == before["spec"], "another definition");
    let stored =
        after["metadata"]["annotations"]["kubectl.kubernetes.io/last-applied-configuration"].as_str();
    let size = stored.context("not stored")?.len();
    ensure!(size < 225_000, "{size} bytes");
    let without =
        json!({"metadata": {"annotations": {"kubectl.kubernetes.io/last-applied-configuration": null}}});
    shell::run(&mut rig.kubectl.with(["patch", name, "--type=merge", "--patch", &without.to_string()]))?;
    Ok(())
}
