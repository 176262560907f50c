//! `spec.replicas` always has a value and one owner.

mod inherited;
mod meshes;
mod upgrade;

use anyhow::{Context, Result, ensure};
use e2e::paths;
use e2e::shell::run;
use e2e::testing::fake_statefulset_controller::FakeStatefulSetController;
use e2e::testing::objects::{AVAILABLE, api, create, function_spec, functions, merge, object, until_ready};
use e2e::testing::{Child, Controller, TestEnv};
use kube::api::{Api, DynamicObject, Patch, PatchParams};
use serde_json::{Value, json};

/// The number that the `StatefulSet` of a Function has to follow.
async fn until_runs(env: &TestEnv, namespace: &str, name: &str, replicas: i32) -> Result<()> {
    let set = Child::of(env, namespace, "StatefulSet", &format!("{name}-function"))?;
    env.until(&format!("{replicas} replicas of {name}"), || async {
        let live = set.state().await?["spec"]["replicas"].clone();
        ensure!(live == json!(replicas), "{live}");
        Ok(())
    })
    .await
}

/// A change by an autoscaler, or by KEDA through one.
async fn scale(api: &Api<DynamicObject>, name: &str, replicas: i32) -> Result<()> {
    let manager =
        PatchParams { field_manager: Some("kube-controller-manager".to_owned()), ..PatchParams::default() };
    let scale = Patch::Merge(json!({"spec": {"replicas": replicas}}));
    api.patch_scale(name, &manager, &scale).await?;
    Ok(())
}

/// A change by `kubectl scale`.
fn kubectl_scale(env: &TestEnv, namespace: &str, name: &str, replicas: i32) -> Result<()> {
    run(&mut env.kubectl.command(&format!("-n {namespace} scale fn {name} --replicas={replicas}")))
}

/// A scaler that applies the number by server-side apply, without force.
async fn apply_number(api: &Api<DynamicObject>, name: &str, replicas: i32) -> Result<()> {
    let number = object("Function", name, &json!({"replicas": replicas}))?;
    api.patch(name, &PatchParams::apply("scaler"), &Patch::Apply(number)).await?;
    Ok(())
}

/// The documented example of an autoscaler: no field manager owns the number until a scaler sets it.
#[tokio::test(flavor = "multi_thread")]
async fn an_object_without_replicas_is_scaled_by_any_client() -> Result<()> {
    let env = TestEnv::connect().await?;
    env.prepare().await?;
    env.test("number", |env, namespace| async move {
        let _statefulset_controller = FakeStatefulSetController::start(&env, &namespace);
        let _controller = Controller::start(&env, "function-controller", &namespace).await?;
        let api = functions(&env, &namespace);
        let name = "autoscaling-metrics";
        let example = std::fs::read_to_string(paths::root().join(format!("docs/examples/{name}.yaml")))?;
        let example = example.replace("namespace: demo", &format!("namespace: {namespace}"));
        let file = std::env::temp_dir().join(format!("{namespace}.yaml"));
        std::fs::write(&file, &example)?;
        let path = file.display().to_string();
        let kubectl = |arguments: &str| {
            let arguments: Vec<&str> = arguments.split(' ').collect();
            let all = ["-n", &namespace].into_iter().chain(arguments).chain(["-f", &path]);
            run(&mut env.kubectl.with(all))
        };
        kubectl("apply")?;
        let number = api.get_scale(name).await?.spec.and_then(|spec| spec.replicas);
        ensure!(number == Some(1), "at once, and without a controller: {number:?}");
        until_ready(&env, &api, name, AVAILABLE).await?;

        scale(&api, name, 4).await.context("an autoscaler")?;
        until_runs(&env, &namespace, name, 4).await?;
        kubectl("apply").context("the same manifest again")?;
        merge(&api, name, json!({"spec": {"image": "example.com/image:2"}})).await?;
        kubectl("apply --server-side --field-manager=gitops --force-conflicts").context("a GitOps tool")?;
        until_ready(&env, &api, name, AVAILABLE).await?;
        until_runs(&env, &namespace, name, 4).await?;
        kubectl_scale(&env, &namespace, name, 3)?;
        until_runs(&env, &namespace, name, 3).await?;
        kubectl("apply --server-side --field-manager=gitops")?;
        until_ready(&env, &api, name, AVAILABLE).await?;
        until_runs(&env, &namespace, name, 3).await?;
        ensure!(apply_number(&api, name, 2).await.is_err(), "the last scaler owns the number");
        std::fs::remove_file(&file)?;
        Ok(())
    })
    .await
}

