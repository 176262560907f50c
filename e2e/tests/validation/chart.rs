//! The charts: what each value does, that the API server accepts what is rendered, alerts and dashboards.

mod alerts;
mod cases;
mod dashboards;
pub(crate) mod helm;
mod metrics;
mod values;
