//! `kubectl fmesh top`: what the instances process, from their own metrics, through the API server's proxy to their pods.

mod sample;

use crate::age::age;
use crate::cluster::item::Item;
use crate::cluster::kubectl::Connection;
use crate::cluster::parallel::each;
use crate::cluster::target::{self, Scope};
use crate::output::Format;
use crate::terminal::{plural, print, progress, width};
use anyhow::{Result, bail};
use clap::Args;
use functionmesh_api::constants::{LABEL_COMPONENT, LABEL_NAME};
use functionmesh_plan::health::redaction::redacted;
use k8s_openapi::jiff::Timestamp;
use sample::Sample;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::process::ExitCode;
use std::time::{Duration, Instant};

/// Port of the metrics of an instance.
const PORT: u16 = 9094;
/// Pods that are asked at a time.
const AT_ONCE: usize = 16;
/// Columns beside that of the names.
const NUMBERS: usize = 53;

/// Arguments of the command.
#[derive(Args)]
pub(crate) struct Options {
    /// Kind (function, source, sink, or a short name); all three by default.
    kind: Option<String>,
    /// Names of the objects; all of the kind by default.
    #[arg(requires = "kind")]
    names: Vec<String>,
    /// Label selector of the pods.
    #[arg(short = 'l', long, value_name = "LABELS", conflicts_with = "names")]
    selector: Option<String>,
    #[command(flatten)]
    scope: Scope,
    /// A line for each pod instead of each object.
    #[arg(long)]
    pods: bool,
    /// Time between the two samples of which the rates are the difference, in seconds; 0 shows totals alone.
    #[arg(long, default_value_t = 2, value_name = "SECONDS", value_parser = clap::value_parser!(u64).range(..=3600))]
    interval: u64,
    /// Output format; a table by default.
    #[arg(short, long)]
    output: Option<Format>,
    #[command(flatten)]
    cluster: Connection,
}

/// The numbers of an instance, or the sum of those of an object.
#[derive(Default)]
struct Row {
    /// Component, and the pod where rows are of pods.
    title: (String, String, String, Option<String>),
    /// Instances that answered, of those that there are.
    answered: usize,
    pods: usize,
    /// Messages each second.
    received: Option<f64>,
    done: Option<f64>,
    /// Since the instances started.
    exceptions: f64,
    received_total: f64,
    done_total: f64,
    /// Milliseconds and calls.
    latency: Option<(f64, f64)>,
    last: Option<Timestamp>,
    memory: Option<f64>,
}

impl Options {
    /// Runs the command.
    ///
    /// # Errors
    /// When the pods cannot be read.
    pub(crate) fn run(&self) -> Result<ExitCode> {
        let pods = self.running()?;
        progress(&format!("asking {}", plural(pods.len(), "pod")));
        let samples = self.samples(&pods);
        progress("");
        let mut rows: BTreeMap<(String, String, String, Option<String>), Row> = BTreeMap::new();
        let mut silent: Vec<(String, String)> = Vec::new();
        for (pod, samples) in pods.iter().zip(samples) {
            let title = self.title(pod);
            let row = rows.entry(title.clone()).or_insert_with(|| Row { title, ..Row::default() });
            row.pods += 1;
            match samples {
                Ok(samples) => row.add(&samples),
                Err(why) => silent.push((format!("{}/{}", pod.namespace, pod.name), why)),
            }
        }
        let rows: Vec<Row> = rows.into_values().collect();
        match self.output {
            Some(format) => {
                let items: Vec<Value> = rows.iter().map(Row::json).collect();
                let failed: BTreeMap<&str, &str> =
                    silent.iter().map(|(pod, why)| (pod.as_str(), why.as_str())).collect();
                let document = json!({"apiVersion": "cli.functionmesh.io/v1", "kind": "TopReport", "items": items, "failed": failed});
                print(&format.text(&document)?)?;
            }
            None if rows.is_empty() => eprintln!("No pods of Functions, Sources or Sinks found."),
            None => {
                print(&table(&rows, self.scope.all_namespaces))?;
                for (pod, why) in &silent {
                    eprintln!("pod {pod}: {why}");
                }
            }
        }
        Ok(ExitCode::SUCCESS)
    }

