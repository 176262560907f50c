//! The part of the operator's configuration that rendering depends on.

use k8s_openapi::api::core::v1::ResourceRequirements;
use std::collections::BTreeMap;

/// The operator's configuration, the second input of rendering beside the object.
#[derive(Clone, Debug)]
pub struct Environment {
    /// Images for components without `spec.image`.
    pub runner_images: RunnerImages,
    /// Pull policy of the main container; falls back to that of the object, then to `IfNotPresent`.
    pub image_pull_policy: Option<String>,
    /// Names of Secrets for pulling images, added to those of the object.
    pub image_pull_secrets: Vec<String>,
    /// Labels of every pod.
    pub resource_labels: BTreeMap<String, String>,
    /// Annotations of every pod.
    pub resource_annotations: BTreeMap<String, String>,
    /// Whether the pods of a component are spread over nodes (flag `--add-default-affinity`).
    pub add_default_affinity: bool,
    /// Whether packages are downloaded by an init container instead of the main container's command (flag
    /// `--enable-init-containers`).
    pub init_containers: bool,
    /// The init container that downloads packages.
    pub downloader: Helper,
    /// The sidecar that sends the log.
    pub filebeat: Helper,
}

/// Configuration of a helper container: package downloader or log sidecar.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Helper {
    /// Image for components that name none; `None` selects the built-in default.
    pub image: Option<String>,
    /// Pull policy; `None` selects `IfNotPresent`.
    pub image_pull_policy: Option<String>,
    /// Requests and limits.
    pub resources: Option<ResourceRequirements>,
}

impl Helper {
    pub(crate) fn pull_policy(&self) -> String {
        self.image_pull_policy.clone().unwrap_or_else(|| "IfNotPresent".to_owned())
    }
}

impl Default for Environment {
    /// The defaults of the Go operator.
    fn default() -> Self {
        Self {
            runner_images: RunnerImages::default(),
            image_pull_policy: None,
            image_pull_secrets: Vec::new(),
            resource_labels: BTreeMap::new(),
            resource_annotations: BTreeMap::new(),
            add_default_affinity: true,
            init_containers: false,
            downloader: Helper::default(),
            filebeat: Helper::default(),
        }
    }
}

/// Images for components without `spec.image`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RunnerImages {
    /// For the Java runtime.
    pub java: String,
    /// For the Python runtime.
    pub python: String,
    /// For the Go runtime.
    pub go: String,
    /// For the generic runtime, by language.
    pub generic: BTreeMap<String, String>,
    /// For connectors that are built into the image.
    pub connectors: String,
}

impl Default for RunnerImages {
    /// The defaults of the Go operator.
    fn default() -> Self {
        let runner =
            |language: &str| format!("streamnative/pulsar-functions-{language}-runner:2.10.0.0-rc10");
        let generic = [("nodejs", "nodejs"), ("python", "python"), ("executable", "base"), ("wasm", "base")];
        Self {
            java: runner("java"),
            python: runner("python"),
            go: runner("go"),
            generic: generic
                .map(|(language, image)| {
                    let image = format!("streamnative/pulsar-functions-generic-{image}-runner:0.1.0");
                    (language.to_owned(), image)
                })
                .into(),
            connectors: "streamnative/pulsar-all:2.10.0.0-rc10".to_owned(),
        }
    }
}
