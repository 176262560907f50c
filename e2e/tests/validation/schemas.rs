//! Objects that the API server accepts and refuses, with only the CRDs and their policies installed: no controller runs, and
//! there is no webhook.
//!
//! `CORPUS=folder` also tries the recorded objects of the Go operator in that folder.

use crate::specs::{KINDS, plural, spec};
use anyhow::{Context, Result, bail, ensure};
use e2e::testing::TestEnv;
use e2e::testing::objects::{api, object};
use futures::{StreamExt, TryStreamExt, stream};
use kube::ResourceExt;
use kube::api::{Api, DynamicObject, Patch, PatchParams, PostParams};
use serde::Deserialize;
use serde_json::{Value, json};
use std::path::Path;

/// One line of a table.
#[derive(Clone, Deserialize)]
struct Case {
    kinds: Vec<String>,
    name: Option<String>,
    spec: Value,
    /// Fields that are written as `null`.
    #[serde(default)]
    nulls: Vec<String>,
    /// Part of the message.
    #[serde(default)]
    field: String,
}

fn cases(text: &str) -> Result<Vec<Case>> {
    Ok(serde_json::from_value(integers(serde_yaml::from_str(text)?))?)
}

/// `3e8` is an integer to kubectl.
#[allow(clippy::cast_possible_truncation, reason = "whole numbers below 2^53 only")]
fn integers(value: Value) -> Value {
    match value {
        Value::Number(n) => match n.as_f64() {
            Some(f) if n.is_f64() && f.fract() == 0.0 && f.abs() < 9e15 => json!(f as i64),
            _ => Value::Number(n),
        },
        Value::Array(items) => items.into_iter().map(integers).collect(),
        Value::Object(map) => map.into_iter().map(|(key, value)| (key, integers(value))).collect(),
        other => other,
    }
}

fn dry() -> PostParams {
    PostParams { dry_run: true, ..PostParams::default() }
}

/// The API server's response: `None` if it accepts.
async fn creation(api: &Api<DynamicObject>, object: &DynamicObject) -> Result<Option<String>> {
    refusal(api.create(&dry(), object).await)
}

/// The response to an update of a stored valid object.
async fn update(api: &Api<DynamicObject>, valid: &DynamicObject, spec: &Value) -> Result<Option<String>> {
    let mut changed = valid.clone();
    changed.data["spec"] = spec.clone();
    refusal(api.replace(&valid.name_any(), &dry(), &changed).await)
}

fn refusal(answer: kube::Result<DynamicObject>) -> Result<Option<String>> {
    match answer {
        Ok(_) => Ok(None),
        Err(kube::Error::Api(status)) if status.code == 422 => Ok(Some(status.message.clone())),
        Err(error) => Err(error.into()),
    }
}

/// A valid object of each kind, stored. Waits until the policy for what the kinds cannot check is in force.
async fn valid(env: &TestEnv, namespace: &str) -> Result<Vec<(String, Api<DynamicObject>, DynamicObject)>> {
    let above = json!({"resources": {"requests": {"cpu": 2}, "limits": {"cpu": 1}}});
    let functions = api(env, namespace, "Function", "functions");
    let probe = object("Function", "probe", &spec("Function", &above))?;
    env.until("policy", || async {
        ensure!(creation(&functions, &probe).await?.is_some(), "a CPU request above its limit is accepted");
        Ok(())
    })
    .await?;
    let mut stored = Vec::new();
    for (kind, plural) in KINDS {
        let api = api(env, namespace, kind, plural);
        let spec = if kind == "FunctionMesh" { json!({}) } else { spec(kind, &json!({})) };
        let object = api.create(&PostParams::default(), &object(kind, "valid", &spec)?).await?;
        stored.push((kind.to_owned(), api, object));
    }
    Ok(stored)
}

#[tokio::test(flavor = "multi_thread")]
async fn what_cannot_run_is_refused_and_the_message_names_the_field() -> Result<()> {
    let env = TestEnv::connect().await?;
    env.prepare().await?;
    env.test("refused", |env, namespace| async move {
        let stored = valid(&env, &namespace).await?;
        let mut wrong = Vec::new();
        let mut count = 0;
        for case in cases(include_str!("refused.yaml"))? {
            for (kind, api, valid) in stored.iter().filter(|(kind, ..)| case.kinds.contains(kind)) {
                let spec = spec(kind, &case.spec);
                let name = case.name.as_deref().unwrap_or("new");
                let created = creation(api, &object(kind, name, &spec)?).await?;
                // A name cannot change.
                let updated =
                    if case.name.is_some() { created.clone() } else { update(api, valid, &spec).await? };
                for (what, answer) in [("created", created), ("updated", updated)] {
                    count += 1;
                    if !answer.as_ref().is_some_and(|message| message.contains(&case.field)) {
                        wrong.push(format!(
                            "{kind} {what} with {}: {answer:?}, not {:?}",
                            case.spec, case.field
                        ));
                    }
                }
            }
        }
        println!("correctly refused: {} of {count}", count - wrong.len());
        ensure!(wrong.is_empty(), "{}", wrong.join("\n"));
        Ok(())
    })
    .await
}

