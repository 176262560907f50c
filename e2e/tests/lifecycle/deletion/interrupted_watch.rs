//! Deletions during an interruption of a watch are noticed: the watch ends, the object is deleted, and the API server has
//! compacted the version to resume from, so everything of that kind is listed again. Only that kind: a list of another one would
//! trigger the owner for another reason.

use super::{cleaning, ended, job_of, job_status};
use anyhow::{Context, Result, ensure};
use e2e::testing::fake_statefulset_controller::FakeStatefulSetController;
use e2e::testing::objects::{AVAILABLE, api, create, function_spec, functions, until_gone, until_ready};
use e2e::testing::{Child, Controller, Proxy, TestEnv};
use k8s_openapi::api::batch::v1::Job;
use k8s_openapi::api::core::v1::Pod;
use kube::ResourceExt;
use kube::api::{Api, DeleteParams, DynamicObject, PostParams};
use serde_json::json;
use std::time::Duration;

/// Far below the resync interval, which would detect everything in the end.
const TIMEOUT: Duration = Duration::from_secs(30);

struct InterruptedWatch {
    env: TestEnv,
    namespace: String,
    proxy: Proxy,
    controller: Controller,
    name: &'static str,
}

impl InterruptedWatch {
    async fn start(env: &TestEnv, namespace: &str, name: &'static str) -> Result<Self> {
        let proxy = Proxy::start(env).await?;
        let flags = [&*format!("--watched-namespace={namespace}"), "--leader-elect=false"];
        let controller = Controller::spawn_behind(env, Some(&proxy), name, &flags)?;
        controller.ready(env).await?;
        Ok(Self { env: env.clone(), namespace: namespace.to_owned(), proxy, controller, name })
    }

    /// Deletes an object while the watch is interrupted.
    async fn during(&self, resource: &str, delete: impl Future<Output = Result<()>>) -> Result<()> {
        self.controller.until_idle(&self.env).await?;
        self.proxy.freeze_watches(true);
        delete.await?;
        let expired = self.proxy.expire_watches_of(resource);
        self.proxy.freeze_watches(false);
        ensure!(expired > 0, "no watch of {resource}");
        Ok(())
    }

    /// The same with another process: it wrote nothing, so it does not check again after a few seconds.
    async fn fresh(&mut self) -> Result<()> {
        let name = self.name;
        self.controller.kill();
        *self = Self::start(&self.env, &self.namespace, name).await?;
        Ok(())
    }

