//! Many objects at once: changed concurrently, and awaited by one watch instead of a request for each.

use crate::testing::test_env::TestEnv;
use anyhow::{Context, Result};
use futures::{StreamExt, TryStreamExt, stream};
use kube::api::Api;
use kube::runtime::{watcher, watcher::Event};
use kube::{Resource, ResourceExt};
use serde::de::DeserializeOwned;
use std::collections::HashSet;
use std::fmt::Debug;
use std::future::Future;

/// Requests that are made at the same time.
pub const CONCURRENCY: usize = 16;

/// Runs an action for each of the names, [`CONCURRENCY`] at a time.
///
/// # Errors
/// The first error.
pub async fn each<F>(names: &[String], act: impl Fn(String) -> F) -> Result<()>
where
    F: Future<Output = Result<()>>,
{
    stream::iter(names.iter().cloned()).map(act).buffer_unordered(CONCURRENCY).try_collect().await
}

/// Waits until a predicate holds for `number` objects.
///
/// # Errors
/// When it does not become true of all, with the number.
pub async fn until_all<K>(env: &TestEnv, api: &Api<K>, number: usize, is: impl Fn(&K) -> bool) -> Result<()>
where
    K: Resource + Clone + Debug + DeserializeOwned + Send + 'static,
{
    let mut done = HashSet::new();
    let mut changes = watcher(api.clone(), watcher::Config::default()).boxed();
    let wait = async {
        while done.len() != number {
            match changes.next().await.context("the watch ended")? {
                Ok(Event::Apply(object) | Event::InitApply(object)) => {
                    let name = object.name_any();
                    if is(&object) {
                        done.insert(name);
                    } else {
                        done.remove(&name);
                    }
                }
                Ok(Event::Delete(object)) => drop(done.remove(&object.name_any())),
                // It restarts by itself.
                Ok(Event::Init | Event::InitDone) | Err(_) => {}
            }
        }
        Ok(())
    };
    let waited = tokio::time::timeout(env.timeout(), wait).await;
    waited.with_context(|| format!("only {} of {number} objects within {:?}", done.len(), env.timeout()))?
}

/// Waits until no object is left.
///
/// # Errors
/// When some stay.
pub async fn until_none<K>(env: &TestEnv, api: &Api<K>) -> Result<()>
where
    K: Resource + Clone + Debug + DeserializeOwned + Send + 'static,
{
    let mut left = HashSet::new();
    let mut listed = false;
    let mut changes = watcher(api.clone(), watcher::Config::default()).boxed();
    let wait = async {
        while !listed || !left.is_empty() {
            match changes.next().await.context("the watch ended")? {
                Ok(Event::Apply(object) | Event::InitApply(object)) => drop(left.insert(object.name_any())),
                Ok(Event::Delete(object)) => drop(left.remove(&object.name_any())),
                Ok(Event::Init) => left.clear(),
                Ok(Event::InitDone) => listed = true,
                Err(_) => {}
            }
        }
        Ok(())
    };
    let waited = tokio::time::timeout(env.timeout(), wait).await;
    waited.with_context(|| format!("{} objects are left after {:?}", left.len(), env.timeout()))?
}
