use super::*;
use serde_json::json;

fn diagnosis_in(spec: &serde_json::Value, status: &serde_json::Value) -> Option<(Reason, String)> {
    let spec = serde_json::from_value(spec.clone()).unwrap();
    let diagnoses = diagnoses(&serde_json::from_value(status.clone()).unwrap(), &spec);
    diagnoses.into_iter().next().map(|(c, _)| (c.reason, c.message))
}

fn diagnosis_of(status: &serde_json::Value) -> Option<(Reason, String)> {
    diagnosis_in(&json!({}), status)
}

fn container(state: &serde_json::Value, last: &serde_json::Value) -> serde_json::Value {
    json!({"containerStatuses": [
        {"name": "pulsar-function", "image": "img:1", "state": state, "lastState": last}
    ]})
}

#[test]
fn pulling_and_backing_off_have_one_message() {
    let answer = "rpc error: code = NotFound desc = no such image";
    let pulling = container(&json!({"waiting": {"reason": "ErrImagePull", "message": answer}}), &json!({}));
    let waiting = container(
        &json!({"waiting": {"reason": "ImagePullBackOff",
            "message": format!("Back-off pulling image \"img:1\": ErrImagePull: {answer}")}}),
        &json!({}),
    );
    let want = Some((Reason::ImagePullBackOff, format!("cannot pull image \"img:1\": {answer}")));
    assert_eq!(diagnosis_of(&pulling), want);
    assert_eq!(diagnosis_of(&waiting), want);
}

#[test]
fn what_is_missing_is_named() {
    for text in ["configmap \"x\" not found", "couldn't find key k in Secret ns/s"] {
        let status = container(
            &json!({"waiting": {"reason": "CreateContainerConfigError", "message": text}}),
            &json!({}),
        );
        let want = (Reason::CreateContainerConfigError, format!("container pulsar-function: {text}"));
        assert_eq!(diagnosis_of(&status), Some(want));
    }
}

#[test]
fn exit_code_zero_is_a_crash() {
    let ended =
        json!({"terminated": {"exitCode": 0, "reason": "Completed", "message": "ERROR boom\n loudly"}});
    let want =
        (Reason::CrashLoop, "container pulsar-function ended with exit code 0: ERROR boom loudly".to_owned());
    assert_eq!(diagnosis_of(&container(&json!({"running": {}}), &ended)), Some(want.clone()));
    assert_eq!(diagnosis_of(&container(&ended, &json!({}))), Some(want));
    assert_eq!(diagnosis_of(&container(&json!({"running": {}}), &json!({}))), None);
}

#[test]
fn what_is_said_twice_is_shown_once() {
    let ended =
        json!({"terminated": {"exitCode": 0, "message": "ERROR A - open\nboom\nboom\nERROR B - run\nboom"}});
    let (_, message) = diagnosis_of(&container(&ended, &json!({}))).unwrap();
    assert_eq!(message, "container pulsar-function ended with exit code 0: open boom run");
}

#[test]
fn a_known_failure_has_its_own_reason_and_one_line() {
    let text = "ERROR A - [id: 0x1a2b3c, L:/1.2.3.4:50000] Failed to authenticate the client\nERROR B - more";
    let ended = json!({"terminated": {"exitCode": 0, "message": text}});
    let want = (
        Reason::AuthenticationFailed,
        "container pulsar-function ended with exit code 0: Failed to authenticate the client".to_owned(),
    );
    assert_eq!(diagnosis_of(&container(&ended, &json!({}))), Some(want));
    let init = json!({"initContainerStatuses": [
        {"name": "download", "state": {"terminated": {"exitCode": 8, "message": "ERROR 404: Not Found."}}}
    ]});
    let (reason, message) = diagnosis_of(&init).unwrap();
    assert_eq!(reason, Reason::PackageUnavailable);
    assert_eq!(message, "container download ended with exit code 8: ERROR 404: Not Found.");
}

#[test]
fn restarts_are_counted_in_steps() {
    let message = |restarts: i32| {
        let status = json!({"containerStatuses": [{"name": "c", "restartCount": restarts,
            "lastState": {"terminated": {"exitCode": 3}}}]});
        diagnosis_of(&status).unwrap().1
    };
    assert_eq!(message(0), "container c ended with exit code 3");
    assert_eq!(message(1), "container c ended with exit code 3, restarted");
    assert_eq!(message(2), "container c ended with exit code 3, restarted 2 times or more");
    assert_eq!(message(5), message(9));
    assert_eq!(message(5000), "container c ended with exit code 3, restarted 1000 times or more");
}

#[test]
fn out_of_memory_has_the_limit() {
    let status = container(&json!({"terminated": {"exitCode": 137, "reason": "OOMKilled"}}), &json!({}));
    let spec =
        json!({"containers": [{"name": "pulsar-function", "resources": {"limits": {"memory": "60Mi"}}}]});
    let message = "container pulsar-function used more memory than its limit of 60Mi and was killed";
    assert_eq!(diagnosis_in(&spec, &status), Some((Reason::OutOfMemory, message.to_owned())));
    let message = "container pulsar-function used more memory than its limit and was killed";
    assert_eq!(diagnosis_of(&status), Some((Reason::OutOfMemory, message.to_owned())));
    let text = "Terminating due to java.lang.OutOfMemoryError: Java heap space";
    let status = container(&json!({"terminated": {"exitCode": 3, "message": text}}), &json!({}));
    assert_eq!(diagnosis_of(&status).unwrap().0, Reason::OutOfMemory);
}

