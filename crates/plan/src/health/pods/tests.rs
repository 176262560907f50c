use super::*;
use crate::observed::view::Labelled as _;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use serde_json::{Value, json};

fn pod(name: &str, made: &str, more: &Value) -> PodView {
    let mut object = json!({"metadata": {"name": name, "namespace": "ns", "creationTimestamp": made,
        "labels": {"compute.functionmesh.io/name": "f", "other": "x"}, "annotations": {"a": "b"}}});
    if let (Some(object), Some(more)) = (object.as_object_mut(), more.as_object()) {
        for (key, value) in more {
            match (object.get_mut(key), value) {
                (Some(Value::Object(known)), Value::Object(new)) => known.extend(new.clone()),
                _ => {
                    object.insert(key.clone(), value.clone());
                }
            }
        }
    }
    let mut pod: PodView = serde_json::from_value(object).unwrap();
    pod.prune();
    pod
}

fn at(time: &str) -> Timestamp {
    time.parse().unwrap()
}

#[test]
fn only_what_is_needed_is_kept() {
    let pod = pod("f-0", "2026-01-01T00:00:00Z", &json!({"spec": {"containers": [{"name": "c"}]}}));
    let kept = serde_json::to_value(&pod).unwrap();
    assert_eq!(
        kept["metadata"],
        json!({"name": "f-0", "namespace": "ns", "creationTimestamp": "2026-01-01T00:00:00Z"})
    );
    assert_eq!(pod.owner(), Some("f"));
}

#[test]
fn pods_are_put_together() {
    let crash =
        json!({"status": {"containerStatuses": [{"name": "c", "state": {"terminated": {"exitCode": 1}}}]}});
    let image = json!({"status": {"containerStatuses": [
        {"name": "c", "image": "i", "state": {"waiting": {"reason": "ErrImagePull", "message": "no"}}}]}});
    let ready = json!({"status": {"conditions": [{"type": "Ready", "status": "True"}]}});
    let pods = [
        pod("f-0", "2026-01-01T00:00:00Z", &crash),
        pod("f-1", "2026-01-01T00:00:10Z", &image),
        pod("f-2", "2026-01-01T00:00:20Z", &ready),
    ];
    let all = Pods::of(pods.iter(), None, Timestamp::UNIX_EPOCH);
    assert_eq!(all.number, 3);
    assert_eq!(all.diagnosis.map(|c| c.reason), Some(Reason::ImagePullBackOff));
    assert_eq!(all.youngest, Some(at("2026-01-01T00:00:10Z")), "ready ones do not count");
    let mut terminating = pods[1].clone();
    terminating.metadata.deletion_timestamp = Some(Time(at("2026-01-01T00:01:00Z")));
    let all = Pods::of([&terminating].into_iter(), None, Timestamp::UNIX_EPOCH);
    assert_eq!((all.number, all.diagnosis, all.youngest), (1, None, None), "what ends is history");
}

#[test]
fn volumes_that_do_not_come_are_suspected_after_a_while() {
    let stuck = |names: &Value| {
        json!({
            "spec": {"volumes": names},
            "status": {"startTime": "2026-01-01T00:00:00Z", "conditions": [
                {"type": "PodScheduled", "status": "True"}, {"type": "PodReadyToStartContainers", "status": "False"}]},
        })
    };
    let volumes = json!([{"name": "a", "secret": {"secretName": "gone"}}, {"name": "b", "configMap": {"name": "cm"}},
        {"name": "c", "configMap": {"name": "spare", "optional": true}}, {"name": "d", "emptyDir": {}},
        {"name": "e", "persistentVolumeClaim": {"claimName": "data"}}]);
    let pods = pod("f-0", "2026-01-01T00:00:00Z", &stuck(&volumes));
    let (from, diagnosis) = Pods::of([&pods].into_iter(), None, Timestamp::UNIX_EPOCH).later.unwrap();
    assert_eq!(from, at("2026-01-01T00:00:30Z"));
    assert_eq!(diagnosis.reason, Reason::VolumesNotReady);
    assert_eq!(
        diagnosis.message,
        "pod f-0 has a node, and its volumes or its network are not ready there; they need Secret gone, ConfigMap cm, \
         PersistentVolumeClaim data: check that each exists"
    );
    let plain = pod("f-0", "2026-01-01T00:00:00Z", &stuck(&json!([])));
    let (_, diagnosis) = Pods::of([&plain].into_iter(), None, Timestamp::UNIX_EPOCH).later.unwrap();
    assert_eq!(diagnosis.message, "pod f-0 has a node, and its volumes or its network are not ready there");
    let pulling = json!({"status": {"startTime": "2026-01-01T00:00:00Z", "conditions": [
        {"type": "PodScheduled", "status": "True"}, {"type": "PodReadyToStartContainers", "status": "True"}]}});
    let pulling = pod("f-0", "2026-01-01T00:00:00Z", &pulling);
    assert_eq!(Pods::of([&pulling].into_iter(), None, Timestamp::UNIX_EPOCH).later, None);
}

