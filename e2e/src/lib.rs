//! A real Kubernetes and a real Pulsar for tests and the demo, without Docker, kind or a registry.
//!
//! | module | what it does |
//! |---|---|
//! | [`mod@bench`] | what the controllers cost, beside the least that is possible |
//! | [`tools`] | installs Debian packages and builds the Kubernetes binaries |
//! | [`cluster`] | brings a cluster up and down, in namespaces of its own |
//! | [`images`] | builds the images of Pulsar and of the controllers |
//! | [`pulsar`] | a broker in the cluster, messages in and out |
//! | [`operator`] | installs the charts |
//! | [`demo`] | the main job on real input |
//! | [`faults`] | one fault at each write, and what must be the same in the end |
//! | [`rerun`] | runs tests, and those that failed once more |
//! | [`scenario`] | what happens to many objects at once, and what it costs |
//! | [`testing`] | what tests use: namespaces, waiting, the audit log, controllers as processes |

pub mod bench;
pub mod cluster;
pub mod demo;
pub mod faults;
pub mod fuzz;
pub mod images;
pub mod operator;
pub mod paths;
pub mod pulsar;
pub mod rerun;
pub mod scenario;
pub mod shell;
pub mod testing;
pub mod tools;