    /// Pods of the components that are asked for.
    fn running(&self) -> Result<Vec<Item>> {
        progress("reading pods");
        let mut labels = vec![LABEL_NAME.to_owned()];
        labels.push(match &self.kind {
            Some(kind) => {
                let resource = target::resource(kind)?;
                let plural = resource.split('.').next().unwrap_or_default();
                let component = plural.trim_end_matches('s');
                if plural == "functionmeshes" {
                    bail!("instances are of functions, sources and sinks; use the label of a mesh to select its components");
                }
                format!("{LABEL_COMPONENT}={component}")
            }
            None => LABEL_COMPONENT.to_owned(),
        });
        if !self.names.is_empty() {
            labels.push(format!("{LABEL_NAME} in ({})", self.names.join(",")));
        }
        labels.extend(self.selector.clone());
        let selector = format!("--selector={}", labels.join(","));
        let found = self.cluster.existing(&[&["pods", &selector], self.scope.words().as_slice()].concat())?;
        Ok(found
            .into_iter()
            .map(Item::of)
            .filter(|pod| pod.text("/metadata/deletionTimestamp").is_empty())
            .collect())
    }

    fn title(&self, pod: &Item) -> (String, String, String, Option<String>) {
        let pod_name = self.pods.then(|| pod.name.clone());
        (pod.namespace.clone(), label(pod, LABEL_COMPONENT), label(pod, LABEL_NAME), pod_name)
    }

    /// Two samples of each pod, or one without an interval.
    fn samples(&self, pods: &[Item]) -> Vec<Result<Vec<Sample>, String>> {
        let started = Instant::now();
        let first = each(pods, AT_ONCE, |pod| self.sample(pod));
        if self.interval == 0 {
            return first.into_iter().map(|sample| sample.map(|sample| vec![sample])).collect();
        }
        std::thread::sleep(Duration::from_secs(self.interval).saturating_sub(started.elapsed()));
        let both: Vec<(&Item, Result<Sample, String>)> = pods.iter().zip(first).collect();
        each(&both, AT_ONCE, |(pod, first)| {
            let first = first.clone()?;
            Ok(vec![first, self.sample(pod)?])
        })
    }

    fn sample(&self, pod: &Item) -> Result<Sample, String> {
        let phase = pod.text("/status/phase");
        if phase != "Running" {
            return Err(format!("it is {phase}"));
        }
        let path = format!("/api/v1/namespaces/{}/pods/{}:{PORT}/proxy/metrics", pod.namespace, pod.name);
        let text = self.cluster.raw(&path).map_err(|error| redacted(&format!("{error:#}")))?;
        Sample::read(&text, &label(pod, LABEL_COMPONENT), Instant::now())
            .ok_or_else(|| "it has no metrics of Pulsar yet".to_owned())
    }
}

fn label(pod: &Item, key: &str) -> String {
    let labels = pod.object.pointer("/metadata/labels");
    labels.and_then(|labels| labels.get(key)?.as_str()).unwrap_or_default().to_owned()
}

impl Row {
    fn add(&mut self, samples: &[Sample]) {
        let (Some(first), Some(last)) = (samples.first(), samples.last()) else { return };
        self.answered += 1;
        self.exceptions += last.exceptions;
        self.received_total += last.received;
        self.done_total += last.done;
        self.last = self.last.max(last.last);
        self.memory = sum(self.memory, last.memory);
        let seconds = last.at.duration_since(first.at).as_secs_f64();
        // An instance that restarted in between counts from zero.
        if samples.len() < 2 || seconds <= 0.0 || last.received < first.received || last.done < first.done {
            return;
        }
        self.received = sum(self.received, Some((last.received - first.received) / seconds));
        self.done = sum(self.done, Some((last.done - first.done) / seconds));
        if let (Some(first), Some(last)) = (first.latency, last.latency) {
            let (time, calls) = self.latency.unwrap_or_default();
            self.latency = Some((time + last.0 - first.0, calls + last.1 - first.1));
        }
    }

    /// Average time in the user's code during the interval, in milliseconds.
    fn average(&self) -> Option<f64> {
        self.latency.filter(|(_, calls)| *calls > 0.0).map(|(time, calls)| time / calls)
    }

    fn name(&self, with_namespace: bool) -> String {
        let (namespace, component, name, pod) = &self.title;
        let name = pod.clone().unwrap_or_else(|| format!("{component}/{name}"));
        if with_namespace { format!("{namespace}/{name}") } else { name }
    }

    fn json(&self) -> Value {
        let (namespace, component, name, pod) = &self.title;
        json!({"kind": component, "namespace": namespace, "name": name, "pod": pod, "pods": self.pods, "answered": self.answered,
            "receivedPerSecond": self.received, "processedPerSecond": self.done, "received": self.received_total,
            "processed": self.done_total, "exceptions": self.exceptions, "latencyMilliseconds": self.average(),
            "lastInvocation": self.last.map(|time| time.to_string()), "memoryBytes": self.memory})
    }
}

