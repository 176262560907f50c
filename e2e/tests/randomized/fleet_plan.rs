//! `kubectl fmesh plan --all` for a fleet whose StatefulSets another release rendered: it names the objects that then say
//! `UpdateAvailable`, writes nothing, and is quick.

use anyhow::{Context, Result, ensure};
use e2e::shell::progress;
use e2e::testing::audit::Request;
use e2e::testing::many::{each, until_all};
use e2e::testing::objects::{create, function_spec, functions};
use e2e::testing::{Controller, TestEnv, plugin};
use kube::ResourceExt;
use kube::api::ListParams;
use serde_json::Value;
use std::collections::BTreeMap;
use std::time::{Duration, Instant};

/// Longest time for a thousand objects. The plugin of the tests is not optimized.
const LIMIT: Duration = Duration::from_secs(10);

async fn planned(number: usize) -> Result<()> {
    let env = TestEnv::connect().await?;
    env.prepare().await?;
    env.test("fleetplan", |env, namespace| async move {
        let functions = functions(&env, &namespace);
        let names: Vec<String> = (0..number).map(|i| format!("f{i}")).collect();
        let (ours, next) = names.split_at(number / 2);
        let watched = format!("--watched-namespace={namespace}");
        let flags = [watched.as_str(), "--leader-elect=false"];
        let spec = function_spec();
        // The first half by this release, the second one by another; the plugin is of this one.
        let mut created = 0;
        for (program, names) in [("function-controller", ours), ("next-controller", next)] {
            let controller = Controller::spawn_as(&env, "function-controller", program, &flags)?;
            controller.ready(&env).await?;
            each(names, |name| {
                let (functions, spec) = (&functions, &spec);
                async move { create(functions, "Function", &name, spec).await }
            })
            .await?;
            created += names.len();
            let is_rendered = |object: &kube::api::DynamicObject| {
                object.data.pointer("/status/statefulSet/renderedHash").is_some()
            };
            until_all(&env, &functions, created, is_rendered).await?;
            controller.until_idle(&env).await?;
            controller.signal("TERM")?;
        }

        let mark = env.mark().await?;
        let started = Instant::now();
        let (report, done) = plugin::plan(&env, &["--all", "--namespace", &namespace])?;
        let took = started.elapsed();
        progress(&format!("plan of {number} objects: {} ms", took.as_millis()));
        ensure!(done.status.code() == Some(0), "{:?}", done.status);
        ensure!(number < 1000 || took < LIMIT, "{took:?}");
        // The controllers of Kubernetes may still clean up after other tests.
        let by_plugin = |request: &Request| !request.is_dry_run() && !request.user().starts_with("system:");
        let persisted = env.audit_since(&mark)?.writes().only(by_plugin);
        ensure!(persisted.requests().is_empty(), "persisted: {:?}", persisted.counts());
        let items = report["items"].as_array().context("no items")?;
        let planned: BTreeMap<String, Option<String>> = items
            .iter()
            .map(|item| {
                let text = |key: &str| item[key].as_str().map(str::to_owned);
                (text("name").unwrap_or_default(), text("hash"))
            })
            .collect();
        ensure!(planned.len() == number, "{} of {number}", planned.len());
        let waiting = planned.values().flatten().count();
        ensure!(waiting == next.len(), "{waiting} instead of {} wait", next.len());

        let controller = Controller::start(&env, "function-controller", &namespace).await?;
        controller.reconciled(&env, number as u64).await?;
        controller.until_idle(&env).await?;
        for object in functions.list(&ListParams::default()).await? {
            let conditions = object.data.pointer("/status/conditions").and_then(Value::as_array);
            let says =
                conditions.into_iter().flatten().any(|condition| condition["type"] == "UpdateAvailable");
            let hash = object.data.pointer("/status/statefulSet/pendingHash").and_then(Value::as_str);
            let expected = planned.get(&object.name_any()).context("not planned")?;
            ensure!(
                hash == expected.as_deref() && says == expected.is_some(),
                "{}: {hash:?}",
                object.name_any()
            );
        }
        Ok(())
    })
    .await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_plan_for_all_names_what_will_wait() -> Result<()> {
    planned(20).await
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "three minutes: make fuzz"]
async fn a_plan_for_a_thousand_objects_takes_ten_seconds() -> Result<()> {
    planned(1000).await
}
