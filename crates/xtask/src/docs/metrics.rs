//! The page on metrics, from the registry of a controller.

use super::markdown::{Table, code};
use super::page::Page;
use anyhow::Result;
use functionmesh_runtime::metrics::{Metrics, ObjectsByReadiness};
use functionmesh_runtime::tracked::TrackedEntries;

/// The page.
///
/// # Errors
/// When two metrics have the same name.
pub(super) fn page() -> Result<Page> {
    let metrics = Metrics::new("any", "any")?;
    // Metrics that a controller registers once its caches exist.
    metrics.register(&ObjectsByReadiness::new(|| (0, 0))?)?;
    metrics.register(&TrackedEntries::new()?)?;
    let mut table = Table::new(&["Metric", "Type", "Labels", "Description"]);
    for metric in metrics.described() {
        let labels: Vec<String> = metric.labels.iter().map(|label| code(label)).collect();
        table.row([code(&metric.name), metric.kind, labels.join(", "), metric.help]);
    }
    let body = format!(
        "Every controller serves `/metrics` at `--admin-addr` in the Prometheus text format. All metrics of Function Mesh have \
         the label `controller`. No label contains the name or namespace of an object, so that the number of series stays \
         small. The metrics of your functions are served by their pods, at port 9094.\n\n{table}"
    );
    Ok(Page {
        file: "metrics.md".to_owned(),
        title: "Metrics".to_owned(),
        summary: "Prometheus metrics of the controllers.".to_owned(),
        body,
    })
}
