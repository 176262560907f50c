//! The operator's configuration file.

use crate::environment::{Environment, Helper, RunnerImages};
use crate::resource::labels::is_selector_label;
use crate::text::quantity::Decimal;
use k8s_openapi::api::core::v1::ResourceRequirements;
use serde::Deserialize;
use serde_json::{Map, Value};
use std::collections::BTreeMap;

/// The file, in the format of the Go operator: YAML or JSON, all keys optional and case-insensitive, unknown keys
/// ignored.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(rename_all = "lowercase", default)]
pub struct OperatorConfig {
    #[serde(rename = "runnerimages")]
    runner_images: Images,
    #[serde(rename = "runnerimagepullsecrets")]
    runner_image_pull_secrets: Vec<BTreeMap<String, String>>,
    #[serde(rename = "runnerimagepullpolicy")]
    runner_image_pull_policy: Option<String>,
    #[serde(rename = "resourcelabels")]
    resource_labels: BTreeMap<String, String>,
    #[serde(rename = "resourceannotations")]
    resource_annotations: BTreeMap<String, String>,
    downloader: Container,
    filebeat: Container,
}

/// A helper container: package downloader or log sidecar.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(rename_all = "lowercase", default)]
struct Container {
    image: Option<String>,
    #[serde(rename = "imagepullpolicy")]
    image_pull_policy: Option<String>,
    resources: Option<ResourceRequirements>,
}

impl Container {
    fn helper(self) -> Helper {
        let given = |text: Option<String>| text.filter(|text| !text.is_empty());
        let Self { image, image_pull_policy, resources } = self;
        Helper {
            image: given(image),
            image_pull_policy: given(image_pull_policy),
            resources: resources.filter(|resources| *resources != ResourceRequirements::default()),
        }
    }
}

#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(default)]
struct Images {
    java: Option<String>,
    python: Option<String>,
    go: Option<String>,
    /// Of Sources and Sinks whose connector is in the image; the Go operator does not know it.
    connectors: Option<String>,
    #[serde(rename = "genericruntime")]
    generic_runtime: BTreeMap<String, String>,
}

/// Keys with user-defined keys below them, which keep their case.
const FREE: &[&str] = &["genericruntime", "resourcelabels", "resourceannotations", "resources"];

impl OperatorConfig {
    /// Parses the text of the file, which may be empty.
    ///
    /// # Errors
    /// What is wrong, with the field if it is known.
    pub fn parse(text: &str) -> Result<Self, String> {
        let value: Value = serde_yaml::from_str(text).map_err(|e| e.to_string())?;
        let config: Self = match value {
            Value::Null => Self::default(),
            Value::Object(map) => {
                serde_json::from_value(lower_case(map).into()).map_err(|e| e.to_string())?
            }
            _ => return Err("must be a map of settings".to_owned()),
        };
        if let Some(key) = config.resource_labels.keys().find(|key| is_selector_label(key)) {
            return Err(format!("resourceLabels.{key}: the pods are selected by this label; choose another"));
        }
        for (key, policy) in [
            ("runnerImagePullPolicy", &config.runner_image_pull_policy),
            ("downloader.imagePullPolicy", &config.downloader.image_pull_policy),
            ("filebeat.imagePullPolicy", &config.filebeat.image_pull_policy),
        ] {
            if let Some(policy) = policy.as_deref().filter(|p| !p.is_empty())
                && !["Always", "IfNotPresent", "Never"].contains(&policy)
            {
                return Err(format!("{key}: {policy:?} is none of Always, IfNotPresent and Never"));
            }
        }
        for (key, container) in [("downloader", &config.downloader), ("filebeat", &config.filebeat)] {
            amounts(key, container)?;
        }
        Ok(config)
    }

    /// Overrides the settings of `environment`.
    pub fn apply(self, environment: &mut Environment) {
        let RunnerImages { java, python, go, generic, connectors } = &mut environment.runner_images;
        for (image, given) in [
            (java, self.runner_images.java),
            (python, self.runner_images.python),
            (go, self.runner_images.go),
            (connectors, self.runner_images.connectors),
        ] {
            if let Some(given) = given.filter(|image| !image.is_empty()) {
                *image = given;
            }
        }
        generic.extend(self.runner_images.generic_runtime);
        environment.image_pull_policy = self.runner_image_pull_policy.filter(|policy| !policy.is_empty());
        environment.image_pull_secrets = self
            .runner_image_pull_secrets
            .into_iter()
            .filter_map(|mut secret| secret.remove("name"))
            .collect();
        environment.downloader = self.downloader.helper();
        environment.filebeat = self.filebeat.helper();
        environment.resource_labels = self.resource_labels;
        environment.resource_annotations = self.resource_annotations;
    }
}

