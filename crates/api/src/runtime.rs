//! The languages a component can be written in, and its log.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// A Java program.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct JavaRuntime {
    /// Path of the package in the container, below `/pulsar` when relative.
    pub jar: String,
    /// Where to download the package from: `http://`, `https://` or a Pulsar package such as
    /// `function://tenant/namespace/name@version`. If unset, the image must contain the package.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub jar_location: Option<String>,
    /// Directory in the image with additional libraries.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub extra_dependencies_dir: Option<String>,
    /// Log settings.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub log: Option<RuntimeLogConfig>,
    /// JVM options, such as `-Xss2m`. Each item is split into words as in a shell; `$NAME` refers to an environment
    /// variable.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub java_opts: Option<Vec<String>>,
    /// Path of the jar of Pulsar's Java instance. Defaults to `/pulsar/instances/java-instance.jar`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub instance_path: Option<String>,
    /// Main class of that jar. Defaults to `org.apache.pulsar.functions.instance.JavaInstanceMain`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub entry_class: Option<String>,
}

/// A Python program.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct PythonRuntime {
    /// Path of the package in the container, below `/pulsar` when relative: a file, a wheel or a zip.
    pub py: String,
    /// Where to download the package from: `http://`, `https://` or a Pulsar package such as
    /// `function://tenant/namespace/name@version`. If unset, the image must contain the package.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub py_location: Option<String>,
    /// Whether to install the dependencies of a wheel from the package index at each start. If false, the image must
    /// contain them and the wheel is unpacked only. Not used for a file or a zip. Defaults to true.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub install_dependencies: Option<bool>,
    /// Log settings.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(transform = crate::unused::in_python_log)]
    pub log: Option<RuntimeLogConfig>,
}

/// A Go program.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct GoRuntime {
    /// Path of the program in the container, below `/pulsar` when relative.
    pub go: String,
    /// Where to download the program from: `http://`, `https://` or a Pulsar package such as
    /// `function://tenant/namespace/name@version`. If unset, the image must contain the program.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub go_location: Option<String>,
    /// Log settings. Go programs use the level only.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(transform = crate::unused::in_go_log)]
    pub log: Option<RuntimeLogConfig>,
}

/// A program in another language.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct GenericRuntime {
    /// Path of the package in the container, below `/pulsar` when relative.
    pub function_file: String,
    /// Where to download the package from: `http://`, `https://` or a Pulsar package such as
    /// `function://tenant/namespace/name@version`. If unset, the image must contain the package.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub function_file_location: Option<String>,
    /// Language of the program: `nodejs`, `python`, `executable`, `wasm`, or another language for which the operator is
    /// configured with an image.
    pub language: String,
}

/// Log settings.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct RuntimeLogConfig {
    /// Minimum level of the log; a level that the language does not have is treated as `info`. Defaults to `info`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub level: Option<LogLevel>,
    /// When the log file is rotated. Defaults to `SizedPolicyWith10MB` with a log sidecar; otherwise there is no log
    /// file.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rotate_policy: Option<LogRotatePolicy>,
    /// Format of each line. Defaults to `text`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub format: Option<LogFormat>,
    /// Custom log configuration from a ConfigMap, which replaces all other fields here.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub log_config: Option<RuntimeLogConfigRef>,
    /// Format of the log4j configuration; with `ini`, none is generated. Java only. Defaults to `xml`.
    #[serde(rename = "javaLog4JConfigFileType", skip_serializing_if = "Option::is_none")]
    pub java_log4j_config_file_type: Option<JavaLog4jConfigFileType>,
}

/// A key of a ConfigMap.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct RuntimeLogConfigRef {
    /// Name of the ConfigMap.
    pub name: String,
    /// Key in the ConfigMap.
    pub key: String,
}

/// Severity of a log line.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[schemars(transform = crate::schema::plain_enum)]
#[serde(rename_all = "lowercase")]
pub enum LogLevel {
    /// No line at all.
    Off,
    /// Every step; lower than debug.
    Trace,
    /// For finding errors.
    Debug,
    /// What happens.
    Info,
    /// What may become an error.
    Warn,
    /// What went wrong.
    Error,
    /// What ends the program.
    Fatal,
    /// Every line.
    All,
    /// What ends a Go program.
    Panic,
}

/// When the log file is rotated.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[schemars(transform = crate::schema::plain_enum)]
#[allow(clippy::enum_variant_names, reason = "the names are the Go operator's")]
pub enum LogRotatePolicy {
    /// Every day.
    TimedPolicyWithDaily,
    /// Every week.
    TimedPolicyWithWeekly,
    /// Every month.
    TimedPolicyWithMonthly,
    /// After 10 MB.
    SizedPolicyWith10MB,
    /// After 50 MB.
    SizedPolicyWith50MB,
    /// After 100 MB.
    SizedPolicyWith100MB,
}

/// Format of a log line.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[schemars(transform = crate::schema::plain_enum)]
#[serde(rename_all = "lowercase")]
pub enum LogFormat {
    /// One JSON object.
    Json,
    /// One line of text.
    Text,
}

/// Format of the log4j configuration.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[schemars(transform = crate::schema::plain_enum)]
#[serde(rename_all = "lowercase")]
pub enum JavaLog4jConfigFileType {
    /// YAML.
    Yaml,
    /// XML.
    Xml,
    /// Properties: no configuration is generated.
    Ini,
}
