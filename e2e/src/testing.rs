//! What tests use: a namespace for each, waiting on conditions, the audit log, controllers as processes.

pub mod acker;
pub mod audit;
pub mod controller;
pub mod etcd;
pub mod http;
pub mod many;
pub mod objects;
pub mod proxy;
pub mod rig;

pub use audit::Audit;
pub use controller::Controller;
pub use proxy::Proxy;
pub use rig::Rig;
