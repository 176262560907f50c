//! Watches that cannot succeed until a user changes something.

use kube::runtime::watcher;

/// Why a kind cannot be watched until a user fixes it; none if a retry may help.
pub(crate) fn denial(error: &watcher::Error) -> Option<String> {
    let (watcher::Error::InitialListFailed(error) | watcher::Error::WatchStartFailed(error)) = error else {
        return None;
    };
    match error {
        kube::Error::Api(status) if status.code == 404 => Some("the kind is not installed".to_owned()),
        kube::Error::Api(status) if status.code == 403 => Some(status.message.clone()),
        _ => None,
    }
}
