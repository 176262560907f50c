//! A run: its cluster and its results.

use crate::commands::bench::report::Row;
use crate::commands::bench::settings::Settings;
use crate::shell::progress;
use crate::testing::test_env::TestEnv;
use anyhow::Result;
use k8s_openapi::api::core::v1::Namespace;
use kube::api::{Api, DeleteParams, PostParams};
use std::time::Duration;

/// The cluster and the results so far.
pub(super) struct Bench {
    pub(super) settings: Settings,
    pub(super) env: TestEnv,
    pub(super) rows: Vec<Row>,
}

impl Bench {
    pub(super) fn add(&mut self, row: Row) {
        progress(&format!("{}: {} (goal {})", row.what, row.ours, row.goal));
        self.rows.push(row);
    }

    /// Creates a namespace.
    pub(super) async fn namespace(&self, name: &str) -> Result<String> {
        let api: Api<Namespace> = Api::all(self.env.client.clone());
        let object = serde_json::from_value(serde_json::json!({"metadata": {"name": name}}))?;
        api.create(&PostParams::default(), &object).await?;
        Ok(name.to_owned())
    }

    /// Deletes a namespace and waits until it is gone.
    pub(super) async fn delete_namespace(&self, namespace: &str) -> Result<()> {
        let api: Api<Namespace> = Api::all(self.env.client.clone());
        api.delete(namespace, &DeleteParams::background()).await?;
        self.env
            .until("end of a namespace", || async {
                anyhow::ensure!(api.get_opt(namespace).await?.is_none(), "still there");
                Ok(())
            })
            .await
    }
}

/// Seconds, as text.
pub(super) fn seconds(duration: Duration) -> String {
    format!("{:.1} s", duration.as_secs_f64())
}

/// A number for each object, as text.
#[allow(clippy::cast_precision_loss, reason = "small numbers")]
pub(super) fn each(total: usize, number: usize) -> String {
    let each = total as f64 / number as f64;
    if total.is_multiple_of(number) { format!("{}", total / number) } else { format!("{each:.2}") }
}
