//! What runs in the main container: one of the languages, or nothing else.

use crate::instance::generic::Generic;
use crate::instance::go::Go;
use crate::instance::java::Java;
use crate::instance::python::Python;
use crate::instance::token_renewal;
use crate::text::shell::{option_if_set, quote};
use crate::workload::Workload;

/// A program with everything about it checked.
#[derive(Clone, Debug)]
pub(crate) enum Runtime {
    Java(Java),
    Python(Python),
    Go(Go),
    Generic(Generic),
}

/// How the program is started, which the operator's configuration decides.
pub(crate) struct Launch<'a> {
    /// Path of the package in the container.
    pub(crate) file: &'a str,
    /// What downloads it first, if that is the command's business.
    pub(crate) download: Option<String>,
}

impl Runtime {
    /// The container's command (behaviour reference 3.1).
    pub(crate) fn command(&self, workload: &Workload, launch: &Launch<'_>) -> Vec<String> {
        let (shell, program) = match self {
            Runtime::Java(java) => ("bash", java.script(workload, launch.file)),
            Runtime::Python(python) => ("bash", python.script(workload, launch.file)),
            Runtime::Go(go) => ("bash", go.script(workload, launch.file)),
            // The runner images of other languages promise no bash.
            Runtime::Generic(generic) => ("sh", generic.script(workload, launch.file)),
        };
        let token = token_renewal::preparation(workload);
        // A relative path is below it, whatever folder the image starts its commands in.
        let folder = if launch.file.starts_with('/') { "" } else { "cd /pulsar/ && " };
        let download = launch.download.as_ref().map(|command| format!("{command} && ")).unwrap_or_default();
        let script = format!(
            "{folder}{download}SHARD_ID=${{POD_NAME##*-}} && echo shardId=${{SHARD_ID}} && {token}{program}"
        );
        vec![shell.to_owned(), "-c".to_owned(), script]
    }
}

/// The arguments that the instances of Java, Python and the generic runtime share (behaviour reference 3.5).
pub(crate) fn instance_arguments(workload: &Workload) -> Vec<String> {
    arguments_with(workload, &quote(&workload.details.to_json()))
}

/// The same with details of its own, as a word of the shell.
pub(crate) fn arguments_with(workload: &Workload, details: &str) -> Vec<String> {
    let mut arguments = vec![
        "--instance_id ${SHARD_ID}".to_owned(),
        format!("--function_id ${{SHARD_ID}}-{}", quote(&workload.owner.uid)),
        "--function_version 0".to_owned(),
        format!("--function_details {details}"),
        format!("--pulsar_serviceurl {}", workload.pulsar.address("brokerServiceURL")),
        "--max_buffered_tuples 100 --port 9093 --metrics_port 9094 --expected_healthcheck_interval 0"
            .to_owned(),
        format!("--cluster_name {}", quote(&workload.cluster_name)),
    ];
    let pulsar = &workload.pulsar;
    let (plugin, parameters) = ("--client_auth_plugin", "--client_auth_params");
    arguments.extend(match token_renewal::parameters(workload) {
        Some(variable) => Some(format!(
            "{} {}",
            pulsar.option(plugin, "clientAuthenticationPlugin"),
            option_if_set(parameters, variable)
        )),
        None => pulsar.plugin_options(pulsar.auth(), plugin, parameters),
    });
    arguments.push(tls_arguments(workload));
    arguments
}

fn tls_arguments(workload: &Workload) -> String {
    use crate::instance::pulsar_connection::Tls;
    let pulsar = &workload.pulsar;
    match pulsar.tls() {
        Tls::Off => "--use_tls false".to_owned(),
        Tls::Environment => format!(
            "--use_tls true --tls_allow_insecure {} --hostname_verification_enabled {} {}",
            pulsar.variable_or("tlsAllowInsecureConnection", "false"),
            pulsar.variable_or("tlsHostnameVerificationEnable", "true"),
            pulsar.option("--tls_trust_cert_path", "tlsTrustCertsFilePath"),
        ),
        Tls::On { allow_insecure, hostname_verification } => {
            let certificate = pulsar
                .certificate_path()
                .map(|path| format!(" --tls_trust_cert_path {}", quote(&path)))
                .unwrap_or_default();
            format!(
                "--use_tls true --tls_allow_insecure {allow_insecure} \
                 --hostname_verification_enabled {hostname_verification}{certificate}"
            )
        }
    }
}

/// The address of the state store, where the component has one.
pub(crate) fn state_arguments(workload: &Workload) -> Option<String> {
    let state = workload.state.as_ref()?;
    Some(format!("--state_storage_serviceurl {}", quote(&state.url)))
}
