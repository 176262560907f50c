//! What runs in the main container, as data: Java, Python, Go, or another language by the generic runtime.

use crate::instance::function_details::ConsumerSpec;
use crate::instance::log4j::Log4j;
use crate::instance::python_log::PythonLog;
use std::collections::BTreeMap;

/// What runs in the main container, checked.
#[derive(Clone, Debug)]
pub(crate) enum Runtime {
    Java(Java),
    Python(Python),
    Go(Go),
    Generic(Generic),
}

/// A Java program, checked.
#[derive(Clone, Debug)]
pub(crate) struct Java {
    pub(crate) instance: String,
    pub(crate) extra_dependencies: Option<String>,
    pub(crate) entry_class: String,
    /// Already split and quoted for the shell.
    pub(crate) options: String,
    /// Name of the log file, without the ordinal.
    pub(crate) log_file: String,
    pub(crate) log: Log4j,
    pub(crate) extras: JavaExtras,
}

/// Arguments that only one kind of component has.
#[derive(Clone, Debug, Default)]
pub(crate) struct JavaExtras {
    /// Maximum number of pending asynchronous results.
    pub(crate) pending_async_requests: Option<i32>,
}

/// A Python program, checked.
#[derive(Clone, Debug)]
pub(crate) struct Python {
    /// Name of the log file, without the ordinal.
    pub(crate) name: String,
    /// Whether the instance installs the dependencies of a wheel.
    pub(crate) installs_dependencies: bool,
    pub(crate) log: PythonLog,
}

/// A Go program, checked.
#[derive(Clone, Debug)]
pub(crate) struct Go {
    /// Value of the variable with the log level; `None` if the program configures its log itself.
    pub(crate) log_level: Option<&'static str>,
    pub(crate) extras: GoExtras,
}

/// The part of a Go program's configuration that is not in `function_details`.
#[derive(Clone, Debug, Default)]
pub(crate) struct GoExtras {
    /// The first topic, in the field of older instances.
    pub(crate) topic: String,
    /// All topics, if there are several or if they have settings. Supported by the instance since Pulsar 3.0; the Go
    /// operator omits them.
    pub(crate) input_specs: BTreeMap<String, ConsumerSpec>,
    pub(crate) is_pattern: bool,
    pub(crate) timeout_ms: i32,
    pub(crate) max_message_retries: i32,
    pub(crate) dead_letter_topic: String,
}

/// A program of the generic runtime, checked.
#[derive(Clone, Debug)]
pub(crate) struct Generic {
    /// Language, such as `nodejs`.
    pub(crate) language: String,
}
