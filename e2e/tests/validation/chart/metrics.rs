//! Which metrics exist, and which ones a query uses.

use crate::chart::helm::chart;
use anyhow::{Context, Result};
use e2e::paths;
use serde_json::Value;
use std::collections::BTreeSet;
use std::fs;

/// Metrics of Pulsar's instances and of the broker; those of Java, which Python and Go share under these names.
const PULSAR: [&str; 20] = [
    "pulsar_function_received_total",
    "pulsar_function_processed_successfully_total",
    "pulsar_function_user_exceptions_total",
    "pulsar_function_system_exceptions_total",
    "pulsar_function_process_latency_ms",
    "pulsar_function_process_latency_ms_sum",
    "pulsar_function_process_latency_ms_count",
    "pulsar_function_last_invocation",
    "pulsar_source_received_total",
    "pulsar_source_written_total",
    "pulsar_source_source_exceptions_total",
    "pulsar_source_system_exceptions_total",
    "pulsar_source_last_invocation",
    "pulsar_sink_received_total",
    "pulsar_sink_written_total",
    "pulsar_sink_sink_exceptions_total",
    "pulsar_sink_system_exceptions_total",
    "pulsar_sink_last_invocation",
    "pulsar_subscription_back_log",
    "pulsar_subscription_back_log_no_delayed",
];

/// Metrics of the JVM, kube-state-metrics and cAdvisor.
const OTHERS: [&str; 11] = [
    "jvm_memory_bytes_used",
    "jvm_memory_bytes_max",
    "jvm_gc_collection_seconds_sum",
    "jvm_threads_current",
    "container_cpu_usage_seconds_total",
    "container_memory_working_set_bytes",
    "kube_pod_container_resource_limits",
    "kube_pod_container_status_last_terminated_reason",
    "kube_pod_container_status_restarts_total",
    "kube_pod_container_status_ready",
    "up",
];

/// All metrics that a query may use.
///
/// # Errors
/// When the reference page or the configuration of kube-state-metrics cannot be read.
pub(crate) fn known() -> Result<BTreeSet<String>> {
    let mut known: BTreeSet<String> = PULSAR.iter().chain(&OTHERS).map(|name| (*name).to_owned()).collect();
    let page = fs::read_to_string(paths::root().join("docs/reference/metrics.md"))?;
    for line in page.lines().filter(|line| line.starts_with("| `")) {
        let name = line.split('`').nth(1).context("a metric has a name")?;
        if line.contains("| histogram |") {
            known.extend(["_bucket", "_sum", "_count"].map(|suffix| format!("{name}{suffix}")));
        }
        known.insert(name.to_owned());
    }
    let file = chart("function-mesh-operator").join("files/monitoring/kube-state-metrics.yaml");
    let configuration: Value = serde_yaml::from_str(&fs::read_to_string(file)?)?;
    for resource in configuration["spec"]["resources"].as_array().into_iter().flatten() {
        let prefix = resource["metricNamePrefix"].as_str().context("a prefix")?;
        for metric in resource["metrics"].as_array().into_iter().flatten() {
            known.insert(format!("{prefix}_{}", metric["name"].as_str().context("a name")?));
        }
    }
    Ok(known)
}

/// The names of metrics in a query: what is not in braces, in quotes, a list of labels, a function or a word of PromQL.
pub(crate) fn used(query: &str) -> BTreeSet<String> {
    const WORDS: [&str; 12] = [
        "and",
        "or",
        "unless",
        "by",
        "without",
        "on",
        "ignoring",
        "group_left",
        "group_right",
        "bool",
        "offset",
        "inf",
    ];
    let mut names = BTreeSet::new();
    let mut rest = query;
    let mut labels = false;
    while let Some(first) = rest.chars().next() {
        let length = match first {
            '"' => rest[1..].find('"').map_or(rest.len(), |end| end + 2),
            '{' => rest.find('}').map_or(rest.len(), |end| end + 1),
            '[' => rest.find(']').map_or(rest.len(), |end| end + 1),
            '(' if labels => {
                labels = false;
                rest.find(')').map_or(rest.len(), |end| end + 1)
            }
            c if c.is_ascii_alphabetic() || c == '_' => {
                let end = |c: char| !(c.is_ascii_alphanumeric() || c == '_' || c == ':');
                let length = rest.find(end).unwrap_or(rest.len());
                let (word, after) = rest.split_at(length);
                let call = after.trim_start().starts_with('(');
                labels = ["by", "without", "on", "ignoring", "group_left", "group_right"].contains(&word);
                let aggregation =
                    after.trim_start().starts_with("by ") || after.trim_start().starts_with("by(");
                if !call && !aggregation && !WORDS.contains(&word) {
                    names.insert(word.to_owned());
                }
                length
            }
            c if c.is_ascii_digit() => rest.find(|c: char| !c.is_ascii_alphanumeric()).unwrap_or(rest.len()),
            c => c.len_utf8(),
        };
        rest = &rest[length..];
    }
    names
}

#[test]
fn the_metrics_of_a_query_are_found() {
    let query = r#"sum by (a, le) (rate(m_total{x="y"}[5m])) / on (pod) group_left (b) max(n) > 0.5e3 or label_replace(o, "p", "$1", "q", "r")"#;
    assert_eq!(used(query), ["m_total", "n", "o"].map(str::to_owned).into());
}

/// kube-state-metrics 2.18 drops the first family of a kind that the kind before it ends with, and then writes each family of that
/// kind under the name of the next: its last family is lost (`SanitizeHeaders` of its metrics store).
#[test]
fn no_kind_begins_with_the_family_that_another_ends_with() -> Result<()> {
    let file = chart("function-mesh-operator").join("files/monitoring/kube-state-metrics.yaml");
    let configuration: Value = serde_yaml::from_str(&fs::read_to_string(file)?)?;
    let (mut first, mut last) = (BTreeSet::new(), BTreeSet::new());
    for resource in configuration["spec"]["resources"].as_array().context("resources")? {
        let metrics = resource["metrics"].as_array().context("metrics")?;
        first.insert(metrics.first().context("a metric")?["name"].to_string());
        last.insert(metrics.last().context("a metric")?["name"].to_string());
    }
    assert!(first.is_disjoint(&last), "{first:?} and {last:?}");
    Ok(())
}
