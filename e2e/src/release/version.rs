//! One version everywhere.

use crate::paths;
use crate::shell::{command, output};
use anyhow::{Context, Result, bail};
use serde_json::Value;
use std::fs;

/// The charts of a release.
pub(super) const CHARTS: [&str; 2] = ["function-mesh-crds", "function-mesh-operator"];

/// The version of the workspace.
///
/// # Errors
/// When a chart has another one.
pub(super) fn check() -> Result<String> {
    let version = env!("CARGO_PKG_VERSION");
    for chart in CHARTS {
        let path = paths::root().join("charts").join(chart).join("Chart.yaml");
        let text = fs::read_to_string(&path).with_context(|| format!("file {}", path.display()))?;
        let chart: Value = serde_yaml::from_str(&text).with_context(|| format!("file {}", path.display()))?;
        for field in ["version", "appVersion"] {
            let found = chart.get(field).and_then(Value::as_str).unwrap_or_default();
            if found != version {
                bail!(
                    "{field} of {} is {found:?}, but the workspace's version is {version:?}",
                    path.display()
                );
            }
        }
    }
    Ok(version.to_owned())
}

/// The number of files that differ from the commit, if any.
///
/// # Errors
/// When git cannot be run.
pub(super) fn uncommitted() -> Result<Option<usize>> {
    let status = output(command("git", ["status", "--porcelain"]).current_dir(paths::root()))?;
    Ok(Some(status.lines().count()).filter(|files| *files > 0))
}

#[cfg(test)]
mod tests {
    #[test]
    fn charts_and_workspace_have_one_version() {
        super::check().unwrap();
    }
}
