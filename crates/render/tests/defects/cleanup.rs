//! The cleanup Job.

use crate::common::*;
use serde_json::Value;

#[test]
fn d030_d036_the_cleanup_runs_alone_and_with_its_own_credentials() {
    let oauth = |key: &str| {
        format!("{{oauth2Config: {{audience: a, issuerUrl: i, keySecretName: {key}, keySecretKey: k.json}}}}")
    };
    let patch = format!(
        "{{batchSourceConfig: {{discoveryTriggererClassName: T}}, pulsar: {{authConfig: {}, cleanupAuthConfig: {}}},
           pod: {{sidecars: [{{name: side}}], initContainers: [{{name: init}}]}}}}",
        oauth("own"),
        oauth("admin")
    );
    let job = job(&object("Source", &patch)).unwrap();
    let template = job.spec.unwrap().template;
    let labels = template.metadata.unwrap().labels.unwrap();
    assert!(!labels.contains_key("compute.functionmesh.io/component") && !labels.contains_key("app"));
    let pod = template.spec.unwrap();
    let names: Vec<&str> = pod.containers.iter().map(|c| c.name.as_str()).collect();
    assert_eq!(names, ["cleanup"]);
    assert_eq!(pod.init_containers.map(|c| c.len()), Some(1));
    let secrets: Vec<String> =
        pod.volumes.iter().flatten().filter_map(|v| v.secret.as_ref()?.secret_name.clone()).collect();
    assert_eq!(secrets, ["admin"]);
}

#[test]
fn d031_a_failed_cleanup_is_reported_and_can_run_again() {
    let script_of = |object: &Value| {
        let pod = job(object).unwrap().spec.unwrap().template.spec.unwrap();
        script(&pod.containers[0]).to_owned()
    };
    let text = script_of(&function("{cleanupSubscription: true, input: {topics: [a, b]}}"));
    assert!(text.contains("topics unsubscribe -s public/default/fn a; "), "{text}");
    assert!(text.ends_with("topics unsubscribe -s public/default/fn b; exit $failed; }"), "{text}");
    assert!(!text.contains("sleep"), "{text}");
    assert_eq!(job(&function("{}")), None);
}

#[test]
fn r005_the_cleanup_mounts_no_claims() {
    let object = function(
        "{cleanupSubscription: true, volumeMounts: [{name: data, mountPath: /data}],
          volumeClaimTemplates: [{metadata: {name: data}, spec: {}}]}",
    );
    let pod = job(&object).unwrap().spec.unwrap().template.spec.unwrap();
    let mounts: Vec<&str> =
        pod.containers[0].volume_mounts.iter().flatten().map(|mount| mount.name.as_str()).collect();
    assert_eq!(mounts, ["cm-java-log-conf"]);
}
