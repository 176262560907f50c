//! The kind `VerticalPodAutoscaler`, an optional kind: installed while tests need it.

use crate::shell::{output, run};
use crate::testing::test_env::TestEnv;
use anyhow::{Result, ensure};
use std::future::Future;
use tokio::sync::Mutex;

/// Definition of the kind, with any content.
const KIND: &str = "apiVersion: apiextensions.k8s.io/v1
kind: CustomResourceDefinition
metadata:
  name: verticalpodautoscalers.autoscaling.k8s.io
  annotations: {api-approved.kubernetes.io: https://example.com}
spec:
  group: autoscaling.k8s.io
  scope: Namespaced
  names: {kind: VerticalPodAutoscaler, plural: verticalpodautoscalers, singular: verticalpodautoscaler, shortNames: [vpa]}
  versions:
    - name: v1
      served: true
      storage: true
      schema: {openAPIV3Schema: {type: object, x-kubernetes-preserve-unknown-fields: true}}
";
/// Tests of this program that need the kind.
static USERS: Mutex<usize> = Mutex::const_new(0);

/// Runs a test on a cluster with the kind. Afterwards the kind is removed, for the next programs.
///
/// # Errors
/// What the test returns, or when the kind cannot be added or removed.
pub async fn during(env: &TestEnv, test: impl Future<Output = Result<()>>) -> Result<()> {
    {
        let mut users = USERS.lock().await;
        if *users == 0 {
            install(env).await?;
        }
        *users += 1;
    }
    let result = test.await;
    let mut users = USERS.lock().await;
    *users -= 1;
    if *users == 0 {
        remove(env).await?;
    }
    result
}

/// Adds the kind and waits until the API server lists it.
///
/// # Errors
/// When it cannot be added.
pub async fn install(env: &TestEnv) -> Result<()> {
    env.kubectl.apply("default", KIND)?;
    until_served(env, true).await
}

/// Removes the kind and all objects of it.
///
/// # Errors
/// When it cannot be removed.
pub async fn remove(env: &TestEnv) -> Result<()> {
    run(&mut env.kubectl.command("delete crd verticalpodautoscalers.autoscaling.k8s.io"))?;
    until_served(env, false).await
}

async fn until_served(env: &TestEnv, wanted: bool) -> Result<()> {
    env.until("list of groups", || async {
        let groups = output(&mut env.kubectl.command("get --raw=/apis"))?;
        ensure!(groups.contains("autoscaling.k8s.io") == wanted, "{groups}");
        Ok(())
    })
    .await
}
