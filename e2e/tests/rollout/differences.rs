//! The difference between a live and a rendered object, with objects as a real API server returns them.

use anyhow::{Context, Result, bail, ensure};
use e2e::shell::{command, output};
use e2e::testing::{TestEnv, binary};
use functionmesh_plan::rollout::diff::difference;
use k8s_openapi::api::apps::v1::StatefulSet;
use kube::api::{Api, ApiResource, DynamicObject, Patch, PatchParams, PostParams};
use serde_json::{Value, json};
use std::path::{Path, PathBuf};

const MANAGER: &str = "function-controller";

/// The examples of the documentation.
fn examples() -> Result<Vec<PathBuf>> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/examples");
    let mut files = std::fs::read_dir(folder)?.map(|entry| Ok(entry?.path())).collect::<Result<Vec<_>>>()?;
    files.retain(|path| path.extension().is_some_and(|extension| extension == "yaml"));
    files.sort();
    Ok(files)
}

/// The StatefulSets of an example, rendered for a namespace of the test and without an owner, which would not exist.
fn rendered(example: &Path, namespace: &str) -> Result<Vec<StatefulSet>> {
    let text = std::fs::read_to_string(example)?;
    let flags = text.lines().find_map(|line| line.strip_prefix("# flags: ")).unwrap_or_default();
    let mut render = command(binary("kubectl-fmesh")?, ["render", "--output=json", "--filename"]);
    let list = output(render.arg(example).args(flags.split_whitespace()))?;
    let list: Value = serde_json::from_str(&list)?;
    let objects = list["items"].as_array().context("no list")?;
    let sets = objects.iter().filter(|object| object["kind"] == "StatefulSet").cloned();
    sets.map(|mut set| {
        set["metadata"]["namespace"] = json!(namespace);
        set["metadata"]["ownerReferences"] = json!([]);
        Ok(serde_json::from_value(set)?)
    })
    .collect()
}

/// The StatefulSets of a namespace, as the API server returns them.
fn sets(env: &TestEnv, namespace: &str) -> Api<DynamicObject> {
    Api::namespaced_with(env.client.clone(), namespace, &ApiResource::erase::<StatefulSet>(&()))
}

/// Server-side apply as the controllers do it. Returns the live object.
async fn apply(api: &Api<DynamicObject>, set: &StatefulSet) -> Result<Value> {
    let name = set.metadata.name.clone().context("no name")?;
    let live = api.patch(&name, &PatchParams::apply(MANAGER).force(), &Patch::Apply(set)).await?;
    Ok(serde_json::to_value(live)?)
}

/// Creates an object as the Go operator does, without server-side apply. Returns the live object.
async fn create(api: &Api<DynamicObject>, set: &StatefulSet) -> Result<Value> {
    let object = serde_json::from_value(serde_json::to_value(set)?)?;
    let parameters = PostParams { field_manager: Some("manager".to_owned()), ..PostParams::default() };
    Ok(serde_json::to_value(api.create(&parameters, &object).await?)?)
}

fn changes(live: &Value, desired: &StatefulSet) -> Vec<String> {
    difference(live, desired, MANAGER).iter().map(ToString::to_string).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_applied_is_no_difference() -> Result<()> {
    let env = TestEnv::connect().await?;
    env.test("diffsame", |env, namespace| async move {
        let (api, mut number) = (sets(&env, &namespace), 0);
        for example in examples()? {
            for mut set in rendered(&example, &namespace)? {
                let live = apply(&api, &set).await.with_context(|| example.display().to_string())?;
                let found = changes(&live, &set);
                ensure!(found.is_empty(), "{}, applied: {found:?}", example.display());
                set.metadata.name = set.metadata.name.map(|name| format!("{name}-go"));
                let live = create(&api, &set).await?;
                let found = changes(&live, &set);
                ensure!(found.is_empty(), "{}, made by another operator: {found:?}", example.display());
                number += 1;
            }
        }
        ensure!(number > 30, "{number} StatefulSets");
        Ok(())
    })
    .await
}

/// The objects that the unit tests of the difference use.
fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../crates/plan/src/rollout/diff/objects")
}

fn recorded(file: &str) -> Result<Value> {
    Ok(serde_json::from_str(&std::fs::read_to_string(folder().join(file))?)?)
}

