//! The program and its settings.

use crate::instance::log4j::Log4j;
use crate::instance::package::Package;
use crate::instance::python_log::PythonLog;
use crate::instance::runtime::{Generic, Go, GoExtras, Java, JavaExtras, Python, Runtime};
use crate::text::shell::{quote, words};
use crate::workload::Log;
use functionmesh_api::Kind;
use functionmesh_api::common::Common;
use functionmesh_api::runtime::{
    GoRuntime, JavaLog4jConfigFileType, JavaRuntime, LogFormat, LogLevel, LogRotatePolicy, PythonRuntime,
    RuntimeLogConfig,
};

/// Path of the instance in the runner images.
const INSTANCE: &str = "/pulsar/instances/java-instance.jar";
const MAIN_CLASS: &str = "org.apache.pulsar.functions.instance.JavaInstanceMain";

/// Selects the program and its package. Connectors are always Java programs; a Function has one of the runtimes.
pub(crate) fn program(
    kind: Kind,
    common: &Common,
    java_extras: JavaExtras,
    go_extras: GoExtras,
    pulsar_name: &str,
    log: &Log,
) -> Option<(Runtime, Package)> {
    let function = kind == Kind::Function;
    let found = if let Some(spec) = &common.java {
        let package = Package::new(&spec.jar, spec.jar_location.as_ref());
        // Connectors do not send their log themselves.
        let log = Log { topic: log.topic.clone().filter(|_| function), ..*log };
        (Runtime::Java(self::java(spec, pulsar_name, &log, java_extras)), package)
    } else if let Some(spec) = common.python.as_ref().filter(|_| function) {
        let package = Package::new(&spec.py, spec.py_location.as_ref());
        (Runtime::Python(self::python(spec, pulsar_name, log.sidecar)), package)
    } else if let Some(spec) = common.golang.as_ref().filter(|_| function) {
        let package = Package::new(&spec.go, spec.go_location.as_ref());
        (Runtime::Go(self::go(spec, go_extras)), package)
    } else if let Some(spec) = common.generic_runtime.as_ref().filter(|_| function) {
        let package = Package::new(&spec.function_file, spec.function_file_location.as_ref());
        (Runtime::Generic(Generic { language: spec.language.clone() }), package)
    } else {
        return None;
    };
    Some(found)
}

/// Reads `spec.java`.
fn java(java: &JavaRuntime, pulsar_name: &str, log: &Log, extras: JavaExtras) -> Java {
    // An option with an unclosed quote is one word.
    let mut options: Vec<String> = java
        .java_opts
        .iter()
        .flatten()
        .map(|option| words(option).unwrap_or_else(|_| quote(option)))
        .collect();
    options.retain(|words| !words.is_empty());
    let or = |value: &Option<String>, default: &str| {
        value.clone().filter(|v| !v.is_empty()).unwrap_or_else(|| default.to_owned())
    };
    Java {
        instance: or(&java.instance_path, INSTANCE),
        extra_dependencies: java.extra_dependencies_dir.clone().filter(|d| !d.is_empty()),
        entry_class: or(&java.entry_class, MAIN_CLASS),
        options: options.join(" "),
        log_file: pulsar_name.to_owned(),
        log: log4j(java.log.as_ref(), log),
        extras,
    }
}

/// Reads `spec.python`.
fn python(python: &PythonRuntime, pulsar_name: &str, sidecar: bool) -> Python {
    Python {
        name: pulsar_name.to_owned(),
        installs_dependencies: python.install_dependencies != Some(false),
        log: python_log(python.log.as_ref(), sidecar),
    }
}

/// Reads `spec.golang`.
fn go(go: &GoRuntime, extras: GoExtras) -> Go {
    Go { log_level: go_level(go), extras }
}

/// Reads `spec.java.log`, in which every field has a default.
///
/// A sidecar reads files, so it needs a rotated log file.
fn log4j(log: Option<&RuntimeLogConfig>, destination: &Log) -> Log4j {
    let sidecar = destination.sidecar;
    Log4j {
        level: log.and_then(|l| l.level).map(java_level),
        config_map: log.and_then(|l| l.log_config.clone()),
        format: log.and_then(|l| l.format).unwrap_or(LogFormat::Text),
        rotation: log
            .and_then(|l| l.rotate_policy)
            .or(sidecar.then_some(LogRotatePolicy::SizedPolicyWith10MB)),
        file_type: log.and_then(|l| l.java_log4j_config_file_type).unwrap_or(JavaLog4jConfigFileType::Xml),
        publishes: destination.topic.is_some() && !sidecar,
    }
}

