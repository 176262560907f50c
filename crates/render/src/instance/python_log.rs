//! The log configuration of a Python instance, as `logging.config` reads it.

use functionmesh_api::runtime::{LogFormat, LogRotatePolicy, RuntimeLogConfigRef};
use std::fmt::Write;

/// Directory of the log configuration.
pub(crate) const LOG_DIRECTORY: &str = "/pulsar/conf/python-log/";
/// Name of the log configuration.
pub(crate) const LOG_FILE: &str = "python_instance_logging.ini";
/// Name of the module that writes the log as JSON.
pub(crate) const JSON_MODULE: &str = "json_log.py";
/// The module. The handler writes the JSON, not its formatter, because an instance that sends its log to a topic
/// replaces the formatter of each handler after every message. It uses the standard library only.
pub(crate) const JSON_SOURCE: &str = include_str!("python_log/json_log.py");

/// The log configuration of a Python program.
#[derive(Clone, Debug)]
pub(crate) struct PythonLog {
    /// The user's `ConfigMap`, which replaces the generated file.
    pub(crate) config_map: Option<RuntimeLogConfigRef>,
    pub(crate) level: &'static str,
    pub(crate) format: LogFormat,
    pub(crate) rotation: Option<LogRotatePolicy>,
}

impl PythonLog {
    /// The file as `logging.config` reads it.
    pub(crate) fn configuration(&self, name: &str) -> String {
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

/// Handler, class and arguments of the rotated file.
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

/// A Python string literal in a configuration file: `%` is interpolated, then Python evaluates the value.
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
