//! Hand-written YAML manifests have the same meaning for `kubectl fmesh render` as for kubectl and the API server.

use anyhow::{Context, Result, ensure};
use e2e::paths;
use e2e::shell::output;
use e2e::testing::TestEnv;
use e2e::testing::objects::api;
use serde_json::Value;
use std::io::Write;
use std::process::{Command, Stdio};

/// A mesh whose user configuration has every kind of scalar and of reference.
const MESH: &str = include_str!("dialect.yaml");

#[tokio::test(flavor = "multi_thread")]
async fn a_manifest_means_the_same_to_render_and_to_kubectl() -> Result<()> {
    let env = TestEnv::connect().await?;
    env.prepare().await?;
    env.test("dialect", |env, namespace| async move {
        env.kubectl.apply(&namespace, MESH)?;
        let meshes = api(&env, &namespace, "FunctionMesh", "functionmeshes");
        let stored = meshes.get("dialect").await?.data["spec"]["functions"].clone();
        let rendered = rendered(&["-n", &namespace, "-o", "json", "-f", "-"], MESH)?;
        let items = rendered["items"].as_array().context("no items")?;
        let functions: Vec<&Value> = items.iter().filter(|o| o["kind"] == "Function").collect();
        let stored = stored.as_array().context("no functions")?;
        ensure!(!stored.is_empty() && functions.len() == stored.len(), "{} functions", functions.len());
        for (function, stored) in functions.iter().zip(stored) {
            let (ours, theirs) = (&function["spec"]["funcConfig"], &stored["funcConfig"]);
            ensure!(ours == theirs, "rendered from {ours:#}\nstored as {theirs:#}");
        }
        // Manifests that kubectl refuses are refused, for the same field.
        let misspelt = MESH.replace("funcConfig:", "funcconfig:");
        let file = std::env::temp_dir().join(format!("dialect-{}.yaml", std::process::id()));
        std::fs::write(&file, &misspelt)?;
        let path = file.display().to_string();
        let apply = ["-n", &namespace, "apply", "--dry-run=server", "-f", &path];
        let refused = output(&mut env.kubectl.with(apply)).err().context("kubectl takes unknown fields")?;
        std::fs::remove_file(&file)?;
        let unknown = "unknown field \"spec.functions[0].funcconfig\"";
        ensure!(format!("{refused:#}").contains(unknown), "{refused:#}");
        let said = self::rendered(&["-f", "-"], &misspelt).err().context("render takes unknown fields")?;
        ensure!(format!("{said:#}").contains(unknown), "{said:#}");
        Ok(())
    })
    .await
}

/// The output of the command.
fn rendered(arguments: &[&str], input: &str) -> Result<Value> {
    let mut child = Command::new(paths::root().join("target/debug/kubectl-fmesh"))
        .arg("render")
        .args(arguments)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()?;
    child.stdin.take().context("no standard input")?.write_all(input.as_bytes())?;
    let output = child.wait_with_output()?;
    ensure!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    Ok(serde_json::from_slice(&output.stdout)?)
}
