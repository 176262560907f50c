//! Failures of real pods and a real broker, and their reports in the status. Not part of `make e2e`, because it takes a quarter
//! of an hour; `make e2e-full` runs it.

mod connection;
mod nodes;
mod shown;

use anyhow::{Context, Result, bail, ensure};
use e2e::operator::Kubectl;
use e2e::pulsar::Broker;
use e2e::shell::{output, progress, run, until};
use e2e::testing::TestEnv;
use e2e::testing::plugin::Plugin;
use e2e::testing::pods::{TEST_NAMESPACE, function, get, import_images, ready};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::time::{Duration, Instant};

/// Maximum time until `kubectl get fn -o wide` shows the reason.
const REPORTED: Duration = Duration::from_secs(60);
/// Maximum time until a fixed function runs: the kubelet waits up to five minutes between two starts.
const FIXED: Duration = Duration::from_secs(400);
/// Keys of tokens, in base64: the broker's, and another one.
const KEYS: [&str; 2] =
    ["ZnVuY3Rpb24tbWVzaC10ZXN0cy1vbmx5LTMyYnl0ZXM=", "YW5vdGhlci1rZXktb2Ytbm9ib2R5LWluLXBhcnRpY3VsYXI="];

/// A failure.
struct Case {
    name: &'static str,
    /// The wrong part of the function.
    wrong: fn(&mut Value),
    reason: &'static str,
    /// Expected part of the message.
    says: &'static [&'static str],
    /// How it is fixed.
    fix: Fix,
}

enum Fix {
    /// By a corrected function.
    Function,
    /// By another object.
    Apply(fn() -> Value),
}

/// Failures before an instance starts, and those of instances; a few at a time, because the machine is small.
const CASES: [&[Case]; 3] = [
    &[
        Case {
            name: "image",
            wrong: |s| s["image"] = json!("docker.io/local/none:1"),
            reason: "ImagePullBackOff",
            says: &["cannot pull image \"docker.io/local/none:1\": "],
            fix: Fix::Function,
        },
        Case {
            name: "cpu",
            wrong: |s| s["resources"]["requests"]["cpu"] = json!("1000"),
            reason: "Unschedulable",
            says: &["no node is available: Insufficient cpu"],
            fix: Fix::Function,
        },
        Case {
            name: "config",
            wrong: |s| s["pulsar"]["pulsarConfig"] = json!("absent"),
            reason: "CreateContainerConfigError",
            says: &["configmap \"absent\" not found"],
            fix: Fix::Apply(|| {
                let data = json!({"webServiceURL": "http://pulsar:8080", "brokerServiceURL": "pulsar://pulsar:6650"});
                json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "absent"}, "data": data})
            }),
        },
        Case {
            name: "key",
            wrong: |s| s["secretsMap"] = json!({"X": {"path": "some", "key": "absent"}}),
            reason: "CreateContainerConfigError",
            says: &["couldn't find key absent in Secret", "/some"],
            fix: Fix::Apply(|| secret("some", &json!({"absent": "x"}))),
        },
        Case {
            name: "volume",
            wrong: |s| {
                s["pod"] = json!({"volumes": [{"name": "v", "secret": {"secretName": "gone"}}]});
                s["volumeMounts"] = json!([{"name": "v", "mountPath": "/v"}]);
            },
            reason: "VolumesNotReady",
            says: &["they need Secret gone"],
            fix: Fix::Apply(|| secret("gone", &json!({"a": "b"}))),
        },
    ],
    &[
        Case {
            name: "class",
            wrong: |s| s["className"] = json!("org.example.Nothing"),
            reason: "ClassNotFound",
            says: &["exit code 0", "org.example.Nothing"],
            fix: Fix::Function,
        },
        Case {
            name: "package",
            wrong: |s| s["java"] = json!({"jar": "x.jar", "jarLocation": "http://pulsar:8080/none.jar"}),
            reason: "PackageUnavailable",
            says: &["404"],
            fix: Fix::Function,
        },
        Case {
            name: "memory",
            wrong: |s| s["resources"] = json!({"requests": {"memory": "20Mi"}, "limits": {"memory": "60Mi"}}),
            reason: "OutOfMemory",
            says: &["its limit of 60Mi"],
            fix: Fix::Function,
        },
    ],
    &[
        Case {
            name: "token",
            wrong: |s| s["pulsar"]["authSecret"] = json!("token"),
            reason: "AuthenticationFailed",
            says: &["Failed to authenticate"],
            fix: Fix::Function,
        },
        Case {
            name: "role",
            wrong: |s| s["pulsar"]["authSecret"] = json!("role"),
            reason: "AuthorizationFailed",
            says: &["not authorized to"],
            fix: Fix::Function,
        },
        Case {
            name: "topic",
            wrong: |s| s["input"]["topics"] = json!(["persistent://public/nowhere/in"]),
            reason: "TopicNotFound",
            says: &["Namespace not found"],
            fix: Fix::Function,
        },
    ],
];

