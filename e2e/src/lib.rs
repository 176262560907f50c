//! A real Kubernetes and a real Pulsar for tests and the demo, without Docker, kind or a registry.
//!
//! The harness:
//!
//! | module | what it does |
//! |---|---|
//! | [`tools`] | installs Debian packages and builds the Kubernetes binaries |
//! | [`cluster`] | starts and stops a cluster, in its own kernel namespaces |
//! | [`images`] | builds the images of Pulsar and of the controllers |
//! | [`pulsar`] | a broker in the cluster; produces and consumes messages |
//! | [`operator`] | kubectl and helm; installs the charts |
//! | [`testing`] | what tests share: namespaces, waiting, the audit log, controllers as processes, a proxy that fails |
//! | [`paths`], [`shell`] | folders of the repository; running commands |
//!
//! Without the feature `tests` there are only those that the demo and a release need.
//!
//! Modules that use it, besides the test programs in `e2e/tests`:
//!
//! | module | what it does |
//! |---|---|
//! | [`commands`] | the subcommands of `e2e`: the demo, the benchmark, running the test programs |
//! | [`release`] | builds what is published for a version |
//! | [`docs`] | executes what the documentation tells its reader to type |
//! | [`scenarios`] | sequences of actions that tests and the benchmark share: many objects, fault injection, generated objects |

pub mod cluster;
pub mod commands;
#[cfg(feature = "tests")]
pub mod docs;
pub mod images;
pub mod operator;
pub mod paths;
pub mod pulsar;
pub mod release;
#[cfg(feature = "tests")]
pub mod scenarios;
pub mod shell;
#[cfg(feature = "tests")]
pub mod testing;
pub mod tools;
