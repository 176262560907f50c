//! The limits of a tenant with permissions on Functions only, and of an administrator of one namespace, without any policy: their
//! permissions, and those of the operator, end at the namespace.

use anyhow::{Result, ensure};
use e2e::operator::NAMESPACE;
use e2e::testing::TestEnv;
use e2e::testing::objects::{function_spec, object, resource};
use k8s_openapi::api::core::v1::{Namespace, Secret};
use k8s_openapi::api::rbac::v1::{Role, RoleBinding};
use kube::api::{Api, DynamicObject, Patch, PatchParams, PostParams};
use serde_json::json;

/// Grants a user write access to some of the kinds in a namespace, and waits until it is effective.
pub(super) async fn grant(env: &TestEnv, namespace: &str, user: &str, plurals: &[&str]) -> Result<()> {
    let roles: Api<Role> = Api::namespaced(env.client.clone(), namespace);
    let bindings: Api<RoleBinding> = Api::namespaced(env.client.clone(), namespace);
    let role = json!({"metadata": {"name": user}, "rules": [{"apiGroups": ["compute.functionmesh.io"],
        "resources": plurals, "verbs": ["create", "delete", "get", "list", "patch", "update", "watch"]}]});
    let binding = json!({"metadata": {"name": user},
        "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "Role", "name": user},
        "subjects": [{"apiGroup": "rbac.authorization.k8s.io", "kind": "User", "name": user}]});
    roles.create(&PostParams::default(), &serde_json::from_value(role)?).await?;
    bindings.create(&PostParams::default(), &serde_json::from_value(binding)?).await?;
    let client = env.client_of(user)?;
    let kinds = resource("", plurals[0]);
    let api: Api<DynamicObject> = Api::namespaced_with(client, namespace, &kinds);
    env.until("permissions", || async { Ok(api.list(&kube::api::ListParams::default()).await.map(drop)?) })
        .await
}

/// Whether an error is a refusal by RBAC or by a policy.
pub(super) fn is_refusal(error: &anyhow::Error) -> bool {
    let text = format!("{error:#}");
    text.contains("forbidden") || text.contains("denied request")
}

fn refused<T>(what: &str, answer: kube::Result<T>) -> Result<()> {
    let refused = matches!(&answer, Err(kube::Error::Api(status)) if status.code == 403);
    ensure!(refused, "{what}: {:?}", answer.err());
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn permissions_end_at_the_namespace() -> Result<()> {
    let env = TestEnv::connect().await?;
    env.prepare().await?;
    env.test("reach", |env, namespace| async move {
        grant(&env, &namespace, "tenant", &["functions"]).await?;
        grant(
            &env,
            &namespace,
            "namespace-administrator",
            &["functions", "functionmeshes", "backendconfigs"],
        )
        .await?;
        let dry = PostParams { dry_run: true, ..PostParams::default() };
        for user in ["tenant", "namespace-administrator"] {
            let client = env.client_of(user)?;
            let of = |namespace: &str, kind: &str, plural: &str| -> Api<DynamicObject> {
                Api::namespaced_with(client.clone(), namespace, &resource(kind, plural))
            };
            let function = object("Function", "x", &function_spec())?;
            of(&namespace, "Function", "functions").create(&dry, &function).await?;
            refused(
                "another namespace",
                of("default", "Function", "functions").create(&dry, &function).await,
            )?;
            // The global defaults, in their current location and in that of the Go operator.
            let config = object("BackendConfig", "global-backend-config", &json!({"env": {"A": "b"}}))?;
            for place in [NAMESPACE, "default"] {
                let configs = of(place, "BackendConfig", "backendconfigs");
                refused("the global BackendConfig", configs.create(&dry, &config).await)?;
            }
            // The allowances of a namespace, and the health of a component.
            let namespaces: Api<Namespace> = Api::all(client.clone());
            let open = Patch::Merge(
                json!({"metadata": {"labels": {"compute.functionmesh.io/tenancy-policy": "exempt"}}}),
            );
            refused("the namespace", namespaces.patch(&namespace, &PatchParams::default(), &open).await)?;
            let status = Patch::Merge(json!({"status": {"replicas": 5}}));
            let functions = of(&namespace, "Function", "functions");
            refused("a status", functions.patch_status("x", &PatchParams::default(), &status).await)?;
            let secrets: Api<Secret> = Api::namespaced(client.clone(), &namespace);
            refused("a Secret", secrets.get("any").await)?;
        }
        let tenant = env.client_of("tenant")?;
        for (kind, plural) in [("FunctionMesh", "functionmeshes"), ("BackendConfig", "backendconfigs")] {
            let api: Api<DynamicObject> =
                Api::namespaced_with(tenant.clone(), &namespace, &resource(kind, plural));
            refused(kind, api.create(&dry, &object(kind, "x", &json!({}))?).await)?;
        }
        Ok(())
    })
    .await
}