/// The address of a broker that is not reachable.
const AWAY: Case = Case {
    name: "broker",
    wrong: |_| {},
    reason: "BrokerUnreachable",
    says: &["exit code 0"],
    fix: Fix::Function,
};

fn secret(name: &str, data: &Value) -> Value {
    json!({"apiVersion": "v1", "kind": "Secret", "metadata": {"name": name}, "stringData": data})
}

#[tokio::test(flavor = "multi_thread")]
async fn each_failure_is_reported_and_recovers() -> Result<()> {
    let env = TestEnv::connect().await?;
    let kubectl = env.kubectl.clone();
    let (pulsar, controllers) = import_images(&env)?;
    kubectl.namespace(TEST_NAMESPACE)?;
    kubectl.apply(TEST_NAMESPACE, &settings().to_string())?;
    let broker = Broker::deploy(&kubectl, TEST_NAMESPACE, &pulsar)?;
    kubectl.install(&controllers, &[])?;
    broker.ready()?;
    let result = all(&kubectl, &broker, &pulsar, &Plugin::new(&env, TEST_NAMESPACE));
    if result.is_err() {
        for what in ["get fn,pods -A -o wide", "get events -A"] {
            eprintln!("{}", output(&mut kubectl.command(what)).unwrap_or_else(|error| format!("{error:#}")));
        }
    }
    result
}

/// A client without a token has all permissions; a token has to be valid, and only one role has permissions.
fn settings() -> Value {
    let lines = [
        "authenticationEnabled=true".to_owned(),
        "authorizationEnabled=true".to_owned(),
        "authenticationProviders=org.apache.pulsar.broker.authentication.AuthenticationProviderToken"
            .to_owned(),
        format!("tokenSecretKey=data:;base64,{}", KEYS[0]),
        "anonymousUserRole=anonymous".to_owned(),
        "superUserRoles=anonymous,admin".to_owned(),
        "authenticationRefreshCheckSeconds=10".to_owned(),
    ];
    let data = json!({"auth": format!("\n{}\n", lines.join("\n"))});
    json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "pulsar-settings"}, "data": data})
}

fn all(kubectl: &Kubectl, broker: &Broker, pulsar: &str, plugin: &Plugin) -> Result<()> {
    kubectl.apply(TEST_NAMESPACE, &secret("some", &json!({"other": "x"})).to_string())?;
    let wrong = token(kubectl, KEYS[1], "admin", None)?;
    authenticate(kubectl, "token", &wrong)?;
    authenticate(kubectl, "role", &token(kubectl, KEYS[0], "nobody", None)?)?;
    let right = token(kubectl, KEYS[0], "admin", None)?;
    let mut table = Vec::new();
    for group in CASES {
        let cases: Vec<&Case> = group.iter().filter(|case| is_wanted(case)).collect();
        reported(kubectl, &cases, pulsar, &mut table)?;
        for case in &cases {
            shown::status(plugin, case.name, case.reason)?;
        }
        let shown = output(&mut kubectl.command(&format!("-n {TEST_NAMESPACE} get fn,events -o yaml")))?;
        ensure!(!shown.contains(&wrong), "a token is in a status or an Event");
        // Only one of the two Secrets is fixed.
        for case in cases.iter().filter(|case| ["token", "role"].contains(&case.name)) {
            authenticate(kubectl, case.name, &right)?;
        }
        fixed(kubectl, &cases, pulsar)?;
    }
    connection::all(kubectl, broker, pulsar, plugin)?;
    if !is_wanted(&AWAY) {
        return Ok(());
    }
    run(&mut kubectl.command(&format!("-n {TEST_NAMESPACE} scale statefulset/pulsar --replicas=0")))?;
    until("the end of the broker", FIXED, || match get(kubectl, "pod/pulsar-0") {
        Err(_) => Ok(()),
        Ok(_) => bail!("the broker's pod is there"),
    })?;
    reported(kubectl, &[&AWAY], pulsar, &mut table)?;
    shown::status(plugin, AWAY.name, AWAY.reason)?;
    run(&mut kubectl.command(&format!("-n {TEST_NAMESPACE} scale statefulset/pulsar --replicas=1")))?;
    broker.ready()?;
    fixed(kubectl, &[&AWAY], pulsar)?;
    for line in table {
        progress(&line);
    }
    Ok(())
}

