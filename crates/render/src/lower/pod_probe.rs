//! Probes, as the API server checks them.

use crate::lower::labels::is_port_name;
use crate::lower::problems::Problems;
use functionmesh_api::pod::Liveness;
use k8s_openapi::api::core::v1::Probe;
use k8s_openapi::apimachinery::pkg::util::intstr::IntOrString;

/// Checks `liveness`, from which the operator renders a probe.
pub(crate) fn liveness(field: &str, liveness: &Liveness, problems: &mut Problems) {
    // Without a period there is no probe.
    if liveness.period_seconds.is_none_or(|period| period <= 0) {
        return;
    }
    problems.when(
        liveness.success_threshold.is_some_and(|n| n != 0 && n != 1),
        &format!("{field}.successThreshold"),
        "must be 1, or left out",
    );
    problems.when(
        liveness.failure_threshold.is_some_and(|n| n < 0),
        &format!("{field}.failureThreshold"),
        "must not be negative",
    );
}

/// Checks a probe.
pub(crate) fn probe(field: &str, probe: &Probe, problems: &mut Problems) {
    let handlers =
        [probe.exec.is_some(), probe.http_get.is_some(), probe.tcp_socket.is_some(), probe.grpc.is_some()];
    problems.when(
        handlers.iter().filter(|set| **set).count() != 1,
        field,
        "must have exactly one of exec, httpGet, tcpSocket and grpc",
    );
    for (name, seconds) in [
        ("initialDelaySeconds", probe.initial_delay_seconds),
        ("timeoutSeconds", probe.timeout_seconds),
        ("periodSeconds", probe.period_seconds),
        ("failureThreshold", probe.failure_threshold),
    ] {
        problems.when(seconds.is_some_and(|n| n < 0), &format!("{field}.{name}"), "must not be negative");
    }
    problems.when(
        probe.success_threshold.is_some_and(|n| n != 0 && n != 1),
        &format!("{field}.successThreshold"),
        "must be 1, or left out",
    );
    problems.when(
        probe.termination_grace_period_seconds.is_some_and(|n| n <= 0),
        &format!("{field}.terminationGracePeriodSeconds"),
        "must be above 0",
    );
    let exec = probe.exec.as_ref();
    problems.when(
        exec.is_some_and(|exec| exec.command.as_ref().is_none_or(Vec::is_empty)),
        &format!("{field}.exec.command"),
        "must be set",
    );
    let ports = [
        ("httpGet", probe.http_get.as_ref().map(|http| http.port.clone())),
        ("tcpSocket", probe.tcp_socket.as_ref().map(|tcp| tcp.port.clone())),
        ("grpc", probe.grpc.as_ref().map(|grpc| IntOrString::Int(grpc.port))),
    ];
    for (name, port) in ports {
        let wrong = port.is_some_and(|port| match port {
            IntOrString::Int(number) => !(1..=65535).contains(&number),
            IntOrString::String(name) => !is_port_name(&name),
        });
        problems.when(
            wrong,
            &format!("{field}.{name}.port"),
            "must be from 1 to 65535, or the name of a port",
        );
    }
    let scheme = probe.http_get.as_ref().and_then(|http| http.scheme.as_deref()).unwrap_or_default();
    problems.when(
        !["", "HTTP", "HTTPS"].contains(&scheme),
        &format!("{field}.httpGet.scheme"),
        "must be HTTP or HTTPS",
    );
}
