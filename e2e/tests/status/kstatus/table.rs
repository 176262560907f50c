//! Every reason, as documented and as interpreted by the tools.

use super::ask;
use anyhow::{Context, Result, anyhow, ensure};
use e2e::paths;
use e2e::scenarios::fleet::{FUNCTION, Kind, SINK, SOURCE};
use e2e::testing::TestEnv;
use e2e::testing::objects::{api, create};
use functionmesh_plan::examples::status_with;
use functionmesh_plan::health::reason::Reason;
use kube::api::{DeleteParams, Patch, PatchParams};
use mesh_controller::examples::statuses;
use serde_json::json;
use std::collections::{BTreeMap, BTreeSet};
use std::process::Stdio;

/// Kinds of components; each reason is tested with one of them.
const KINDS: [&Kind; 3] = [&FUNCTION, &SOURCE, &SINK];
const FINALIZER: &str = "example.com/wait";

/// Terms of the documentation: kstatus, `kubectl wait`, Argo CD.
type Words = [String; 3];

/// The last table of the page, by kind and reason.
fn documented() -> Result<BTreeMap<(String, String), Words>> {
    let page = std::fs::read_to_string(paths::root().join("docs/reference/conditions.md"))?;
    let (_, table) = page.split_once("## kstatus").context("no table")?;
    let rows = table.lines().filter(|line| line.starts_with("| ")).skip(2);
    rows.map(|row| {
        let cells: Vec<String> =
            row.trim_matches('|').split(" | ").map(|c| c.trim().replace('`', "")).collect();
        let cells: [String; 5] = cells.try_into().map_err(|c| anyhow!("not a row: {c:?}"))?;
        let [kind, reason, kstatus, kubectl, argo] = cells;
        Ok(((kind, reason), [kstatus, kubectl, argo]))
    })
    .collect()
}

/// The objects in a namespace that have a condition, according to kubectl, which reads once and skips objects without it.
fn with_condition(env: &TestEnv, namespace: &str, condition: &str) -> Result<BTreeSet<String>> {
    let details = format!(
        "-n {namespace} wait --for=condition={condition} fn,src,snk,fmesh --all --timeout=0s -o name"
    );
    let flag = env.kubectl.command(&details).stderr(Stdio::null()).output()?;
    let text = String::from_utf8(flag.stdout)?;
    Ok(text.lines().filter_map(|line| line.rsplit('/').next()).map(str::to_owned).collect())
}

#[tokio::test(flavor = "multi_thread")]
async fn each_reason_reads_as_the_documentation_says() -> Result<()> {
    let env = TestEnv::connect().await?;
    env.prepare().await?;
    env.test("kstatus-table", |env, namespace| async move {
        let mut wanted: BTreeMap<String, Words> = BTreeMap::new();
        let mut documented = documented()?;
        let mut held = Vec::new();
        for (index, reason) in Reason::ALL.into_iter().enumerate() {
            let kind = KINDS[index % KINDS.len()];
            let name = reason.to_string().to_lowercase();
            let details = documented.remove(&("Function, Source, Sink".to_owned(), reason.to_string()));
            let details = details.with_context(|| format!("{reason} is not documented"))?;
            let objects = api(&env, &namespace, kind.kind, kind.plural);
            create(&objects, kind.kind, &name, &kind.spec()).await?;
            let status = json!({"status": status_with(reason)});
            objects.patch_status(&name, &PatchParams::default(), &Patch::Merge(&status)).await?;
            if details[0] == "Terminating" {
                let finalizer = json!({"metadata": {"finalizers": [FINALIZER]}});
                objects.patch(&name, &PatchParams::default(), &Patch::Merge(&finalizer)).await?;
                objects.delete(&name, &DeleteParams::default()).await?;
                held.push((objects, name.clone()));
            }
            wanted.insert(name, details);
        }
        let meshes = api(&env, &namespace, "FunctionMesh", "functionmeshes");
        for (index, (reason, health, status)) in statuses().into_iter().enumerate() {
            let name = format!("mesh-{index}-{reason}").to_lowercase();
            let details = documented.get(&("FunctionMesh".to_owned(), reason.to_string()));
            let details = details.with_context(|| format!("{reason} is not documented"))?;
            let number = details[0].split(" or ").position(|word| word == health.kstatus());
            let number = number.with_context(|| format!("{reason} may be {health:?}: {details:?}"))?;
            let details = details.clone().map(|w| w.split(" or ").nth(number).unwrap_or_default().to_owned());
            create(&meshes, "FunctionMesh", &name, &json!({})).await?;
            meshes
                .patch_status(&name, &PatchParams::default(), &Patch::Merge(&json!({"status": status})))
                .await?;
            wanted.insert(name, details);
        }
        documented.retain(|(kind, _), _| kind != "FunctionMesh");
        ensure!(documented.is_empty(), "no such reasons: {documented:?}");

        for answer in ask(&env, &namespace)? {
            let [kstatus, _, argo] = &wanted[&answer.name];
            ensure!((&answer.kstatus, &answer.argo) == (kstatus, argo), "{answer:?}");
            ensure!(answer.kstatus == answer.flux, "{answer:?}");
            // A reported failure has its reason.
            let reported = answer.argo_message.contains(&answer.message);
            ensure!(answer.kstatus != "Failed" || (reported && !answer.message.is_empty()), "{answer:?}");
        }
        for condition in ["Ready", "Stalled"] {
            let flag = format!("--for=condition={condition}");
            let mut found = with_condition(&env, &namespace, condition)?;
            // The pods may run while another write is refused: ready, and stalled.
            let helpless = |name: &str| condition == "Ready" && wanted[name][0] == "Failed";
            found.retain(|name| wanted[name][0] != "Terminating" && !helpless(name));
            let expected =
                wanted.iter().filter(|(_, details)| details[1] == flag).map(|(name, _)| name.clone());
            ensure!(found == expected.collect(), "{condition}: {found:?}");
        }
        for (objects, name) in held {
            let free = json!({"metadata": {"finalizers": null}});
            objects.patch(&name, &PatchParams::default(), &Patch::Merge(&free)).await?;
        }
        Ok(())
    })
    .await
}