/// `CASE=name` selects one of them, `CASE=name,name` some.
fn is_wanted(case: &Case) -> bool {
    is_named(case.name)
}

fn is_named(case: &str) -> bool {
    std::env::var("CASE").map_or(true, |names| names.is_empty() || names.split(',').any(|name| name == case))
}

/// Applies the broken function, and waits until the status reports the reason.
fn reported(kubectl: &Kubectl, cases: &[&Case], pulsar: &str, table: &mut Vec<String>) -> Result<()> {
    let mut since = BTreeMap::new();
    for case in cases {
        progress(&format!("{}: applying the broken function", case.name));
        kubectl.apply(TEST_NAMESPACE, &function(case.name, pulsar, case.wrong))?;
        since.insert(case.name, Instant::now());
    }
    let mut open: Vec<&Case> = cases.to_vec();
    until("causes", FIXED, || {
        let mut seen = Vec::new();
        open.retain(|case| {
            let words = format!("-n {TEST_NAMESPACE} get fn {} -o wide --no-headers", case.name);
            let line = output(&mut kubectl.command(&words)).unwrap_or_default();
            let reported = line.contains(&format!("False   {}", case.reason))
                && case.says.iter().all(|w| line.contains(w));
            if reported {
                seen.push((case.name, since[case.name].elapsed(), line));
            }
            !reported
        });
        for (name, took, line) in seen {
            table.push(format!("{name}: {} s: {}", took.as_secs(), line.trim()));
            ensure!(took <= REPORTED, "{name}: reported after {} s", took.as_secs());
        }
        let open: Vec<_> =
            open.iter().map(|c| (c.name, ready(kubectl, &format!("fn/{}", c.name)).ok())).collect();
        if open.is_empty() { Ok(()) } else { bail!("not reported: {open:?}") }
    })
}

/// Fixes it, and waits until it runs. One Event has reported the failure.
fn fixed(kubectl: &Kubectl, cases: &[&Case], pulsar: &str) -> Result<()> {
    for case in cases {
        match case.fix {
            Fix::Function if ["token", "role", "broker"].contains(&case.name) => {}
            Fix::Function => kubectl.apply(TEST_NAMESPACE, &function(case.name, pulsar, |_| {}))?,
            Fix::Apply(other) => kubectl.apply(TEST_NAMESPACE, &other().to_string())?,
        }
    }
    for case in cases {
        until(case.name, FIXED, || {
            let (status, reason, message) = ready(kubectl, &format!("fn/{}", case.name))?;
            if status == "True" { Ok(()) } else { bail!("{reason}: {message}") }
        })?;
        let warnings = format!(
            "events --field-selector involvedObject.kind=Function,involvedObject.name={},type=Warning",
            case.name
        );
        let list = get(kubectl, &warnings)?;
        let reasons: Vec<_> =
            list["items"].as_array().into_iter().flatten().map(|e| e["reason"].clone()).collect();
        ensure!(reasons == [json!(case.reason)], "{}: Events {reasons:?}", case.name);
        run(&mut kubectl.command(&format!("-n {TEST_NAMESPACE} delete fn/{} --wait=false", case.name)))?;
    }
    Ok(())
}

/// A token of a role, made by Pulsar's own tool, valid for some seconds or without expiry.
fn token(kubectl: &Kubectl, key: &str, role: &str, seconds: Option<u64>) -> Result<String> {
    let key = format!("data:;base64,{key}");
    let words = [
        "-n",
        TEST_NAMESPACE,
        "exec",
        "pulsar-0",
        "--",
        "bin/pulsar",
        "tokens",
        "create",
        "--subject",
        role,
        "--secret-key",
    ];
    let expiry = seconds.map(|seconds| ["--expiry-time".to_owned(), format!("{seconds}s")]);
    let text = output(kubectl.with(words).arg(key).args(expiry.into_iter().flatten()))?;
    text.lines().map(str::trim).find(|line| line.starts_with("ey")).map(str::to_owned).context("no token")
}

/// The Secret from which a function takes its token.
fn authenticate(kubectl: &Kubectl, name: &str, token: &str) -> Result<()> {
    let data = json!({
        "clientAuthenticationPlugin": "org.apache.pulsar.client.impl.auth.AuthenticationToken",
        "clientAuthenticationParameters": format!("token:{token}"),
    });
    kubectl.apply(TEST_NAMESPACE, &secret(name, &data).to_string())
}