#[tokio::test(flavor = "multi_thread")]
async fn what_can_run_is_accepted_as_it_was_written() -> Result<()> {
    let env = TestEnv::connect().await?;
    env.prepare().await?;
    env.test("accepted", |env, namespace| async move {
        let stored = valid(&env, &namespace).await?;
        let mut wrong = Vec::new();
        for case in cases(include_str!("accepted.yaml"))? {
            for (kind, api, valid) in stored.iter().filter(|(kind, ..)| case.kinds.contains(kind)) {
                let mut spec = spec(kind, &case.spec);
                for field in &case.nulls {
                    spec[field] = Value::Null;
                }
                let name = case.name.as_deref().unwrap_or("new");
                let created = creation(api, &object(kind, name, &spec)?).await?;
                let updated = update(api, valid, &spec).await?;
                for (what, answer) in [("created", created), ("updated", updated)] {
                    wrong.extend(answer.map(|message| format!("{kind} {what} with {spec}: {message}")));
                }
            }
        }
        ensure!(wrong.is_empty(), "{}", wrong.join("\n"));
        Ok(())
    })
    .await
}

/// A fraction and other resources of a node are stored, and the second apply changes nothing.
#[tokio::test(flavor = "multi_thread")]
async fn amounts_are_kept_as_they_were_written() -> Result<()> {
    let env = TestEnv::connect().await?;
    env.prepare().await?;
    env.test("amounts", |env, namespace| async move {
        let api = api(&env, &namespace, "Function", "functions");
        let limits = json!({"cpu": 0.5, "memory": "1Gi", "example.com/gpu": 1});
        let spec = spec("Function", &json!({"resources": {"limits": limits}}));
        let mut versions = Vec::new();
        // The second apply stores the default of the status, because no controller runs.
        for _ in 0..3 {
            let applied = object("Function", "f", &spec)?;
            let stored = api.patch("f", &PatchParams::apply("test"), &Patch::Apply(&applied)).await?;
            ensure!(
                stored.data["spec"]["resources"]["limits"] == limits,
                "{}",
                stored.data["spec"]["resources"]
            );
            versions.push(stored.resource_version());
        }
        ensure!(versions[1] == versions[2], "applying the same again writes: {versions:?}");
        Ok(())
    })
    .await
}

/// An autoscaler or a user has changed the replicas since, so that they are outside of the new bounds.
#[tokio::test(flavor = "multi_thread")]
async fn legal_day_two_edits_stay_possible() -> Result<()> {
    let env = TestEnv::connect().await?;
    env.prepare().await?;
    env.test("day-two", |env, namespace| async move {
        for (kind, plural) in KINDS.into_iter().take(3) {
            let api = api(&env, &namespace, kind, plural);
            let scaled = json!({"replicas": 2, "minReplicas": 2, "maxReplicas": 10});
            api.create(&PostParams::default(), &object(kind, "a", &spec(kind, &scaled))?).await?;
            let scale = async |replicas: i32| {
                let patch = json!({"spec": {"replicas": replicas}});
                api.patch_scale("a", &PatchParams::default(), &Patch::Merge(patch)).await
            };
            let edit = async |patch: Value| {
                api.patch("a", &PatchParams::default(), &Patch::Merge(json!({"spec": patch}))).await
            };
            scale(7).await.context("the autoscaler scales up")?;
            edit(json!({"maxReplicas": 3})).await.context("a maximum below what the autoscaler chose")?;
            edit(json!({"className": "org.Other"})).await.context("another edit meanwhile")?;
            scale(3).await.context("the autoscaler follows")?;
            scale(0).await.context("scaled to zero by hand")?;
            edit(json!({"className": "org.Example"})).await.context("an edit at zero")?;
            let status = json!({"status": {"replicas": 0}});
            api.patch_status("a", &PatchParams::default(), &Patch::Merge(status))
                .await
                .context("status at zero")?;
            scale(2).await.context("back")?;
            ensure!(
                edit(json!({"minReplicas": 5})).await.is_err(),
                "a minimum above the replicas was accepted"
            );
            edit(json!({"maxReplicas": null, "minReplicas": 1})).await.context("no autoscaler any more")?;
            scale(0).await.context("zero without an autoscaler")?;
        }
        Ok(())
    })
    .await
}

