//! The opt-in policy for tenants, tested by a user who may write the kinds in one namespace and nothing else.

use super::reach::{grant, is_refusal};
use anyhow::{Context, Result, bail, ensure};
use e2e::paths;
use e2e::testing::fake_statefulset_controller::FakeStatefulSetController;
use e2e::testing::objects::{AVAILABLE, function_spec, merge, object, resource, until_ready};
use e2e::testing::{Controller, TestEnv};
use k8s_openapi::api::admissionregistration::v1::{
    ValidatingAdmissionPolicy, ValidatingAdmissionPolicyBinding,
};
use k8s_openapi::api::core::v1::Namespace;
use kube::api::{Api, DeleteParams, DynamicObject, Patch, PatchParams, PostParams};
use kube::{Client, ResourceExt};
use serde_json::{Value, json};

const KINDS: [(&str, &str); 3] =
    [("Function", "functions"), ("FunctionMesh", "functionmeshes"), ("BackendConfig", "backendconfigs")];

/// Installs the policy of `config/tenancy` for one namespace, and waits until it is in force.
async fn install(env: &TestEnv, namespace: &str, mesh_controller: &str) -> Result<()> {
    let text = std::fs::read_to_string(paths::root().join("config/tenancy/policy.yaml"))?;
    let account = "system:serviceaccount:function-mesh-system:function-mesh-mesh-controller";
    ensure!(text.matches(account).count() == 1, "the mesh controller has another account");
    let text = text.replace(account, mesh_controller);
    let mut documents = text.split("---\n").map(serde_yaml::from_str::<Value>);
    let mut policy = documents.next().context("no policy")??;
    let mut binding = documents.next().context("no binding")??;
    policy["metadata"]["name"] = json!(namespace);
    binding["metadata"]["name"] = json!(namespace);
    binding["spec"]["policyName"] = json!(namespace);
    binding["spec"]["matchResources"]["namespaceSelector"]["matchLabels"] =
        json!({"kubernetes.io/metadata.name": namespace});
    let policies: Api<ValidatingAdmissionPolicy> = Api::all(env.client.clone());
    let bindings: Api<ValidatingAdmissionPolicyBinding> = Api::all(env.client.clone());
    policies.create(&PostParams::default(), &serde_json::from_value(policy)?).await?;
    bindings.create(&PostParams::default(), &serde_json::from_value(binding)?).await?;
    let tenant = Tenant::new(env, namespace)?;
    env.until("policy", || async {
        let probe = json!({"pod": {"serviceAccountName": "other"}});
        tenant.refused("Function", &probe).await.map(drop)
    })
    .await
}

async fn uninstall(env: &TestEnv, namespace: &str) -> Result<()> {
    let policies: Api<ValidatingAdmissionPolicy> = Api::all(env.client.clone());
    let bindings: Api<ValidatingAdmissionPolicyBinding> = Api::all(env.client.clone());
    bindings.delete(namespace, &DeleteParams::default()).await?;
    policies.delete(namespace, &DeleteParams::default()).await?;
    Ok(())
}

/// The user.
struct Tenant {
    client: Client,
    namespace: String,
}

impl Tenant {
    fn new(env: &TestEnv, namespace: &str) -> Result<Self> {
        Ok(Self { client: env.client_of("tenant")?, namespace: namespace.to_owned() })
    }

    fn api(&self, kind: &str) -> Result<Api<DynamicObject>> {
        let (kind, plural) = KINDS.into_iter().find(|(known, _)| *known == kind).context("kind")?;
        Ok(Api::namespaced_with(self.client.clone(), &self.namespace, &resource(kind, plural)))
    }

    /// A dry run: creates an object with additional settings.
    async fn create(&self, kind: &str, more: &Value) -> Result<kube::Result<DynamicObject>> {
        let dry = PostParams { dry_run: true, ..PostParams::default() };
        Ok(self.api(kind)?.create(&dry, &object(kind, "x", &spec(kind, more))?).await)
    }

