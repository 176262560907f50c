//! A mesh loses no component because of a mistake, a slow API server or a name that was in use for a while.

mod items;
mod names;
mod progress;
mod shard;
mod statuses;
mod takeover;

use anyhow::Result;
use e2e::testing::TestEnv;
use e2e::testing::objects::{api, function_spec};
use kube::ResourceExt;
use kube::api::{Api, DynamicObject};
use serde_json::{Value, json};

/// The name of every mesh here.
const MESH: &str = "m";

fn meshes(env: &TestEnv, namespace: &str) -> Api<DynamicObject> {
    api(env, namespace, "FunctionMesh", "functionmeshes")
}

/// An item of the functions of a mesh.
fn item(name: &str) -> Value {
    let mut item = function_spec();
    item["name"] = json!(name);
    item
}

/// The spec of a mesh of functions.
fn spec(names: &[&str]) -> Value {
    json!({"functions": names.iter().map(|name| item(name)).collect::<Vec<_>>()})
}

/// Waits until an object exists, and returns its uid.
async fn until_there(env: &TestEnv, api: &Api<DynamicObject>, name: &str) -> Result<String> {
    env.until(name, || async { Ok(api.get(name).await?.uid().unwrap_or_default()) }).await
}
