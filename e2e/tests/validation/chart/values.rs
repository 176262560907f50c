//! Every value of the chart does something that a test would miss, and the API server accepts every rendering.

use crate::chart::cases::{self, Case};
use crate::chart::helm::{chart, documents, objects, scratch, template};
use anyhow::{Context, Result, ensure};
use e2e::operator::Kubectl;
use e2e::paths;
use e2e::shell::{command, output, run};
use e2e::testing::TestEnv;
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};
use std::fs;

/// Version of the Prometheus operator whose kinds are installed; its module has their CRDs.
const PROMETHEUS_OPERATOR: &str = "github.com/prometheus-operator/prometheus-operator@v0.85.0";
const MONITORING_KINDS: [&str; 3] = ["podmonitors", "prometheusrules", "servicemonitors"];
/// Namespaces that the cases name.
const NAMESPACES: [&str; 5] = ["monitoring", crate::chart::helm::NAMESPACE, "shared", "team-a", "team-b"];

#[test]
fn each_value_has_an_effect() -> Result<()> {
    let cases = cases::all()?;
    let mut bases: BTreeMap<String, Value> = BTreeMap::new();
    for case in cases.iter().filter(|case| case.refused.is_none()) {
        bases.insert(case.base().to_string(), case.base());
    }
    let bases = in_parallel(&bases.into_iter().collect::<Vec<_>>(), |(key, values)| {
        Ok((key.clone(), objects(values)?))
    });
    let bases: BTreeMap<String, Vec<Value>> = bases.into_iter().collect::<Result<_>>()?;
    let results = in_parallel(&cases, |case| match &case.refused {
        Some(message) => case.check_refusal(message),
        None => case.check(&bases[&case.base().to_string()], &objects(&case.values())?),
    });
    let failures: Vec<String> = cases
        .iter()
        .zip(results)
        .filter_map(|(case, result)| result.err().map(|error| format!("{}: {error:#}", case.title())))
        .collect();
    ensure!(
        failures.is_empty(),
        "{} of {} cases fail:\n{}",
        failures.len(),
        cases.len(),
        failures.join("\n")
    );
    Ok(())
}

/// Runs a function for each item on as many threads as the machine has cores: Helm takes a tenth of a second.
fn in_parallel<T: Sync, R: Send>(items: &[T], run: impl Fn(&T) -> R + Sync) -> Vec<R> {
    let threads = std::thread::available_parallelism().map_or(1, usize::from);
    let size = items.len().div_ceil(threads).max(1);
    std::thread::scope(|scope| {
        let started: Vec<_> = items
            .chunks(size)
            .map(|chunk| scope.spawn(|| chunk.iter().map(&run).collect::<Vec<R>>()))
            .collect();
        started
            .into_iter()
            .flat_map(|thread| thread.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic)))
            .collect()
    })
}

#[test]
fn each_value_of_the_schema_has_a_case() -> Result<()> {
    let file = chart("function-mesh-operator").join("values.schema.json");
    let schema: Value = serde_json::from_str(&fs::read_to_string(file)?)?;
    let mut leaves = BTreeSet::new();
    collect(&schema, &schema, "", &mut leaves)?;
    let sets: Vec<Value> =
        cases::all()?.iter().filter(|case| case.refused.is_none()).map(Case::changed).collect();
    let is_set = |path: &str| sets.iter().any(|set| set.pointer(path).is_some());
    // The four controllers have the same settings.
    let covered = |path: &str| match path.strip_prefix("/controllers/function/") {
        Some(rest) => ["function", "source", "sink", "mesh"]
            .iter()
            .any(|kind| is_set(&format!("/controllers/{kind}/{rest}"))),
        None => path.starts_with("/controllers/") || path == "/global" || is_set(path),
    };
    let missing: Vec<&String> = leaves.iter().filter(|path| !covered(path)).collect();
    ensure!(missing.is_empty(), "values without a case: {missing:#?}");
    ensure!(leaves.len() > 150, "only {} values were found", leaves.len());

    // The values and the schema have the same names.
    let file = chart("function-mesh-operator").join("values.yaml");
    let defaults: Value = serde_yaml::from_str(&fs::read_to_string(file)?)?;
    for path in &leaves {
        let optional = path.starts_with("/controllers/") || path.matches('/').count() > 1;
        ensure!(optional || path == "/global" || defaults.pointer(path).is_some(), "{path} has no default");
    }
    Ok(())
}

/// Paths of the values: where a schema has no further properties.
fn collect(root: &Value, schema: &Value, path: &str, leaves: &mut BTreeSet<String>) -> Result<()> {
    if let Some(reference) = schema["$ref"].as_str() {
        let target = root.pointer(reference.trim_start_matches('#')).with_context(|| reference.to_owned())?;
        return collect(root, target, path, leaves);
    }
    // Parts of an object of Kubernetes are one value.
    let part = ["/affinity", "Probe", "/strategy"].iter().any(|end| path.ends_with(end));
    match schema["properties"].as_object().filter(|_| !part) {
        Some(properties) => {
            for (name, property) in properties {
                collect(root, property, &format!("{path}/{name}"), leaves)?;
            }
        }
        None => {
            leaves.insert(path.to_owned());
        }
    }
    Ok(())
}

