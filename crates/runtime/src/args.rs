//! Flags of every controller; each can be set by an environment variable as well.

use crate::admin::Address;
use clap::{ArgAction, Args, ValueEnum};
use functionmesh_objects::shard::Shard;
use std::collections::BTreeSet;
use std::path::PathBuf;
use std::time::Duration;

/// Flags of the process.
#[derive(Args, Clone, Debug)]
pub struct ProcessArgs {
    /// Listen addresses for /healthz, /readyz and /metrics, separated by commas or given repeatedly; an address without a host
    /// listens on all IPv6 and IPv4 addresses.
    #[arg(long, env = "ADMIN_ADDR", default_value = ":8080", value_delimiter = ',')]
    pub admin_addr: Vec<Address>,
    /// Listen addresses of an HTTPS server for /metrics, separated by commas or given repeatedly; --admin-addr then has no /metrics.
    /// Needs --secure-metrics-cert-dir.
    #[arg(long, env = "SECURE_METRICS_ADDR", value_delimiter = ',')]
    pub secure_metrics_addr: Vec<Address>,
    /// Folder with the files tls.crt and tls.key for --secure-metrics-addr. A renewed certificate is used without a restart.
    #[arg(long, env = "SECURE_METRICS_CERT_DIR")]
    pub secure_metrics_cert_dir: Option<PathBuf>,
    /// With --secure-metrics-addr, answer only requests with a bearer token whose user may `get` the path /metrics; the API server decides
    /// (TokenReview, SubjectAccessReview).
    #[arg(long, env = "SECURE_METRICS_AUTHORIZATION", default_value_t = true, action = ArgAction::Set,
          num_args = 0..=1, default_missing_value = "true")]
    pub secure_metrics_authorization: bool,
    /// Log format; by default text on a terminal and json elsewhere.
    #[arg(long, env = "LOG_FORMAT")]
    pub log_format: Option<LogFormat>,
    /// Log filter, in the syntax of RUST_LOG.
    #[arg(long, env = "RUST_LOG", default_value = "info,kube_runtime=error,kube_client=error")]
    pub log_level: String,
    /// Leader election: reconcile only while holding the lease, with the other replicas as hot standbys.
    #[arg(long, env = "LEADER_ELECT", default_value_t = true, action = ArgAction::Set,
          num_args = 0..=1, default_missing_value = "true")]
    pub leader_elect: bool,
    /// Namespace of the lease; by default that of the pod.
    #[arg(long, env = "LEASE_NAMESPACE")]
    pub lease_namespace: Option<String>,
    /// Name of the lease; by default the name of the controller.
    #[arg(long, env = "LEASE_NAME")]
    pub lease_name: Option<String>,
    /// Time without renewal after which another replica takes the lease, in seconds or as 1m30s; at most an hour.
    #[arg(long, env = "LEASE_DURATION", default_value = "15", value_parser = seconds)]
    pub lease_duration: Duration,
    /// Time without renewal after which the leader stops writing and exits; it renews at half of this time.
    #[arg(long, env = "LEASE_RENEW_DEADLINE", default_value = "10", value_parser = seconds)]
    pub lease_renew_deadline: Duration,
    /// Interval at which a standby replica checks the lease, and at which the leader retries a failed renewal.
    #[arg(long, env = "LEASE_RETRY_PERIOD", default_value = "2", value_parser = seconds)]
    pub lease_retry_period: Duration,
}

/// Flags of the caches and the queue.
#[derive(Args, Clone, Debug)]
pub struct WatchArgs {
    /// Namespaces to watch, separated by commas; by default all.
    #[arg(long, env = "WATCHED_NAMESPACE", value_delimiter = ',')]
    pub watched_namespace: Vec<String>,
    /// Label selector of the objects to reconcile, such as `shard=a`. The mesh-controller copies the labels that it names from
    /// a mesh to its components.
    #[arg(long, env = "WATCH_LABEL_SELECTOR")]
    pub watch_label_selector: Option<String>,
    /// The share of this process when several divide the objects among them, such as `0/3`, `1/3` and `2/3` of three. An object
    /// belongs to a shard by its namespace and name. Budgets such as the concurrency are those of one shard.
    #[arg(long, env = "SHARD", default_value_t = Shard::WHOLE)]
    pub shard: Shard,
    /// Maximum number of concurrent reconciles.
    #[arg(long, env = "CONCURRENCY", default_value_t = 16, value_parser = clap::value_parser!(u16).range(1..=256))]
    pub concurrency: u16,
    /// Resync interval for unchanged objects, in seconds or as 1h30m (jittered by up to a third).
    #[arg(long, env = "RESYNC_PERIOD", default_value = "3600", value_parser = seconds)]
    pub resync_period: Duration,
}

