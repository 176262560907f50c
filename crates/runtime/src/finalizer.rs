//! Adding and removing finalizers.

use crate::apply::Writer;
use crate::apply_error::ApplyError;
use crate::raw_object::RawObject;
use kube::core::NamespaceResourceScope;
use kube::{Resource, ResourceExt};
use serde::de::IgnoredAny;
use serde_json::json;

impl Writer {
    /// Adds or removes a finalizer and returns the resource version of the response. The patch tests the finalizers that it
    /// expects, so that those of other controllers are never changed. A deleted object is not an error.
    ///
    /// # Errors
    /// See [`ApplyError`].
    pub async fn set_finalizer<K, S>(
        &self,
        object: &RawObject<K, S>,
        finalizer: &str,
        wanted: bool,
    ) -> Result<u64, ApplyError>
    where
        K: Resource<DynamicType = (), Scope = NamespaceResourceScope>,
    {
        let (kind, name) = (K::kind(&()).into_owned(), object.name_any());
        let body = finalizer_patch(object.uid().as_deref(), object.finalizers(), finalizer, wanted);
        let answer: kube::Result<RawObject<K, IgnoredAny>> = self.json_patch(object, body).await;
        match answer {
            Ok(answer) => Ok(answer.resource_version().and_then(|v| v.parse().ok()).unwrap_or_default()),
            Err(kube::Error::Api(status)) if status.is_not_found() && !wanted => Ok(0),
            Err(error) => {
                let kind = format!("finalizer of {kind}");
                Err(ApplyError::from_request(&kind, &name, error))
            }
        }
    }
}

/// A JSON patch that adds or removes one finalizer.
fn finalizer_patch(uid: Option<&str>, known: &[String], finalizer: &str, wanted: bool) -> serde_json::Value {
    const LIST: &str = "/metadata/finalizers";
    // Not an object that was recreated in the meantime.
    let same = json!({"op": "test", "path": "/metadata/uid", "value": uid});
    match (wanted, known.iter().position(|name| name == finalizer)) {
        (true, None) if known.is_empty() => json!([same, {"op": "test", "path": LIST, "value": null},
            {"op": "add", "path": LIST, "value": [finalizer]}]),
        (true, None) => json!([same, {"op": "add", "path": format!("{LIST}/-"), "value": finalizer}]),
        (false, Some(index)) => {
            let path = format!("{LIST}/{index}");
            json!([same, {"op": "test", "path": path, "value": finalizer}, {"op": "remove", "path": path}])
        }
        (true, Some(_)) | (false, None) => json!([same]),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_finalizer_patch_says_what_it_expects() {
        let patch = |known: &[&str], wanted: bool| {
            let known: Vec<String> = known.iter().map(|name| (*name).to_owned()).collect();
            let patch = finalizer_patch(Some("u"), &known, "ours", wanted);
            let steps = patch.as_array().unwrap();
            assert_eq!(steps[0], json!({"op": "test", "path": "/metadata/uid", "value": "u"}));
            steps[1..].to_vec()
        };
        let list = "/metadata/finalizers";
        assert_eq!(
            patch(&[], true),
            [
                json!({"op": "test", "path": list, "value": null}),
                json!({"op": "add", "path": list, "value": ["ours"]})
            ]
        );
        assert_eq!(
            patch(&["other"], true),
            [json!({"op": "add", "path": "/metadata/finalizers/-", "value": "ours"})]
        );
        let second = "/metadata/finalizers/1";
        assert_eq!(
            patch(&["other", "ours"], false),
            [json!({"op": "test", "path": second, "value": "ours"}), json!({"op": "remove", "path": second})]
        );
        assert!(patch(&["ours"], true).is_empty() && patch(&["other"], false).is_empty());
    }
}
