//! The probes of the main container.
//!
//! Readiness means that the instance consumes or produces. No Pulsar instance reports that over HTTP: the metrics port
//! answers as long as the process lives, even without a broker or with an expired token. But every consumer and
//! producer needs a lasting TCP connection to a broker. So the probe looks for one in the kernel's table of the pod's
//! connections, with the shell and `cat` only.

use crate::instance::runtime::Runtime;
use crate::pod::ports::METRICS_PORT;
use crate::workload::Workload;
use functionmesh_api::Kind;
use functionmesh_api::pod::Liveness;
use k8s_openapi::api::core::v1::{ExecAction, HTTPGetAction, Probe};
use k8s_openapi::apimachinery::pkg::util::intstr::IntOrString;

/// Seconds that a pod must stay ready to be available, if readiness is a connection seen twice within five seconds. In
/// measurements, an instance without permission to read its topic lost its connection after 3 s on a machine with a
/// load of 9 per core.
const SETTLED_SECONDS: i32 = 5;
/// The same if readiness is the metrics port. A Java instance that fails at start answers there for 6 to 14 seconds
/// before it exits with code 0; it must not become available.
const SETTLED_PORT_SECONDS: i32 = 15;
/// Period of the startup probe in seconds.
const START_PERIOD: i32 = 2;
/// Seconds after which an instance that is not connected is restarted, equal to the progress deadline in the status.
/// They include the download of the package and the installation of Python packages.
const START_DEADLINE: i32 = 600;

/// What proves that an instance is working.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Evidence {
    /// It has a connection to a broker all the time.
    Connection,
    /// Its metrics port answers, if nothing better is known.
    Port,
}

impl Evidence {
    /// The evidence that a workload provides.
    ///
    /// A component that reads topics has a consumer as long as it runs. A component with a source connector has none,
    /// and has a producer from the start only if topic and schema are known by then (`PulsarSink` of Pulsar 4.0.6): not
    /// with effectively-once, which has a producer per source partition, and not if the schema comes with the records.
    pub(crate) fn of(workload: &Workload) -> Self {
        let (source, sink) = (&workload.details.source, &workload.details.sink);
        let consumes = source.class_name.is_empty() && workload.kind != Kind::Source;
        let produces = sink.class_name.is_empty()
            && !sink.topic.is_empty()
            && workload.details.processing_guarantees != Some("EFFECTIVELY_ONCE")
            && !sink.type_class_name.is_empty()
            && !sink.type_class_name.starts_with("org.apache.pulsar.client.api.schema.Generic")
            && !sink.schema_type.to_ascii_uppercase().starts_with("AUTO");
        match workload.runtime {
            // How its client connects is unknown.
            Runtime::Generic(_) => Self::Port,
            _ if consumes || produces => Self::Connection,
            _ => Self::Port,
        }
    }

    /// `minReadySeconds` of the `StatefulSet`.
    pub(crate) fn min_ready_seconds(self) -> i32 {
        match self {
            Self::Connection => SETTLED_SECONDS,
            Self::Port => SETTLED_PORT_SECONDS,
        }
    }

    /// The readiness probe. It requires two successes in a row, because a broker that rejects the credentials is also
    /// connected for milliseconds, and three failures, because a broker restart is no failure.
    pub(crate) fn readiness(self) -> Probe {
        match self {
            Self::Connection => Probe {
                period_seconds: Some(5),
                timeout_seconds: Some(5),
                success_threshold: Some(2),
                failure_threshold: Some(3),
                ..connected()
            },
            Self::Port => Probe {
                period_seconds: Some(5),
                timeout_seconds: Some(5),
                failure_threshold: Some(3),
                // Every instance answers on any path; this one avoids collecting metrics where it is known.
                ..http("/-/healthy")
            },
        }
    }

    /// The startup probe. An instance may hang forever while it opens its state store or connector.
    pub(crate) fn startup(self) -> Option<Probe> {
        (self == Self::Connection).then(|| Probe {
            period_seconds: Some(START_PERIOD),
            timeout_seconds: Some(5),
            failure_threshold: Some(START_DEADLINE / START_PERIOD),
            ..connected()
        })
    }
}

/// The liveness probe, if it has a period; the timeout equals the period.
pub(crate) fn liveness(liveness: &Liveness) -> Option<Probe> {
    let period = liveness.period_seconds.filter(|period| *period > 0)?;
    Some(Probe {
        initial_delay_seconds: Some(liveness.initial_delay_seconds.unwrap_or_default().max(0)),
        timeout_seconds: Some(period),
        period_seconds: Some(period),
        // The API server replaces zero by its default.
        success_threshold: liveness.success_threshold.filter(|n| *n != 0),
        failure_threshold: liveness.failure_threshold.filter(|n| *n != 0),
        ..http("/")
    })
}

fn http(path: &str) -> Probe {
    Probe {
        http_get: Some(HTTPGetAction {
            path: Some(path.to_owned()),
            port: IntOrString::Int(METRICS_PORT.1),
            scheme: Some("HTTP".to_owned()),
            ..HTTPGetAction::default()
        }),
        ..Probe::default()
    }
}

fn connected() -> Probe {
    let command = ["sh", "-c", CONNECTED].map(str::to_owned).to_vec();
    Probe { exec: Some(ExecAction { command: Some(command) }), ..Probe::default() }
}

/// Checks that the metrics port is open (Python and Go instances open it once their consumers exist) and that a
/// connection to a broker port is established. A line of the table has the local and the remote address in hexadecimal,
/// then the state: 01 is established, 0A is listening. Broker ports are that of the service URL, Pulsar's default
/// ports, and those in the variable `brokerPorts`, a key of the `ConfigMap` with the service URL; with `any` only the
/// open port is checked. If the table cannot be read, the instance is considered ready. The script has backquotes
/// because the kubelet expands `$(NAME)`.
const CONNECTED: &str = r#"table=`cat /proc/net/tcp /proc/net/tcp6 2>/dev/null`; [ -n "$table" ] || exit 0
case $table in *":2386 00000000:0000 0A "*|*":2386 00000000000000000000000000000000:0000 0A "*) ;; *) echo "port 9094 is not open yet"; exit 1;; esac
[ "$brokerPorts" != any ] || exit 0
set -f; IFS=,/
for port in 6650 6651 $brokerPorts $brokerServiceURL; do
port=${port##*:}; case $port in ''|*[!0-9]*) continue;; esac
case $table in *":`printf %04X "$port"` 01 "*) exit 0;; esac
done
echo "no connection to a broker (ports 6650, 6651 $brokerPorts and those of $brokerServiceURL)"; exit 1"#;

#[cfg(test)]
mod tests;
