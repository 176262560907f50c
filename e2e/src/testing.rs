//! The harness of the tests: a namespace for each test, waiting on conditions, the audit log, controllers as processes.

pub mod audit;
pub mod children;
pub mod controller;
pub(crate) mod etcd;
pub mod fake_statefulset_controller;
mod http;
pub mod https;
mod installed;
pub mod many;
pub mod objects;
pub mod plugin;
pub mod pods;
pub mod proxy;
pub mod test_env;
pub mod vertical;
pub mod webhook;

pub use audit::Audit;
pub use children::Child;
pub use controller::{Controller, binary};
pub use proxy::Proxy;
pub use test_env::TestEnv;
pub use webhook::Webhook;
