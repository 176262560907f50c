//! The log configuration of a Java instance.
//!
//! Written by the command into a file before the JVM starts. Besides the console (and a rotated file, if configured)
//! there is an appender `TerminationLog`, which copies the first errors to `/dev/termination-log`; the kubelet reports
//! them in the pod's status. A Java instance exits with code 0 after every fatal error, so its log is the only source
//! for the cause.

use crate::text::shell::quote;
use functionmesh_api::runtime::{JavaLog4jConfigFileType, LogFormat, LogRotatePolicy, RuntimeLogConfigRef};
use serde_json::{Value, json};

/// Directory of the configuration.
pub(crate) const DIRECTORY: &str = "/pulsar/conf/java-log/";
const CONSOLE_PATTERN: &str = "%d{ISO8601_OFFSET_DATE_TIME_HHMM} [%t] %-5level %logger{36} - %msg%n";
const FILE_PATTERN: &str = "%d{yyyy-MMM-dd HH:mm:ss a} [%t] %-5level %logger{36} - %msg%n";
const LOG_FILE: &str = "${sys:pulsar.function.log.dir}/${sys:pulsar.function.log.file}";
/// The kubelet keeps 4096 bytes, so the pattern has the message, the exception and the root cause without stacks. The
/// exception alone often does not show the cause, such as a missing permission to produce; the root cause alone does
/// not show that Pulsar was involved. Pulsar's client writes whole stacks into its messages, from which the frames are
/// removed.
const TERMINATION_PATTERN: &str =
    r"%level %logger{1} - %replace{%msg}{\n\s*(at |\.\.\. )[^\n]*}{}%n%ex{short.message}%n%rEx{1}%n";
const BOOKKEEPER: &str = "org.apache.pulsar.functions.runtime.shaded.org.apache.bookkeeper";
/// The class of Pulsar's client that logs a TLS failure, as a warning; the final error only says that the connection
/// was closed.
pub(crate) const CONNECTION: &str = "org.apache.pulsar.client.impl.ClientCnx";
/// Loggers of the code that sends the log to its topic. Below INFO they log about every log message.
pub(crate) const SENDERS: [&str; 4] =
    ["org.apache.pulsar.client", "org.apache.pulsar.common", "io.netty", "org.apache.pulsar.shade"];

/// The log configuration of one component.
#[derive(Clone, Debug)]
pub(crate) struct Log4j {
    /// Level for the JVM's system properties, if the user set one.
    pub(crate) level: Option<&'static str>,
    /// The user's `ConfigMap`, which replaces the generated file.
    pub(crate) config_map: Option<RuntimeLogConfigRef>,
    pub(crate) format: LogFormat,
    pub(crate) rotation: Option<LogRotatePolicy>,
    pub(crate) file_type: JavaLog4jConfigFileType,
    /// Whether the instance sends its log to a topic.
    pub(crate) publishes: bool,
}