#[test]
fn what_is_over_or_about_to_be_replaced_is_no_cause() {
    let crash = json!({"metadata": {"labels": {"compute.functionmesh.io/name": "f", "controller-revision-hash": "old"}},
        "status": {"containerStatuses": [{"name": "c", "state": {"running": {"startedAt": "2026-01-01T00:00:00Z"}},
            "lastState": {"terminated": {"exitCode": 1}}}]}});
    let pod = pod("f-0", "2026-01-01T00:00:00Z", &crash);
    let of = |newest, now| Pods::of([&pod].into_iter(), newest, at(now));
    let recent = of(Some("old"), "2026-01-01T00:09:59Z");
    assert_eq!(recent.diagnosis.map(|c| c.reason), Some(Reason::CrashLoop));
    assert_eq!(recent.until, Some(at("2026-01-01T00:10:00Z")), "to be looked at when it is over");
    assert_eq!(of(None, "2026-01-01T00:00:01Z").diagnosis.map(|c| c.reason), Some(Reason::CrashLoop));
    assert_eq!(
        (of(None, "2026-01-01T00:10:00Z").diagnosis, of(Some("new"), "2026-01-01T00:00:01Z").diagnosis),
        (None, None)
    );
}

#[test]
fn an_instance_without_a_connection_is_reported_after_a_while() {
    let spec =
        |probe: &str| json!({"containers": [{"name": "pulsar-function", "readinessProbe": {probe: {}}}]});
    let status = |started: bool| {
        json!({
            "conditions": [{"type": "Ready", "status": "False", "lastTransitionTime": "2026-01-01T00:05:00Z"}],
            "containerStatuses": [{"name": "pulsar-function", "ready": false, "started": started,
                "state": {"running": {"startedAt": "2026-01-01T00:00:00Z"}}}],
        })
    };
    let later = |spec: Value, status: Value| {
        let pod = pod("f-0", "2026-01-01T00:00:00Z", &json!({"spec": spec, "status": status}));
        Pods::of([&pod].into_iter(), None, Timestamp::UNIX_EPOCH).later
    };
    let (from, diagnosis) = later(spec("exec"), status(true)).unwrap();
    assert_eq!((from, diagnosis.reason), (at("2026-01-01T00:05:15Z"), Reason::NotConnected));
    assert!(
        diagnosis.message.starts_with("pod f-0 runs and has no connection to a broker: "),
        "{}",
        diagnosis.message
    );
    let mut starting = status(false);
    starting["conditions"] = json!([]);
    let (from, diagnosis) = later(spec("exec"), starting).unwrap();
    assert_eq!((from, diagnosis.reason), (at("2026-01-01T00:01:00Z"), Reason::NotConnected));
    assert!(diagnosis.message.contains("has not connected to a broker yet"), "{}", diagnosis.message);
    // The startup probe has succeeded, and the first readiness probe is due: the pod was never ready.
    let mut passed = status(true);
    for unready in ["2025-12-31T23:59:00Z", "2026-01-01T00:00:03Z"] {
        passed["conditions"][0]["lastTransitionTime"] = json!(unready);
        let (from, diagnosis) = later(spec("exec"), passed.clone()).unwrap();
        assert_eq!(from, at("2026-01-01T00:01:00Z"));
        assert!(diagnosis.message.contains("has not connected to a broker yet"), "{}", diagnosis.message);
    }
    assert_eq!(
        later(spec("httpGet"), status(true)),
        None,
        "its port does not answer: nothing is known of connections"
    );
    let mut ready = status(true);
    ready["containerStatuses"][0]["ready"] = json!(true);
    assert_eq!(later(spec("exec"), ready), None, "another container is not ready");
}
