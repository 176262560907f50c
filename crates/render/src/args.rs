//! Flags that decide what is rendered: the same for the controllers and for offline rendering.

use crate::config::OperatorConfig;
use crate::environment::Environment;
use clap::{ArgAction, Args};
use std::path::PathBuf;

/// What rendering depends on besides the objects.
#[derive(Args, Clone, Debug)]
pub struct RenderArgs {
    /// Spread the pods of a component over nodes, unless the object disables it.
    #[arg(long, env = "ADD_DEFAULT_AFFINITY", default_value_t = true, action = ArgAction::Set,
          num_args = 0..=1, default_missing_value = "true")]
    pub add_default_affinity: bool,
    /// Download packages in an init container instead of in the main container's command.
    #[arg(long, env = "ENABLE_INIT_CONTAINERS", default_value_t = false, action = ArgAction::Set,
          num_args = 0..=1, default_missing_value = "true")]
    pub enable_init_containers: bool,
    /// Configuration file with runner images, pull secrets and policy, and labels and annotations of all pods.
    #[arg(long = "config-file", visible_alias = "config", env = "CONFIG_FILE")]
    pub config_file: Option<PathBuf>,
    /// Name of the global BackendConfig, for components in all namespaces; empty disables it.
    #[arg(long, env = "GLOBAL_BACKEND_CONFIG", default_value = "")]
    pub global_backend_config: String,
    /// Namespace of that BackendConfig. When empty: the namespace of the controller's pod (POD_NAMESPACE), outside of a
    /// cluster that of the kubeconfig's current context; `kubectl fmesh render` takes the one BackendConfig of that name.
    #[arg(long, env = "GLOBAL_BACKEND_CONFIG_NAMESPACE", default_value = "")]
    pub global_backend_config_namespace: String,
    /// Name of the BackendConfig for components in its own namespace; empty disables it.
    #[arg(long, env = "NAMESPACED_BACKEND_CONFIG", default_value = "backend-config")]
    pub namespaced_backend_config: String,
}

/// Why the configuration cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// The file cannot be read.
    #[error("configuration file {file}")]
    Unreadable {
        /// The file.
        file: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// The file has an invalid value.
    #[error("configuration file {file}: {problem}")]
    Invalid {
        /// The file.
        file: PathBuf,
        /// The problem, with the field if it is known.
        problem: String,
    },
}

impl RenderArgs {
    /// The environment that objects are rendered for; reads the configuration file.
    ///
    /// # Errors
    /// The file cannot be read or has an invalid value.
    pub fn environment(&self) -> Result<Environment, ConfigError> {
        let mut environment = Environment {
            add_default_affinity: self.add_default_affinity,
            init_containers: self.enable_init_containers,
            ..Environment::default()
        };
        if let Some(file) = self.config_file.as_ref().filter(|file| !file.as_os_str().is_empty()) {
            let text = std::fs::read_to_string(file)
                .map_err(|source| ConfigError::Unreadable { file: file.clone(), source })?;
            OperatorConfig::parse(&text)
                .map_err(|problem| ConfigError::Invalid { file: file.clone(), problem })?
                .apply(&mut environment);
        }
        Ok(environment)
    }

    /// Namespace, if one is given, and name of the global BackendConfig, if it is enabled.
    pub fn global(&self) -> Option<(Option<&str>, &str)> {
        let given = |text: &'_ str| !text.is_empty();
        let (namespace, name) = (&self.global_backend_config_namespace, &self.global_backend_config);
        given(name).then_some((Some(namespace.as_str()).filter(|n| given(n)), name.as_str()))
    }

    /// Name of the BackendConfig of each namespace, if it is enabled.
    pub fn namespaced(&self) -> Option<&str> {
        Some(self.namespaced_backend_config.as_str()).filter(|name| !name.is_empty())
    }
}
