//! Sources and sinks.

use crate::matrix::Case;
use crate::matrix::run::{Run, texts};
use crate::matrix::stage::NAMESPACE;
use anyhow::{Result, ensure};
use e2e::images::{KAFKA_BROKER, POSTGRESQL, RABBITMQ, REDIS};
use e2e::shell::{output, run as execute, until};
use serde_json::{Value, json};
use std::time::Duration;

/// Longest wait for what arrives in another system.
const TIMEOUT: Duration = Duration::from_secs(240);

pub(crate) fn cases() -> Vec<Case> {
    let case = |sample, check| Case { group: "connectors", sample, check };
    vec![
        case("60-data-generator", people),
        case("61-batch-source", people),
        case("62-jdbc-sink", database),
        case("63-redis-sink", redis),
        case("64-rabbitmq", rabbitmq),
        case("65-kafka-to-postgresql", kafka_to_postgresql),
    ]
}

fn people(run: &Run<'_>) -> Result<()> {
    run.apply()?;
    run.until_ready("src")?;
    let people = run.first(&run.topic("out"), 10)?;
    ensure!(people.len() >= 10, "{} messages", people.len());
    ensure!(people.iter().all(|p| p.value.contains("firstName")), "{:?}", people.first());
    Ok(())
}

/// Starts PostgreSQL with an empty table.
fn table(run: &Run<'_>, name: &str) -> Result<()> {
    run.stage.system(&POSTGRESQL)?;
    run.stage.secret("database", &json!({"password": "anything"}))?;
    let create =
        format!("create table if not exists {name} (id int primary key, name text); truncate {name}");
    query(run, &create).map(drop)
}

/// The answer of PostgreSQL.
fn query(run: &Run<'_>, statement: &str) -> Result<String> {
    let psql = ["-n", NAMESPACE, "exec", POSTGRESQL.name, "--", "psql", "-At", "-c", statement];
    output(&mut run.stage.kubectl.with(psql))
}

/// Deletes a pod without a grace period.
fn kill(run: &Run<'_>, pod: &str) -> Result<()> {
    let words = format!("-n {NAMESPACE} delete pod {pod} --grace-period=0 --force");
    execute(&mut run.stage.kubectl.command(&words))
}

/// Ten thousand records, each key twice, while the sink is killed: a row for each key, with the last name.
fn database(run: &Run<'_>) -> Result<()> {
    const KEYS: usize = 5000;
    table(run, "people")?;
    run.apply()?;
    run.until_ready("snk")?;
    run.send_people("early", KEYS)?;
    kill(run, &format!("{}-sink-0", run.name()))?;
    run.send_people("late", KEYS)?;
    until("rows", TIMEOUT, || {
        let rows = query(
            run,
            "select count(*), count(distinct id), count(*) filter (where name like 'late-%') from people",
        )?;
        ensure!(rows.trim() == format!("{KEYS}|{KEYS}|{KEYS}"), "{rows}");
        Ok(())
    })?;
    run.until_backlog(&run.topic("in"), 0)?;
    run.received(KEYS);
    Ok(())
}

/// The value of each key is that of its last message.
fn redis(run: &Run<'_>) -> Result<()> {
    const KEYS: usize = 500;
    run.stage.system(&REDIS)?;
    let ask = |words: &[&str]| -> Result<String> {
        let start = ["-n", NAMESPACE, "exec", REDIS.name, "--", "redis-cli", "-n", "1"];
        output(&mut run.stage.kubectl.with(start.iter().chain(words).copied()))
    };
    ask(&["flushdb"])?;
    run.apply()?;
    run.until_ready("snk")?;
    for name in ["early", "late"] {
        let messages: Vec<Value> = (0..KEYS)
            .map(|key| json!({"value": format!("{name}-{key}"), "key": format!("key-{key}")}))
            .collect();
        run.send(&run.topic("in"), &messages)?;
    }
    run.until_backlog(&run.topic("in"), 0)?;
    ensure!(ask(&["dbsize"])?.trim() == KEYS.to_string(), "{}", ask(&["dbsize"])?);
    for key in [0, KEYS / 2, KEYS - 1] {
        let value = ask(&["get", &format!("key-{key}")])?;
        ensure!(value.trim() == format!("late-{key}"), "key-{key}: {value}");
    }
    run.received(KEYS);
    Ok(())
}

/// Every message comes back once; user and password are in a Secret.
fn rabbitmq(run: &Run<'_>) -> Result<()> {
    run.stage.system(&RABBITMQ)?;
    run.stage.secret("rabbitmq", &json!({"username": "guest", "password": "guest"}))?;
    let queue = json!({
        "queues": [{"name": "events", "vhost": "/", "durable": true, "auto_delete": false, "arguments": {}}],
        "exchanges": [{"name": "events", "vhost": "/", "type": "direct", "durable": true, "auto_delete": false,
            "internal": false, "arguments": {}}],
        "bindings": [{"source": "events", "vhost": "/", "destination": "events", "destination_type": "queue",
            "routing_key": "events", "arguments": {}}],
    });
    let import = format!(
        "echo '{queue}' > /tmp/definitions.json && rabbitmqctl -n rabbit@localhost import_definitions /tmp/definitions.json"
    );
    let exec = ["-n", NAMESPACE, "exec", RABBITMQ.name, "--", "bash", "-c", &import];
    execute(&mut run.stage.kubectl.with(exec))?;
    run.apply()?;
    run.until_ready("fmesh")?;
    let sent = texts("x", 500);
    run.send(&run.topic("in"), &sent.iter().map(|text| json!(text)).collect::<Vec<_>>())?;
    run.expect(&run.topic("out"), &sent)?;
    run.until_backlog(&run.topic("in"), 0)
}

/// Ten thousand messages through Kafka, a function and PostgreSQL, while pods are killed: a row for each, none is lost.
fn kafka_to_postgresql(run: &Run<'_>) -> Result<()> {
    const NUMBER: usize = 10_000;
    table(run, "people_of_kafka")?;
    run.stage.system(&KAFKA_BROKER)?;
    run.apply()?;
    run.until_ready("fmesh")?;
    let people = |from: usize| -> Vec<Value> {
        (from..from + NUMBER / 2).map(|id| json!(format!("{id} person {id}"))).collect()
    };
    run.send(&run.topic("in"), &people(0))?;
    for pod in ["from-kafka-source-0", "to-person-function-0", "to-postgresql-sink-0"] {
        kill(run, &format!("{}-{pod}", run.name()))?;
    }
    run.send(&run.topic("in"), &people(NUMBER / 2))?;
    until("rows", TIMEOUT, || {
        let rows = query(
            run,
            "select count(*), min(id), max(id), count(*) filter (where name = 'person ' || id) from people_of_kafka",
        )?;
        ensure!(rows.trim() == format!("{NUMBER}|0|{}|{NUMBER}", NUMBER - 1), "{rows}");
        Ok(())
    })?;
    run.until_backlog(&run.topic("in"), 0)?;
    run.received(NUMBER);
    Ok(())
}
