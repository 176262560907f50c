//! Decides where the log goes.

use crate::workload::Log;
use functionmesh_api::Kind;
use functionmesh_api::common::{Common, LogTopicAgent};

/// If there is a topic, by default a Function sends its log itself and a connector has a sidecar for it. A sidecar
/// reads log files, which only Java and Python programs write.
pub(crate) fn log(kind: Kind, common: &Common) -> Log {
    let topic = common.log_topic.clone().filter(|topic| !topic.is_empty());
    let writes_files = kind != Kind::Function || common.java.is_some() || common.python.is_some();
    let sidecar = match common.log_topic_agent {
        Some(agent) => agent == LogTopicAgent::Sidecar && writes_files,
        None => kind != Kind::Function && topic.is_some(),
    };
    Log { topic, sidecar }
}
