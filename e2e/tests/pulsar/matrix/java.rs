//! Java functions, most of them Pulsar's own examples.

use crate::matrix::Case;
use crate::matrix::run::{Run, texts, values, with};
use anyhow::{Context, Result, ensure};
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};

pub(crate) fn cases() -> Vec<Case> {
    let case = |sample, check| Case { group: "java", sample, check };
    vec![
        case("10-several-inputs", several_inputs),
        case("11-topic-pattern", topic_pattern),
        case("12-custom-serde", custom_serde),
        case("13-user-config", user_config),
        case("14-secrets", secrets),
        case("15-log-topic", log_topic),
        case("16-dead-letters", dead_letters),
        case("17-manual", manual),
        case("18-at-most-once", at_most_once),
        case("19-effectively-once", effectively_once),
        case("20-retain-ordering", retain_ordering),
        case("21-retain-key-ordering", retain_key_ordering),
        case("22-window-by-count", window_by_count),
        case("23-window-by-time", window_by_time),
    ]
}

fn several_inputs(run: &Run<'_>) -> Result<()> {
    let (a, b) = (texts("a", 50), texts("b", 50));
    run.send(&run.topic("a"), &values(&a))?;
    run.send(&run.topic("b"), &values(&b))?;
    run.apply()?;
    run.ready()?;
    run.expect(&run.topic("out"), &with(&[a, b].concat(), "!")).map(drop)
}

fn topic_pattern(run: &Run<'_>) -> Result<()> {
    let (first, second, other) = (texts("a", 50), texts("b", 50), texts("c", 5));
    run.send(&run.topic("in-first"), &values(&first))?;
    run.send(&run.topic("other"), &values(&other))?;
    run.apply()?;
    run.ready()?;
    run.expect(&run.topic("out"), &with(&first, "!"))?;
    // A topic that did not exist when the function started.
    run.send(&run.topic("in-second"), &values(&second))?;
    run.expect(&run.topic("out"), &with(&[first, second].concat(), "!")).map(drop)
}

fn custom_serde(run: &Run<'_>) -> Result<()> {
    let hex = |number: u64| format!("{number:016x}");
    let sent: Vec<Value> = (0..50).map(|n| json!({"hex": hex(n)})).collect();
    run.send(&run.topic("in"), &sent)?;
    run.apply()?;
    run.ready()?;
    let messages = run.receive(&run.topic("out"), 50)?;
    let received: BTreeSet<String> = messages.iter().map(|m| m.hex.clone()).collect();
    let expected: BTreeSet<String> = (100..150).map(hex).collect();
    ensure!(messages.len() == 50 && received == expected, "{} messages: {received:?}", messages.len());
    Ok(())
}

fn user_config(run: &Run<'_>) -> Result<()> {
    run.send(&run.topic("in"), &values(&texts("x", 20)))?;
    run.apply()?;
    run.ready()?;
    run.expect(&run.topic("out"), &vec!["it's \"100%\" $HOME äöü".to_owned(); 20]).map(drop)
}

fn secrets(run: &Run<'_>) -> Result<()> {
    run.answers(20, " correct horse")?;
    // The secret is in no object but the Secret.
    let objects =
        run.stage.get(&format!("fn,statefulsets,pods -l compute.functionmesh.io/name={}", run.name()))?;
    ensure!(!objects.to_string().contains("correct horse"), "the secret is readable in the objects");
    Ok(())
}

fn log_topic(run: &Run<'_>) -> Result<()> {
    let sent = texts("logged", 20);
    run.send(&run.topic("in"), &values(&sent))?;
    run.apply()?;
    run.ready()?;
    run.expect(&run.topic("out"), &with(&sent, "!"))?;
    let logged = run.receive(&run.topic("log"), 20)?;
    for text in &sent {
        ensure!(logged.iter().any(|m| m.value.contains(text)), "{text} is not in the log topic");
    }
    Ok(())
}

fn dead_letters(run: &Run<'_>) -> Result<()> {
    let mut sent = values(&texts("fine", 20));
    sent.extend([json!("FAIL"), json!("FAIL"), json!("FAIL")]);
    run.send(&run.topic("in"), &sent)?;
    run.apply()?;
    run.ready()?;
    run.expect(&run.topic("out"), &vec!["SUCCESS".to_owned(); 20])?;
    run.expect(&run.topic("dead"), &vec!["FAIL".to_owned(); 3])?;
    run.until_backlog(&run.topic("in"), 0)
}

fn manual(run: &Run<'_>) -> Result<()> {
    let sent = texts("x", 20);
    run.send(&run.topic("in"), &values(&sent))?;
    run.apply()?;
    run.ready()?;
    run.expect(&run.topic("out"), &with(&sent, "!"))?;
    run.until_backlog(&run.topic("in"), 20)?;
    // Nothing was acknowledged, so everything is delivered again.
    run.kill(0)?;
    let twice: Vec<String> = sent.iter().chain(&sent).map(|m| format!("{m}!")).collect();
    run.expect(&run.topic("out"), &twice).map(drop)
}

fn at_most_once(run: &Run<'_>) -> Result<()> {
    let mut sent = values(&texts("fine", 20));
    sent.extend([json!("FAIL"), json!("FAIL")]);
    run.send(&run.topic("in"), &sent)?;
    run.apply()?;
    run.ready()?;
    run.expect(&run.topic("out"), &vec!["SUCCESS".to_owned(); 20])?;
    // Failed messages are acknowledged, and not delivered again after a restart.
    run.until_backlog(&run.topic("in"), 0)?;
    run.kill(0)?;
    run.ready()?;
    run.expect(&run.topic("out"), &vec!["SUCCESS".to_owned(); 20])?;
    run.until_backlog(&run.topic("in"), 0)
}