#[test]
fn the_worst_cause_comes_first_and_is_bounded() {
    let status = json!({"conditions": [{"type": "PodScheduled", "status": "False", "reason": "Unschedulable",
        "message": "x".repeat(2000)}]});
    let (reason, message) = diagnosis_of(&status).unwrap();
    assert_eq!(reason, Reason::Unschedulable);
    assert!(message.chars().count() <= MESSAGE_LIMIT + 1);
    let two = json!({"containerStatuses": [
        {"name": "a", "state": {"terminated": {"exitCode": 1, "message": "boom"}}},
        {"name": "b", "image": "i", "state": {"waiting": {"reason": "ErrImagePull", "message": "no"}}},
    ]});
    assert_eq!(diagnosis_of(&two).unwrap().0, Reason::ImagePullBackOff);
}

#[test]
fn an_eviction_is_reported() {
    let status =
        json!({"phase": "Failed", "reason": "Evicted", "message": "The node was low on resource: memory."});
    let want = "the pod failed: Evicted: The node was low on resource: memory.";
    let amounts = "The node was low on resource: memory. Threshold quantity: 100Mi, available: 92848Ki.";
    let killed = json!([{"name": "c", "state": {"terminated": {"exitCode": 137, "reason": "OOMKilled"}}}]);
    let whole =
        json!({"phase": "Failed", "reason": "Evicted", "message": amounts, "containerStatuses": killed});
    assert_eq!(diagnosis_of(&whole), Some((Reason::CrashLoop, want.to_owned())));
    assert_eq!(diagnosis_of(&status), Some((Reason::CrashLoop, want.to_owned())));
}

#[test]
fn a_finished_init_container_is_no_cause() {
    let status = json!({"initContainerStatuses": [
        {"name": "prepare", "state": {"terminated": {"exitCode": 0, "reason": "Completed"}}}
    ]});
    assert_eq!(diagnosis_of(&status), None);
}

#[test]
fn secrets_are_not_shown() {
    let text = "login with token:eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiJ4In0.AbC failed";
    let ended = json!({"terminated": {"exitCode": 1, "message": text}});
    let (_, message) = diagnosis_of(&container(&ended, &json!({}))).unwrap();
    assert_eq!(
        message,
        "container pulsar-function ended with exit code 1: login with token:<redacted> failed"
    );
}

/// A container that terminated once, with its current state, in a pod that became ready at some time.
fn once_killed(name: &str, ready: bool, started: &str) -> serde_json::Value {
    json!({"name": name, "ready": ready, "restartCount": 1, "state": {"running": {"startedAt": started}},
        "lastState": {"terminated": {"exitCode": 137, "reason": "OOMKilled"}}})
}

fn until(status: &serde_json::Value) -> Vec<Option<String>> {
    let diagnoses = diagnoses(&serde_json::from_value(status.clone()).unwrap(), &Spec::default());
    diagnoses.into_iter().map(|(_, until)| until.map(|at| at.to_string())).collect()
}

#[test]
fn earlier_terminations_of_an_available_container_are_ignored() {
    let ready = |since: &str| json!([{"type": "Ready", "status": "True", "lastTransitionTime": since}]);
    let pod = |conditions: &serde_json::Value, containers: serde_json::Value| {
        until(&json!({"conditions": conditions, "containerStatuses": containers}))
    };
    let old = "2026-01-01T00:00:00Z";
    // Ready: until the pod is available.
    let runs = once_killed("a", true, old);
    assert_eq!(pod(&ready(old), json!([runs])), [Some("2026-01-01T00:00:20Z".to_owned())]);
    // The pod waits for another container.
    assert!(
        pod(&json!([]), json!([runs, {"name": "b", "state": {"running": {"startedAt": old}}}])).is_empty()
    );
    // Not ready: as long as another termination is likely.
    assert_eq!(
        pod(&json!([]), json!([once_killed("a", false, old)])),
        [Some("2026-01-01T00:10:00Z".to_owned())]
    );
    // Between two restarts: for the whole time.
    let mut waits = runs;
    waits["state"] = json!({"waiting": {"reason": "CrashLoopBackOff", "message": "back-off 5m0s"}});
    assert_eq!(pod(&json!([]), json!([waits])), [None]);
    waits["state"] = json!({"waiting": {"reason": "PodInitializing"}});
    assert!(pod(&json!([]), json!([waits])).is_empty(), "a new sandbox");
}

#[test]
fn init_containers_are_to_end_and_sidecars_are_not() {
    let status = |state: &serde_json::Value, last: &serde_json::Value| json!({"initContainerStatuses": [{"name": "i", "state": state, "lastState": last}]});
    let ended = |code: i32| json!({"terminated": {"exitCode": code}});
    let none = json!({});
    assert_eq!(diagnosis_of(&status(&ended(0), &ended(1))), None, "it succeeded in the end");
    let waits = json!({"waiting": {"reason": "CrashLoopBackOff"}});
    assert_eq!(diagnosis_of(&status(&waits, &ended(1))).unwrap().0, Reason::InitContainerFailed);
    let sidecar = json!({"initContainers": [{"name": "i", "restartPolicy": "Always"}]});
    assert_eq!(diagnosis_in(&sidecar, &status(&ended(0), &none)).unwrap().0, Reason::CrashLoop);
}
