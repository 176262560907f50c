//! The ways to install the operator that the README and docs/migrate.md describe.

use crate::chart::helm::{chart, documents, scratch, template};
use anyhow::{Context, Result, ensure};
use e2e::images::CONTROLLERS_IMAGE;
use e2e::operator::{Kubectl, NAMESPACE, RELEASE};
use e2e::paths;
use e2e::shell::{command, output, run};
use e2e::testing::TestEnv;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::process::Command;

/// Objects by kind and name, without what differs on purpose: labels and annotations of Helm.
fn comparable(objects: Vec<Value>) -> BTreeMap<String, Value> {
    let mut found = BTreeMap::new();
    for mut object in objects {
        let hook = object.pointer("/metadata/annotations/helm.sh~1hook").is_some();
        let kind = object["kind"].as_str().unwrap_or_default().to_owned();
        let name = object["metadata"]["name"].as_str().unwrap_or_default();
        // ClusterRoles of the chart have the namespace in their names, as there may be several releases.
        let name = name.strip_prefix(&format!("{NAMESPACE}-")).unwrap_or(name).to_owned();
        // The check before an uninstall belongs to Helm, and the namespace is an option of Helm.
        if hook || kind == "Namespace" {
            continue;
        }
        if let Some(fields) = object.as_object_mut() {
            fields.remove("metadata");
        }
        if let Some(labels) =
            object.pointer_mut("/spec/template/metadata/labels").and_then(Value::as_object_mut)
        {
            labels.retain(|key, _| key != "helm.sh/chart" && key != "app.kubernetes.io/managed-by");
        }
        floats(&mut object);
        if let Some(role) = object.pointer_mut("/roleRef/name") {
            *role = role.as_str().unwrap_or_default().replace(&format!("{NAMESPACE}-"), "").into();
        }
        found.insert(format!("{kind}/{name}"), object);
    }
    found
}

/// Kustomize writes the limits of the schemas, which are floating-point numbers, as integers.
fn floats(value: &mut Value) {
    match value {
        Value::Object(fields) => fields.values_mut().for_each(floats),
        Value::Array(items) => items.iter_mut().for_each(floats),
        Value::Number(number) => {
            if let Some(float) = number.as_f64() {
                *value = float.into();
            }
        }
        _ => {}
    }
}

#[test]
fn kustomize_and_one_file_install_what_the_charts_install() -> Result<()> {
    let mut charts = documents(&template("function-mesh-operator", RELEASE, NAMESPACE, &json!({}))?)?;
    charts.extend(documents(&template("function-mesh-crds", "function-mesh-crds", NAMESPACE, &json!({}))?)?);
    let charts = comparable(charts);
    let folder = paths::root().join("config/default");
    let kustomized = documents(&output(command(paths::binary("kubectl"), ["kustomize"]).arg(folder))?)?;
    let namespaces = kustomized.iter().filter(|object| object["kind"] == "Namespace").count();
    assert_eq!(namespaces, 1);
    let file = scratch("install")?.join("install.yaml");
    let mut xtask = command("cargo", ["run", "--quiet", "--locked", "--package", "xtask", "--", "manifest"]);
    run(xtask.arg(&file).current_dir(paths::root()))?;
    let single = documents(&std::fs::read_to_string(&file)?)?;
    assert_eq!(single.len(), kustomized.len());
    for (way, objects) in [("config/default", kustomized), ("install.yaml", single)] {
        let objects = comparable(objects);
        let names = |objects: &BTreeMap<String, Value>| objects.keys().cloned().collect::<Vec<_>>();
        assert_eq!(names(&charts), names(&objects), "{way}");
        for (name, object) in &objects {
            assert_eq!(charts[name], *object, "{way}: {name}");
        }
    }
    Ok(())
}

fn helm<'a>(kubectl: &Kubectl, arguments: impl IntoIterator<Item = &'a str>) -> Command {
    let mut helm = command(paths::binary("helm"), arguments);
    helm.env("KUBECONFIG", kubectl.kubeconfig());
    helm
}

