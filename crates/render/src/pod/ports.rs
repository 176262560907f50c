//! Ports of the main container.

/// Control port of the instance.
pub(crate) const GRPC_PORT: (&str, i32) = ("tcp-grpc", 9093);
/// Prometheus port of the instance.
pub(crate) const METRICS_PORT: (&str, i32) = ("http-metrics", 9094);