fn set(object: &Value, namespace: &str) -> Result<StatefulSet> {
    let mut set: StatefulSet = serde_json::from_value(object.clone())?;
    set.metadata.namespace = Some(namespace.to_owned());
    Ok(set)
}

/// Sets a value, appends one to a list (`-`), or removes one (`null`).
fn edit(object: &mut Value, path: &str, value: &Value) -> Result<()> {
    let (parent, name) = path.rsplit_once('/').context("no path")?;
    let name = name.replace("~1", "/");
    match object.pointer_mut(parent).with_context(|| path.to_owned())? {
        Value::Object(fields) if value.is_null() => drop(fields.remove(&name)),
        Value::Object(fields) => drop(fields.insert(name, value.clone())),
        Value::Array(items) if name == "-" => items.push(value.clone()),
        Value::Array(items) if value.is_null() => drop(items.remove(name.parse()?)),
        Value::Array(items) => items[name.parse::<usize>()?] = value.clone(),
        other => bail!("{path}: {other}"),
    }
    Ok(())
}

/// The recorded objects, which the unit tests use, match this API server. They are recorded again when `RECORD` is set.
#[tokio::test(flavor = "multi_thread")]
async fn the_recorded_objects_are_current() -> Result<()> {
    let env = TestEnv::connect().await?;
    env.test("diffrec", |env, namespace| async move {
        let api = sets(&env, &namespace);
        let mut set = set(&recorded("desired.json")?, &namespace)?;
        let live = apply(&api, &set).await?;
        set.metadata.name = Some("created".to_owned());
        for (file, mut live) in [("applied.json", live), ("created.json", create(&api, &set).await?)] {
            if std::env::var_os("RECORD").is_some() {
                for (field, value) in [("name", "f-function"), ("namespace", "demo")] {
                    live["metadata"][field] = json!(value);
                }
                std::fs::write(folder().join(file), format!("{live:#}\n"))?;
            }
            let recorded = recorded(file)?;
            for part in ["/spec", "/metadata/managedFields/0/fieldsV1"] {
                ensure!(
                    live.pointer(part) == recorded.pointer(part),
                    "{file}: {part}: {:?}",
                    live.pointer(part)
                );
            }
        }
        Ok(())
    })
    .await
}

/// The reported difference is the effect of applying: afterwards there is no difference, in both directions.
#[tokio::test(flavor = "multi_thread")]
async fn the_reported_difference_is_what_applying_does() -> Result<()> {
    let env = TestEnv::connect().await?;
    env.test("diffedit", |env, namespace| async move {
        let (api, original) = (sets(&env, &namespace), recorded("desired.json")?);
        let desired = set(&original, &namespace)?;
        let mut live = apply(&api, &desired).await?;
        for case in recorded("cases.json")?.as_array().context("no list")? {
            let mut edited = original.clone();
            for (path, value) in case["edit"].as_object().context("no edits")? {
                edit(&mut edited, path, value)?;
            }
            let (edited, want) = (set(&edited, &namespace)?, case["changes"].clone());
            let reported = changes(&live, &edited);
            ensure!(json!(reported) == want, "{reported:?}, not {want}");
            if case["immutable"] == true {
                ensure!(apply(&api, &edited).await.is_err(), "not immutable: {}", case["edit"]);
                continue;
            }
            let generation = live["metadata"]["generation"].clone();
            live = apply(&api, &edited).await?;
            let reported = changes(&live, &edited);
            ensure!(reported.is_empty(), "after {}: {reported:?}", case["edit"]);
            let metadata =
                case["edit"].as_object().into_iter().flatten().any(|(path, _)| path.starts_with("/metadata"));
            let changed = live["metadata"]["generation"] != generation;
            let scaled = case["edit"].get("/spec/replicas").is_some();
            ensure!(
                metadata || scaled || changed == (want != json!([])),
                "the API server sees it otherwise: {}",
                case["edit"]
            );
            live = apply(&api, &desired).await?;
            let reported = changes(&live, &desired);
            ensure!(reported.is_empty(), "back from {}: {reported:?}", case["edit"]);
        }
        Ok(())
    })
    .await
}
