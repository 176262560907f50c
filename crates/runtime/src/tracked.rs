//! The sizes of the collections that a controller keeps in addition to its caches.

use prometheus::core::{Collector, Desc};
use prometheus::proto::MetricFamily;
use prometheus::{IntGaugeVec, Opts};
use std::sync::Arc;

/// Reads the number of entries of a collection.
pub type Entries = Box<dyn Fn() -> usize + Send + Sync>;

/// The number of entries of each collection, read at each scrape. Entries end with their objects; a number that grows while the
/// number of objects does not is a leak.
#[derive(Clone)]
pub struct TrackedEntries {
    gauge: IntGaugeVec,
    collections: Arc<Vec<(&'static str, Entries)>>,
}

impl TrackedEntries {
    /// Without collections yet.
    ///
    /// # Errors
    /// Never in practice: the name is valid.
    pub fn new() -> prometheus::Result<Self> {
        let help = "Entries of the collections that the controller keeps in addition to its caches.";
        let options = Opts::new("function_mesh_tracked_entries", help);
        Ok(Self { gauge: IntGaugeVec::new(options, &["collection"])?, collections: Arc::default() })
    }

    /// With these collections.
    #[must_use]
    pub fn with(self, collections: Vec<(&'static str, Entries)>) -> Self {
        Self { collections: Arc::new(collections), ..self }
    }
}

impl Collector for TrackedEntries {
    fn desc(&self) -> Vec<&Desc> {
        self.gauge.desc()
    }

    fn collect(&self) -> Vec<MetricFamily> {
        for (name, entries) in self.collections.iter() {
            self.gauge.with_label_values(&[name]).set(i64::try_from(entries()).unwrap_or(i64::MAX));
        }
        self.gauge.collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::Mutex;

    #[test]
    fn the_sizes_are_those_at_the_scrape() {
        let list = Arc::new(Mutex::new(vec![1]));
        let same = list.clone();
        let entries = TrackedEntries::new()
            .unwrap()
            .with(vec![("list", Box::new(move || same.lock().unwrap().len())), ("none", Box::new(|| 0))]);
        let sizes = || -> Vec<f64> {
            let families = entries.collect();
            families[0].get_metric().iter().map(|metric| metric.get_gauge().get_value()).collect()
        };
        assert_eq!(sizes(), [1.0, 0.0]);
        list.lock().unwrap().push(2);
        assert_eq!(sizes(), [2.0, 0.0]);
    }
}
