//! What `kubectl fmesh plan --all` says before a takeover from the Go operator is what the objects say after it: recorded
//! StatefulSets of the Go operator, unchanged and in the states in which a takeover finds them.

use anyhow::{Context, Result, ensure};
use e2e::paths;
use e2e::testing::objects::{api, merge};
use e2e::testing::plugin::plan;
use e2e::testing::{Controller, TestEnv};
use k8s_openapi::api::apps::v1::StatefulSet;
use kube::ResourceExt;
use kube::api::{Api, DynamicObject, ListParams, Patch, PatchParams, PostParams};
use serde_json::{Value, json};
use std::collections::BTreeMap;

/// Kinds and their plurals.
const KINDS: [(&str, &str); 3] = [("Function", "functions"), ("Source", "sources"), ("Sink", "sinks")];

/// How an object differs from what was recorded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    AsRecorded,
    /// Its spec changed after the Go operator saw it.
    Edited,
    /// A field of its StatefulSet that cannot change is another.
    Immutable,
    /// Both.
    EditedAndImmutable,
    Paused,
    /// With a value that this operator refuses.
    Invalid,
    Unmanaged,
    /// A user added a variable to the StatefulSet.
    EditedStatefulSet,
}

use State::{
    AsRecorded, Edited, EditedAndImmutable, EditedStatefulSet, Immutable, Invalid, Paused, Unmanaged,
};
const STATES: [State; 8] =
    [AsRecorded, Edited, Immutable, EditedAndImmutable, Paused, Invalid, Unmanaged, EditedStatefulSet];

/// Texts of a recording that are or begin with the name of its object.
fn renamed(value: &mut Value, old: &str, new: &str) {
    match value {
        Value::String(text) if text == old => new.clone_into(text),
        Value::String(text) => {
            let suffix = text.strip_prefix(old).filter(|rest| {
                ["-function", "-source", "-sink"].iter().any(|kind| rest.starts_with(kind))
                    && !rest.contains(' ')
            });
            if let Some(suffix) = suffix {
                *text = format!("{new}{suffix}");
            }
        }
        Value::Array(items) => items.iter_mut().for_each(|item| renamed(item, old, new)),
        Value::Object(fields) => fields.values_mut().for_each(|item| renamed(item, old, new)),
        _ => {}
    }
}

/// Stores an object as the Go operator left it, with its StatefulSet.
async fn stored(env: &TestEnv, namespace: &str, name: &str, recording: &Value, state: State) -> Result<()> {
    let text = |pointer: &str| recording.pointer(pointer).and_then(Value::as_str).unwrap_or_default();
    let kind = text("/object/kind");
    let (_, plural) = KINDS.into_iter().find(|(name, _)| *name == kind).context("kind")?;
    let objects = api(env, namespace, kind, plural);
    let mut object = recording["object"].clone();
    object["metadata"]["name"] = json!(name);
    let metadata = object["metadata"].as_object_mut().context("metadata")?;
    metadata.remove("uid");
    metadata.remove("namespace");
    let annotation = match state {
        Paused => Some(("compute.functionmesh.io/pause-rollout", "true")),
        Unmanaged => Some(("compute.functionmesh.io/managed", "false")),
        _ => None,
    };
    if let Some((key, value)) = annotation {
        object["metadata"]["annotations"][key] = json!(value);
    }
    if state == Invalid {
        object["spec"]["imagePullPolicy"] = json!("Sometimes");
    }
    let object: DynamicObject = serde_json::from_value(object)?;
    let stored = objects.create(&PostParams::default(), &object).await?;
    let status = json!({"status": {"observedGeneration": 1, "replicas": 1}});
    objects.patch_status(name, &PatchParams::default(), &Patch::Merge(status)).await?;

    let whole = recording["statefulSet"].to_string();
    let whole = whole.replace(text("/object/metadata/namespace"), namespace);
    let whole = whole.replace(text("/object/metadata/uid"), &stored.uid().context("no uid")?);
    let mut set: Value = serde_json::from_str(&whole)?;
    renamed(&mut set, text("/object/metadata/name"), name);
    if matches!(state, Immutable | EditedAndImmutable) {
        set["spec"]["serviceName"] = json!("another");
        set["spec"]["podManagementPolicy"] = json!("OrderedReady");
    }
    let set: StatefulSet = serde_json::from_value(set)?;
    let go_operator = PostParams { field_manager: Some("manager".to_owned()), ..PostParams::default() };
    let sets: Api<StatefulSet> = Api::namespaced(env.client.clone(), namespace);
    sets.create(&go_operator, &set).await?;
    match state {
        Edited | EditedAndImmutable => {
            merge(&objects, name, json!({"spec": {"image": "example.com/image:2"}})).await?;
        }
        EditedStatefulSet => {
            let person =
                PatchParams { field_manager: Some("kubectl-edit".to_owned()), ..PatchParams::default() };
            let edit = json!({"spec": {"template": {"metadata": {"annotations": {"restarted": "now"}}}}});
            sets.patch(&set.name_any(), &person, &Patch::Strategic(edit)).await?;
        }
        _ => {}
    }
    Ok(())
}

