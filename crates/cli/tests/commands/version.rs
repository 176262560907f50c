//! `version`, and the time that the plugin takes to start.

use super::fake::Fake;
use super::objects::{cluster, controller, definitions};
use std::time::Instant;

#[test]
fn plugin_definitions_and_controllers_are_named() {
    let mut older = definitions();
    let fields =
        older[0].pointer_mut("/spec/versions/0/schema/openAPIV3Schema/properties/spec/properties").unwrap();
    fields.as_object_mut().unwrap().remove("className");
    older.pop();
    let fake = cluster(
        Fake::new()
            .lists("customresourcedefinitions", &older)
            .lists("deployments.apps", &[controller("function", "")])
            .answers("get --raw /version", "{\"gitVersion\": \"v1.37.0\"}"),
    );
    let answer = fake.run(&["version"]);
    assert_eq!(answer.code, Some(0), "{answer:#?}");
    for line in [
        "Plugin       0.1.0",
        "Kubernetes   v1.37.0",
        "CRD          functions.compute.functionmesh.io older: lacks 1 field",
        "CRD          sinks.compute.functionmesh.io has all fields of this release",
        "CRD          backendconfigs.compute.functionmesh.io not installed",
        "Controller   fm/function-controller 0.1.0 (1/1 ready)",
    ] {
        assert!(answer.stdout.lines().any(|found| found == line), "{line}: {answer:#?}");
    }
    let document = fake.run(&["version", "-o", "json"]).json();
    assert_eq!(document["definitions"][0]["missingFields"][0], "spec.className");
    assert_eq!(document["controllers"][0]["version"], "0.1.0");
}

#[test]
fn what_cannot_be_read_is_no_error() {
    let answer = Fake::new().forbids("get").run(&["version"]);
    assert_eq!(answer.code, Some(0));
    assert!(answer.stdout.contains("Controllers  unknown: Error from server (Forbidden)"), "{answer:#?}");
    let alone = Fake::new();
    assert_eq!(alone.run(&["version", "--client"]).stdout, "Plugin       0.1.0\n");
    assert!(alone.calls().is_empty());
    let started = Instant::now();
    assert_eq!(alone.run(&["--version"]).stdout, "kubectl-fmesh 0.1.0\n");
    // A debug build on a busy machine; a release takes a few milliseconds.
    assert!(started.elapsed().as_secs() < 2);
}
