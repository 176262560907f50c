//! What a `BackendConfig` contributes to every component.

use functionmesh_api::backend_config::BackendConfigSpec;
use functionmesh_api::pod::PodPolicy;
use std::collections::BTreeMap;

/// The global `BackendConfig` merged with that of the namespace, which takes precedence.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Defaults {
    /// Environment variables of every container except init containers. The component's variables take precedence.
    pub(crate) env: BTreeMap<String, String>,
    /// Settings of the pods; the fields that [`Defaults::merge`] names.
    pub(crate) pod: PodPolicy,
}

impl Defaults {
    /// Merges the two configurations. Supported are `env` and, of `pod`: `labels`, `annotations`, `nodeSelector` (key
    /// by key), `affinity`, `securityContext`, `terminationGracePeriodSeconds`, `liveness`, `startupProbe`,
    /// `serviceAccountName` and `automountServiceAccountToken` (as a whole), `tolerations` and `imagePullSecrets` (the
    /// global ones first).
    pub fn merge(global: Option<&BackendConfigSpec>, namespaced: Option<&BackendConfigSpec>) -> Self {
        let mut merged = Self::default();
        for config in [global, namespaced].into_iter().flatten() {
            extend(&mut merged.env, config.env.as_ref());
            if let Some(pod) = &config.pod {
                merged.add(pod);
            }
        }
        merged
    }

    /// Adds the settings of a configuration with higher precedence than all before.
    fn add(&mut self, pod: &PodPolicy) {
        let merged = &mut self.pod;
        for (into, from) in [
            (&mut merged.labels, &pod.labels),
            (&mut merged.annotations, &pod.annotations),
            (&mut merged.node_selector, &pod.node_selector),
        ] {
            extend(into.get_or_insert_default(), from.as_ref());
        }
        replace(&mut merged.affinity, pod.affinity.as_ref());
        replace(&mut merged.security_context, pod.security_context.as_ref());
        replace(&mut merged.termination_grace_period_seconds, pod.termination_grace_period_seconds.as_ref());
        replace(&mut merged.automount_service_account_token, pod.automount_service_account_token.as_ref());
        replace(&mut merged.liveness, pod.liveness.as_ref());
        replace(&mut merged.startup_probe, pod.startup_probe.as_ref());
        replace(
            &mut merged.service_account_name,
            pod.service_account_name.as_ref().filter(|name| !name.is_empty()),
        );
        merged.tolerations.get_or_insert_default().extend(pod.tolerations.iter().flatten().cloned());
        merged
            .image_pull_secrets
            .get_or_insert_default()
            .extend(pod.image_pull_secrets.iter().flatten().cloned());
    }
}

fn extend(into: &mut BTreeMap<String, String>, from: Option<&BTreeMap<String, String>>) {
    into.extend(from.into_iter().flatten().map(|(key, value)| (key.clone(), value.clone())));
}

fn replace<T: Clone>(into: &mut Option<T>, from: Option<&T>) {
    if let Some(value) = from {
        *into = Some(value.clone());
    }
}
