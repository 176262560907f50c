//! The alerts: Prometheus accepts them, each fires in a test and has a runbook, and they use only metrics that exist.

use crate::chart::helm::{NAMESPACE, chart, objects, scratch};
use crate::chart::metrics;
use anyhow::{Context, Result, anyhow, ensure};
use e2e::paths;
use e2e::shell::{command, output, run};
use e2e::tools;
use serde_json::{Value, json};
use std::collections::BTreeSet;
use std::fs;
use std::sync::Mutex;

/// Installs Debian's Prometheus, which has promtool, if it is missing.
///
/// # Errors
/// When it cannot be installed here.
pub(crate) fn promtool() -> Result<()> {
    // Two tests need it, and apt-get runs once at a time.
    static INSTALLING: Mutex<()> = Mutex::new(());
    let _guard = INSTALLING.lock().map_err(|_| anyhow!("the installation failed"))?;
    tools::packages(&[("promtool", "prometheus")])
}

fn rules() -> Result<Value> {
    let objects = objects(&json!({"prometheusRule": {"enabled": true}}))?;
    let rule = objects.into_iter().find(|object| object["kind"] == "PrometheusRule");
    Ok(rule.context("no PrometheusRule")?["spec"].clone())
}

fn alerts(rules: &Value) -> impl Iterator<Item = &Value> {
    let groups = rules["groups"].as_array().into_iter().flatten();
    groups.flat_map(|group| group["rules"].as_array().into_iter().flatten())
}

#[test]
fn each_alert_fires_in_a_test() -> Result<()> {
    promtool()?;
    let folder = scratch("alerts")?;
    let rules = rules()?;
    // The tests would have to repeat the descriptions, which say the same for every alert.
    let mut short = rules.clone();
    for group in short["groups"].as_array_mut().into_iter().flatten() {
        for rule in group["rules"].as_array_mut().into_iter().flatten() {
            rule["annotations"].as_object_mut().map(|annotations| annotations.remove("description"));
        }
    }
    fs::write(folder.join("all.yaml"), serde_yaml::to_string(&rules)?)?;
    fs::write(folder.join("rules.yaml"), serde_yaml::to_string(&short)?)?;
    let file = chart("function-mesh-operator").join("tests/alerts.yaml");
    fs::copy(&file, folder.join("tests.yaml"))?;
    run(command("promtool", ["check", "rules", "all.yaml"]).current_dir(&folder))?;
    println!("{}", output(command("promtool", ["test", "rules", "tests.yaml"]).current_dir(&folder))?);

    let tests: Value = serde_yaml::from_str(&fs::read_to_string(file)?)?;
    let mut fired = BTreeSet::new();
    let mut silent = BTreeSet::new();
    for test in tests["tests"].as_array().into_iter().flatten() {
        for expected in test["alert_rule_test"].as_array().into_iter().flatten() {
            let is_expected = expected["exp_alerts"].as_array().is_some_and(|alerts| !alerts.is_empty());
            let name = expected["alertname"].as_str().context("name of an alert")?.to_owned();
            if is_expected {
                fired.insert(name)
            } else {
                silent.insert(name)
            };
        }
    }
    for alert in alerts(&rules) {
        let name = alert["alert"].as_str().context("name of an alert")?;
        ensure!(fired.contains(name), "no test in which {name} fires");
        ensure!(silent.contains(name), "no test in which {name} does not fire");
    }
    Ok(())
}

#[test]
fn alerts_use_only_metrics_that_exist() -> Result<()> {
    let known = metrics::known()?;
    for alert in alerts(&rules()?) {
        let query = alert["expr"].as_str().context("expression")?;
        let used = metrics::used(query);
        ensure!(!used.is_empty() && used.is_subset(&known), "{query}: {:?}", used.difference(&known));
    }
    Ok(())
}

/// A link leads to a heading: to that of the alert, or of the reason.
#[test]
fn each_alert_has_a_runbook() -> Result<()> {
    for alert in alerts(&rules()?) {
        let (name, link) = (alert["alert"].to_string(), alert["annotations"]["runbook_url"].as_str());
        let link = link.with_context(|| name.clone())?;
        let (page, anchor) = link.split_once('#').with_context(|| link.to_owned())?;
        let text = fs::read_to_string(paths::root().join(page)).with_context(|| page.to_owned())?;
        let mut headings = text.lines().filter_map(|line| line.strip_prefix("### "));
        // Each reason has its heading, which a test of the generator checks.
        let by_reason = anchor == "{{ $labels.reason | toLower }}";
        ensure!(by_reason || headings.any(|heading| heading.to_lowercase() == anchor), "{name}: {link}");
        ensure!(!alert.to_string().contains("CONTROLLER_N"), "{name}: a placeholder is left in {NAMESPACE}");
        let page = fs::read_to_string(paths::root().join("docs/operate/monitoring.md"))?;
        ensure!(page.contains(name.trim_matches('"')), "docs/operate/monitoring.md does not explain {name}");
    }
    Ok(())
}
