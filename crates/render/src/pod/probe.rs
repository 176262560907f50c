//! The probes of the main container.
//!
//! Readiness is evidence that the instance consumes or produces. None of Pulsar's instances tells that by HTTP: the metrics port
//! answers as long as the process lives, whatever became of the broker or of the token (measured, `docs/decisions`). What
//! they have in common is the protocol: a consumer and a producer need a TCP connection to a broker that stays. So the probe
//! looks for one in the kernel's table of the pod's connections, with the shell that runs the command as well and `cat`.

use crate::instance::runtime::Runtime;
use crate::pod::ports::METRICS_PORT;
use crate::workload::Workload;
use functionmesh_api::Kind;
use functionmesh_api::pod::Liveness;
use k8s_openapi::api::core::v1::{ExecAction, HTTPGetAction, Probe};
use k8s_openapi::apimachinery::pkg::util::intstr::IntOrString;

/// Seconds a pod has to stay ready before it counts, where readiness is a connection that was there twice in five seconds. An
/// instance that may not read its topic lost its connection 3 s after it had it, on a machine with a load of 9 per core.
const SETTLED_SECONDS: i32 = 5;
/// The same where readiness is the metrics port. A Java instance that fails at its start answers there for 6 to 14 seconds
/// before it ends with exit code 0; it must never look ready to anybody.
const SETTLED_PORT_SECONDS: i32 = 15;
/// Seconds between two looks at an instance that starts.
const START_PERIOD: i32 = 2;
/// Seconds after which an instance that is not connected is started again: the time after which its status says that it
/// does not progress. A download is part of it, and the installation of Python packages.
const START_DEADLINE: i32 = 600;

/// What says that an instance is at work.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Evidence {
    /// It has a connection to a broker, from its start to its end.
    Connection,
    /// Its metrics port answers: nothing else is known of all instances of this kind.
    Port,
}

impl Evidence {
    /// What there is of a workload.
    ///
    /// A component that reads topics has a consumer as long as it runs. One with a source connector has none, and a producer
    /// from its start only where the instance knows topic and schema by then (`PulsarSink` of Pulsar 4.0.6): not with
    /// effectively-once, whose producers are of one partition of the source, and not with a schema that records bring.
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
            // How its client connects is not known.
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

    /// Whether the container is at work. Two connections in a row that are there at two looks, as a broker that does not accept
    /// the credentials is connected to as well, for milliseconds; three without one, as a broker that restarts is no failure.
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
                // Any path answers on every instance; this one does not gather metrics on those that know it.
                ..http("/-/healthy")
            },
        }
    }

    /// How long the container may take until it is at work for the first time. An instance can hang for ever in opening its
    /// state store or its connector.
    pub(crate) fn startup(self) -> Option<Probe> {
        (self == Self::Connection).then(|| Probe {
            period_seconds: Some(START_PERIOD),
            timeout_seconds: Some(5),
            failure_threshold: Some(START_DEADLINE / START_PERIOD),
            ..connected()
        })
    }
}

/// Only when a period is given; the timeout equals the period.
pub(crate) fn liveness(liveness: &Liveness) -> Option<Probe> {
    let period = liveness.period_seconds.filter(|period| *period > 0)?;
    Some(Probe {
        initial_delay_seconds: Some(liveness.initial_delay_seconds.unwrap_or_default().max(0)),
        timeout_seconds: Some(period),
        period_seconds: Some(period),
        // Zero means "not given" to the API server, which then fills in its default.
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

/// Whether the metrics port is open (a Python or Go instance opens it when its consumers are there) and a connection to the
/// port of a broker is established. A line of the table has the addresses in hexadecimal digits, the own one first, then the
/// state: 01 is established, 0A is listening. Ports of brokers are those of the service URL, Pulsar's own, and those that the
/// variable `brokerPorts` names, which is a key of the `ConfigMap` with the service URL; `any` there asks for the open port only.
/// Where the table cannot be read nothing is known, and the instance counts as ready. Backquotes, since the kubelet takes
/// `$(NAME)` for a variable.
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
