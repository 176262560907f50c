//! The Python instance: its command and its log configuration (behaviour reference 3.4 and 3.5).

use crate::instance::command::{instance_arguments, state_arguments};
use crate::text::shell::quote;
use crate::workload::Workload;
use functionmesh_api::runtime::{
    LogFormat, LogLevel, LogRotatePolicy, PythonRuntime, RuntimeLogConfig, RuntimeLogConfigRef,
};
use std::fmt::Write;

/// Directory of the log configuration.
pub(crate) const LOG_DIRECTORY: &str = "/pulsar/conf/python-log/";
/// Name of the log configuration.
pub(crate) const LOG_FILE: &str = "python_instance_logging.ini";
/// Name of the module that writes the log as JSON.
const JSON_MODULE: &str = "json_log.py";
/// The module. The JSON comes from the handler and not from its formatter: an instance that sends its log to a topic gives each
/// handler another formatter after every message. It needs nothing but Python.
const JSON_SOURCE: &str = include_str!("python/json_log.py");
const INSTANCE: &str = "/pulsar/instances/python-instance";

/// A Python program with everything about it checked.
#[derive(Clone, Debug)]
pub(crate) struct Python {
    /// Name of the log file, without the ordinal.
    name: String,
    /// Whether the instance installs what a wheel depends on.
    installs_dependencies: bool,
    pub(crate) log: PythonLog,
}

impl Python {
    /// Reads `spec.python`.
    pub(crate) fn lower(python: &PythonRuntime, pulsar_name: &str, sidecar: bool) -> Self {
        Self {
            name: pulsar_name.to_owned(),
            installs_dependencies: python.install_dependencies != Some(false),
            log: PythonLog::lower(python.log.as_ref(), sidecar),
        }
    }