    /// The response of the API server if it refuses that.
    async fn refused(&self, kind: &str, more: &Value) -> Result<String> {
        match self.create(kind, more).await? {
            Err(kube::Error::Api(status)) if status.message.contains("denied request") => {
                Ok(status.message.clone())
            }
            Err(error) => Err(error.into()),
            Ok(_) => bail!("{kind}: admitted: {more}"),
        }
    }
}

/// The smallest object of a kind with additional settings: in a mesh, they are in an item.
fn spec(kind: &str, more: &Value) -> Value {
    let mut function = function_spec();
    for (key, value) in more.as_object().into_iter().flatten() {
        function[key] = value.clone();
    }
    match kind {
        "FunctionMesh" => {
            function["name"] = json!("item");
            json!({"functions": [function]})
        }
        "BackendConfig" => json!({"pod": more.get("pod")}),
        _ => function,
    }
}

fn sidecar(more: &Value) -> Value {
    let mut container = json!({"name": "side", "image": "example.com/side:1"});
    for (key, value) in more.as_object().into_iter().flatten() {
        container[key] = value.clone();
    }
    json!({"pod": {"sidecars": [container]}})
}

/// Refused settings, and the field in the message, below `spec` or the item.
fn refusals() -> Vec<(Value, &'static str)> {
    let volume = |type_: &str, value: Value| json!({"pod": {"volumes": [{"name": "v", type_: value}]}});
    let privileged = |name: &str, value: Value| sidecar(&json!({"securityContext": {name: value}}));
    vec![
        (json!({"pod": {"serviceAccountName": "other"}}), "pod.serviceAccountName other"),
        (volume("hostPath", json!({"path": "/"})), "pod.volumes[v].hostPath"),
        (volume("nfs", json!({"server": "s", "path": "/"})), "pod.volumes[v].nfs"),
        (volume("image", json!({"reference": "example.com/x"})), "pod.volumes[v].image"),
        (privileged("privileged", json!(true)), "pod.sidecars[side] securityContext.privileged"),
        (privileged("procMount", json!("Unmasked")), "pod.sidecars[side] securityContext.procMount"),
        (
            privileged("capabilities", json!({"add": ["NET_ADMIN"]})),
            "pod.sidecars[side] capability NET_ADMIN",
        ),
        (
            privileged("seccompProfile", json!({"type": "Unconfined"})),
            "pod.sidecars[side] securityContext.seccompProfile",
        ),
        (
            sidecar(&json!({"ports": [{"containerPort": 1, "hostPort": 22}]})),
            "pod.sidecars[side] hostPort 22",
        ),
        (
            json!({"pod": {"initContainers": [{"name": "init", "image": "i", "securityContext": {"privileged": true}}]}}),
            "pod.initContainers[init] securityContext.privileged",
        ),
        (
            json!({"pod": {"securityContext": {"sysctls": [{"name": "kernel.shm", "value": "1"}]}}}),
            "pod.securityContext.sysctls",
        ),
        (
            json!({"pod": {"securityContext": {"windowsOptions": {"hostProcess": true}}}}),
            "pod.securityContext.windowsOptions.hostProcess",
        ),
        (
            json!({"pod": {"annotations": {"container.apparmor.security.beta.kubernetes.io/c": "unconfined"}}}),
            "pod.annotations container.apparmor.security.beta.kubernetes.io/c",
        ),
        (json!({"pod": {"nodeSelector": {"pool": "control"}}}), "pod.nodeSelector pool=control"),
        (
            json!({"pod": {"affinity": {"nodeAffinity": {"preferredDuringSchedulingIgnoredDuringExecution": [
                {"weight": 1, "preference": {"matchExpressions": [{"key": "a", "operator": "Exists"}]}}]}}}}),
            "pod.affinity.nodeAffinity",
        ),
        (json!({"pod": {"tolerations": [{"operator": "Exists"}]}}), "pod.tolerations of everything"),
        (
            json!({"pod": {"tolerations": [{"key": "control", "operator": "Exists"}]}}),
            "pod.tolerations control",
        ),
    ]
}