/// `config/rbac` names its namespace, and the CRDs of another release are taken over only if that is asked for.
#[tokio::test(flavor = "multi_thread")]
async fn crds_of_another_release_are_taken_over_on_request() -> Result<()> {
    let env = TestEnv::connect().await?;
    env.prepare().await?;
    let kubectl = &env.kubectl;
    let install = ["install", "function-mesh-crds", "--namespace", "default"];
    let uninstall = || run(&mut helm(kubectl, ["uninstall", "function-mesh-crds", "--namespace", "default"]));
    // kubectl created them for the tests.
    let options = ["--take-ownership", "--force-conflicts"];
    run(helm(kubectl, install).arg(chart("function-mesh-crds")).args(options))?;
    uninstall()?;
    // As the chart of the Go operator leaves them: owned by its release, with a conversion webhook.
    let names = ["functions", "sources", "sinks", "functionmeshes", "backendconfigs"];
    let patch = json!({
        "metadata": {
            "annotations": {"meta.helm.sh/release-name": "old", "meta.helm.sh/release-namespace": "default"},
            "labels": {"app.kubernetes.io/managed-by": "Helm"},
        },
        "spec": {"conversion": {"strategy": "Webhook", "webhook": {
            "clientConfig": {"service": {"name": "old", "namespace": "default", "path": "/convert"}},
            "conversionReviewVersions": ["v1", "v1beta1"],
        }}},
    })
    .to_string();
    for name in names {
        let mut change = kubectl.command("patch --type=merge --field-manager=helm crd");
        run(change.args([&format!("{name}.compute.functionmesh.io"), "--patch", &patch]))?;
    }
    let refused = run(helm(kubectl, install).arg(chart("function-mesh-crds")));
    let text = format!("{:#}", refused.err().context("Helm took over the CRDs without being asked")?);
    ensure!(text.contains("invalid ownership metadata"), "{text}");
    run(helm(kubectl, install).arg(chart("function-mesh-crds")).arg("--take-ownership"))?;
    for name in names {
        let crd = output(&mut kubectl.command(&format!("get crd {name}.compute.functionmesh.io -o json")))?;
        let crd: Value = serde_json::from_str(&crd)?;
        let annotations = &crd["metadata"]["annotations"];
        assert_eq!(annotations["helm.sh/resource-policy"], "keep", "{name}");
        assert_eq!(annotations["meta.helm.sh/release-name"], "function-mesh-crds", "{name}");
        assert_eq!(crd["spec"]["conversion"], json!({"strategy": "None"}), "{name}");
    }
    uninstall()?;
    for name in names {
        run(&mut kubectl.command(&format!("get crd {name}.compute.functionmesh.io")))?;
    }
    env.install().await
}

/// A user who is `admin` of one namespace and has the role for the installation there needs nothing else.
#[tokio::test(flavor = "multi_thread")]
async fn a_user_without_permissions_elsewhere_installs_into_a_namespace() -> Result<()> {
    let env = TestEnv::connect().await?;
    env.prepare().await?;
    env.test("tenant-install", |env, namespace| async move {
        let kubectl = &env.kubectl;
        let bind = |role: &str| {
            let name = role.replace(':', "-");
            let words = format!("create rolebinding {name} --clusterrole={role} --user=tenant");
            run(kubectl.command(&words).args(["--namespace", &namespace]))
        };
        // The parts of `admin`, which the controller-manager would put together.
        for part in ["view", "edit", "admin"] {
            bind(&format!("system:aggregate-to-{part}"))?;
        }
        let install = || {
            let watched = format!("watchedNamespaces={{{namespace}}}");
            let mut helm =
                helm(kubectl, ["install", "x", "--namespace", &namespace, "--kube-as-user", "tenant"]);
            run(helm.arg(chart("function-mesh-operator")).args(["--set", &watched]))
        };
        let refused = install();
        let text = format!("{:#}", refused.err().context("a user may grant what the user does not have")?);
        ensure!(text.contains("attempting to grant RBAC permissions not currently held"), "{text}");
        let uninstall = || {
            let words =
                ["uninstall", "x", "--namespace", &namespace, "--kube-as-user", "tenant", "--no-hooks"];
            run(&mut helm(kubectl, words))
        };
        uninstall()?;
        bind("functionmesh-install")?;
        install()?;
        run(&mut kubectl
            .command(&format!("-n {namespace} get deployment x-function-controller x-mesh-controller")))?;
        uninstall()
    })
    .await
}

#[test]
fn the_image_of_the_documentation_is_built_and_installed() -> Result<()> {
    let objects = crate::chart::helm::objects(&json!({}))?;
    let deployments: Vec<_> = objects.iter().filter(|object| object["kind"] == "Deployment").collect();
    assert_eq!(deployments.len(), 4);
    for deployment in deployments {
        assert_eq!(deployment["spec"]["template"]["spec"]["containers"][0]["image"], CONTROLLERS_IMAGE);
    }
    let page = std::fs::read_to_string(paths::root().join("docs/quickstart.md"))?;
    ensure!(page.contains(&format!("docker build -t {CONTROLLERS_IMAGE} .")), "docker build");
    ensure!(page.contains(&format!("kind load docker-image {CONTROLLERS_IMAGE} ")), "kind load");
    Ok(())
}
