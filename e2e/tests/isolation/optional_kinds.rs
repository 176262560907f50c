//! A kind that clusters may not have: access to it may be denied, and it may be removed and installed again at any time.

use anyhow::{Result, bail, ensure};
use e2e::cluster::ApiOnly;
use e2e::testing::fake_statefulset_controller::FakeStatefulSetController;
use e2e::testing::objects::{
    AVAILABLE, condition, create, function_spec, functions, until_condition, until_ready,
};
use e2e::testing::{Child, Controller, TestEnv, vertical};
use k8s_openapi::api::rbac::v1::ClusterRole;
use kube::api::{Api, Patch, PatchParams};
use serde_json::json;

const ROLE: &str = "function-mesh-function-controller";
const MISSING: &str = "VerticalPodAutoscalerMissing";

/// Replaces the rules of a role.
async fn grant(roles: &Api<ClusterRole>, role: &ClusterRole) -> Result<()> {
    let patch = json!({"rules": role.rules});
    roles.patch(ROLE, &PatchParams::default(), &Patch::Merge(patch)).await?;
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_kind_may_be_denied_removed_and_installed_at_any_time() -> Result<()> {
    let server = ApiOnly::up("optional")?;
    let env = TestEnv::dedicated(&server).await?;
    env.test("optional", |env, namespace| async move {
        let (env, namespace) = (&env, namespace.as_str());
        let _statefulset_controller = FakeStatefulSetController::start(env, namespace);
        vertical::install(env).await?;
        let roles: Api<ClusterRole> = Api::all(env.client.clone());
        let whole = roles.get(ROLE).await?;
        let mut part = whole.clone();
        part.rules.iter_mut().flatten().for_each(|rule| {
            rule.api_groups
                .iter_mut()
                .flatten()
                .filter(|group| group.starts_with("autoscaling.k8s"))
                .for_each(|group| "none.example.com".clone_into(group));
        });
        ensure!(part != whole, "the role has no rule for the kind");
        grant(&roles, &part).await?;

        // Denied from the start.
        let api = functions(env, namespace);
        let mut spec = function_spec();
        create(&api, "Function", "plain", &spec).await?;
        spec["pod"] = json!({"vpa": {"updatePolicy": {"updateMode": "Auto"}}});
        create(&api, "Function", "scaled", &spec).await?;
        let controller = Controller::start(env, "function-controller", namespace).await?;
        for name in ["plain", "scaled"] {
            until_ready(env, &api, name, AVAILABLE).await?;
        }
        let message = until_condition(env, &api, "scaled", MISSING, ("True", "ApiMissing")).await?;
        ensure!(message.contains("not permitted to list") && message.contains("is forbidden"), "{message}");
        ensure!(condition(&api, "plain", MISSING).await.is_err(), "it asks for none");

        // Granted while the controller runs.
        grant(&roles, &whole).await?;
        let scaler = Child::of(env, namespace, "VerticalPodAutoscaler", "scaled-function")?;
        let there = || async { scaler.state().await.map(drop) };
        let over = || async {
            if condition(&api, "scaled", MISSING).await.is_err() {
                Ok(())
            } else {
                bail!("{MISSING} is still there")
            }
        };
        env.until("the autoscaler", there).await?;
        env.until("end of the condition", over).await?;

        // Removed while the controller runs.
        let mark = env.mark().await?;
        vertical::remove(env).await?;
        let message = until_condition(env, &api, "scaled", MISSING, ("True", "ApiMissing")).await?;
        ensure!(message.contains("does not have"), "{message}");
        create(&api, "Function", "later", &function_spec()).await?;
        until_ready(env, &api, "later", AVAILABLE).await?;
        controller.until_idle(env).await?;
        for name in ["plain", "scaled"] {
            until_ready(env, &api, name, AVAILABLE).await?;
        }
        let events = env
            .audit_since(&mark)?
            .by(&controller.user)
            .only(|r| r.verb == "create" && r.resource() == "events");
        ensure!(
            events.requests().len() <= 1,
            "Events besides that of the new Function: {:?}",
            events.counts()
        );

        // Installed again; a restart writes nothing.
        vertical::install(env).await?;
        env.until("the autoscaler again", there).await?;
        env.until("end of the condition", over).await?;
        controller.until_idle(env).await?;
        controller.signal("TERM")?;
        let controller = Controller::start(env, "function-controller", namespace).await?;
        controller.reconciled(env, 3).await?;
        let writes = env.audit()?.by(&controller.user).writes();
        ensure!(writes.requests().is_empty(), "writes after a restart: {:?}", writes.counts());
        Ok(())
    })
    .await
}