#[tokio::test(flavor = "multi_thread")]
async fn each_clause_refuses_what_it_names_and_nothing_else() -> Result<()> {
    let env = TestEnv::connect().await?;
    env.prepare().await?;
    env.test("tenancy", |env, namespace| async move {
        grant(&env, &namespace, "tenant", &["functions", "functionmeshes", "backendconfigs"]).await?;
        let tenant = Tenant::new(&env, &namespace)?;
        for (more, _) in refusals() {
            tenant.create("Function", &more).await?.with_context(|| format!("without the policy: {more}"))?;
        }
        install(&env, &namespace, "nobody").await?;
        for (more, field) in refusals() {
            for (kind, at) in [("Function", "spec."), ("FunctionMesh", "spec.functions[item]."), ("BackendConfig", "spec.")] {
                let message = tenant.refused(kind, &more).await?;
                ensure!(message.contains(&format!("{at}{field}")), "{kind} {field}: {message}");
            }
        }
        let harmless = [
            json!({}),
            json!({"pod": null}),
            json!({"pod": {"serviceAccountName": "default", "volumes": null, "sidecars": null, "securityContext": null,
                "affinity": null, "tolerations": null, "nodeSelector": null, "annotations": null}}),
            json!({"pod": {"serviceAccountName": "", "labels": {"a": "b"}, "annotations": {"a": "b"},
                "securityContext": {"runAsUser": 1000, "seccompProfile": {"type": "RuntimeDefault"}},
                "affinity": {"podAntiAffinity": {}}, "volumes": [{"name": "v", "secret": {"secretName": "s"}}, {"name": "e"}]}}),
            sidecar(&json!({"securityContext": {"privileged": false, "capabilities": {"drop": ["ALL"], "add": ["CHOWN"]}},
                "ports": [{"containerPort": 80}]})),
            json!({"image": "anything", "filebeatImage": null}),
        ];
        for more in harmless {
            for (kind, _) in KINDS {
                tenant.create(kind, &more).await?.with_context(|| format!("{kind}: {more}"))?;
            }
        }

        // Allowed by the namespace.
        let allow = |annotations: Value| {
            let namespaces: Api<Namespace> = Api::all(env.client.clone());
            let (name, patch) = (namespace.clone(), json!({"metadata": {"annotations": annotations}}));
            async move { namespaces.patch(&name, &PatchParams::default(), &Patch::Merge(patch)).await }
        };
        allow(json!({
            "compute.functionmesh.io/allowed-service-accounts": "one, other",
            "compute.functionmesh.io/allowed-image-prefixes": "example.com/,mirror/",
            "compute.functionmesh.io/allowed-node-selectors": "pool=tenants,zone=*",
            "compute.functionmesh.io/allowed-tolerations": "tenants",
        }))
        .await?;
        let allowed = json!({"image": "mirror/x", "pod": {
            "serviceAccountName": "other", "nodeSelector": {"pool": "tenants", "zone": "z"},
            "tolerations": [{"key": "tenants", "operator": "Exists"}]}});
        env.until("annotations", || async { Ok(tenant.create("Function", &allowed).await??) }).await?;
        for (more, field) in [
            (json!({"pod": {"serviceAccountName": "two"}}), "spec.pod.serviceAccountName two"),
            (json!({"pod": {"nodeSelector": {"pool": "control"}}}), "spec.pod.nodeSelector pool=control"),
            (json!({"image": "other/x"}), "spec.image other/x"),
            (json!({"cleanupImage": "other/x"}), "spec.cleanupImage other/x"),
            (json!({"downloaderImage": "other/x"}), "spec.downloaderImage other/x"),
            (json!({"filebeatImage": "other/x"}), "spec.filebeatImage other/x"),
            (sidecar(&json!({"image": "other/x"})), "spec.pod.sidecars[side].image other/x"),
        ] {
            let message = tenant.refused("Function", &more).await?;
            ensure!(message.contains(field) && message.contains("annotation compute.functionmesh.io/allowed-"), "{field}: {message}");
        }
        let everything = json!({"compute.functionmesh.io/allowed-node-selectors": "*",
            "compute.functionmesh.io/allowed-service-accounts": "*", "compute.functionmesh.io/allowed-tolerations": "*"});
        allow(everything).await?;
        let rest = refusals().into_iter().filter(|(_, field)| {
            ["pod.serviceAccountName", "pod.nodeSelector", "pod.affinity", "pod.tolerations"].iter().any(|f| field.starts_with(f))
        });
        for (more, _) in rest {
            env.until("annotations", || async { Ok(tenant.create("Function", &more).await??) }).await?;
        }
        uninstall(&env, &namespace).await
    })
    .await
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_there_already_goes_on_and_stays_editable() -> Result<()> {
    let env = TestEnv::connect().await?;
    env.prepare().await?;
    env.test("tenancyold", |env, namespace| async move {
        let _statefulset_controller = FakeStatefulSetController::start(&env, &namespace);
        grant(&env, &namespace, "tenant", &["functions", "functionmeshes", "backendconfigs"]).await?;
        let tenant = Tenant::new(&env, &namespace)?;
        let _functions = Controller::start(&env, "function-controller", &namespace).await?;
        let meshes = Controller::start(&env, "mesh-controller", &namespace).await?;
        let mut old = json!({"pod": {"serviceAccountName": "other",
            "volumes": [{"name": "v", "hostPath": {"path": "/data"}}]}});
        for (kind, name, cleanup) in [("Function", "f", true), ("FunctionMesh", "m", false)] {
            old["cleanupSubscription"] = json!(cleanup);
            tenant.api(kind)?.create(&PostParams::default(), &object(kind, name, &spec(kind, &old))?).await?;
        }
        let (functions, mesh) = (tenant.api("Function")?, tenant.api("FunctionMesh")?);
        for name in ["f", "m-item"] {
            until_ready(&env, &functions, name, AVAILABLE).await?;
        }
        install(&env, &namespace, &meshes.user).await?;

        // Other edits, by the user and by the controllers: a status, a finalizer, a component.
        merge(&functions, "f", json!({"spec": {"replicas": 2, "cleanupSubscription": false}})).await?;
        until_ready(&env, &functions, "f", AVAILABLE).await?;
        env.until("end of the finalizer", || async {
            ensure!(functions.get("f").await?.finalizers().is_empty(), "still there");
            Ok(())
        })
        .await?;
        let mut items = mesh.get("m").await?.data["spec"]["functions"].clone();
        items[0]["image"] = json!("example.com/image:2");
        merge(&mesh, "m", json!({"spec": {"functions": items}})).await?;
        env.until("component", || async {
            let image = functions.get("m-item").await?.data["spec"]["image"].clone();
            if image == "example.com/image:2" { Ok(()) } else { bail!("{image}") }
        })
        .await?;
        functions.delete("m-item", &DeleteParams::default()).await?;
        until_ready(&env, &functions, "m-item", AVAILABLE).await?;

        // More of the same is refused, in place and in another item.
        let more = [
            (
                &functions,
                "f",
                json!({"spec": {"pod": {"serviceAccountName": "third"}}}),
                "spec.pod.serviceAccountName third",
            ),
            (
                &functions,
                "f",
                json!({"spec": {"pod": {"volumes": [{"name": "v", "hostPath": {"path": "/"}}]}}}),
                "spec.pod.volumes[v].hostPath",
            ),
            (
                &mesh,
                "m",
                {
                    let mut second = items[0].clone();
                    second["name"] = json!("second");
                    json!({"spec": {"functions": [items[0], second]}})
                },
                "spec.functions[second].pod.serviceAccountName other",
            ),
        ];
        for (api, name, patch, field) in more {
            let answer = merge(api, name, patch).await;
            let text = answer.err().map(|error| format!("{error:#}")).unwrap_or_default();
            ensure!(text.contains(field), "{field}: {text}");
        }
        let account = json!({"spec": {"pod": {"serviceAccountName": null, "volumes": null}}});
        merge(&functions, "f", account).await?;
        let back = merge(&functions, "f", json!({"spec": {"pod": {"serviceAccountName": "other"}}})).await;
        ensure!(back.is_err_and(|error| is_refusal(&error)), "what was given up came back");
        uninstall(&env, &namespace).await
    })
    .await
}