#[test]
fn helm_lint_finds_nothing() -> Result<()> {
    for name in ["function-mesh-operator", "function-mesh-crds"] {
        run(command(paths::binary("helm"), ["lint", "--strict", "--quiet"]).arg(chart(name)))?;
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn the_api_server_accepts_every_rendering() -> Result<()> {
    let env = TestEnv::connect().await?;
    env.prepare().await?;
    install_monitoring_kinds(&env.kubectl)?;
    for namespace in NAMESPACES {
        env.kubectl.namespace(namespace)?;
    }
    // Most objects are the same in most renderings.
    let mut unique = BTreeSet::new();
    let cases: Vec<Case> = cases::all()?.into_iter().filter(|case| case.refused.is_none()).collect();
    for rendered in in_parallel(&cases, |case| objects(&case.values())) {
        unique.extend(rendered?.iter().map(Value::to_string));
    }
    let number = unique.len();
    ensure!(number > 200, "only {number} objects");
    let file = scratch("dry-run")?.join("objects.yaml");
    fs::write(&file, unique.into_iter().collect::<Vec<_>>().join("\n---\n"))?;
    let mut apply =
        env.kubectl.command("apply --server-side --dry-run=server --validate=strict --force-conflicts -f");
    let accepted = run(apply.arg(&file)).with_context(|| format!("{number} objects"));
    for namespace in NAMESPACES {
        run(&mut env.kubectl.command(&format!("delete namespace {namespace} --wait=false")))?;
    }
    for kind in MONITORING_KINDS {
        run(&mut env.kubectl.command(&format!("delete crd {kind}.monitoring.coreos.com --wait=false")))?;
    }
    accepted
}

/// Installs the kinds of the Prometheus operator that the chart uses, from its Go module.
fn install_monitoring_kinds(kubectl: &Kubectl) -> Result<()> {
    let module = output(&mut command("go", ["mod", "download", "-json", PROMETHEUS_OPERATOR]))?;
    let module: Value = serde_json::from_str(&module)?;
    let folder = module["Dir"].as_str().context("folder of the module")?.to_owned();
    for kind in MONITORING_KINDS {
        let file = format!("{folder}/example/prometheus-operator-crd/monitoring.coreos.com_{kind}.yaml");
        run(kubectl.command("apply --server-side --force-conflicts -f").arg(file))?;
        let wait = format!("wait --for=condition=Established --timeout=60s crd/{kind}.monitoring.coreos.com");
        run(&mut kubectl.command(&wait))?;
    }
    Ok(())
}

#[test]
fn the_roles_for_people_are_optional() -> Result<()> {
    let roles = |values: Value| -> Result<Vec<(String, Value)>> {
        let objects = documents(&template("function-mesh-crds", "x", "ns", &values)?)?;
        let roles = objects.iter().filter(|object| object["kind"] == "ClusterRole");
        Ok(roles
            .map(|role| (role["metadata"]["name"].to_string(), role["metadata"]["labels"].clone()))
            .collect())
    };
    let view = json!({"rbac.authorization.k8s.io/aggregate-to-view": "true"});
    assert!(roles(json!({}))?.contains(&("\"functionmesh-view\"".to_owned(), view.clone())));
    let separate = roles(json!({"rbac": {"aggregate": false}}))?;
    assert!(separate.len() == 4 && separate.iter().all(|(_, labels)| *labels != view), "{separate:?}");
    assert_eq!(roles(json!({"rbac": {"create": false}}))?.len(), 0);
    assert!(roles(json!({"rbac": {"agregate": false}})).is_err());
    Ok(())
}

#[test]
fn the_definitions_have_the_metadata_of_the_user_and_are_always_kept() -> Result<()> {
    let metadata = |values: Value| -> Result<Vec<Value>> {
        let objects = documents(&template("function-mesh-crds", "x", "ns", &values)?)?;
        let crds = objects.iter().filter(|object| object["kind"] == "CustomResourceDefinition");
        Ok(crds.map(|crd| crd["metadata"].clone()).collect())
    };
    let keep = json!({"helm.sh/resource-policy": "keep"});
    let plain = metadata(json!({}))?;
    assert!(plain.len() == 5 && plain.iter().all(|m| m["annotations"] == keep && m["labels"].is_null()));
    let own = json!({"labels": {"a": "b"}, "annotations": {"c": "d", "helm.sh/resource-policy": "delete"}});
    for found in metadata(json!({"crds": own}))? {
        assert_eq!(found["labels"], json!({"a": "b"}));
        assert_eq!(found["annotations"], json!({"c": "d", "helm.sh/resource-policy": "keep"}));
    }
    Ok(())
}
