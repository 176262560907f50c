//! The headless Service.

use crate::pod::ports::{GRPC_PORT, METRICS_PORT};
use crate::resource::labels::selector_labels;
use crate::resource::metadata::metadata;
use crate::workload::Workload;
use k8s_openapi::api::core::v1::{Service, ServicePort, ServiceSpec};
use k8s_openapi::apimachinery::pkg::util::intstr::IntOrString;

/// Gives each pod its DNS name.
pub(crate) fn service(workload: &Workload) -> Service {
    let port = |name: &str, number: i32| ServicePort {
        name: Some(name.to_owned()),
        port: number,
        target_port: Some(IntOrString::Int(number)),
        // The API server's default; server-side apply needs it as a part of the key of a port.
        protocol: Some("TCP".to_owned()),
        ..ServicePort::default()
    };
    Service {
        metadata: metadata(workload, workload.name.service()),
        spec: Some(ServiceSpec {
            cluster_ip: Some("None".to_owned()),
            ports: Some(vec![port(GRPC_PORT.0, GRPC_PORT.1), port(METRICS_PORT.0, METRICS_PORT.1)]),
            selector: Some(selector_labels(workload)),
            ..ServiceSpec::default()
        }),
        status: None,
    }
}