    /// The part of the command that prepares and runs the instance.
    pub(crate) fn script(&self, workload: &Workload, file: &str) -> String {
        let mut run = vec![
            format!("exec ${{python}} {INSTANCE}/python_instance_main.py --py {}", quote(file)),
            format!(
                "--logging_directory logs/functions --logging_file {}-${{SHARD_ID}}.log",
                quote(&self.name)
            ),
            format!("--logging_config_file {LOG_DIRECTORY}{LOG_FILE}"),
        ];
        // The instance takes any text for true, `false` as well.
        run.extend(self.installs_dependencies.then(|| "--install_usercode_dependencies true".to_owned()));
        run.extend(instance_arguments(workload));
        if !workload.secrets.is_empty() {
            run.push("--secrets_provider secretsprovider.EnvironmentBasedSecretsProvider".to_owned());
        }
        run.extend(state_arguments(workload));
        // Instances before Pulsar 2.11 set a level of their own over that of the configuration. In later images there is
        // nothing to change, and the folder may be read-only.
        let level =
            format!("{{ sed -i.bak 's/^  Log.setLevel/#&/' {INSTANCE}/log.py 2> /dev/null || true; }}");
        // Debian and Pulsar's own images have it under its other name only.
        let interpreter =
            "python=python && if ! command -v python > /dev/null 2>&1; then python=python3; fi".to_owned();
        let configuration = self.log.config_map.is_none().then(|| {
            let body = quote(&self.log.configuration(&self.name));
            let module = match self.log.format {
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
}

/// The log configuration of a Python program.
#[derive(Clone, Debug)]
pub(crate) struct PythonLog {
    /// A `ConfigMap` of the user's own, which replaces the generated file.
    pub(crate) config_map: Option<RuntimeLogConfigRef>,
    level: &'static str,
    format: LogFormat,
    rotation: Option<LogRotatePolicy>,
}

impl PythonLog {
    /// Reads `spec.python.log`; all of it has defaults. A sidecar reads files, so `sidecar` asks for one that rolls.
    pub(crate) fn lower(log: Option<&RuntimeLogConfig>, sidecar: bool) -> Self {
        Self {
            config_map: log.and_then(|l| l.log_config.clone()),
            level: level(log.and_then(|l| l.level)),
            format: log.and_then(|l| l.format).unwrap_or(LogFormat::Text),
            rotation: log
                .and_then(|l| l.rotate_policy)
                .or(sidecar.then_some(LogRotatePolicy::SizedPolicyWith10MB)),
        }
    }

    /// The file as `logging.config` reads it.
    fn configuration(&self, name: &str) -> String {
        let level = self.level;
        let rolling = self.rotation.map(|rotation| handler(rotation, name));
        let handlers = match &rolling {
            Some((handler, ..)) => format!("stream_handler,{handler}"),
            None => "stream_handler".to_owned(),
        };
        let mut out = format!(
            "[loggers]\nkeys=root\n\n[handlers]\nkeys={handlers}\n\n[formatters]\nkeys=formatter\n\n\
             [logger_root]\nlevel={level}\nhandlers={handlers}\n"
        );
        let class = |class: &str| match self.format {
            LogFormat::Text => class.to_owned(),
            // Python evaluates the value.
            LogFormat::Json => {
                let name = class.rsplit('.').next().unwrap_or(class);
                format!("__import__('runpy').run_path('{LOG_DIRECTORY}{JSON_MODULE}')['{name}']")
            }
        };
        if let Some((handler, name, arguments)) = rolling {
            let class = class(&format!("logging.handlers.{name}"));
            // Writing to a String cannot fail.
            let _ = write!(
                out,
                "[handler_{handler}]\nclass={class}\nlevel={level}\nformatter=formatter\nargs={arguments}\n"
            );
        }
        let _ = write!(
            out,
            "\n[handler_stream_handler]\nclass={}\nlevel={level}\nformatter=formatter\n\
             args=(sys.stdout,)\n\n[formatter_formatter]\n\
             format=[%(asctime)s] [%(levelname)s] %(filename)s:%(lineno)d %(message)s\ndatefmt=%Y-%m-%d %H:%M:%S %z\n",
            class("logging.StreamHandler")
        );
        out
    }
}

/// Name of the level for Python; without one, and for those that Python does not have, `INFO`.
fn level(level: Option<LogLevel>) -> &'static str {
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

/// Handler, class and arguments that roll the file.
fn handler(rotation: LogRotatePolicy, name: &str) -> (&'static str, &'static str, String) {
    let file = literal(&format!("logs/functions/{name}.log"));
    let sized =
        |bytes: u32| ("rotating_file_handler", "RotatingFileHandler", format!("({file}, 'a', {bytes}, 5)"));
    let timed = |when: &str, interval: u32| {
        let arguments = format!("({file}, '{when}', {interval}, 5)");
        ("timed_rotating_file_handler", "TimedRotatingFileHandler", arguments)
    };
    match rotation {
        LogRotatePolicy::SizedPolicyWith10MB => sized(10 << 20),
        LogRotatePolicy::SizedPolicyWith50MB => sized(50 << 20),
        LogRotatePolicy::SizedPolicyWith100MB => sized(100 << 20),
        LogRotatePolicy::TimedPolicyWithDaily => timed("D", 1),
        LogRotatePolicy::TimedPolicyWithWeekly => timed("W0", 1),
        LogRotatePolicy::TimedPolicyWithMonthly => timed("D", 30),
    }
}

/// A string of Python inside a configuration file: Python evaluates the value, after `%` was interpolated.
fn literal(text: &str) -> String {
    let mut out = String::from("'");
    for c in text.chars() {
        match c {
            '\'' | '\\' => out.extend(['\\', c]),
            '%' => out.push_str("%%"),
            c if c.is_control() => {
                // Writing to a String cannot fail.
                let _ = write!(out, "\\x{:02x}", u32::from(c));
            }
            c => out.push(c),
        }
    }
    out + "'"
}

#[cfg(test)]
mod tests;
