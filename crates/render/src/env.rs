//! Environment variables of the main container (behaviour reference 2.5).

use crate::Workload;
use k8s_openapi::api::core::v1::{
    ConfigMapEnvSource, EnvFromSource, EnvVar, EnvVarSource, ObjectFieldSelector, SecretKeySelector,
};

/// A list of variables in which each name stands once: a second one under the same name would be refused by
/// server-side apply.
#[derive(Debug, Default)]
pub(crate) struct EnvVarSet(Vec<EnvVar>);

impl EnvVarSet {
    /// Adds a variable at the end; one of the same name goes, as the last one wins in Kubernetes.
    pub(crate) fn set(&mut self, variable: EnvVar) {
        self.0.retain(|known| known.name != variable.name);
        self.0.push(variable);
    }

    /// The variables in order.
    pub(crate) fn into_vec(self) -> Vec<EnvVar> {
        self.0
    }
}

/// The pod's name, the secrets sorted by name, then the user's own in their order.
pub(crate) fn variables(workload: &Workload) -> Vec<EnvVar> {
    let mut set = EnvVarSet::default();
    set.set(EnvVar {
        name: "POD_NAME".to_owned(),
        value_from: Some(EnvVarSource {
            field_ref: Some(ObjectFieldSelector {
                field_path: "metadata.name".to_owned(),
                ..Default::default()
            }),
            ..EnvVarSource::default()
        }),
        ..EnvVar::default()
    });
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
    set.into_vec()
}

/// The addresses of the Pulsar cluster.
pub(crate) fn sources(workload: &Workload) -> Vec<EnvFromSource> {
    vec![EnvFromSource {
        config_map_ref: Some(ConfigMapEnvSource { name: workload.pulsar_config.clone(), optional: None }),
        ..EnvFromSource::default()
    }]
}
