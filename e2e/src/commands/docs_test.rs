//! `make docs-test`: executes the documentation, page by page.

use crate::cluster::{ApiOnly, Cluster};
use crate::docs::{Page, Runner, Step, pages};
use crate::shell::{progress, run};
use crate::testing::TestEnv;
use crate::{images, paths, tools};
use anyhow::{Context, Result, bail, ensure};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

/// Longest wait for a controller to become ready.
const TIMEOUT: Duration = Duration::from_secs(120);
/// Pages that are executed at the same time on API servers: most commands wait rather than compute.
const LANES: usize = 2;

/// Which pages are executed, and where.
#[derive(Clone, Debug, Default, clap::Args)]
pub struct Options {
    /// Execute also what needs pods, on a new cluster with nodes
    #[arg(long)]
    pub cluster: bool,
    /// Name of the cluster or of the first API server
    #[arg(long, default_value = "docs")]
    pub name: String,
    /// Pages, such as docs/migrate.md; all when none is given
    #[arg(value_name = "PAGE")]
    pub pages: Vec<String>,
}

/// Executes pages.
///
/// # Errors
/// With the pages that failed.
pub async fn docs_test(options: &Options) -> Result<()> {
    let started = Instant::now();
    let mut wanted = Vec::new();
    for page in pages()? {
        let named = options.pages.iter().any(|path| page.path.as_os_str() == path.as_str());
        let executed =
            page.steps()?.iter().any(if options.cluster { Step::is_executed } else { Step::is_for_api });
        if named || (options.pages.is_empty() && executed) {
            wanted.push(page);
        }
    }
    ensure!(!wanted.is_empty(), "no page with commands");
    tools::clients()?;
    let outcomes =
        if options.cluster { on_cluster(options, &wanted).await? } else { on_api(options, &wanted).await? };
    let (mut executed, mut failed) = (0, Vec::new());
    for (page, outcome) in outcomes {
        match outcome {
            Ok(blocks) => executed += blocks,
            Err(error) => {
                eprintln!("{error:#}");
                failed.push(page);
            }
        }
    }
    let number = wanted.len();
    progress(&format!("{number} pages, {executed} blocks executed in {} s", started.elapsed().as_secs()));
    if failed.is_empty() { Ok(()) } else { bail!("failed: {}", failed.join(", ")) }
}

type Outcome = (String, Result<usize>);

/// Each page on an API server of its own.
async fn on_api(options: &Options, pages: &[Page]) -> Result<Vec<Outcome>> {
    let next = AtomicUsize::new(0);
    let lanes = (0..LANES).map(|lane| {
        let next = &next;
        async move {
            let mut outcomes = Vec::new();
            while let Some(page) = pages.get(next.fetch_add(1, Ordering::Relaxed)) {
                let outcome = page_on_api(&format!("{}-{lane}", options.name), page).await;
                outcomes.push((page.path.display().to_string(), outcome));
            }
            outcomes
        }
    });
    Ok(futures::future::join_all(lanes).await.into_iter().flatten().collect())
}

/// Executes a page on a new API server, which ends afterwards.
///
/// # Errors
/// At the first block that fails.
pub async fn page_on_api(name: &str, page: &Page) -> Result<usize> {
    let server = ApiOnly::up(name)?;
    let build = TestEnv::debug_build();
    let env = TestEnv::new(server.folder(), build, TIMEOUT).await?;
    // The controllers of the test are users, not ServiceAccounts: the charts give them no permissions.
    run(&mut env.kubectl.command(
        "create clusterrolebinding documentation --clusterrole=cluster-admin --group=system:authenticated",
    ))?;
    let work = server.folder().join("page");
    Runner::api(&env, &work)?.page(page).await
}

/// All pages on one cluster, which is emptied between them.
async fn on_cluster(options: &Options, pages: &[Page]) -> Result<Vec<Outcome>> {
    let cluster = Cluster::up(&options.name, true, 1)?;
    for image in [&images::pulsar()?, &images::controllers()?, &images::full()?] {
        cluster.import(image)?;
    }
    for name in images::DEFAULT_IMAGES {
        cluster.name_image(images::FULL_IMAGE, name)?;
    }
    let env = TestEnv::new(&cluster.folder(), TestEnv::debug_build(), TIMEOUT).await?;
    let mut outcomes = Vec::new();
    for page in pages {
        let work = paths::disk(&options.name).join("page");
        let outcome = Runner::cluster(&env, &work)?.page(page).await;
        // At once: a page that left something that cannot be removed would hide it.
        if let Err(error) = &outcome {
            progress(&format!("{error:#}"));
        }
        outcomes.push((page.path.display().to_string(), outcome));
        empty(&env).context("removing what a page left")?;
    }
    cluster.down()?;
    Ok(outcomes)
}

/// Removes what a page left on a cluster.
fn empty(env: &TestEnv) -> Result<()> {
    let tools = paths::cache().join("bin").display().to_string();
    let path = format!("{tools}:{}", std::env::var("PATH").unwrap_or_default());
    let mut bash = crate::shell::command("bash", ["-euc", EMPTY]);
    run(bash.env("KUBECONFIG", env.kubectl.kubeconfig()).env("PATH", path))
}

const EMPTY: &str = r#"
# First what refuses or delays the other changes.
kubectl get mutatingwebhookconfigurations,validatingwebhookconfigurations --output name | xargs --no-run-if-empty kubectl delete
for crd in $(kubectl get crd --output name | grep functionmesh.io); do
  kubectl patch "$crd" --type merge --patch '{"spec":{"conversion":{"strategy":"None","webhook":null}}}'
done
for kind in functionmeshes functions sources sinks; do
  kubectl get "$kind" --all-namespaces --no-headers --output custom-columns=:metadata.namespace,:metadata.name 2> /dev/null |
    while read -r namespace name; do
      kubectl delete "$kind" "$name" --namespace "$namespace" --wait=false
      kubectl patch "$kind" "$name" --namespace "$namespace" --type merge --patch '{"metadata":{"finalizers":null}}' || true
    done
done
helm list --all-namespaces --output json | tr '{' '\n' | sed -n 's/.*"name":"\([^"]*\)","namespace":"\([^"]*\)".*/\1 \2/p' |
  while read -r name namespace; do helm uninstall "$name" --namespace "$namespace" --no-hooks; done
kubectl get crd --output name | { grep functionmesh.io || true; } | xargs --no-run-if-empty kubectl delete
kubectl get namespaces --output name | { grep --extended-regexp --invert-match '/(default|kube-.*)$' || true; } |
  xargs --no-run-if-empty kubectl delete
kubectl delete all,configmaps,secrets --all --namespace default
kubectl get validatingadmissionpolicies,validatingadmissionpolicybindings --output name | xargs --no-run-if-empty kubectl delete
"#;
