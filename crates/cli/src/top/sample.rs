//! The metrics of one instance, in the text format of Prometheus.
//!
//! The names are those of Pulsar's instances: `pulsar_function_*`, `pulsar_source_*` and `pulsar_sink_*`. Java, Python and Go
//! instances use the same ones for totals; their one-minute metrics differ and are not used.

use k8s_openapi::jiff::Timestamp;
use std::time::Instant;

/// What an instance says at a moment.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Sample {
    /// When it said so.
    pub(crate) at: Instant,
    /// Messages received since it started.
    pub(crate) received: f64,
    /// Messages processed (functions) or written (sources and sinks) since it started.
    pub(crate) done: f64,
    /// Exceptions since it started: of the user's code, of the connector, of the system.
    pub(crate) exceptions: f64,
    /// Sum of the time in the user's code, in milliseconds, and number of calls.
    pub(crate) latency: Option<(f64, f64)>,
    /// Time of the last call; none before the first.
    pub(crate) last: Option<Timestamp>,
    /// Memory of the process, in bytes.
    pub(crate) memory: Option<f64>,
}

impl Sample {
    /// Reads the metrics of a component; none when there are none of Pulsar.
    pub(crate) fn read(text: &str, component: &str, at: Instant) -> Option<Self> {
        let sum = |name: &str| {
            let name = format!("pulsar_{component}_{name}");
            total(text, &name)
        };
        let exceptions = [
            "user_exceptions_total",
            "source_exceptions_total",
            "sink_exceptions_total",
            "system_exceptions_total",
        ];
        let done = sum("processed_successfully_total").or_else(|| sum("written_total"));
        let received = sum("received_total");
        if done.is_none() && received.is_none() {
            return None;
        }
        let latency = sum("process_latency_ms_sum").zip(sum("process_latency_ms_count"));
        let heap = || total(text, "jvm_memory_bytes_used").or_else(|| total(text, "jvm_memory_used_bytes"));
        Some(Self {
            at,
            received: received.unwrap_or_default(),
            done: done.unwrap_or_default(),
            exceptions: exceptions.iter().filter_map(|name| sum(name)).sum(),
            latency,
            last: sum("last_invocation").and_then(time),
            memory: total(text, "process_resident_memory_bytes").or_else(heap),
        })
    }
}

/// Sum of a metric over all labels; none when no line has it.
fn total(text: &str, name: &str) -> Option<f64> {
    let values = text.lines().filter_map(|line| {
        let rest = line.strip_prefix(name)?;
        // A longer name is another metric.
        let value = match rest.strip_prefix('{') {
            Some(rest) => rest.rsplit_once('}')?.1,
            None => rest.strip_prefix(' ')?,
        };
        value.split_whitespace().next()?.parse::<f64>().ok().filter(|value| value.is_finite())
    });
    values.fold(None, |sum, value| Some(sum.unwrap_or_default() + value))
}

/// Java and Python give milliseconds; what is far too large or small is in another unit.
#[allow(clippy::cast_possible_truncation, reason = "a time in milliseconds has no more digits than a double")]
fn time(value: f64) -> Option<Timestamp> {
    const MILLISECONDS: f64 = 1e11;
    const NANOSECONDS: f64 = 1e17;
    let milliseconds = match value {
        value if value <= 0.0 => return None,
        value if value < MILLISECONDS => value * 1e3,
        value if value < NANOSECONDS => value,
        value => value / 1e6,
    };
    Timestamp::from_millisecond(milliseconds as i64).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    const JAVA: &str = include_str!("../../tests/data/java-function.txt");

    #[test]
    fn the_metrics_of_a_java_function_are_read() {
        let at = Instant::now();
        let found = Sample::read(JAVA, "function", at).unwrap();
        assert_eq!((found.received, found.done, found.exceptions), (120.0, 118.0, 3.0));
        assert_eq!(found.latency, Some((590.0, 118.0)));
        assert_eq!(found.last.map(|t| t.to_string()).as_deref(), Some("2026-01-01T00:00:00Z"));
        assert_eq!(found.memory, Some(512.0 * 1024.0 * 1024.0));
    }

    #[test]
    fn connectors_and_other_languages_have_their_names() {
        let labels = r#"{tenant="public",namespace="public/default",name="a } b",instance_id="0"}"#;
        let text = format!(
            "# HELP x\npulsar_sink_received_total{labels} 5\npulsar_sink_written_total{labels} 4\npulsar_sink_sink_exceptions_total{labels} 1\n\
             pulsar_sink_last_invocation{labels} 0.0\npulsar_sink_received_total_1min{labels} 99\n"
        );
        let found = Sample::read(&text, "sink", Instant::now()).unwrap();
        assert_eq!((found.received, found.done, found.exceptions, found.last), (5.0, 4.0, 1.0, None));
        let go = format!(
            "pulsar_function_received_total{labels} 7 1700000000000\npulsar_function_last_invocation{labels} 1.7e18"
        );
        let found = Sample::read(&go, "function", Instant::now()).unwrap();
        assert!((found.received - 7.0).abs() < 1e-9, "a time may follow the value");
        assert_eq!(found.last.map(Timestamp::as_second), Some(1_700_000_000), "in nanoseconds");
        assert_eq!(Sample::read(&go, "source", Instant::now()), None);
        assert_eq!(Sample::read("process_resident_memory_bytes 5", "function", Instant::now()), None);
    }
}
