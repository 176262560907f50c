//! The `VerticalPodAutoscaler`s: a kind that a cluster has or has not, or gets one day.
//!
//! Asked for once at the start; without it the objects that want one say so in a condition and run all the same. While
//! there is such an object the cluster is asked again from time to time; when the kind is there its watch starts.

use crate::applied::Applied;
use crate::reason::Reason;
use functionmesh_render::VerticalPodAutoscaler;
use functionmesh_runtime::condition::Wanted;
use functionmesh_runtime::recent::Recent;
use functionmesh_runtime::stream::Changes;
use futures::{FutureExt, StreamExt};
use kube::runtime::reflector::Store;
use kube::{Client, Resource};
use std::time::Duration;
use tokio::sync::watch;
use tracing::{info, warn};

/// Condition: the object asks for an autoscaler of a kind that the cluster does not have. There only while true.
pub const MISSING: &str = "VerticalPodAutoscalerMissing";

/// Pause between two questions.
const AGAIN: Duration = Duration::from_secs(30);

/// A trimmed autoscaler.
pub type View = Applied<VerticalPodAutoscaler>;

/// The cache, filled when the kind is there.
pub struct VerticalAutoscalers {
    /// The autoscalers.
    pub cache: Recent<View>,
    presence: watch::Sender<Option<bool>>,
}

impl VerticalAutoscalers {
    /// Lays an empty memory over a cache.
    pub fn over(store: Store<View>) -> Self {
        Self { cache: Recent::over(store), presence: watch::Sender::new(None) }
    }

    /// Whether the kind is there and its cache was filled.
    pub fn is_present(&self) -> bool {
        *self.presence.borrow() == Some(true)
    }

    /// Waits until it is known whether the kind is there, and if so until the cache was filled.
    pub async fn known(&self) {
        // The sender is ours: it cannot be gone.
        let _ = self.presence.subscribe().wait_for(Option::is_some).await;
    }

    /// The changes, once the kind is there. `wanted` says whether it is worth asking again.
    pub fn changes(
        &self,
        client: Client,
        changes: Changes<View>,
        wanted: impl Fn() -> bool + Send + 'static,
    ) -> Changes<View> {
        let presence = self.presence.clone();
        let found = async move {
            loop {
                match is_served(&client).await {
                    Ok(true) => return changes,
                    Ok(false) => {
                        presence.send_replace(Some(false));
                        tokio::time::sleep(AGAIN).await;
                        while !wanted() {
                            tokio::time::sleep(AGAIN).await;
                        }
                    }
                    Err(error) => {
                        warn!(error = %error, "cannot ask for the API groups");
                        tokio::time::sleep(AGAIN / 10).await;
                    }
                }
            }
        };
        found.flatten_stream().boxed()
    }

    /// Waits until the kind is there and its cache was filled: then every object is to be looked at.
    pub async fn appeared(&self) {
        if self.cache.filled().await.is_ok() {
            info!("the cluster has VerticalPodAutoscalers");
            self.presence.send_replace(Some(true));
        }
    }
}

/// Asks for the list of groups, which exists on every cluster, and not for the kind: a question is no error.
async fn is_served(client: &Client) -> kube::Result<bool> {
    let kind = (VerticalPodAutoscaler::group(&()), VerticalPodAutoscaler::api_version(&()));
    let groups = client.list_api_groups().await?.groups;
    let versions = groups.iter().filter(|group| group.name == kind.0).flat_map(|group| &group.versions);
    Ok(versions.into_iter().any(|version| version.group_version == kind.1))
}

/// The condition of an object that wants one in vain.
pub fn missing() -> Wanted {
    Wanted {
        type_: MISSING,
        status: true,
        reason: Reason::ApiMissing.to_string(),
        message: "spec.pod.vpa asks for a VerticalPodAutoscaler (autoscaling.k8s.io/v1), which this cluster does not \
                  have; install it, or remove the field"
            .to_owned(),
    }
}