/// What an object says after the takeover: reason, message and hash of what waits, and whether its pods were replaced.
#[derive(Debug, Default, PartialEq, Eq)]
struct Said {
    reason: String,
    message: String,
    hash: String,
    restarted: bool,
}

fn said(object: &DynamicObject, restarted: bool) -> Said {
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let hash = object.data.pointer("/status/statefulSet/pendingHash").map(text).unwrap_or_default();
    let conditions = object.data.pointer("/status/conditions").and_then(Value::as_array);
    let waiting = conditions.into_iter().flatten().find(|condition| {
        condition["type"] == "UpdateAvailable"
            || condition["reason"] == "RecreateRequired"
            || condition["reason"] == "Invalid"
    });
    Said {
        reason: waiting.map(|condition| text(&condition["reason"])).unwrap_or_default(),
        message: waiting.map(|condition| text(&condition["message"])).unwrap_or_default(),
        hash,
        restarted,
    }
}

fn predicted(item: &Value) -> Said {
    let text = |key: &str| item[key].as_str().unwrap_or_default().to_owned();
    let result = text("result");
    if result == "Invalid" {
        let message = item["details"][0].as_str().unwrap_or_default().to_owned();
        return Said { reason: result, message, ..Said::default() };
    }
    let (reason, message, hash) = (text("reason"), text("message"), text("hash"));
    Said { reason, message, hash, restarted: result == "Restarts" }
}

/// StatefulSets by name: template, annotations, replicas.
async fn sets(env: &TestEnv, namespace: &str) -> Result<BTreeMap<String, StatefulSet>> {
    let sets: Api<StatefulSet> = Api::namespaced(env.client.clone(), namespace);
    let found = sets.list(&ListParams::default()).await?;
    Ok(found.into_iter().map(|set| (set.name_any(), set)).collect())
}