fn effectively_once(run: &Run<'_>) -> Result<()> {
    let sent = texts("x", 500);
    // Each message is sent twice with the same sequence number by producers of the same name: the broker keeps one.
    let numbered: Vec<Value> =
        sent.iter().zip(1..).map(|(m, n)| json!({"value": m, "sequence": n})).collect();
    let producer = json!({"producer": "matrix"});
    run.send_with(&run.topic("in"), &numbered, &producer)?;
    run.send_with(&run.topic("in"), &numbered, &producer)?;
    run.apply()?;
    run.ready()?;
    // Killed while messages are processed but not acknowledged.
    let more: Vec<String> = texts("y", 2000);
    let numbered: Vec<Value> =
        more.iter().zip(501..).map(|(m, n)| json!({"value": m, "sequence": n})).collect();
    run.send_with(&run.topic("in"), &numbered, &producer)?;
    run.kill(0)?;
    run.expect(&run.topic("out"), &with(&[sent, more].concat(), "!"))?;
    run.until_backlog(&run.topic("in"), 0)
}

fn retain_ordering(run: &Run<'_>) -> Result<()> {
    // Both consumers exist before the first message: a consumer that becomes the active one receives again what the other has
    // not acknowledged yet.
    run.apply()?;
    run.ready()?;
    let sent = texts("x", 500);
    run.send(&run.topic("in"), &values(&sent))?;
    let messages = run.expect(&run.topic("out"), &with(&sent, "!"))?;
    let received: Vec<String> = messages.into_iter().map(|m| m.value).collect();
    ensure!(received == with(&sent, "!"), "the order changed");
    // One of two consumers is active.
    let path = format!("/admin/v2/{}/stats", run.topic("in").replace("://", "/"));
    let stats = run.stage.admin("GET", &path, &Value::Null)?;
    let subscription = stats["subscriptions"].as_object().and_then(|s| s.values().next()).cloned();
    let subscription = subscription.context("no subscription")?;
    ensure!(subscription["type"] == "Failover", "{}", subscription["type"]);
    ensure!(subscription["consumers"].as_array().map(Vec::len) == Some(2), "{}", subscription["consumers"]);
    Ok(())
}

fn retain_key_ordering(run: &Run<'_>) -> Result<()> {
    run.apply()?;
    run.ready()?;
    let sent: Vec<Value> =
        (0..500).map(|n| json!({"value": format!("{n:03}"), "key": format!("k{}", n % 20)})).collect();
    run.send(&run.topic("in"), &sent)?;
    let messages = run.receive(&run.topic("out"), 500)?;
    ensure!(messages.len() == 500, "{} messages", messages.len());
    // The value is the number, a separator and the ordinal of the instance.
    let mut of_number: BTreeMap<usize, (usize, char)> = BTreeMap::new();
    for (place, message) in messages.iter().enumerate() {
        let number = message.value[..3].parse()?;
        of_number.insert(number, (place, message.value.chars().last().context("empty")?));
    }
    ensure!(of_number.len() == 500, "{} different messages", of_number.len());
    for key in 0..20 {
        let of_key: Vec<&(usize, char)> =
            of_number.iter().filter(|(n, _)| *n % 20 == key).map(|(_, m)| m).collect();
        ensure!(of_key.iter().all(|m| m.1 == of_key[0].1), "key {key} went to both instances");
        ensure!(of_key.is_sorted_by_key(|m| m.0), "key {key} is out of order");
    }
    let instances: BTreeSet<char> = of_number.values().map(|m| m.1).collect();
    ensure!(instances.len() == 2, "only instance {instances:?} worked");
    Ok(())
}

/// The messages of all windows.
fn in_windows(windows: &[crate::matrix::run::Message]) -> BTreeSet<String> {
    windows.iter().flat_map(|w| w.value.split(',').map(str::to_owned)).collect()
}

fn window_by_count(run: &Run<'_>) -> Result<()> {
    let sent = texts("x", 95);
    run.send(&run.topic("in"), &values(&sent))?;
    run.apply()?;
    run.ready()?;
    let windows = run.receive(&run.topic("out"), 9)?;
    ensure!(windows.len() == 9, "{} windows", windows.len());
    ensure!(windows.iter().all(|w| w.value.split(',').count() == 10), "a window has not ten messages");
    // Five messages of an incomplete window are not lost with the instance.
    run.kill(0)?;
    let rest = texts("y", 5);
    run.send(&run.topic("in"), &values(&rest))?;
    let windows = run.receive(&run.topic("out"), 10)?;
    let received = in_windows(&windows);
    let lost: Vec<&String> = sent.iter().chain(&rest).filter(|m| !received.contains(*m)).collect();
    ensure!(lost.is_empty(), "lost: {lost:?}");
    Ok(())
}

fn window_by_time(run: &Run<'_>) -> Result<()> {
    run.apply()?;
    run.ready()?;
    let sent = texts("x", 200);
    // Killed in the middle of a window.
    run.send_with(&run.topic("in"), &values(&sent[..100]), &json!({"rate": 50}))?;
    run.kill(0)?;
    run.send_with(&run.topic("in"), &values(&sent[100..]), &json!({"rate": 50}))?;
    let mut received = BTreeSet::new();
    e2e::shell::until("windows", std::time::Duration::from_secs(90), || {
        received = in_windows(&run.look(&run.topic("out"), 1, 5)?);
        let lost = sent.iter().filter(|m| !received.contains(*m)).count();
        ensure!(lost == 0, "{lost} messages are in no window");
        Ok(())
    })?;
    run.receive(&run.topic("out"), 1).map(drop)
}