impl Log4j {
    /// Name of the file, below [`DIRECTORY`].
    pub(crate) fn file(&self) -> &'static str {
        match self.file_type {
            JavaLog4jConfigFileType::Yaml => "java_instance_log4j.yaml",
            JavaLog4jConfigFileType::Xml | JavaLog4jConfigFileType::Ini => "java_instance_log4j.xml",
        }
    }

    /// Full path of the file.
    pub(crate) fn path(&self) -> String {
        format!("{DIRECTORY}{}", self.file())
    }

    /// Shell text that writes the file, ready to be followed by a command; empty when a `ConfigMap` brings it.
    pub(crate) fn preparation(&self) -> String {
        if self.config_map.is_some() {
            return String::new();
        }
        let body = match self.file_type {
            JavaLog4jConfigFileType::Xml => xml("Configuration", &self.configuration(), 0),
            // JSON is valid YAML and needs no indentation.
            JavaLog4jConfigFileType::Yaml => json!({"Configuration": self.configuration()}).to_string(),
            JavaLog4jConfigFileType::Ini => return String::new(),
        };
        format!("mkdir -p {DIRECTORY} && printf '%s\\n' {} > {} && ", quote(&body), self.path())
    }

    /// The configuration as log4j2 reads it from YAML or, as elements, from XML.
    pub(crate) fn configuration(&self) -> Value {
        let level = self.level.unwrap_or("INFO");
        // The Go operator's YAML configuration always has the file appender.
        let rolling = self.rotation.is_some() || matches!(self.file_type, JavaLog4jConfigFileType::Yaml);
        let mut appenders = json!({
            "Console": self.with_layout(json!({"name": "Console", "target": "SYSTEM_OUT"}), CONSOLE_PATTERN),
            "File": {
                "name": "TerminationLog",
                "fileName": "/dev/termination-log",
                "PatternLayout": {"Pattern": TERMINATION_PATTERN},
                "BurstFilter": {"level": "FATAL", "rate": 0.01, "maxBurst": 30},
            },
        });
        let reference = |name: &str| json!({"ref": name});
        let termination = json!({"ref": "TerminationLog", "level": "ERROR"});
        let mut logger = vec![reference("Console")];
        let mut root = vec![json!({"ref": "Console", "level": "${sys:pulsar.log.level}"})];
        if rolling {
            let file = self.with_layout(
                json!({
                    "name": "RollingRandomAccessFile",
                    "fileName": format!("{LOG_FILE}.log"),
                    "filePattern": format!("{LOG_FILE}.{}-%i.log.gz", self.date_pattern()),
                    "Policies": self.policies(),
                    "DefaultRolloverStrategy": {"max": 5},
                }),
                FILE_PATTERN,
            );
            set(&mut appenders, "RollingRandomAccessFile", file);
            logger.push(reference("RollingRandomAccessFile"));
            root.push(reference("RollingRandomAccessFile"));
        }
        let mut connection = logger.clone();
        connection.push(json!({
            "ref": "TerminationLog",
            "level": "WARN",
            // A broker restart causes warnings as well, which must not use up the appender's limit.
            "BurstFilter": {"level": "WARN", "rate": 0.01, "maxBurst": 3},
        }));
        logger.push(termination.clone());
        root.push(termination);
        let named = |name: &str, level: &str, appenders: &[Value]| json!({"name": name, "level": level, "additivity": false, "AppenderRef": appenders});
        let senders = if self.feeds_itself() { "INFO" } else { "${sys:pulsar.log.level}" };
        let mut loggers =
            vec![named(BOOKKEEPER, "${sys:bk.log.level}", &logger), named(CONNECTION, senders, &connection)];
        if self.feeds_itself() {
            loggers.extend(SENDERS.map(|name| named(name, "INFO", &logger)));
        }
        json!({
            "name": "pulsar-functions-kubernetes-instance",
            "monitorInterval": 30,
            "Properties": {"Property": [
                {"name": "pulsar.log.level", "value": level},
                {"name": "bk.log.level", "value": level},
            ]},
            "Appenders": appenders,
            "Loggers": {
                "Logger": loggers,
                "Root": {"level": "${sys:pulsar.log.level}", "AppenderRef": root},
            },
        })
    }

    /// Whether the client's own log messages about sending the log would be sent to the topic as well, in an endless
    /// loop.
    fn feeds_itself(&self) -> bool {
        self.publishes && matches!(self.level, Some("DEBUG" | "TRACE" | "ALL"))
    }

    fn with_layout(&self, mut appender: Value, pattern: &str) -> Value {
        match self.format {
            LogFormat::Text => set(&mut appender, "PatternLayout", json!({"Pattern": pattern})),
            LogFormat::Json => {
                let layout = json!({"complete": false, "compact": true, "eventEol": true});
                set(&mut appender, "JSONLayout", layout);
            }
        }
        appender
    }

    fn date_pattern(&self) -> &'static str {
        match self.file_type {
            JavaLog4jConfigFileType::Yaml => "%d{yyyy-MM-dd}",
            JavaLog4jConfigFileType::Xml | JavaLog4jConfigFileType::Ini => "%d{yyyy-MM-dd-hh-mm}",
        }
    }

    fn policies(&self) -> Value {
        let timed = |schedule: &str| json!({"CronTriggeringPolicy": {"schedule": schedule}});
        let sized = |size: &str| json!({"SizeBasedTriggeringPolicy": {"size": size}});
        match self.rotation {
            Some(LogRotatePolicy::TimedPolicyWithDaily) => timed("0 0 0 * * ? *"),
            Some(LogRotatePolicy::TimedPolicyWithWeekly) => timed("0 0 0 ? * 1 *"),
            Some(LogRotatePolicy::TimedPolicyWithMonthly) => timed("0 0 0 1 * ? *"),
            Some(LogRotatePolicy::SizedPolicyWith10MB) => sized("10MB"),
            Some(LogRotatePolicy::SizedPolicyWith50MB) => sized("50MB"),
            Some(LogRotatePolicy::SizedPolicyWith100MB) => sized("100MB"),
            None => json!({
                "TimeBasedTriggeringPolicy": {"interval": 1, "modulate": true},
                "SizeBasedTriggeringPolicy": {"size": "10MB"},
            }),
        }
    }
}

/// Adds an element.
fn set(element: &mut Value, name: &str, value: Value) {
    if let Value::Object(map) = element {
        map.insert(name.to_owned(), value);
    }
}

/// Writes a value as XML elements, indented: an array repeats its element.
fn xml(name: &str, value: &Value, depth: usize) -> String {
    let indent = "  ".repeat(depth);
    match value {
        Value::Array(items) => items.iter().map(|item| xml(name, item, depth)).collect::<Vec<_>>().join("\n"),
        Value::Object(map) => {
            let children: Vec<String> = map.iter().map(|(key, child)| xml(key, child, depth + 1)).collect();
            format!("{indent}<{name}>\n{}\n{indent}</{name}>", children.join("\n"))
        }
        // All text is generated and contains neither `<` nor `&`.
        Value::String(text) => format!("{indent}<{name}>{text}</{name}>"),
        other => format!("{indent}<{name}>{other}</{name}>"),
    }
}
