//! Conditions report what keeps a pod from being available now, and nothing else.

mod causes;
mod disturbances;
mod edits;
mod writes;

use anyhow::{Context, Result, ensure};
use e2e::testing::TestEnv;
use k8s_openapi::api::events::v1::Event;
use kube::api::{Api, DynamicObject, ListParams};
use serde_json::{Value, json};

/// Reasons of the Warnings in a namespace, except for those about repairs.
async fn warnings(env: &TestEnv, namespace: &str) -> Result<Vec<String>> {
    let api: Api<Event> = Api::namespaced(env.client.clone(), namespace);
    let events = api.list(&ListParams::default()).await?.items.into_iter();
    let warnings = events.filter(|e| e.type_.as_deref() == Some("Warning"));
    let reported = |e: Event| {
        let object = e.regarding.and_then(|r| r.name).unwrap_or_default();
        format!("{object} {}: {}", e.reason.unwrap_or_default(), e.note.unwrap_or_default())
    };
    Ok(warnings.filter(|e| e.reason.as_deref() != Some("Repaired")).map(reported).collect())
}

/// Status and transition time of the condition `Ready`: a condition that disappeared and returned has another time.
fn ready(object: &DynamicObject) -> Result<Value> {
    let conditions =
        object.data.pointer("/status/conditions").and_then(Value::as_array).context("no status")?;
    let ready = conditions.iter().find(|c| c["type"] == "Ready").context("not reported")?;
    Ok(json!([ready["status"], ready["lastTransitionTime"]]))
}

/// Waits until a condition that is present only while true has disappeared.
async fn until_gone(env: &TestEnv, api: &Api<DynamicObject>, name: &str, type_: &str) -> Result<()> {
    env.until(&format!("the end of {type_}"), || async {
        let status = api.get(name).await?.data["status"].clone();
        let conditions = status["conditions"].as_array().context("no conditions")?;
        ensure!(!conditions.iter().any(|c| c["type"] == type_), "{status}");
        Ok(())
    })
    .await
}
