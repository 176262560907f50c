//! The generic runtime: programs in further languages (behaviour reference 3.5).

use crate::instance::command::{instance_arguments, state_arguments};
use crate::pod::env;
use crate::text::shell::quote;
use crate::workload::Workload;

/// A program with everything about it checked.
#[derive(Clone, Debug)]
pub(crate) struct Generic {
    /// Language, such as `nodejs`.
    pub(crate) language: String,
}

impl Generic {
    /// The part of the command that runs the instance.
    pub(crate) fn script(&self, workload: &Workload, file: &str) -> String {
        // `env` sets variables of any name.
        let passed: Vec<String> = env::renamed(workload)
            .iter()
            .map(|(name, from)| format!("{}\"${from}\" ", quote(&format!("{name}="))))
            .collect();
        let with = if passed.is_empty() { String::new() } else { format!("env {}", passed.concat()) };
        let mut run = vec![format!(
            "exec {with}pulsar_rust_instance --function_file {} --language {}",
            quote(file),
            quote(&self.language)
        )];
        run.extend(instance_arguments(workload));
        let provider = match self.language.as_str() {
            "python" => Some("secrets_provider.EnvironmentBasedSecretsProvider"),
            "nodejs" => Some("EnvironmentBasedSecretsProvider"),
            // The other languages read the variables themselves.
            _ => None,
        };
        run.extend(
            provider.filter(|_| !workload.secrets.is_empty()).map(|p| format!("--secrets_provider {p}")),
        );
        run.extend(state_arguments(workload));
        run.join(" ")
    }
}
