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
//! | [`scenario`] | what happens to many objects at once, and what it costs |
//! | [`test_run`] | runs the test programs, one module after the other, and failed tests a second time |
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
pub mod scenario;
pub mod shell;
pub mod test_run;
pub mod testing;
pub mod tools;
