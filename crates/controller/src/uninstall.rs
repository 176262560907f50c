//! The check before `helm uninstall`: which deletions would hang without the controller (docs/uninstall.md).
//!
//! An object with something to clean up carries a finalizer that only its controller removes. Without the controller its
//! deletion, and that of its namespace, never ends.

use anyhow::{Context as _, bail};
use clap::Subcommand;
use functionmesh_api::constants::{ANNOTATION_NEED_CLEANUP, FINALIZER_CLEANUP};
use functionmesh_render::Component;
use functionmesh_runtime::args::WatchArgs;
use kube::api::{Api, ApiResource, DynamicObject, ListParams};
use kube::core::PartialObjectMeta;
use kube::{Client, Config, ResourceExt};
use std::fmt::Write as _;
use std::io::Write as _;

/// Maximum number of objects in one response of the API server.
const PAGE: u32 = 500;
/// Maximum number of objects that are named.
const NAMED: usize = 100;

/// Tasks of a controller's binary other than running the controller.
#[derive(Clone, Debug, Subcommand)]
pub enum Task {
    /// Fail if an object has the cleanup finalizer: without this controller, its deletion would hang.
    #[command(hide = true)]
    CheckUninstall(WatchArgs),
}

/// Fails if objects of the kind have the finalizer, and names them. It needs no permission that the controller lacks.
///
/// # Errors
/// If there are such objects, or the API server does not respond.
pub async fn check<K: Component>(args: &WatchArgs) -> anyhow::Result<()> {
    let client = Client::try_from(Config::infer().await.context("no API server")?)?;
    let resource = ApiResource::erase::<K>(&());
    let namespaces = args.namespaces();
    let apis: Vec<Api<DynamicObject>> = if namespaces.is_empty() {
        vec![Api::all_with(client, &resource)]
    } else {
        let api = |namespace: &&str| Api::namespaced_with(client.clone(), namespace, &resource);
        namespaces.iter().map(api).collect()
    };
    let mut found = Vec::new();
    for api in apis {
        // Regardless of labels: objects that lost them are easily overlooked.
        let mut page = ListParams::default().limit(PAGE);
        loop {
            let list = match api.list_metadata(&page).await {
                // A missing kind or namespace means that there are no objects.
                Err(kube::Error::Api(status)) if status.is_not_found() => break,
                list => list.with_context(|| format!("cannot list {}", resource.plural))?,
            };
            found.extend(list.items.iter().filter_map(hangs));
            match list.metadata.continue_.filter(|token| !token.is_empty()) {
                Some(token) => page = page.continue_token(&token),
                None => break,
            }
        }
    }
    match report(&resource, &found) {
        None => {
            Ok(writeln!(std::io::stdout(), "no {} has the finalizer {FINALIZER_CLEANUP}", resource.kind)?)
        }
        Some(report) => bail!("{report}"),
    }
}

/// The displayed name of the object, if its deletion needs the controller.
fn hangs(object: &PartialObjectMeta<DynamicObject>) -> Option<String> {
    object.finalizers().iter().any(|name| name == FINALIZER_CLEANUP).then(|| {
        let deleted = object.metadata.deletion_timestamp.is_some();
        let note = if deleted { " (deleted, its cleanup is not finished)" } else { "" };
        format!("{}/{}{note}", object.namespace().unwrap_or_default(), object.name_any())
    })
}

/// The instructions about the objects; none if there are no objects.
fn report(resource: &ApiResource, found: &[String]) -> Option<String> {
    if found.is_empty() {
        return None;
    }
    let (plural, number) = (&resource.plural, found.len());
    let mut text = format!(
        "{number} {plural} have the finalizer {FINALIZER_CLEANUP}, which only this controller removes. Without it their deletion \
         hangs, and that of their namespaces:\n"
    );
    for object in found.iter().take(NAMED) {
        // Writing to a String cannot fail.
        let _ = writeln!(text, "  {object}");
    }
    if number > NAMED {
        let _ = writeln!(text, "  and {} more", number - NAMED);
    }
    let _ = write!(
        text,
        "Delete them first and wait; or keep their subscriptions in Pulsar and let the controller remove the finalizers now:\n  \
         kubectl annotate {plural}.{} --all --all-namespaces {ANNOTATION_NEED_CLEANUP}=false\n\
         To uninstall all the same: helm uninstall --no-hooks. docs/uninstall.md says more.",
        resource.group
    );
    Some(text)
}

#[cfg(test)]
mod tests {
    use super::*;
    use functionmesh_api::Function;

    #[test]
    fn objects_that_would_hang_are_named_with_what_to_do() {
        let resource = ApiResource::erase::<Function>(&());
        assert_eq!(report(&resource, &[]), None);
        let found: Vec<String> = (0..=NAMED).map(|i| format!("ns/f{i}")).collect();
        let text = report(&resource, &found).unwrap();
        assert!(text.starts_with("101 functions have the finalizer"), "{text}");
        assert!(text.contains("  ns/f99\n  and 1 more\n"), "{text}");
        assert!(text.contains("kubectl annotate functions.compute.functionmesh.io --all"), "{text}");
    }
}
