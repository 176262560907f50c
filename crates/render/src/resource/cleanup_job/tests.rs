//! The script of the Job in real shells, with tools that print what the real ones print.

use super::*;
use crate::testing::{Folder, shells};
use std::fs;
use std::path::Path;
use std::process::Command;

/// Whether the script succeeds in a shell; the tools of a folder come first.
fn succeeds(shell: &[&str], script: &str, path: Option<&Path>) -> bool {
    let mut command = Command::new(shell[0]);
    command.args(&shell[1..]).args(["-c", script]).env("webServiceURL", "http://pulsar:8080");
    if let Some(path) = path {
        command.env("PATH", format!("{}:/usr/bin:/bin", path.display()));
    }
    command.output().unwrap().status.success()
}

/// The output of pulsar-admin: its log, the server's message, and the reason.
fn admin(reason: &str) -> String {
    format!(
        "17:35:36.602 [AsyncHttpClient-7-1] WARN  org.apache.pulsar.client.admin.internal.BaseResource - \
         [http://pulsar:8080/admin/v2/persistent/public/default/x/subscription/not found?force=false] Failed to perform \
         http delete request: javax.ws.rs.NotFoundException: HTTP 404 Not Found\n{reason}\n\nReason: {reason}"
    )
}

fn pulsarctl(reason: &str) -> String {
    format!("[✖]  code: 404 reason: {reason}")
}

#[test]
fn only_pulsar_s_not_found_messages_are_no_failure() {
    const HTML: &str =
        "<html>\n<head><title>404 Not Found</title></head>\n<body>Topic x not found</body>\n</html>";
    let absent = [
        "Subscription not found",
        "Subscription public/default/f not found for topic persistent://public/default/in",
        "Topic not found",
        "Topic persistent://public/default/in not found",
        "Partitioned Topic not found: persistent://public/default/in has zero partitions",
        "Partitioned Topic persistent://public/default/in not found",
        "Topic partitions were not yet created",
    ];
    let other = [
        "HTTP 404 Not Found",
        "Subscription has active connected consumers",
        "Not Found",
        "Tenant does not exist",
        "HTTP 401 Unauthorized",
        "NotFound",
        HTML,
    ];
    let mut cases: Vec<(String, u8, bool)> = vec![
        ("Subscription removed".to_owned(), 0, true),
        ("Reason: Subscription not found".to_owned(), 127, false),
        ("Reason: Subscription not found".to_owned(), 126, false),
        ("Subscription not found".to_owned(), 1, false),
        ("tool: not found".to_owned(), 1, false),
        (String::new(), 1, false),
        ("Reason: Subscription not found\nReason: HTTP 503 Service Unavailable".to_owned(), 1, false),
        ("Reason: Subscription has active connected consumers\nnot found".to_owned(), 1, false),
    ];
    for (reasons, fine) in [(&absent[..], true), (&other[..], false)] {
        cases.extend(reasons.iter().flat_map(|r| [(admin(r), 1, fine), (pulsarctl(r), 1, fine)]));
    }
    let folder = Folder::new("cleanup-words");
    for shell in shells() {
        for (text, status, fine) in &cases {
            let tool = folder.tool("tool", text, *status);
            let script = format!("failed=0; newline='\n'; {FORGET}; {{ forget {tool} a; exit $failed; }}");
            assert_eq!(succeeds(&shell, &script, None), *fine, "{shell:?}, status {status}: {text}");
        }
    }
}

#[test]
fn a_tool_that_cannot_run_is_a_failure() {
    let folder = Folder::new("cleanup-missing");
    let plain = folder.0.join("plain");
    fs::write(&plain, "not a program").unwrap();
    let message = folder.tool("words", "Reason: Topic a not found", 1);
    let no_interpreter = folder.tool("no-interpreter", "", 0);
    fs::write(&no_interpreter, "#!/no/such/java\n").unwrap();
    for shell in shells() {
        let missing = folder.0.join("Reason: Subscription x not found");
        let tools = [
            "/pulsar/bin/no-such-tool".to_owned(),
            "no-such-tool".to_owned(),
            format!("'{}'", missing.display()),
            plain.display().to_string(),
            no_interpreter.clone(),
        ];
        for tool in tools {
            // The output for one item does not count for the next.
            let script = format!(
                "failed=0; newline='\n'; {FORGET}; {{ forget {message} a; forget {tool} b; forget {message} c; exit $failed; }}"
            );
            assert!(!succeeds(&shell, &script, None), "{shell:?}: {tool}");
        }
        let script = format!("failed=0; newline='\n'; {FORGET}; {{ forget {message} a; exit $failed; }}");
        assert!(succeeds(&shell, &script, None), "{shell:?}");
    }
}

/// The whole script as it is rendered, with pulsarctl, which is found by the `PATH`.
#[test]
fn the_rendered_script_runs_in_every_shell() {
    use crate::lower::component::Component;
    use functionmesh_api::Function;
    let metadata = serde_json::from_value(serde_json::json!({"name": "s", "namespace": "n", "uid": "u"}));
    let spec = serde_json::from_value(serde_json::json!({
        "className": "C", "image": "a:1", "imageHasPulsarctl": true, "cleanupSubscription": true,
        "input": {"topics": ["it's $HOME", "b"]}, "pulsar": {"pulsarConfig": "p"}, "java": {"jar": "/pulsar/a.jar"},
        "resources": {"requests": {"cpu": "8", "memory": "64Gi", "ephemeral-storage": "1Gi"}},
    }));
    let workload = Function::lower(&metadata.unwrap(), spec.unwrap()).unwrap();
    let job = cleanup(&workload, &Environment::default(), &Defaults::default()).unwrap();
    let pod = job.spec.unwrap().template.spec.unwrap();
    let script = pod.containers[0].command.as_ref().unwrap()[2].clone();
    let requests = pod.containers[0].resources.as_ref().unwrap().requests.clone().unwrap();
    let amounts: Vec<_> = requests.iter().map(|(name, amount)| (name.as_str(), amount.0.as_str())).collect();
    assert_eq!(amounts, [("cpu", "50m"), ("ephemeral-storage", "1Gi"), ("memory", "256Mi")]);
    let name = "pulsarctl";
    let folder = Folder::new("cleanup-rendered");
    let log = folder.0.join("log");
    for shell in shells() {
        folder.tool(name, "", 0);
        let tool = folder.0.join(name);
        let body = format!("#!/bin/sh\nprintf '%s|' \"$@\" >> {}\nexit 0\n", log.display());
        fs::write(&tool, body).unwrap();
        assert!(succeeds(&shell, &script, Some(&folder.0)), "{shell:?}");
        let called = fs::read_to_string(&log).unwrap();
        assert!(called.contains("it's $HOME|") && called.contains("delete|b|"), "{shell:?}: {called}");
        fs::remove_file(&log).unwrap();
        fs::remove_file(&tool).unwrap();
        assert!(!succeeds(&shell, &script, Some(&folder.0)), "{shell:?}: no tool");
    }
}
