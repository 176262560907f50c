//! The log.

use crate::args::{LogFormat, ProcessArgs};
use anyhow::{Context, anyhow};
use std::io::{IsTerminal, stderr};
use tracing_subscriber::EnvFilter;

/// Starts logging to standard error.
///
/// # Errors
/// When the level cannot be read, or logging was started before.
pub fn start(args: &ProcessArgs) -> anyhow::Result<()> {
    let filter = EnvFilter::try_new(&args.log_level)
        .with_context(|| format!("--log-level {:?} is not in the syntax of RUST_LOG", args.log_level))?;
    let terminal = stderr().is_terminal();
    let format = args.log_format.unwrap_or(if terminal { LogFormat::Text } else { LogFormat::Json });
    let builder = tracing_subscriber::fmt().with_env_filter(filter).with_writer(stderr);
    match format {
        LogFormat::Json => {
            builder.json().flatten_event(true).with_current_span(true).with_span_list(false).try_init()
        }
        LogFormat::Text => builder.with_ansi(terminal).try_init(),
    }
    .map_err(|error| anyhow!("logging cannot be started: {error}"))
}