/// Name of the level in log4j, which has no `panic`.
fn java_level(level: LogLevel) -> &'static str {
    match level {
        LogLevel::Off => "OFF",
        LogLevel::Trace => "TRACE",
        LogLevel::Debug => "DEBUG",
        LogLevel::Info | LogLevel::Panic => "INFO",
        LogLevel::Warn => "WARN",
        LogLevel::Error => "ERROR",
        LogLevel::Fatal => "FATAL",
        LogLevel::All => "ALL",
    }
}

/// Reads `spec.python.log`, in which every field has a default. With a sidecar, the log is also written to a rotated
/// file.
fn python_log(log: Option<&RuntimeLogConfig>, sidecar: bool) -> PythonLog {
    PythonLog {
        config_map: log.and_then(|l| l.log_config.clone()),
        level: python_level(log.and_then(|l| l.level)),
        format: log.and_then(|l| l.format).unwrap_or(LogFormat::Text),
        rotation: log
            .and_then(|l| l.rotate_policy)
            .or(sidecar.then_some(LogRotatePolicy::SizedPolicyWith10MB)),
    }
}

/// Name of the level in Python; `INFO` if unset or unknown to Python.
fn python_level(level: Option<LogLevel>) -> &'static str {
    match level {
        Some(LogLevel::Debug) => "DEBUG",
        Some(LogLevel::Warn) => "WARNING",
        Some(LogLevel::Error) => "ERROR",
        Some(LogLevel::Fatal) => "CRITICAL",
        Some(LogLevel::Off | LogLevel::Trace | LogLevel::Info | LogLevel::All | LogLevel::Panic) | None => {
            "INFO"
        }
    }
}

/// Value of the variable `LOGGING_LEVEL` of a Go program.
fn go_level(go: &GoRuntime) -> Option<&'static str> {
    let log = go.log.as_ref();
    if log.is_some_and(|log| log.log_config.is_some()) {
        return None;
    }
    Some(match log.and_then(|log| log.level) {
        Some(LogLevel::Debug) => "debug",
        Some(LogLevel::Trace) => "trace",
        Some(LogLevel::Warn) => "warn",
        Some(LogLevel::Error) => "error",
        Some(LogLevel::Fatal) => "fatal",
        Some(LogLevel::Panic) => "panic",
        Some(LogLevel::Info | LogLevel::Off | LogLevel::All) | None => "info",
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::instance::log4j::{CONNECTION, SENDERS};
    use serde_json::Value;

    fn levels(level: LogLevel, destination: &Log) -> Vec<(String, String)> {
        let log = RuntimeLogConfig { level: Some(level), ..RuntimeLogConfig::default() };
        let configuration = log4j(Some(&log), destination).configuration();
        let loggers = configuration["Loggers"]["Logger"].as_array().unwrap();
        let text = |value: &Value| value.as_str().unwrap().to_owned();
        loggers.iter().map(|logger| (text(&logger["name"]), text(&logger["level"]))).collect()
    }

    #[test]
    fn what_sends_the_log_to_its_topic_logs_nothing_about_it() {
        let topic = Log { topic: Some("logs".to_owned()), sidecar: false };
        for level in [LogLevel::Debug, LogLevel::Trace, LogLevel::All] {
            let capped = levels(level, &topic);
            let is = |name: &str| capped.contains(&(name.to_owned(), "INFO".to_owned()));
            assert!(SENDERS.iter().all(|name| is(name)) && is(CONNECTION), "{capped:?}");
        }
        for (level, destination) in [
            (LogLevel::Info, &topic),
            (LogLevel::Debug, &Log::default()),
            (LogLevel::Debug, &Log { sidecar: true, ..topic.clone() }),
        ] {
            let found = levels(level, destination);
            assert!(found.iter().all(|(name, _)| !SENDERS.contains(&name.as_str())), "{found:?}");
        }
    }
}
