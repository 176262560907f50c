//! What the chart ships for monitoring, with a real Prometheus (Debian's) and real pods. Prometheus runs beside the cluster.

mod chart;
mod dashboards;
mod discovery;
mod https;
mod prometheus;
