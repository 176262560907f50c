//! A controller of several namespaces, one of which it may not watch.

use anyhow::{Result, ensure};
use e2e::shell::run;
use e2e::testing::objects::{create, function_spec, functions};
use e2e::testing::{Child, Controller, TestEnv};
use k8s_openapi::api::core::v1::Namespace;
use kube::api::{Api, DeleteParams, PostParams};
use serde_json::json;

/// A user whose only permissions are those that this test grants.
const USER: &str = "restricted-controller";
const ROLE: &str = "function-mesh-function-controller";

/// Grants a role of a namespace, or a cluster role in a namespace.
fn binding(kind: &str, role: &str) -> String {
    let group = "rbac.authorization.k8s.io";
    format!(
        "apiVersion: {group}/v1\nkind: RoleBinding\nmetadata: {{name: {USER}-{}}}\n\
         roleRef: {{apiGroup: {group}, kind: {kind}, name: {role}}}\n\
         subjects: [{{apiGroup: {group}, kind: Group, name: {USER}}}]\n",
        kind.to_lowercase()
    )
}

#[tokio::test(flavor = "multi_thread")]
async fn a_namespace_that_may_not_be_watched_holds_up_no_other() -> Result<()> {
    let env = TestEnv::connect().await?;
    env.prepare().await?;
    env.test("several", |env, a| async move {
        let b = format!("{a}-b");
        let namespaces: Api<Namespace> = Api::all(env.client.clone());
        let object = serde_json::from_value(json!({"metadata": {"name": b}}))?;
        namespaces.create(&PostParams::default(), &object).await?;
        env.kubectl.apply(&a, &binding("ClusterRole", ROLE))?;
        // In b, Functions may be listed, and everything may be written: only the existing children cannot be read.
        env.kubectl.apply(
            &b,
            "apiVersion: rbac.authorization.k8s.io/v1\nkind: Role\nmetadata: {name: some}\nrules:\n\
             - {apiGroups: [compute.functionmesh.io], resources: ['*'], verbs: ['*']}\n\
             - {apiGroups: [apps, ''], resources: [statefulsets, services], verbs: [create, patch, delete]}\n",
        )?;
        env.kubectl.apply(&b, &binding("Role", "some"))?;
        for namespace in [&a, &b] {
            create(&functions(&env, namespace), "Function", "f", &function_spec()).await?;
        }
        // Spaces, empty names and duplicates are ignored.
        let watched = format!("--watched-namespace={a},{b}, {a},,{b}");
        let flags = [watched.as_str(), "--leader-elect=false"];
        let controller = Controller::spawn_as(&env, USER, "function-controller", &flags)?;
        controller.ready(&env).await?;
        let child = |namespace: &str| Child::of(&env, namespace, "StatefulSet", "f-function");
        let (in_a, in_b) = (child(&a)?, child(&b)?);
        env.until("work in a", || async { in_a.state().await.map(drop) }).await?;
        let said = controller.get("readyz")?;
        ensure!(said.contains(&format!("namespace {b}: ")) && said.contains("is forbidden"), "{said}");
        ensure!(controller.metric("function_mesh_unwatched_namespaces")? == 1, "b is not counted");
        let warned = controller.log()?;
        let warned = warned.lines().filter(|line| line.contains("WARN") && line.contains("namespace cannot be watched"));
        ensure!(warned.count() == 1, "b is not in the log once");
        controller.until_idle(&env).await?;
        let writes = env.audit()?.by(&controller.user).within(&b).writes();
        ensure!(writes.requests().is_empty(), "written without knowing what is there: {:?}", writes.counts());

        env.kubectl.apply(&b, &binding("ClusterRole", ROLE))?;
        env.until("work in b", || async { in_b.state().await.map(drop) }).await?;
        ensure!(controller.metric("function_mesh_unwatched_namespaces")? == 0, "b is still counted");
        ensure!(controller.get("readyz")?.trim() == "ok", "{}", controller.get("readyz")?);
        controller.until_idle(&env).await?;

        // The namespace is deleted with its Roles; the controller is restarted.
        controller.signal("TERM")?;
        namespaces.delete(&b, &DeleteParams::background()).await?;
        run(&mut env.kubectl.command(&format!("-n {b} delete rolebindings,roles --all")))?;
        let controller = Controller::spawn_as(&env, USER, "function-controller", &flags)?;
        controller.ready(&env).await?;
        controller.reconciled(&env, 1).await?;
        let writes = env.audit()?.by(&controller.user).writes();
        ensure!(writes.requests().is_empty(), "writes after a restart: {:?}", writes.counts());
        create(&functions(&env, &a), "Function", "g", &function_spec()).await?;
        let later = Child::of(&env, &a, "StatefulSet", "g-function")?;
        env.until("work in a after the restart", || async { later.state().await.map(drop) }).await
    })
    .await
}
