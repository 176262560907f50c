//! `top`: rates from two samples, fast for many pods.

use super::fake::Fake;
use super::objects::pod;
use serde_json::Value;
use std::process::Command;
use std::time::{Duration, Instant};

const METRICS: &str = include_str!("../data/java-function.txt");

#[test]
fn fifty_pods_are_asked_twice_within_five_seconds() {
    let pods: Vec<Value> = (0..50).map(|number| pod("enrich", number)).collect();
    let fake = Fake::new()
        .lists("get --ignore-not-found --output=json pods", &pods)
        .waits("--raw", "0.2")
        .answers("--raw", METRICS);
    // What a hundred processes cost here, one after another: the machine may be busy.
    let started = Instant::now();
    for _ in 0..100 {
        Command::new("true").status().unwrap();
    }
    let busy = started.elapsed();
    let started = Instant::now();
    let answer = fake.run(&["top", "function", "-n", "demo", "-o", "json"]);
    let taken = started.elapsed();
    assert_eq!(answer.code, Some(0), "{answer:#?}");
    let item = &answer.json()["items"][0];
    assert_eq!(
        (&item["pods"], &item["answered"], &item["exceptions"]),
        (&50.into(), &50.into(), &150.0.into())
    );
    assert_eq!(item["receivedPerSecond"], 0.0, "the same numbers twice");
    assert!(
        taken < Duration::from_secs(5) + 5 * busy,
        "{taken:?}; one after another they wait for 20 s; {busy:?}"
    );
    assert_eq!(fake.calls().iter().filter(|call| call.contains(":9094/proxy/metrics")).count(), 100);
}

#[test]
fn a_table_has_a_line_for_each_object_or_pod_and_names_those_that_do_not_answer() {
    let mut pending = pod("enrich", 1);
    pending["status"]["phase"] = "Pending".into();
    let fake = Fake::new()
        .lists("output=json pods", &[pod("enrich", 0), pending, pod("count", 0)])
        .forbids("count-function-0:9094")
        .answers("--raw", METRICS);
    let answer = fake.run(&["top", "--interval", "0"]);
    let lines: Vec<&str> = answer.stdout.lines().collect();
    assert!(lines.len() == 3 && lines.iter().all(|line| line.len() <= 80), "{answer:#?}");
    let words: Vec<&str> = lines[2].split_whitespace().collect();
    assert_eq!(words[..5], ["function/enrich", "1/2", "-", "-", "3"], "{answer:#?}");
    assert!(lines[1].starts_with("function/count") && lines[2].ends_with("512Mi"), "{answer:#?}");
    assert!(answer.stderr.contains("pod demo/enrich-function-1: it is Pending"), "{answer:#?}");
    assert!(
        answer.stderr.contains("pod demo/count-function-0: Error from server (Forbidden)"),
        "{answer:#?}"
    );
    let pods = fake.run(&["top", "function", "enrich", "count", "--pods", "--interval", "0"]);
    assert!(
        pods.stdout.contains("enrich-function-0 ") && pods.stdout.contains("enrich-function-1 "),
        "{pods:#?}"
    );
    assert!(fake.calls().iter().any(|call| call.contains("compute.functionmesh.io/name in (enrich,count)")));
    let mesh = fake.run(&["top", "functionmesh", "orders"]);
    assert!(mesh.code == Some(1) && mesh.stderr.contains("functions, sources and sinks"), "{mesh:#?}");
}
