//! `kubectl fmesh plan` predicts what the controllers then do: edits from the schema of the kind, one property at a time, a
//! BackendConfig, and another configuration of the operator.

use anyhow::{Context, Result, ensure};
use e2e::paths;
use e2e::scenarios::fuzz::{mutations, spread};
use e2e::shell::{output, progress};
use e2e::testing::objects::{function_spec, functions};
use e2e::testing::{Controller, TestEnv, plugin};
use k8s_openapi::api::apps::v1::StatefulSet;
use kube::ResourceExt;
use kube::api::{Api, ListParams};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::path::PathBuf;

/// StatefulSets by the name of their object: generation and pod template.
type Sets = BTreeMap<String, (Option<i64>, Value)>;

struct Planned<'a> {
    env: &'a TestEnv,
    namespace: &'a str,
    sets: Api<StatefulSet>,
    file: PathBuf,
}

impl Planned<'_> {
    fn write(&self, objects: &[Value]) -> Result<&str> {
        let list = json!({"apiVersion": "v1", "kind": "List", "items": objects});
        std::fs::write(&self.file, list.to_string())?;
        self.file.to_str().context("no path")
    }

    /// Applies as a user does. Refused objects are skipped, as kubectl does.
    fn apply(&self, objects: &[Value]) -> Result<()> {
        let file = self.write(objects)?;
        self.env.kubectl.with(["apply", "--namespace", self.namespace, "--filename", file]).output()?;
        Ok(())
    }

    /// The plugin's results by the name of the object.
    fn plan(&self, arguments: &[&str]) -> Result<BTreeMap<String, Value>> {
        let (report, _) = plugin::plan(self.env, &[&["--namespace", self.namespace], arguments].concat())?;
        let items = report["items"].as_array().context("no items")?;
        Ok(items
            .iter()
            .map(|item| (item["name"].as_str().unwrap_or_default().to_owned(), item.clone()))
            .collect())
    }

    async fn sets(&self) -> Result<Sets> {
        let sets = self.sets.list(&ListParams::default()).await?;
        let of = |set: StatefulSet| {
            let name = set.name_any().trim_end_matches("-function").to_owned();
            Ok((name, (set.metadata.generation, serde_json::to_value(&set.spec.template)?)))
        };
        sets.into_iter().map(of).collect()
    }
}

/// The controllers' actions, in the plugin's terms.
fn done(before: Option<&(Option<i64>, Value)>, after: Option<&(Option<i64>, Value)>) -> &'static str {
    match (before, after) {
        (None, Some(_)) => "Created",
        (Some(before), Some(after)) if before.1 != after.1 => "Restarts",
        (Some(before), Some(after)) if before.0 != after.0 => "Changed",
        _ => "Unchanged",
    }
}

/// A number of replicas does not change the pod template: the plugin does not report it.
fn agrees(predicted: &str, done: &str) -> bool {
    match predicted {
        "Invalid" | "Refused" | "Waits" | "Unmanaged" => done == "Unchanged",
        "Unchanged" => done == "Unchanged" || done == "Changed",
        other => other == done,
    }
}

async fn predicted(number: usize) -> Result<()> {
    let env = TestEnv::connect().await?;
    env.prepare().await?;
    env.test("plan", |env, namespace| async move {
        let sets = Api::namespaced(env.client.clone(), &namespace);
        let file = std::env::temp_dir().join(format!("plan-{}.json", std::process::id()));
        let planned = Planned { env: &env, namespace: &namespace, sets, file };
        let controller = Controller::start(&env, "function-controller", &namespace).await?;
        let text = std::fs::read_to_string(paths::root().join("config/crd/functions.yaml"))?;
        let crd: Value = serde_yaml::from_str(&text)?;
        let schema =
            crd.pointer("/spec/versions/0/schema/openAPIV3Schema/properties/spec").context("no schema")?;
        let edits = spread(mutations(schema, &function_spec()), number);
        ensure!(edits.len() == number, "{} edits", edits.len());
        let object = |i: usize, spec: &Value| {
            json!({"apiVersion": "compute.functionmesh.io/v1alpha1", "kind": "Function",
                "metadata": {"name": format!("f{i}")}, "spec": spec})
        };
        let base: Vec<Value> = (0..number).map(|i| object(i, &function_spec())).collect();
        // Nothing exists yet.
        let file = planned.write(&base)?;
        let plan = planned.plan(&["--filename", file])?;
        ensure!(plan.len() == number && plan.values().all(|item| item["result"] == "Created"), "{plan:?}");
        planned.apply(&base)?;
        settled(&planned, number).await?;

        let changed: Vec<Value> = edits.iter().enumerate().map(|(i, edit)| object(i, &edit.spec)).collect();
        let before = planned.sets().await?;
        let plan = planned.plan(&["--filename", planned.write(&changed)?])?;
        planned.apply(&changed)?;
        settled(&planned, number).await?;
        let after = planned.sets().await?;
        let mut counts: BTreeMap<String, usize> = BTreeMap::new();
        let mut wrong = Vec::new();
        for (i, edit) in edits.iter().enumerate() {
            let name = format!("f{i}");
            let item = plan.get(&name).with_context(|| format!("nothing about {name}"))?;
            let (said, did) =
                (item["result"].as_str().unwrap_or_default(), done(before.get(&name), after.get(&name)));
            *counts.entry(said.to_owned()).or_default() += 1;
            if !agrees(said, did) {
                wrong.push(format!("{}: said {said}, did {did}: {item}", edit.path));
            }
        }
        progress(&format!("{number} edits: {counts:?}, {} wrong", wrong.len()));
        ensure!(wrong.is_empty(), "{wrong:#?}");

        backend_config(&planned, number).await?;
        configuration(&planned, controller, number).await?;
        std::fs::remove_file(&planned.file)?;
        Ok(())
    })
    .await
}

