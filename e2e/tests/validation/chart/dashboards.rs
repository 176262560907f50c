//! The dashboards: Prometheus can parse each query, and they use only metrics that exist.

use crate::chart::alerts::promtool;
use crate::chart::helm::{chart, scratch};
use crate::chart::metrics;
use anyhow::{Context, Result, ensure};
use e2e::shell::{command, run};
use serde_json::{Value, json};
use std::collections::BTreeSet;
use std::fs;

/// Queries of all panels and variables, with values for Grafana's variables.
fn queries() -> Result<Vec<(String, String)>> {
    let mut queries = Vec::new();
    for file in ["component", "controllers", "fleet"] {
        let path = chart("function-mesh-operator").join(format!("dashboards/{file}.json"));
        let dashboard: Value = serde_json::from_str(&fs::read_to_string(path)?).context(file)?;
        for panel in dashboard["panels"].as_array().context("panels")? {
            let title = format!("{file}: {}", panel["title"].as_str().unwrap_or_default());
            for target in panel["targets"].as_array().into_iter().flatten() {
                queries.push((title.clone(), target["expr"].as_str().context("a query")?.to_owned()));
            }
        }
        for variable in dashboard["templating"]["list"].as_array().context("variables")? {
            let query =
                variable["query"]["query"].as_str().or(variable["query"].as_str()).unwrap_or_default();
            if let Some(inner) = query.strip_prefix("label_values(").and_then(|rest| rest.rsplit_once(',')) {
                queries.push((format!("{file}: {}", variable["name"]), inner.0.to_owned()));
            }
        }
    }
    Ok(queries
        .into_iter()
        .map(|(title, query)| {
            let query = query.replace("$__rate_interval", "5m").replace("$__range", "1h");
            let query = ["namespace", "name", "kind", "controller", "release"]
                .iter()
                .fold(query, |query, name| query.replace(&format!("${name}"), "value"));
            (title, query)
        })
        .collect())
}

#[test]
fn each_query_of_the_dashboards_parses() -> Result<()> {
    promtool()?;
    let queries = queries()?;
    ensure!(queries.len() > 30, "only {} queries", queries.len());
    let rules: Vec<Value> = queries
        .iter()
        .enumerate()
        .map(|(index, (_, query))| json!({"record": format!("query:{index}"), "expr": query}))
        .collect();
    let file = scratch("dashboards")?.join("rules.yaml");
    fs::write(&file, serde_yaml::to_string(&json!({"groups": [{"name": "queries", "rules": rules}]}))?)?;
    run(command("promtool", ["check", "rules"]).arg(&file))?;
    let known = metrics::known()?;
    for (title, query) in &queries {
        let used = metrics::used(query);
        let unknown: BTreeSet<_> = used.difference(&known).collect();
        ensure!(!used.is_empty() && unknown.is_empty(), "{title}: {query}: {unknown:?}");
    }
    Ok(())
}

#[test]
fn dashboards_have_stable_identifiers_and_a_data_source_variable() -> Result<()> {
    let mut identifiers = BTreeSet::new();
    for file in ["component", "controllers", "fleet"] {
        let path = chart("function-mesh-operator").join(format!("dashboards/{file}.json"));
        let dashboard: Value = serde_json::from_str(&fs::read_to_string(path)?)?;
        let identifier = dashboard["uid"].as_str().context("uid")?.to_owned();
        ensure!(identifier.len() <= 40 && identifiers.insert(identifier), "{file}: uid");
        let mut panels = BTreeSet::new();
        for panel in dashboard["panels"].as_array().context("panels")? {
            ensure!(panels.insert(panel["id"].as_u64()), "{file}: two panels have one id");
            let row = panel["type"] == "row";
            ensure!(row || panel["datasource"]["uid"] == "${datasource}", "{file}: {}", panel["title"]);
        }
        ensure!(dashboard["templating"]["list"][0]["name"] == "datasource", "{file}: variables");
    }
    Ok(())
}
