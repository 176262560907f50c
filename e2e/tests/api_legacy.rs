//! Objects whose status the Go operator wrote. In a program of its own, because it changes a kind for a while.
#![allow(clippy::indexing_slicing, reason = "a test may panic")]

use anyhow::{Result, ensure};
use e2e::shell;
use e2e::testing::acker::Acker;
use e2e::testing::objects::{AVAILABLE, create, function_spec, functions, merge, until_ready};
use e2e::testing::{Controller, Rig};
use kube::api::{Patch, PatchParams};
use serde_json::{Value, json};

#[tokio::test(flavor = "multi_thread")]
async fn a_status_of_the_original_is_healed() -> Result<()> {
    let rig = Rig::connect().await?;
    rig.prepare().await?;
    rig.test("legacy", |rig, namespace| async move {
        let _acker = Acker::start(&rig, &namespace);
        // Stored through the original's schema, in which the conditions are a map.
        let definition = "customresourcedefinitions/functions.compute.functionmesh.io";
        let conditions = "/spec/versions/0/schema/openAPIV3Schema/properties/status/properties/conditions";
        let map = json!([{"op": "replace", "path": conditions,
            "value": {"type": "object", "x-kubernetes-preserve-unknown-fields": true}}]);
        let patch = map.to_string();
        let before = shell::output(&mut rig.kubectl.with(["get", definition, "-o", "json"]))?;
        let before: Value = serde_json::from_str(&before)?;
        shell::run(&mut rig.kubectl.with(["patch", definition, "--type=json", "-p", &patch]))?;
        let api = functions(&rig, &namespace);
        create(&api, "Function", "old", &function_spec()).await?;
        let old = json!({"status": {"replicas": 1, "selector": "a=b", "observedGeneration": 1,
            "conditions": {"StatefulSet": {"condition": "StatefulSetReady", "status": "True", "action": "NoAction"}}}});
        let stored = rig
            .until("the original's status", || async {
                let object = api.patch_status("old", &PatchParams::default(), &Patch::Merge(&old)).await?;
                ensure!(object.data["status"]["conditions"].is_object(), "{:?}", object.data["status"]);
                Ok(())
            })
            .await;
        let restore = json!([{"op": "replace", "path": conditions, "value": before.pointer(conditions)}]).to_string();
        shell::run(&mut rig.kubectl.with(["patch", definition, "--type=json", "-p", &restore]))?;
        stored?;

        let _controller = Controller::start(&rig, "function-controller", &namespace).await?;
        until_ready(&rig, &api, "old", AVAILABLE).await?;
        // A second write, by server-side apply, works as well.
        merge(&api, "old", json!({"spec": {"replicas": 2}})).await?;
        until_ready(&rig, &api, "old", AVAILABLE).await?;
        Ok(())
    })
    .await
}