/// Waits until the status of every object describes its newest generation: the StatefulSet is written before.
async fn settled(planned: &Planned<'_>, number: usize) -> Result<()> {
    let objects = functions(planned.env, planned.namespace);
    planned
        .env
        .until("the newest generations", || async {
            let all = objects.list(&ListParams::default()).await?;
            let seen = all.iter().filter(|object| {
                let observed = object.data.pointer("/status/observedGeneration").and_then(Value::as_i64);
                observed.is_some() && observed == object.metadata.generation
            });
            let seen = seen.count();
            ensure!(seen == number, "{seen} of {number}");
            Ok(())
        })
        .await
}

/// A BackendConfig whose changes are rolled out, and then one whose changes wait.
async fn backend_config(planned: &Planned<'_>, number: usize) -> Result<()> {
    for (auto, value) in [(true, "a"), (false, "b")] {
        let config = json!({"apiVersion": "compute.functionmesh.io/v1alpha1", "kind": "BackendConfig",
            "metadata": {"name": "backend-config"}, "spec": {"autoUpdate": auto, "env": {"FROM_CONFIG": value}}});
        let config = [config];
        let plan = planned.plan(&["--filename", planned.write(&config)?])?;
        let before = planned.sets().await?;
        planned.apply(&config)?;
        // Every object is reconciled because of it; no other event marks the end of that.
        planned
            .env
            .until("the change reached everybody", || async {
                let objects = functions(planned.env, planned.namespace).list(&ListParams::default()).await?;
                let sets = planned.sets().await?;
                for object in &objects {
                    let name = object.name_any();
                    let said = plan.get(&name).and_then(|item| item["result"].as_str()).unwrap_or_default();
                    let did = done(before.get(&name), sets.get(&name));
                    let waits = object.data.pointer("/status/statefulSet/pendingHash").is_some();
                    ensure!(
                        agrees(said, did) && (said == "Waits") == waits,
                        "{name}: said {said}, did {did}"
                    );
                }
                Ok(())
            })
            .await?;
        let said: Vec<&Value> = plan.values().map(|item| &item["result"]).collect();
        let expected = if auto { "Restarts" } else { "Waits" };
        let count = said.iter().filter(|result| **result == expected).count();
        // The others are refused, or wait because of an earlier refusal.
        ensure!(count > number / 4, "{count} of {number} {expected}");
    }
    Ok(())
}

/// Another runner image: the objects then report what `plan --all` predicts, by hash.
async fn configuration(planned: &Planned<'_>, controller: Controller, number: usize) -> Result<()> {
    let file = std::env::temp_dir().join(format!("plan-config-{}.yaml", std::process::id()));
    std::fs::write(&file, "runnerImages: {java: example.com/next:2}\n")?;
    let path = file.to_str().context("no path")?;
    let plan = planned.plan(&["--all", "--config", path])?;
    ensure!(plan.len() == number, "{} of {number}", plan.len());
    let user = controller.user.clone();
    drop(controller);
    let flags = [
        format!("--config-file={path}"),
        format!("--watched-namespace={}", planned.namespace),
        "--leader-elect=false".to_owned(),
    ];
    let flags: Vec<&str> = flags.iter().map(String::as_str).collect();
    let controller = Controller::spawn(planned.env, "function-controller", &flags)?;
    ensure!(controller.user != user, "the same user");
    controller.ready(planned.env).await?;
    planned
        .env
        .until("every object says what waits", || async {
            for object in functions(planned.env, planned.namespace).list(&ListParams::default()).await? {
                let item = plan.get(&object.name_any()).context("not planned")?;
                let status = object.data.pointer("/status/statefulSet").cloned().unwrap_or_default();
                let pending = status.get("pendingHash").cloned().unwrap_or_default();
                ensure!(item["hash"] == pending, "{}: said {item}, has {pending}", object.name_any());
            }
            Ok(())
        })
        .await?;
    std::fs::remove_file(&file)?;
    // Nothing of all this was persisted by the plugin.
    let events = output(&mut planned.env.kubectl.with([
        "get",
        "backendconfigs",
        "--namespace",
        planned.namespace,
        "--output=name",
    ]))?;
    ensure!(events.trim() == "backendconfig.compute.functionmesh.io/backend-config", "{events}");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_plan_says_what_the_controllers_do() -> Result<()> {
    predicted(30).await
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "ten minutes: make fuzz"]
async fn a_plan_says_what_the_controllers_do_for_three_hundred_edits() -> Result<()> {
    predicted(300).await
}
