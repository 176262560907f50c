//! A plan of many objects: few calls of kubectl, and one refused object does not hide the others.

use super::fake::Fake;
use super::objects::function;
use serde_json::json;

/// Objects of the plan.
const NUMBER: usize = 100;

#[test]
fn many_objects_need_few_calls_and_a_refused_one_is_named() {
    let fake = Fake::new()
        .echoes("--server-side", "f7-function")
        .echoes("apply --dry-run=server", "f50")
        .answers("get --ignore-not-found --show-managed-fields --filename=-", "")
        .lists("get deployments.apps", &[])
        .answers("get backendconfigs", "");
    let objects: Vec<_> = (0..NUMBER)
        .map(|number| {
            let mut object = function(&format!("f{number}"));
            object["spec"]["pulsar"] = json!({"pulsarConfig": "pulsar"});
            object["spec"]["className"] = json!("org.Example");
            object["spec"]["input"] = json!({"topics": ["persistent://a/b/c"]});
            object["spec"]["java"] = json!({"jar": "/a.jar"});
            object
        })
        .collect();
    let file = fake.folder().join("objects.json");
    std::fs::write(&file, json!({"apiVersion": "v1", "kind": "List", "items": objects}).to_string()).unwrap();
    let answer = fake.run(&["plan", "--filename", file.to_str().unwrap(), "--output", "json"]);
    assert_eq!(answer.code, Some(1), "two are refused: {answer:#?}");
    let report = answer.json();
    let items = report["items"].as_array().unwrap();
    assert_eq!(items.len(), NUMBER);
    for (number, item) in items.iter().enumerate() {
        assert_eq!(item["name"], format!("f{number}"), "in the order of the file");
        let expected = if [7, 50].contains(&number) { "Refused" } else { "Created" };
        assert_eq!(item["result"], expected, "{item}");
        if expected == "Refused" {
            let why = item["details"][0].as_str().unwrap();
            assert!(why.contains(&format!("f{number}")) && why.contains("is invalid"), "{why}");
        }
    }
    let calls = fake.calls();
    assert!(calls.len() < 40, "{} calls: {calls:#?}", calls.len());
}

#[test]
fn a_server_that_is_away_is_asked_once_for_each_call() {
    let fake = Fake::new().lists("get deployments.apps", &[]);
    let refusal = "The connection to the server localhost:8080 was refused";
    let fake = fake.fails("apply --dry-run=server", refusal).answers("get --ignore-not-found", "");
    let objects: Vec<_> = (0..20).map(|number| function(&format!("f{number}"))).collect();
    let file = fake.folder().join("objects.json");
    std::fs::write(&file, json!({"apiVersion": "v1", "kind": "List", "items": objects}).to_string()).unwrap();
    let answer = fake.run(&["plan", "--filename", file.to_str().unwrap()]);
    assert_eq!(answer.code, Some(1), "{answer:#?}");
    let calls = fake.calls().into_iter().filter(|call| call.contains("apply")).count();
    assert_eq!(calls, 1, "{answer:#?}");
}
