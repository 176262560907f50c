//! The init container that downloads the package.

use crate::backend_defaults::Defaults;
use crate::environment::Environment;
use crate::instance::admin_cli::AdminTool;
use crate::instance::package::{self, DOWNLOADS, Tools};
use crate::pod::container;
use crate::pod::volumes::Storage;
use crate::workload::Workload;
use k8s_openapi::api::core::v1::{Container, EnvVar};

const IMAGE: &str = "streamnative/pulsarctl:2.10.2.3";

/// Renders it, if init containers are enabled and the package has a download location.
pub(crate) fn container(
    workload: &Workload,
    environment: &Environment,
    defaults: &Defaults,
    storage: &Storage,
) -> Option<Container> {
    if !environment.init_containers {
        return None;
    }
    let target = format!("{DOWNLOADS}/{}", workload.package.base_name());
    let service = workload.packages();
    let configured = &environment.downloader;
    let own = workload.images.downloader.as_ref().or(configured.image.as_ref());
    // Images other than the default one may not contain wget.
    let wget = own.is_none_or(|image| package::has_all_tools(image));
    let tools = Tools { admin: AdminTool::Pulsarctl, wget };
    let command = workload.package.download(&target, tools, service)?;
    let image = own.cloned().unwrap_or_else(|| IMAGE.to_owned());
    Some(Container {
        name: "downloader".to_owned(),
        image: Some(image),
        image_pull_policy: Some(configured.pull_policy()),
        command: Some(["sh", "-c", command.as_str()].map(str::to_owned).to_vec()),
        // pulsarctl writes its settings to the home directory, which does not exist in the image for the pod's user.
        env: Some(vec![EnvVar { name: "HOME".to_owned(), value: Some("/tmp".to_owned()), value_from: None }]),
        env_from: Some(service.env_from()),
        resources: configured.resources.clone().map(container::canonical),
        volume_mounts: Some(storage.downloader_mounts(workload)),
        termination_message_policy: Some("FallbackToLogsOnError".to_owned()),
        security_context: Some(container::main_security_context(workload, defaults)),
        ..Container::default()
    })
}