/// Log format.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum LogFormat {
    /// One JSON object a line.
    Json,
    /// Text.
    Text,
}

fn seconds(text: &str) -> Result<Duration, String> {
    match duration(text)? {
        Duration::ZERO => Err("must be above 0".to_owned()),
        duration => Ok(duration),
    }
}

/// Reads a duration: a number of seconds, or numbers with units as in `1h30m`, the larger unit first.
///
/// # Errors
/// What is accepted.
pub fn duration(text: &str) -> Result<Duration, String> {
    let wrong = || "not a duration in whole seconds, such as 90, 90s, 1m30s or 1h".to_owned();
    if let Ok(seconds) = text.parse::<u64>() {
        return Ok(Duration::from_secs(seconds));
    }
    let (mut rest, mut total) = (text, 0_u64);
    for (unit, seconds) in [('h', 3600), ('m', 60), ('s', 1)] {
        if let Some((number, after)) = rest.split_once(unit) {
            let number = number.parse::<u64>().map_err(|_| wrong())?;
            let part = number.checked_mul(seconds).ok_or_else(wrong)?;
            total = total.checked_add(part).ok_or_else(wrong)?;
            rest = after;
        }
    }
    if text.is_empty() || !rest.is_empty() { Err(wrong()) } else { Ok(Duration::from_secs(total)) }
}

impl WatchArgs {
    /// Keys of the labels that the selector names, including set-based requirements.
    pub fn selected_by(&self) -> Vec<String> {
        keys(self.watch_label_selector.as_deref().unwrap_or_default())
    }

    /// The namespaces, without duplicates and empty names.
    pub fn namespaces(&self) -> Vec<&str> {
        let names = self.watched_namespace.iter().map(|n| n.trim()).filter(|n| !n.is_empty());
        names.collect::<BTreeSet<_>>().into_iter().collect()
    }
}

/// The keys of a label selector (`a=b, c in (d,e), f notin (g), h, !i`), in order and without duplicates. A selector that the API
/// server refuses is read as well: its watch reports the error.
fn keys(selector: &str) -> Vec<String> {
    let (mut keys, mut depth, mut start) = (BTreeSet::new(), 0_u32, 0);
    let ends = selector.char_indices().chain([(selector.len(), ',')]);
    for (at, c) in ends {
        match c {
            '(' => depth += 1,
            ')' => depth = depth.saturating_sub(1),
            ',' if depth == 0 => {
                let requirement = selector.get(start..at).unwrap_or_default();
                let key = requirement.trim().trim_start_matches('!').trim_start();
                let end = key.find(|c: char| c.is_whitespace() || "=!<>(".contains(c)).unwrap_or(key.len());
                keys.insert(key.get(..end).unwrap_or_default().to_owned());
                start = at + 1;
            }
            _ => {}
        }
    }
    keys.retain(|key| !key.is_empty());
    keys.into_iter().collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_keys_of_a_selector_are_found_in_every_form() {
        for (selector, want) in [
            ("", &[][..]),
            ("shard=a", &["shard"]),
            ("shard == a,example.com/team!=b", &["example.com/team", "shard"]),
            ("x in (a, b), y notin (c,d),z", &["x", "y", "z"]),
            ("!legacy, ! other,x=1,x!=2", &["legacy", "other", "x"]),
            ("n>3,m<4", &["m", "n"]),
            (",,", &[]),
        ] {
            assert_eq!(keys(selector), want, "{selector}");
        }
    }

    #[test]
    fn durations_are_read_as_go_writes_them() {
        let cases = [
            ("90", 90),
            ("90s", 90),
            ("1m", 60),
            ("1m30s", 90),
            ("1h", 3600),
            ("1h0m5s", 3605),
            ("100m", 6000),
            ("0", 0),
        ];
        for (text, seconds) in cases {
            assert_eq!(duration(text), Ok(Duration::from_secs(seconds)), "{text}");
        }
        for text in
            ["", "m", "1", "s1", "1m1", "1s1m", "-1", "1.5s", "500ms", "1d", "1 m", "99999999999999999999h"]
        {
            assert_eq!(duration(text).is_ok(), text == "1", "{text}");
        }
        assert!(seconds("0s").is_err() && seconds("1s").is_ok());
    }

    #[test]
    fn a_namespace_counts_once() {
        #[derive(clap::Parser)]
        struct Flags {
            #[command(flatten)]
            watch: WatchArgs,
        }
        let of = |value: &str| {
            let flags: Flags = clap::Parser::parse_from(["x", &format!("--watched-namespace={value}")]);
            flags.watch.namespaces().join("+")
        };
        assert_eq!(of("b, a,,a ,b"), "a+b");
        assert_eq!(of(" ,"), "");
    }
}
