//! Sources and sinks.

use crate::matrix::Case;
use crate::matrix::run::Run;
use crate::matrix::stage::NAMESPACE;
use anyhow::{Result, ensure};
use e2e::images;
use e2e::shell::{output, run as execute, until};
use serde_json::json;
use std::time::Duration;

pub(crate) fn cases() -> Vec<Case> {
    let case = |sample, check| Case { group: "connectors", sample, check };
    vec![case("60-data-generator", people), case("61-batch-source", people), case("62-jdbc-sink", database)]
}

fn people(run: &Run<'_>) -> Result<()> {
    run.apply()?;
    run.until_ready("src")?;
    let people = run.first(&run.topic("out"), 10)?;
    ensure!(people.len() >= 10, "{} messages", people.len());
    ensure!(people.iter().all(|p| p.value.contains("firstName")), "{:?}", people.first());
    Ok(())
}

/// Ten thousand records, each key twice, while the sink is killed: a row for each key, with the last name.
fn database(run: &Run<'_>) -> Result<()> {
    const KEYS: usize = 5000;
    run.stage.import(&images::postgres()?)?;
    let pod = json!({
        "apiVersion": "v1", "kind": "Pod", "metadata": {"name": "database", "labels": {"app": "database"}},
        "spec": {"terminationGracePeriodSeconds": 0, "enableServiceLinks": false, "containers": [{
            "name": "database", "image": images::POSTGRES_IMAGE, "imagePullPolicy": "IfNotPresent",
            "readinessProbe": {"exec": {"command": ["psql", "-c", "select 1"]}, "periodSeconds": 2},
        }]},
    });
    let service = json!({"apiVersion": "v1", "kind": "Service", "metadata": {"name": "database"},
        "spec": {"selector": {"app": "database"}, "ports": [{"port": 5432}]}});
    for object in [&pod, &service] {
        run.stage.kubectl.apply(NAMESPACE, &object.to_string())?;
    }
    run.stage.secret("database", &json!({"password": "anything"}))?;
    let ready = format!("-n {NAMESPACE} wait --for=condition=Ready pod/database --timeout=120s");
    execute(&mut run.stage.kubectl.command(&ready))?;
    let query = |statement: &str| -> Result<String> {
        let start = ["-n", NAMESPACE, "exec", "database", "--", "psql", "-At", "-c", statement];
        output(&mut run.stage.kubectl.with(start))
    };
    query("create table if not exists people (id int primary key, name text); truncate people")?;
    run.apply()?;
    run.until_ready("snk")?;
    run.send_people("early", KEYS)?;
    execute(
        &mut run
            .stage
            .kubectl
            .command(&format!("-n {NAMESPACE} delete pod {}-sink-0 --grace-period=0 --force", run.name())),
    )?;
    run.send_people("late", KEYS)?;
    until("rows", Duration::from_secs(240), || {
        let rows = query(
            "select count(*), count(distinct id), count(*) filter (where name like 'late-%') from people",
        )?;
        ensure!(rows.trim() == format!("{KEYS}|{KEYS}|{KEYS}"), "{rows}");
        Ok(())
    })?;
    run.until_backlog(&run.topic("in"), 0)?;
    run.received(KEYS);
    Ok(())
}