/// `minReplicas` is the number if none is stated, and no bound for a scaler without an autoscaler.
#[tokio::test(flavor = "multi_thread")]
async fn the_smallest_number_is_where_an_object_without_one_starts() -> Result<()> {
    let env = TestEnv::connect().await?;
    env.prepare().await?;
    env.test("fewest", |env, namespace| async move {
        let _statefulset_controller = FakeStatefulSetController::start(&env, &namespace);
        let _controller = Controller::start(&env, "function-controller", &namespace).await?;
        let api = functions(&env, &namespace);
        let with = |fields: Value| {
            let mut spec = function_spec();
            for (key, value) in fields.as_object().into_iter().flatten() {
                spec[key] = value.clone();
            }
            spec.as_object_mut().into_iter().for_each(|spec| drop(spec.remove("replicas")));
            spec
        };
        create(&api, "Function", "bounds", &with(json!({"minReplicas": 2, "maxReplicas": 5}))).await?;
        create(&api, "Function", "fixed", &with(json!({"minReplicas": 3}))).await?;
        let applied = object("Function", "applied", &with(json!({"minReplicas": 3})))?;
        api.patch("applied", &PatchParams::apply("gitops"), &Patch::Apply(applied)).await?;
        for (name, replicas) in [("bounds", 2), ("fixed", 3), ("applied", 3)] {
            until_runs(&env, &namespace, name, replicas).await?;
            until_ready(&env, &api, name, AVAILABLE).await?;
        }
        let scaler =
            Child::of(&env, &namespace, "HorizontalPodAutoscaler", "bounds-function")?.state().await?;
        ensure!(scaler["spec"]["minReplicas"] == json!(2), "{scaler}");
        scale(&api, "bounds", 2).await?;
        until_runs(&env, &namespace, "bounds", 2).await?;
        for name in ["fixed", "applied"] {
            kubectl_scale(&env, &namespace, name, 2)?;
            until_runs(&env, &namespace, name, 2).await?;
        }
        kubectl_scale(&env, &namespace, "fixed", 1)?;
        until_runs(&env, &namespace, "fixed", 1).await?;
        // For a number without an owner the API server does not record who scaled it: 1 has to be stated.
        apply_number(&api, "applied", 1).await?;
        until_runs(&env, &namespace, "applied", 1).await?;
        Ok(())
    })
    .await
}

/// The kinds of connectors scale like Functions.
#[tokio::test(flavor = "multi_thread")]
async fn connectors_have_a_number_as_well() -> Result<()> {
    let env = TestEnv::connect().await?;
    env.prepare().await?;
    env.test("connectors", |env, namespace| async move {
        for (kind, plural, config) in [("Source", "sources", "sourceConfig"), ("Sink", "sinks", "sinkConfig")]
        {
            let api = api(&env, &namespace, kind, plural);
            let mut spec = function_spec();
            spec.as_object_mut().into_iter().for_each(|spec| {
                let unused = if kind == "Source" { "input" } else { "output" };
                for field in ["replicas", unused] {
                    spec.remove(field);
                }
            });
            (spec[config], spec["maxReplicas"]) = (json!({"a": "b"}), json!(3));
            create(&api, kind, "c", &spec).await?;
            scale(&api, "c", 2).await?;
            let number = api.get_scale("c").await?.spec.and_then(|spec| spec.replicas);
            ensure!(number == Some(2), "{kind}: {number:?}");
        }
        Ok(())
    })
    .await
}
