//! The command of a Python instance.

use crate::instance::arguments::{instance_arguments, state_arguments};
use crate::instance::python_log::{JSON_MODULE, JSON_SOURCE, LOG_DIRECTORY, LOG_FILE};
use crate::instance::runtime::Python;
use crate::text::shell::quote;
use crate::workload::Workload;
use functionmesh_api::runtime::LogFormat;

const INSTANCE: &str = "/pulsar/instances/python-instance";

/// The part of the command that prepares and runs the instance.
pub(crate) fn script(python: &Python, workload: &Workload, file: &str) -> String {
    let mut run = vec![
        format!("exec ${{python}} {INSTANCE}/python_instance_main.py --py {}", quote(file)),
        format!(
            "--logging_directory logs/functions --logging_file {}-${{SHARD_ID}}.log",
            quote(&python.name)
        ),
        format!("--logging_config_file {LOG_DIRECTORY}{LOG_FILE}"),
    ];
    // The instance treats any value as true, even `false`.
    run.extend(python.installs_dependencies.then(|| "--install_usercode_dependencies true".to_owned()));
    run.extend(instance_arguments(workload));
    if !workload.secrets.is_empty() {
        run.push("--secrets_provider secretsprovider.EnvironmentBasedSecretsProvider".to_owned());
    }
    run.extend(state_arguments(workload));
    // Instances before Pulsar 2.11 override the level of the configuration. Later images need no change, and the
    // directory may be read-only.
    let level = format!("{{ sed -i.bak 's/^  Log.setLevel/#&/' {INSTANCE}/log.py 2> /dev/null || true; }}");
    // Debian and Pulsar's own images have `python3` only.
    let interpreter =
        "python=python && if ! command -v python > /dev/null 2>&1; then python=python3; fi".to_owned();
    let configuration = python.log.config_map.is_none().then(|| {
        let body = quote(&python.log.configuration(&python.name));
        let module = match python.log.format {
            LogFormat::Text => String::new(),
            LogFormat::Json => {
                format!(" && printf '%s' {} > {LOG_DIRECTORY}{JSON_MODULE}", quote(JSON_SOURCE))
            }
        };
        format!(
            "mkdir -p {LOG_DIRECTORY} logs/functions && printf '%s' {body} > {LOG_DIRECTORY}{LOG_FILE}{module}"
        )
    });
    [Some(level), configuration, Some(interpreter), Some(run.join(" "))]
        .into_iter()
        .flatten()
        .collect::<Vec<_>>()
        .join(" && ")
}
