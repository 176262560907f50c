//! Environment variables of the main container.

use crate::instance::generic::renamed;
use crate::instance::pulsar_connection::Messaging;
use crate::instance::runtime::{Go, Runtime};
use crate::workload::Workload;
use k8s_openapi::api::core::v1::{
    Container, EnvFromSource, EnvVar, EnvVarSource, ObjectFieldSelector, SecretKeySelector,
};
use std::collections::BTreeMap;

/// A list of variables with unique names: server-side apply rejects duplicates.
#[derive(Debug, Default)]
pub(crate) struct EnvVarSet(Vec<EnvVar>);

impl EnvVarSet {
    /// Appends a variable and removes an earlier one of the same name, as the last one applies in Kubernetes.
    pub(crate) fn set(&mut self, variable: EnvVar) {
        self.0.retain(|known| known.name != variable.name);
        self.0.push(variable);
    }

    /// The variables in order.
    pub(crate) fn into_vec(self) -> Vec<EnvVar> {
        self.0
    }
}

/// The name of the pod, from which the instance takes its ordinal.
pub(crate) fn pod_name() -> EnvVar {
    EnvVar {
        name: "POD_NAME".to_owned(),
        value_from: Some(EnvVarSource {
            field_ref: Some(ObjectFieldSelector {
                field_path: "metadata.name".to_owned(),
                ..Default::default()
            }),
            ..EnvVarSource::default()
        }),
        ..EnvVar::default()
    }
}

/// Since Python 3.11 tracebacks mark the failing part of each line with `^^^^` on a separate line. The kubelet keeps
/// the last 2048 bytes of a container's output, a third of which these marks would use.
const NO_MARKS: (&str, &str) = ("PYTHONNODEBUGRANGES", "1");

/// The variables in order: the pod's name, those of the runtime, the secrets sorted by name, the user's own, the log
/// level of a Go program, and copies for the shell.
pub(crate) fn variables(workload: &Workload) -> Vec<EnvVar> {
    let mut set = EnvVarSet::default();
    set.set(pod_name());
    if let Runtime::Python(_) = &workload.runtime {
        let (name, value) = NO_MARKS;
        set.set(EnvVar { name: name.to_owned(), value: Some(value.to_owned()), value_from: None });
    }
    for (name, secret) in &workload.secrets {
        set.set(EnvVar {
            name: name.clone(),
            value_from: Some(EnvVarSource {
                secret_key_ref: Some(SecretKeySelector {
                    name: secret.path.clone().unwrap_or_default(),
                    key: secret.key.clone().unwrap_or_default(),
                    optional: None,
                }),
                ..EnvVarSource::default()
            }),
            ..EnvVar::default()
        });
    }
    for variable in workload.pod.env.iter().flatten() {
        set.set(variable.clone());
    }
    if let Runtime::Go(Go { log_level: Some(level), .. }) = &workload.runtime {
        set.set(EnvVar {
            name: "LOGGING_LEVEL".to_owned(),
            value: Some((*level).to_owned()),
            value_from: None,
        });
    }
    for (name, passed) in renamed(workload) {
        let known = set.0.iter().find(|variable| variable.name == name);
        if let Some(copy) = known.map(|variable| EnvVar { name: passed, ..variable.clone() }) {
            set.set(copy);
        }
    }
    set.into_vec()
}

/// The addresses and credentials of Pulsar and of the service that packages come from.
pub(crate) fn sources(workload: &Workload) -> Vec<EnvFromSource> {
    let services = [Some(&workload.pulsar), workload.package_service.as_ref()];
    services.into_iter().flatten().flat_map(Messaging::env_from).collect()
}

/// Prepends variables to those of a container, which take precedence.
pub(crate) fn prepend(container: &mut Container, variables: &BTreeMap<String, String>) {
    let own = container.env.take().unwrap_or_default();
    let missing = variables.iter().filter(|(name, _)| own.iter().all(|variable| variable.name != **name));
    let mut env: Vec<EnvVar> = missing
        .map(|(name, value)| EnvVar { name: name.clone(), value: Some(value.clone()), value_from: None })
        .collect();
    env.extend(own);
    container.env = (!env.is_empty()).then_some(env);
}
