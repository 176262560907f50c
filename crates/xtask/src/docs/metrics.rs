//! The page on metrics, from the registry of a controller.

use super::markdown::{Table, code};
use super::page::Page;
use anyhow::Result;
use functionmesh_runtime::metrics::{Metrics, ObjectsByReadiness};

/// The page.
///
/// # Errors
/// When two metrics have the same name.
pub(super) fn page() -> Result<Page> {
    let metrics = Metrics::new("any", "any")?;
    // What a controller adds once its caches are there.
    metrics.register(&ObjectsByReadiness::new(|| (0, 0))?)?;
    let mut table = Table::new(&["Metric", "Type", "Labels", "Meaning"]);
    for metric in metrics.described() {
        let labels: Vec<String> = metric.labels.iter().map(|label| code(label)).collect();
        table.row([code(&metric.name), metric.kind, labels.join(", "), metric.help]);
    }
    let body = format!(
        "Every controller answers `/metrics` at `--admin-addr` in the text format of Prometheus. All metrics of Function \
         Mesh have the label `controller` as well. No label holds a name or namespace of an object, so that their \
         number stays small. The metrics of your functions come from their pods, port 9094.\n\n{table}"
    );
    Ok(Page {
        file: "metrics.md".to_owned(),
        title: "Metrics".to_owned(),
        summary: "What Prometheus gets from the controllers.".to_owned(),
        body,
    })
}
