//! The command of the generic runtime, for programs in other languages.

use crate::instance::arguments::{instance_arguments, state_arguments};
use crate::instance::runtime::{Generic, Runtime};
use crate::text::shell::quote;
use crate::workload::Workload;
use std::collections::BTreeSet;

/// The part of the command that runs the instance.
pub(crate) fn script(generic: &Generic, workload: &Workload, file: &str) -> String {
    // `env` sets variables of any name.
    let passed: Vec<String> = renamed(workload)
        .iter()
        .map(|(name, from)| format!("{}\"${from}\" ", quote(&format!("{name}="))))
        .collect();
    let with = if passed.is_empty() { String::new() } else { format!("env {}", passed.concat()) };
    let mut run = vec![format!(
        "exec {with}pulsar_rust_instance --function_file {} --language {}",
        quote(file),
        quote(&generic.language)
    )];
    run.extend(instance_arguments(workload));
    let provider = match generic.language.as_str() {
        "python" => Some("secrets_provider.EnvironmentBasedSecretsProvider"),
        "nodejs" => Some("EnvironmentBasedSecretsProvider"),
        // The other languages read the variables themselves.
        _ => None,
    };
    run.extend(provider.filter(|_| !workload.secrets.is_empty()).map(|p| format!("--secrets_provider {p}")));
    run.extend(state_arguments(workload));
    run.join(" ")
}

/// Variables with names that a shell such as dash does not export, and the valid names under which the container has
/// copies of them. Needed for the generic runtime only: bash exports all variables.
pub(crate) fn renamed(workload: &Workload) -> Vec<(String, String)> {
    let passes = |name: &str| {
        let mut all = name.chars();
        all.next().is_some_and(|c| c.is_ascii_alphabetic() || c == '_')
            && all.all(|c| c.is_ascii_alphanumeric() || c == '_')
    };
    let Runtime::Generic(_) = &workload.runtime else { return Vec::new() };
    let own = workload.pod.env.iter().flatten().map(|variable| &variable.name);
    let names: BTreeSet<&String> = workload.secrets.keys().chain(own).filter(|name| !passes(name)).collect();
    let numbered = names.into_iter().enumerate();
    numbered.map(|(i, name)| (name.clone(), format!("FUNCTION_VARIABLE_{i}"))).collect()
}