    /// Deletes an object during the interruption and waits until another one of that name exists.
    async fn recreated(&self, resource: &str, api: &Api<DynamicObject>, name: &str) -> Result<()> {
        let old = api.get(name).await?.uid();
        self.during(resource, async {
            api.delete(name, &DeleteParams::background()).await?;
            self.env
                .until("the deletion", || async {
                    ensure!(api.get_opt(name).await?.is_none(), "{name} is there");
                    Ok(())
                })
                .await
        })
        .await?;
        self.env
            .until(&format!("{resource} {name} again"), || async {
                let new = api.get_opt(name).await?.with_context(|| format!("no {name}"))?;
                ensure!(new.uid() != old, "it was not deleted");
                Ok(())
            })
            .await
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn deletions_while_a_watch_is_interrupted_are_noticed() -> Result<()> {
    let env = TestEnv::connect().await?.with_timeout(TIMEOUT);
    env.prepare().await?;
    env.test("interrupted", |env, namespace| async move {
        let statefulset_controller = FakeStatefulSetController::start(&env, &namespace);
        let mut interrupted = InterruptedWatch::start(&env, &namespace, "function-controller").await?;
        let objects = functions(&env, &namespace);
        let configs = api(&env, &namespace, "BackendConfig", "backendconfigs");
        create(&configs, "BackendConfig", "backend-config", &json!({"autoUpdate": true, "env": {"X": "1"}}))
            .await?;
        let mut spec = function_spec();
        spec["maxReplicas"] = json!(3);
        create(&objects, "Function", "f", &spec).await?;
        until_ready(&env, &objects, "f", AVAILABLE).await?;
        for (kind, name) in [
            ("StatefulSet", "f-function"),
            ("Service", "f-function-headless"),
            ("HorizontalPodAutoscaler", "f-function"),
        ] {
            let child = Child::of(&env, &namespace, kind, name)?;
            interrupted.fresh().await?;
            interrupted.recreated(child.resource, &child.api, name).await?;
            until_ready(&env, &objects, "f", AVAILABLE).await?;
        }

        let set = Child::of(&env, &namespace, "StatefulSet", "f-function")?;
        let with_variable =
            || async { Ok::<_, anyhow::Error>(set.whole().await?.to_string().contains("\"name\":\"X\"")) };
        ensure!(with_variable().await?, "the BackendConfig has no effect");
        interrupted
            .during("backendconfigs", async {
                configs.delete("backend-config", &DeleteParams::default()).await?;
                Ok(())
            })
            .await?;
        env.until("the end of the BackendConfig", || async {
            ensure!(!with_variable().await?, "the variable is still there");
            Ok(())
        })
        .await?;

        // A deleted object waits for a pod, and then for its Job.
        create(&objects, "Function", "g", &cleaning()).await?;
        until_ready(&env, &objects, "g", AVAILABLE).await?;
        drop(statefulset_controller);
        let pods: Api<Pod> = Api::namespaced(env.client.clone(), &namespace);
        let labels =
            json!({"compute.functionmesh.io/component": "function", "compute.functionmesh.io/name": "g"});
        let pod = json!({"metadata": {"name": "g-function-0", "labels": labels},
                         "spec": {"containers": [{"name": "c", "image": "a:1"}]}});
        pods.create(&PostParams::default(), &serde_json::from_value(pod)?).await?;
        interrupted.controller.until_idle(&env).await?;
        objects.delete("g", &DeleteParams::default()).await?;
        env.until("it waits for the pod", || async {
            let status = objects.get("g").await?.data["status"].to_string();
            ensure!(status.contains("waiting for the pods to end"), "{status}");
            Ok(())
        })
        .await?;
        let jobs = Child::of(&env, &namespace, "Job", &job_of("g"))?;
        interrupted
            .during("pods", async {
                pods.delete("g-function-0", &DeleteParams::default().grace_period(0)).await?;
                Ok(())
            })
            .await?;
        env.until("Job", || async { Ok(jobs.api.get(&jobs.name).await?) }).await?;
        interrupted.recreated("jobs", &jobs.api, &jobs.name).await?;
        let typed: Api<Job> = Api::namespaced(env.client.clone(), &namespace);
        job_status(&typed, &jobs.name, ended(true)).await?;
        until_gone(&env, &objects, "g").await
    })
    .await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_component_deleted_while_a_watch_is_interrupted_is_recreated() -> Result<()> {
    let env = TestEnv::connect().await?.with_timeout(TIMEOUT);
    env.prepare().await?;
    env.test("gapmesh", |env, namespace| async move {
        let mut interrupted = InterruptedWatch::start(&env, &namespace, "mesh-controller").await?;
        let meshes = api(&env, &namespace, "FunctionMesh", "functionmeshes");
        let item = |config: &str| {
            let mut item = function_spec();
            item["name"] = json!("a");
            item[config] = json!({"k": "v"});
            item
        };
        let mut function = function_spec();
        function["name"] = json!("f");
        let spec = json!({"functions": [function], "sources": [item("sourceConfig")], "sinks": [item("sinkConfig")]});
        create(&meshes, "FunctionMesh", "m", &spec).await?;
        for (kind, plural, name) in
            [("Function", "functions", "m-f"), ("Source", "sources", "m-a"), ("Sink", "sinks", "m-a")]
        {
            let components = api(&env, &interrupted.namespace, kind, plural);
            env.until(name, || async { Ok(components.get(name).await?) }).await?;
            interrupted.fresh().await?;
            interrupted.recreated(plural, &components, name).await?;
        }
        Ok(())
    })
    .await
}
