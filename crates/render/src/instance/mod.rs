//! What runs in the main container: the command of each Pulsar instance.

pub(crate) mod admin_cli;
pub(crate) mod arguments;
pub(crate) mod builtin_connectors;
pub(crate) mod command;
pub(crate) mod function_details;
pub(crate) mod generic;
pub(crate) mod go;
pub(crate) mod java;
pub(crate) mod log4j;
pub(crate) mod package;
pub(crate) mod pulsar_connection;
pub(crate) mod python;
pub(crate) mod python_log;
pub(crate) mod runtime;
pub(crate) mod token_renewal;
