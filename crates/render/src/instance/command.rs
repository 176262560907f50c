//! The command of the main container.

use crate::instance::runtime::Runtime;
use crate::instance::{generic, go, java, python, token_renewal};
use crate::workload::Workload;

/// How the program is started, as the operator is configured.
pub(crate) struct Launch<'a> {
    /// Path of the package in the container.
    pub(crate) file: &'a str,
    /// Command that downloads the package, unless an init container does.
    pub(crate) download: Option<String>,
}

/// The container's command.
pub(crate) fn command(workload: &Workload, launch: &Launch<'_>) -> Vec<String> {
    let (shell, program) = match &workload.runtime {
        Runtime::Java(java) => ("bash", java::script(java, workload, launch.file)),
        Runtime::Python(python) => ("bash", python::script(python, workload, launch.file)),
        Runtime::Go(go) => ("bash", go::script(go, workload, launch.file)),
        // Runner images of other languages need not contain bash.
        Runtime::Generic(generic) => ("sh", generic::script(generic, workload, launch.file)),
    };
    let token = token_renewal::preparation(workload);
    // Relative paths refer to `/pulsar`, whatever the working directory of the image is.
    let folder = if launch.file.starts_with('/') { "" } else { "cd /pulsar/ && " };
    let download = launch.download.as_ref().map(|command| format!("{command} && ")).unwrap_or_default();
    let script = format!(
        "{folder}{download}SHARD_ID=${{POD_NAME##*-}} && echo shardId=${{SHARD_ID}} && {token}{program}"
    );
    vec![shell.to_owned(), "-c".to_owned(), script]
}