/// Checks resource quantities: the API server would reject every pod with an invalid one.
fn amounts(key: &str, container: &Container) -> Result<(), String> {
    let resources = container.resources.iter();
    let lists = resources.flat_map(|r| [("requests", &r.requests), ("limits", &r.limits)]);
    for (list, (name, amount)) in lists.flat_map(|(list, map)| map.iter().flatten().map(move |e| (list, e))) {
        if Decimal::parse(&amount.0).is_none() {
            return Err(format!("{key}.resources.{list}.{name}: {:?} is no amount", amount.0));
        }
    }
    Ok(())
}

/// `cpu: 1` is the same as `cpu: "1"` in Kubernetes.
fn amounts_as_text(mut resources: Map<String, Value>) -> Map<String, Value> {
    for amount in resources.values_mut().filter_map(Value::as_object_mut).flat_map(Map::values_mut) {
        if amount.is_number() {
            *amount = amount.to_string().into();
        }
    }
    resources
}

fn lower_case(map: Map<String, Value>) -> Map<String, Value> {
    map.into_iter()
        .map(|(key, value)| {
            let key = key.to_lowercase();
            let value = match value {
                Value::Object(inner) if !FREE.contains(&key.as_str()) => lower_case(inner).into(),
                Value::Object(inner) if key == "resources" => amounts_as_text(inner).into(),
                // A key without a value is treated as absent.
                Value::Null if key == "runnerimagepullsecrets" => Value::Array(Vec::new()),
                Value::Null
                    if !["runnerimagepullpolicy", "image", "imagepullpolicy"].contains(&key.as_str()) =>
                {
                    Value::Object(Map::new())
                }
                other => other,
            };
            (key, value)
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn environment(text: &str) -> Environment {
        let mut environment = Environment::default();
        OperatorConfig::parse(text).unwrap().apply(&mut environment);
        environment
    }

    #[test]
    fn keys_have_any_case_and_images_are_merged_over_the_defaults() {
        let read = environment(
            "RunnerImages: {Java: j, Connectors: c, genericRuntime: {Ruby: r}}\nrunnerImagePullSecrets: [{name: a, x: y}, {z: b}]\n\
             runnerimagepullpolicy: Always\nresourceLabels: {Team: a}\nunknown: 1\n",
        );
        assert_eq!(
            (read.runner_images.java.as_str(), read.runner_images.generic["Ruby"].as_str()),
            ("j", "r")
        );
        assert_eq!(read.runner_images.connectors, "c");
        assert_eq!(read.runner_images.python, RunnerImages::default().python);
        assert!(read.runner_images.generic.contains_key("nodejs"));
        assert_eq!(read.image_pull_secrets, ["a"]);
        assert_eq!(read.image_pull_policy.as_deref(), Some("Always"));
        assert_eq!(read.resource_labels["Team"], "a");
    }

    #[test]
    fn the_containers_beside_the_main_one_are_configured() {
        let read = environment(
            "Downloader: {image: d, ImagePullPolicy: Always, resources: {requests: {cpu: 1}}}\nfilebeat: {resources: {limits: {memory: 64Mi}}}\n",
        );
        let requests = read.downloader.resources.unwrap().requests.unwrap();
        assert_eq!((read.downloader.image.as_deref(), requests["cpu"].0.as_str()), (Some("d"), "1"));
        assert_eq!(read.downloader.image_pull_policy.as_deref(), Some("Always"));
        assert_eq!(read.filebeat.resources.unwrap().limits.unwrap()["memory"].0, "64Mi");
        assert_eq!((read.filebeat.image, read.filebeat.image_pull_policy), (None, None));
        for text in ["downloader:\n", "downloader: {image: null, imagePullPolicy: '', resources: {}}\n"] {
            assert_eq!(environment(text).downloader, Helper::default(), "{text}");
        }
    }

    #[test]
    fn an_empty_file_says_nothing() {
        for text in ["", "---\n", "# only a comment\n", "{}", "runnerImages:\nrunnerImagePullSecrets:\n"] {
            assert_eq!(environment(text).runner_images, RunnerImages::default(), "{text:?}");
        }
    }

    #[test]
    fn invalid_settings_are_reported() {
        for (text, part) in [
            ("[", ""),
            ("- a", "must be a map"),
            ("resourceLabels: {app: x}", "resourceLabels.app: "),
            ("runnerImagePullPolicy: Sometimes", "runnerImagePullPolicy: "),
            ("runnerImages: {java: [1]}", "string"),
            ("filebeat: {imagePullPolicy: Sometimes}", "filebeat.imagePullPolicy: "),
            ("downloader: {resources: {limits: {cpu: some}}}", "downloader.resources.limits.cpu: "),
        ] {
            let error = OperatorConfig::parse(text).unwrap_err();
            assert!(error.contains(part), "{error}");
        }
    }
}