fn sum(one: Option<f64>, other: Option<f64>) -> Option<f64> {
    match (one, other) {
        (Some(one), Some(other)) => Some(one + other),
        (one, other) => one.or(other),
    }
}

fn table(rows: &[Row], with_namespace: bool) -> String {
    let names: Vec<String> = rows.iter().map(|row| row.name(with_namespace)).collect();
    let longest = names.iter().map(|name| name.chars().count()).max().unwrap_or_default();
    // Names are never cut: they may be copied.
    let room = longest.max(10).min(width().saturating_sub(NUMBERS).max(10));
    let mut lines = vec![format!(
        "{:room$} {:>5} {:>8} {:>8} {:>6} {:>8} {:>5} {:>6}",
        "NAME", "PODS", "IN/S", "OUT/S", "ERRORS", "LATENCY", "LAST", "MEMORY"
    )];
    for (row, name) in rows.iter().zip(names) {
        let rate = |rate: Option<f64>| rate.map_or("-".to_owned(), short);
        let pods = format!("{}/{}", row.answered, row.pods);
        let (errors, latency, last, memory) = if row.answered == 0 {
            ["-"; 4].map(str::to_owned).into()
        } else {
            (
                short(row.exceptions),
                row.average().map_or("-".to_owned(), |average| format!("{} ms", short(average))),
                row.last.map_or("-".to_owned(), |time| age(&time.to_string())),
                row.memory.map_or("-".to_owned(), bytes),
            )
        };
        lines.push(format!(
            "{name:room$} {pods:>5} {:>8} {:>8} {errors:>6} {latency:>8} {last:>5} {memory:>6}",
            rate(row.received),
            rate(row.done)
        ));
    }
    lines.join("\n")
}

/// At most five characters: `0`, `0.25`, `12.5`, `1250`, `125k`, `1.3M`.
fn short(number: f64) -> String {
    match number {
        0.0 => "0".to_owned(),
        n if n < 10.0 && n.fract() != 0.0 => format!("{n:.2}"),
        n if n < 100.0 && n.fract() != 0.0 => format!("{n:.1}"),
        n if n < 10_000.0 => format!("{n:.0}"),
        n if n < 1e6 => format!("{:.0}k", n / 1e3),
        n if n < 1e9 => format!("{:.1}M", n / 1e6),
        n => format!("{:.1}G", n / 1e9),
    }
}

/// Memory as `kubectl top` prints it.
fn bytes(number: f64) -> String {
    const MEBI: f64 = 1024.0 * 1024.0;
    format!("{:.0}Mi", number / MEBI)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sample(at: Instant, received: f64, time: f64) -> Sample {
        Sample {
            at,
            received,
            done: received,
            exceptions: 1.0,
            latency: Some((time, received)),
            last: None,
            memory: Some(1024.0 * 1024.0),
        }
    }

    #[test]
    fn rates_are_the_difference_of_two_samples_and_pods_add_up() {
        let first = Instant::now();
        let second = first + Duration::from_secs(2);
        let mut row = Row { pods: 3, ..Row::default() };
        row.add(&[sample(first, 10.0, 100.0), sample(second, 30.0, 200.0)]);
        row.add(&[sample(first, 0.0, 0.0), sample(second, 20.0, 100.0)]);
        assert_eq!((row.received, row.average(), row.exceptions), (Some(20.0), Some(5.0), 2.0));
        // It was restarted in between.
        row.add(&[sample(first, 50.0, 0.0), sample(second, 1.0, 1.0)]);
        assert_eq!((row.received, row.answered, row.received_total), (Some(20.0), 3, 51.0));
    }

    #[test]
    fn one_sample_has_no_rate() {
        let mut row = Row::default();
        row.add(&[sample(Instant::now(), 10.0, 5.0)]);
        assert_eq!((row.received, row.average(), row.received_total), (None, None, 10.0));
    }

    #[test]
    fn a_table_fits_eighty_columns() {
        let mut row = Row { pods: 1, ..Row::default() };
        row.title = ("demo".to_owned(), "function".to_owned(), "orders-enrichment".to_owned(), None);
        row.add(&[sample(Instant::now(), 1_234_567.0, 99.0)]);
        let text = table(&[row, Row { pods: 2, ..Row::default() }], false);
        assert!(text.lines().all(|line| line.chars().count() <= 80), "{text}");
        assert!(text.contains("0/2"), "{text}");
    }

    #[test]
    fn numbers_are_short() {
        let texts = [0.0, 0.25, 12.52, 118.0, 1250.4, 125_000.0, 1_300_000.0, 2e10].map(short);
        assert_eq!(texts, ["0", "0.25", "12.5", "118", "1250", "125k", "1.3M", "20.0G"]);
    }
}