/// Every example of the documentation.
#[tokio::test(flavor = "multi_thread")]
async fn the_examples_are_accepted() -> Result<()> {
    let env = TestEnv::connect().await?;
    env.prepare().await?;
    env.test("examples", |env, namespace| async move {
        let folder = e2e::paths::root().join("docs/examples");
        for entry in std::fs::read_dir(folder)? {
            let file = entry?.path();
            let wrong = apply_all(&env, &namespace, &file).await?;
            ensure!(wrong.is_none(), "{}: {wrong:?}", file.display());
        }
        Ok(())
    })
    .await
}

/// The first refusal of the objects of a file.
async fn apply_all(env: &TestEnv, namespace: &str, file: &Path) -> Result<Option<String>> {
    for document in serde_yaml::Deserializer::from_str(&std::fs::read_to_string(file)?) {
        let document = integers(Value::deserialize(document)?);
        let Some(kind) = document["kind"].as_str() else { continue };
        let plural = if kind == "BackendConfig" { "backendconfigs" } else { plural(kind)? };
        let mut object: DynamicObject = serde_json::from_value(document.clone())?;
        object.metadata.namespace = None;
        let answer = creation(&api(env, namespace, kind, plural), &object).await?;
        if answer.is_some() {
            return Ok(answer);
        }
    }
    Ok(None)
}

/// Whether a recorded rejection was dropped on purpose: docs/migrate.md has the reasons.
fn dropped(case: &str) -> bool {
    ["-no-memory", "-no-memory-limit", "-no-resources"].iter().any(|end| case.ends_with(end))
}

#[tokio::test(flavor = "multi_thread")]
async fn recorded_objects_are_accepted_and_refused_as_they_were() -> Result<()> {
    let Some(corpus) = std::env::var_os("CORPUS") else { return Ok(()) };
    let env = TestEnv::connect().await?;
    env.prepare().await?;
    env.test("recorded", |env, namespace| async move {
        let stored = valid(&env, &namespace).await?;
        let mut folders = Vec::new();
        for suite in std::fs::read_dir(Path::new(&corpus).join("public"))? {
            for case in std::fs::read_dir(suite?.path())? {
                folders.push(case?.path());
            }
        }
        folders.sort();
        let (env, namespace, stored) = (&env, &namespace, &stored);
        let answers: Vec<(String, bool, Option<String>, Option<String>)> = stream::iter(folders)
            .map(|folder| async move {
                let name = folder.display().to_string();
                let refused = folder.join("verdict.json").exists();
                let created =
                    apply_all(env, namespace, &folder.join("input.yaml")).await.context(name.clone())?;
                // A name cannot change.
                let updated = if refused && !name.contains("-name-") {
                    update_all(stored, &folder.join("input.yaml")).await?
                } else {
                    created.clone()
                };
                anyhow::Ok((name, refused, created, updated))
            })
            .buffered(8)
            .try_collect()
            .await?;
        let (mut accepted, mut refused, mut on_purpose) = (0, 0, Vec::new());
        let mut wrong = Vec::new();
        for (name, should, created, updated) in answers {
            match (should, &created, &updated) {
                (true, Some(_), Some(_)) => refused += 1,
                (false, None, _) => accepted += 1,
                (true, ..) if dropped(&name) => on_purpose.push(name),
                _ => wrong.push(format!("{name}: created {created:?}, updated {updated:?}")),
            }
        }
        println!("recorded objects: {accepted} accepted, {refused} refused, as recorded");
        println!("accepted, different from the recording on purpose: {on_purpose:?}");
        ensure!(wrong.is_empty(), "{} wrong:\n{}", wrong.len(), wrong.join("\n"));
        Ok(())
    })
    .await
}

/// The first refusal of the objects of a file, as updates of the valid object of their kind.
async fn update_all(
    stored: &[(String, Api<DynamicObject>, DynamicObject)],
    file: &Path,
) -> Result<Option<String>> {
    for document in serde_yaml::Deserializer::from_str(&std::fs::read_to_string(file)?) {
        let document = integers(Value::deserialize(document)?);
        let Some((_, api, valid)) = stored.iter().find(|(kind, ..)| document["kind"] == **kind) else {
            bail!("{}: kind {}", file.display(), document["kind"]);
        };
        let answer = update(api, valid, &document["spec"]).await?;
        if answer.is_some() {
            return Ok(answer);
        }
    }
    Ok(None)
}
