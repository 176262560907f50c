//! The log configuration of a Java instance.
//!
//! Written by the command into a file before the JVM starts. The content is quoted as one word, without the Go
//! operator's tricks of leaving and re-entering a quoted string. Besides the console (and a rolling file when asked
//! for) there is one appender of our own, `TerminationLog`: it copies the first errors to `/dev/termination-log`,
//! which the kubelet reports in the pod's status. A Java instance ends with exit code 0 after every fatal error, so
//! its log is the only place that says why.

use crate::text::shell::quote;
use functionmesh_api::runtime::{JavaLog4jConfigFileType, LogFormat, LogRotatePolicy, RuntimeLogConfigRef};
use serde_json::{Value, json};

/// Directory of the configuration.
pub(crate) const DIRECTORY: &str = "/pulsar/conf/java-log/";
const CONSOLE_PATTERN: &str = "%d{ISO8601_OFFSET_DATE_TIME_HHMM} [%t] %-5level %logger{36} - %msg%n";
const FILE_PATTERN: &str = "%d{yyyy-MMM-dd HH:mm:ss a} [%t] %-5level %logger{36} - %msg%n";
const LOG_FILE: &str = "${sys:pulsar.function.log.dir}/${sys:pulsar.function.log.file}";
/// The kubelet keeps 4096 bytes: what was tried, how that went and the root cause, no stack. The exception alone often does
/// not tell why, as that of a producer that was not allowed to be; the root alone does not tell that it was about Pulsar.
/// Pulsar's client writes whole stacks into its messages: the frames are taken out of these.
const TERMINATION_PATTERN: &str =
    r"%level %logger{1} - %replace{%msg}{\n\s*(at |\.\.\. )[^\n]*}{}%n%ex{short.message}%n%rEx{1}%n";
const BOOKKEEPER: &str = "org.apache.pulsar.functions.runtime.shaded.org.apache.bookkeeper";
/// The class of Pulsar's client that logs why TLS failed, as a warning; the error that ends the instance only says that the
/// connection was closed.
pub(crate) const CONNECTION: &str = "org.apache.pulsar.client.impl.ClientCnx";
/// The loggers of what sends the log to its topic. Each of their messages below INFO is about a message of the log.
pub(crate) const SENDERS: [&str; 4] =
    ["org.apache.pulsar.client", "org.apache.pulsar.common", "io.netty", "org.apache.pulsar.shade"];

/// The log configuration of one component.
#[derive(Clone, Debug)]
pub(crate) struct Log4j {
    /// Level for the JVM's system properties, when the user gave one.
    pub(crate) level: Option<&'static str>,
    /// A `ConfigMap` of the user's own, which replaces the generated file.
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
            // JSON is YAML, and needs no indentation to mean the same.
            JavaLog4jConfigFileType::Yaml => json!({"Configuration": self.configuration()}).to_string(),
            JavaLog4jConfigFileType::Ini => return String::new(),
        };
        format!("mkdir -p {DIRECTORY} && printf '%s\\n' {} > {} && ", quote(&body), self.path())
    }

    /// The configuration as log4j2 reads it from YAML or, as elements, from XML.
    pub(crate) fn configuration(&self) -> Value {
        let level = self.level.unwrap_or("INFO");
        // The YAML variant of the Go operator always has the file appender, rolling or not.
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
            // A broker that restarts causes warnings as well: they must not use up the limit of the appender.
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

    /// Whether what the client logs while it sends a message of the log would be a message of the log.
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
        // All texts are our own and hold neither `<` nor `&`.
        Value::String(text) => format!("{indent}<{name}>{text}</{name}>"),
        other => format!("{indent}<{name}>{other}</{name}>"),
    }
}