fn items(report: &Value) -> BTreeMap<(String, String), Value> {
    let text = |item: &Value, key: &str| item[key].as_str().unwrap_or_default().to_owned();
    let items = report["items"].as_array().into_iter().flatten();
    items.map(|item| ((text(item, "kind"), text(item, "name")), item.clone())).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_takeover_report_equals_the_status_after_the_takeover() -> Result<()> {
    let env = TestEnv::connect().await?;
    env.prepare().await?;
    env.test("report", |env, namespace| async move {
        let file = std::env::var_os("RECORDINGS").map(Into::into);
        let file = file.unwrap_or_else(|| paths::root().join("e2e/tests/rollout/recorded/go_operator.json"));
        let recordings: Vec<Value> = serde_json::from_slice(&std::fs::read(file)?)?;
        let mut names = BTreeMap::new();
        for (i, recording) in recordings.iter().enumerate() {
            // Each recording as it is, and once more in one of the other states.
            for state in [AsRecorded, STATES[1 + i % (STATES.len() - 1)]] {
                let name = format!("r{i}-{}", if state == AsRecorded { "a" } else { "b" });
                stored(&env, &namespace, &name, recording, state)
                    .await
                    .with_context(|| format!("{name} {state:?}"))?;
                names.insert(name, state);
            }
        }
        let before = sets(&env, &namespace).await?;
        let mark = env.mark().await?;
        let words = ["--all", "--namespace", &namespace];
        let (report, _) = plan(&env, &words)?;
        let written = env.audit_since(&mark)?.within(&namespace).writes();
        ensure!(
            written.requests().iter().all(e2e::testing::audit::Request::is_dry_run),
            "{:?}",
            written.counts()
        );
        let plans = items(&report);
        ensure!(plans.len() == names.len(), "{} of {}", plans.len(), names.len());
        for item in plans.values() {
            let is_unmanaged = names.get(item["name"].as_str().unwrap_or_default()) == Some(&Unmanaged);
            ensure!(is_unmanaged || item["origin"] == "GoOperator", "{item}");
        }

        let mut controllers = Vec::new();
        for kind in ["function", "source", "sink"] {
            controllers.push(Controller::start(&env, &format!("{kind}-controller"), &namespace).await?);
        }
        for (kind, plural) in KINDS {
            let objects = api(&env, &namespace, kind, plural);
            env.until("the status says what the report said", || async {
                let after = sets(&env, &namespace).await?;
                for object in objects.list(&ListParams::default()).await? {
                    let name = object.name_any();
                    let item = plans.get(&(kind.to_owned(), name.clone())).context("not planned")?;
                    let set = format!("{name}-{}", kind.to_lowercase());
                    let template = |sets: &BTreeMap<String, StatefulSet>| {
                        sets.get(&set).map(|set| set.spec.template.clone())
                    };
                    let said = said(&object, template(&before) != template(&after));
                    ensure!(predicted(item) == said, "{name} {:?}: {said:#?} {item:#}", names.get(&name));
                }
                Ok(())
            })
            .await?;
        }
        totals(&env, &namespace, &report, &names).await?;

        // Once taken over, the same is said of what waits.
        let (again, _) = plan(&env, &words)?;
        for (key, item) in items(&again) {
            let first = plans.get(&key).context("not planned")?;
            if first["result"] == "Waits" {
                ensure!(
                    item["origin"] == "Adopted" && predicted(&item) == predicted(first),
                    "{item:#} {first:#}"
                );
            } else if first["result"] == "Restarts" {
                ensure!(item["origin"] == "Rendered" && item["result"] == "Unchanged", "{item:#}");
            }
        }
        Ok(())
    })
    .await
}

/// The sums of the report, against what is there after the takeover.
async fn totals(
    env: &TestEnv,
    namespace: &str,
    report: &Value,
    names: &BTreeMap<String, State>,
) -> Result<()> {
    let (mut rendered, mut pods, mut objects) = (0, 0, 0);
    for (name, set) in sets(env, namespace).await? {
        let replicas = i64::from(set.spec.replicas.unwrap_or(1));
        let object = name.rsplit_once('-').map(|(object, _)| object).unwrap_or_default();
        if names.get(object) == Some(&Unmanaged) {
            continue;
        }
        (objects, pods) = (objects + 1, pods + replicas);
        let hash = set.annotations().get("compute.functionmesh.io/rendered-hash");
        // The Go operator would roll out what it did not render.
        rendered += if hash.is_some_and(|hash| hash != "original") { replicas } else { 0 };
    }
    let takeover = &report["takeover"];
    let expected = [("objects", objects), ("pods", pods), ("backPods", rendered)];
    for (key, number) in expected {
        ensure!(takeover[key] == number, "{key}: {number}, {takeover}");
    }
    let invalid = names.values().filter(|state| **state == Invalid).count();
    ensure!(takeover["unsupported"] == invalid, "{invalid}, {takeover}");
    Ok(())
}
