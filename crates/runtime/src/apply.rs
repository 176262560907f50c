//! Writing: server-side apply with one field manager per controller, and errors in words a condition can carry.

use crate::metrics::Metrics;
use crate::observe::{Failure, FailureReason};
use crate::raw_object::RawObject;
use crate::stale_conditions::Answered;
use crate::wording;
use functionmesh_objects::refusal::Refusal;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Condition;
use kube::api::{
    Api, ApiResource, DeleteParams, DynamicObject, ListParams, Patch, PatchParams, Preconditions,
};
use kube::core::NamespaceResourceScope;
use kube::{Client, Resource, ResourceExt};
use serde::Serialize;
use serde::de::{DeserializeOwned, IgnoredAny};
use serde_json::{Value, json};
use std::fmt::Debug;
use std::sync::Arc;
use std::time::Duration;

/// How an object is applied.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ApplyMode {
    /// No object of that name was seen. Without force, so that an unseen object of somebody else answers with a
    /// conflict of managers instead of being taken over.
    Create,
    /// The object is ours: with force, so that foreign edits of our fields are repaired.
    Update,
}

/// In the words of the API server for a JSON patch that does not fit the object.
const REJECTED_TEST: &str = "the server rejected our request due to an error in our request";

/// Writes in the name of one controller.
#[derive(Clone)]
pub struct Writer {
    client: Client,
    manager: &'static str,
    metrics: Arc<Metrics>,
}

impl Writer {
    /// Prepares to write as `manager`.
    pub fn new(client: Client, manager: &'static str, metrics: Arc<Metrics>) -> Self {
        Self { client, manager, metrics }
    }

    /// Name of the field manager.
    pub fn manager(&self) -> &'static str {
        self.manager
    }

    /// Applies an object and reads the answer as `V`, usually a trimmed view of the same kind.
    ///
    /// # Errors
    /// See [`ApplyError`].
    pub async fn apply<T, V>(&self, namespace: &str, mode: ApplyMode, object: &T) -> Result<V, ApplyError>
    where
        T: Resource<DynamicType = ()> + Serialize + Debug,
        V: Resource<DynamicType = (), Scope = NamespaceResourceScope> + Clone + Debug + DeserializeOwned,
    {
        let name = object.meta().name.clone().unwrap_or_default();
        self.apply_json(namespace, mode, &name, object).await
    }

    /// The same for an object whose type is known by its content only.
    ///
    /// # Errors
    /// See [`ApplyError`].
    pub async fn apply_json<T, V>(
        &self,
        namespace: &str,
        mode: ApplyMode,
        name: &str,
        object: &T,
    ) -> Result<V, ApplyError>
    where
        T: Serialize + Debug,
        V: Resource<DynamicType = (), Scope = NamespaceResourceScope> + Clone + Debug + DeserializeOwned,
    {
        let kind = V::kind(&()).into_owned();
        let parameters = PatchParams { force: mode == ApplyMode::Update, ..PatchParams::apply(self.manager) };
        let api: Api<V> = Api::namespaced(self.client.clone(), namespace);
        let answer = api.patch(name, &parameters, &Patch::Apply(object)).await;
        let result = match (&answer, mode) {
            (Ok(_), ApplyMode::Create) => "created",
            (Ok(_), ApplyMode::Update) => "changed",
            (Err(_), _) => "failed",
        };
        self.metrics.applies.with_label_values(&[kind.as_str(), result]).inc();
        answer.map_err(|error| ApplyError::from_request(&kind, name, mode, error))
    }

    /// Changes an object of ours by a JSON patch and reads the answer as `V`. A test in the patch that fails, because
    /// somebody else changed the object meanwhile, is a conflict.
    ///
    /// # Errors
    /// See [`ApplyError`].
    pub async fn patch<V>(&self, object: &V, body: serde_json::Value) -> Result<V, ApplyError>
    where
        V: Resource<DynamicType = (), Scope = NamespaceResourceScope> + Clone + Debug + DeserializeOwned,
    {
        let (kind, name) = (V::kind(&()).into_owned(), object.name_any());
        let answer: kube::Result<V> = self.json_patch(object, body).await;
        answer.map_err(|error| match ApplyError::from_request(&kind, &name, ApplyMode::Update, error) {
            // What the API server answers to a test that fails has no cause in it.
            ApplyError::Refused { kind, name, reason: Refusal::Invalid, message }
                if message.contains(REJECTED_TEST) =>
            {
                ApplyError::Refused { kind, name, reason: Refusal::Conflict, message }
            }
            error => error,
        })
    }

    /// Sends a JSON patch of an object, whose answer is read as `V`, and counts it.
    async fn json_patch<O, V>(&self, object: &O, body: serde_json::Value) -> kube::Result<V>
    where
        O: Resource<DynamicType = ()>,
        V: Resource<DynamicType = (), Scope = NamespaceResourceScope> + Clone + Debug + DeserializeOwned,
    {
        let patch = serde_json::from_value(body).map_err(kube::Error::SerdeError)?;
        let api: Api<V> = Api::namespaced(self.client.clone(), &object.namespace().unwrap_or_default());
        let parameters =
            PatchParams { field_manager: Some(self.manager.to_owned()), ..PatchParams::default() };
        let answer = api.patch(&object.name_any(), &parameters, &Patch::Json::<()>(patch)).await;
        let result = if answer.is_ok() { "changed" } else { "failed" };
        self.metrics.applies.with_label_values(&[V::kind(&()).as_ref(), result]).inc();
        answer
    }

    /// Reads an object of ours as it is, with all its fields. Only where a cache does not hold what is needed.
    ///
    /// # Errors
    /// See [`ApplyError`].
    pub async fn read<V>(&self, object: &V) -> Result<serde_json::Value, ApplyError>
    where
        V: Resource<DynamicType = (), Scope = NamespaceResourceScope>,
    {
        let (kind, name) = (V::kind(&()).into_owned(), object.name_any());
        let resource = ApiResource::erase::<V>(&());
        let api: Api<DynamicObject> =
            Api::namespaced_with(self.client.clone(), &object.namespace().unwrap_or_default(), &resource);
        let answer = api.get(&name).await;
        let value = answer.and_then(|object| serde_json::to_value(object).map_err(kube::Error::SerdeError));
        value.map_err(|error| ApplyError::from_request(&kind, &name, ApplyMode::Update, error))
    }

    /// Looks for an object of which a cache knows nothing, by its name. It is a list of one, for which the right to list
    /// suffices that every cache has.
    ///
    /// # Errors
    /// See [`ApplyError`].
    pub async fn find<V>(&self, namespace: &str, name: &str) -> Result<Option<V>, ApplyError>
    where
        V: Resource<DynamicType = (), Scope = NamespaceResourceScope> + Clone + Debug + DeserializeOwned,
    {
        let api: Api<V> = Api::namespaced(self.client.clone(), namespace);
        let answer = api.list(&ListParams::default().fields(&format!("metadata.name={name}"))).await;
        let found = answer.map(|list| list.items.into_iter().next());
        found.map_err(|error| ApplyError::from_request(&V::kind(&()), name, ApplyMode::Update, error))
    }

    /// Writes the status of an object and returns the resource version of the answer. `version` is the newest one that is
    /// known: when the object moved on, was made again, or has a status by our successor, the write is refused as a conflict.
    /// `stored` are the conditions of ours in the status before; none when it holds the Go operator's map of conditions,
    /// which only a merge patch can replace. Conditions that the API server kept although they were not applied again are
    /// removed by a second write.
    ///
    /// # Errors
    /// See [`ApplyError`].
    pub async fn patch_status<K, S>(
        &self,
        object: &RawObject<K, S>,
        version: u64,
        status: &S,
        stored: Option<&[Condition]>,
    ) -> Result<u64, ApplyError>
    where
        K: Resource<DynamicType = (), Scope = NamespaceResourceScope>,
        S: Serialize,
    {
        let (kind, name) = (K::kind(&()).into_owned(), object.name_any());
        let namespace = object.namespace().unwrap_or_default();
        // The version, since the API server does not look at the uid in a status.
        let body = json!({
            "apiVersion": K::api_version(&()),
            "kind": kind,
            "metadata": {"name": name, "uid": object.uid(), "resourceVersion": version.to_string()},
            "status": status,
        });
        let manager = format!("{}-status", self.manager);
        let api: Api<RawObject<K, Answered>> = Api::namespaced(self.client.clone(), &namespace);
        let plain = PatchParams { field_manager: Some(manager.clone()), ..PatchParams::default() };
        let write = async |parameters: &PatchParams, patch: &Patch<&Value>| {
            let answer = api.patch_status(&name, parameters, patch).await;
            let result = if answer.is_ok() { "written" } else { "failed" };
            self.metrics.status_writes.with_label_values(&[result]).inc();
            answer.map_err(|error| {
                ApplyError::from_request(&format!("status of {kind}"), &name, ApplyMode::Update, error)
            })
        };
        let mut answer = match stored {
            None => write(&plain, &Patch::Merge(&body)).await?,
            Some(_) => write(&PatchParams::apply(&manager).force(), &Patch::Apply(&body)).await?,
        };
        let status = body.get("status").unwrap_or(&Value::Null);
        let version = answer.resource_version();
        if let Some(stale) = answer.status.stale(stored.unwrap_or_default(), status, version.as_deref()) {
            let stale = Patch::Json(serde_json::from_value(stale).unwrap_or_default());
            answer = write(&plain, &stale).await?;
        }
        Ok(answer.resource_version().and_then(|v| v.parse().ok()).unwrap_or_default())
    }

    /// Removes the map of conditions that the Go operator stored in a status of another controller: no server-side apply
    /// works on such an object, not of its `spec` either. When the object changed meanwhile, its controller may have done
    /// so; nothing is removed then.
    ///
    /// # Errors
    /// See [`ApplyError`].
    pub async fn clear_conditions<K, S>(&self, object: &RawObject<K, S>) -> Result<(), ApplyError>
    where
        K: Resource<DynamicType = (), Scope = NamespaceResourceScope>,
    {
        let (kind, name) = (K::kind(&()).into_owned(), object.name_any());
        let body = json!({
            "metadata": {"uid": object.uid(), "resourceVersion": object.resource_version()},
            "status": {"conditions": null},
        });
        let api: Api<RawObject<K, IgnoredAny>> =
            Api::namespaced(self.client.clone(), &object.namespace().unwrap_or_default());
        let manager = Some(format!("{}-status", self.manager));
        let parameters = PatchParams { field_manager: manager, ..PatchParams::default() };
        let answer = api.patch_status(&name, &parameters, &Patch::Merge(&body)).await;
        let result = if answer.is_ok() { "written" } else { "failed" };
        self.metrics.status_writes.with_label_values(&[result]).inc();
        match answer {
            Ok(_) => Ok(()),
            Err(kube::Error::Api(status)) if status.is_not_found() || status.is_conflict() => Ok(()),
            Err(error) => {
                let kind = format!("status of {kind}");
                Err(ApplyError::from_request(&kind, &name, ApplyMode::Update, error))
            }
        }
    }

    /// Adds or removes a finalizer and returns the resource version of the answer. The patch names what it expects to
    /// find, so that the finalizers of others are never touched; an object that is gone needs nothing.
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
                Err(ApplyError::from_request(&kind, &name, ApplyMode::Update, error))
            }
        }
    }

    /// Deletes an object of ours; one that is gone already is fine. The request carries the uid and the version of the object
    /// that was looked at: neither one that was recreated under the same name is deleted, nor one that is no longer ours,
    /// such as a component that a user took out of its mesh a moment ago.
    ///
    /// A newer version is a conflict, to be tried again with what the watch says by then.
    ///
    /// # Errors
    /// See [`ApplyError`].
    pub async fn delete<V>(&self, object: &V) -> Result<(), ApplyError>
    where
        V: Resource<DynamicType = (), Scope = NamespaceResourceScope> + Clone + Debug + DeserializeOwned,
    {
        self.delete_with(object, DeleteParams::background()).await
    }

    /// The same, but what belongs to the object stays and loses its owner: the pods of a `StatefulSet` go on running,
    /// and the next one of that selector takes them over.
    ///
    /// # Errors
    /// See [`ApplyError`].
    pub async fn orphan<V>(&self, object: &V) -> Result<(), ApplyError>
    where
        V: Resource<DynamicType = (), Scope = NamespaceResourceScope> + Clone + Debug + DeserializeOwned,
    {
        self.delete_with(object, DeleteParams::orphan()).await
    }

    async fn delete_with<V>(&self, object: &V, parameters: DeleteParams) -> Result<(), ApplyError>
    where
        V: Resource<DynamicType = (), Scope = NamespaceResourceScope> + Clone + Debug + DeserializeOwned,
    {
        let kind = V::kind(&()).into_owned();
        let name = object.name_any();
        let api: Api<V> = Api::namespaced(self.client.clone(), &object.namespace().unwrap_or_default());
        let preconditions = Preconditions { uid: object.uid(), resource_version: object.resource_version() };
        let parameters = DeleteParams { preconditions: Some(preconditions), ..parameters };
        let answer = api.delete(&name, &parameters).await;
        let result = if answer.is_ok() { "deleted" } else { "failed" };
        self.metrics.applies.with_label_values(&[kind.as_str(), result]).inc();
        match answer {
            Ok(_) => Ok(()),
            Err(kube::Error::Api(status)) if status.is_not_found() || is_another(&status) => Ok(()),
            Err(error) => Err(ApplyError::from_request(&kind, &name, ApplyMode::Update, error)),
        }
    }
}

/// Whether a deletion was refused because another object has the name: the one to delete is gone. The API server answers a
/// wrong uid and a wrong version with the same reason.
fn is_another(status: &kube::core::Status) -> bool {
    const UID: [&str; 2] = ["the UID in the precondition", "Precondition failed: UID"];
    status.is_conflict() && UID.iter().any(|words| status.message.contains(words))
}

/// A JSON patch that adds or removes one finalizer.
fn finalizer_patch(uid: Option<&str>, known: &[String], finalizer: &str, wanted: bool) -> serde_json::Value {
    const LIST: &str = "/metadata/finalizers";
    // Not an object that was made again meanwhile.
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

/// Why a write failed.
#[derive(Debug, thiserror::Error)]
pub enum ApplyError {
    /// An object of that name exists that we never saw and do not own.
    #[error(
        "{kind} {name} exists and does not belong to this object; it is left alone: delete or rename it, or give this object another name"
    )]
    NameConflict {
        /// Kind of the object.
        kind: String,
        /// Its name.
        name: String,
    },
    /// The API server answered that it does not carry out the request.
    #[error("{kind} {name} was refused: {message}")]
    Refused {
        /// Kind of the object.
        kind: String,
        /// Its name.
        name: String,
        /// Why.
        reason: Refusal,
        /// Its words.
        message: String,
    },
    /// The API server failed or did not answer.
    #[error("{kind} {name} could not be written")]
    Unanswered {
        /// Kind of the object.
        kind: String,
        /// Its name.
        name: String,
        /// What happened.
        source: Box<kube::Error>,
    },
}

impl ApplyError {
    /// What a condition says: with the words of the API server, where it answered, but without those that are others each
    /// time.
    pub fn user_message(&self) -> String {
        wording::stable(&self.whole())
    }

    fn whole(&self) -> String {
        if let Self::Unanswered { source, .. } = self
            && let kube::Error::Api(status) = source.as_ref()
        {
            return format!("{self}: {}", status.message);
        }
        self.to_string()
    }

    /// Why the API server refused, when it did.
    pub fn refusal(&self) -> Option<Refusal> {
        match self {
            Self::Refused { reason, .. } => Some(*reason),
            Self::NameConflict { .. } | Self::Unanswered { .. } => None,
        }
    }

    /// Whether the same request may well succeed in a moment: it was not answered, the API server failed, or the object
    /// changed meanwhile. Everything else is refused again until somebody changes something.
    pub fn is_transient(&self) -> bool {
        match self {
            Self::Unanswered { .. } => true,
            Self::Refused { reason, .. } => reason.is_transient(),
            Self::NameConflict { .. } => false,
        }
    }

    fn from_request(kind: &str, name: &str, mode: ApplyMode, error: kube::Error) -> Self {
        let (kind, name) = (kind.to_owned(), name.to_owned());
        let kube::Error::Api(status) = error else {
            return Self::Unanswered { kind, name, source: Box::new(error) };
        };
        if mode == ApplyMode::Create && Refusal::is_of_managers(&status) {
            return Self::NameConflict { kind, name };
        }
        let Some(reason) = Refusal::of(&status) else {
            return Self::Unanswered { kind, name, source: Box::new(kube::Error::Api(status)) };
        };
        Self::Refused { kind, name, reason, message: status.message.clone() }
    }
}

impl ApplyError {
    /// Whether the API server does not have the kind.
    pub fn is_kind_missing(&self) -> bool {
        self.refusal() == Some(Refusal::KindMissing)
    }
}

impl Failure for ApplyError {
    fn reason(&self) -> FailureReason {
        match self {
            Self::NameConflict { .. } => FailureReason::NameConflict,
            Self::Refused { reason, .. } => FailureReason::Refused(*reason),
            Self::Unanswered { .. } => FailureReason::ApiServer,
        }
    }

    fn retry_after(&self) -> Option<Duration> {
        let Self::Unanswered { source, .. } = self else { return None };
        let kube::Error::Api(status) = source.as_ref() else { return None };
        let seconds = status.details.as_ref()?.retry_after_seconds;
        (seconds > 0).then(|| Duration::from_secs(seconds.into()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn refusals_are_told_apart() {
        let cases = [
            (403, "pods is forbidden: exceeded quota: q, requested: x", "QuotaExceeded"),
            (403, "services is forbidden: User \"u\" cannot patch resource \"services\"", "Forbidden"),
            (403, "admission webhook \"w\" denied the request: no", "AdmissionDenied"),
            (400, "admission webhook \"w\" denied the request: no", "AdmissionDenied"),
            (
                422,
                "x is forbidden: ValidatingAdmissionPolicy 'p' with binding 'b' denied request: no",
                "AdmissionDenied",
            ),
            (422, "StatefulSet is invalid: spec", "Invalid"),
            (413, "Request entity too large: limit is 3145728", "TooLarge"),
            (404, "the server could not find the requested resource", "KindMissing"),
            (404, "namespaces \"n\" not found", "NotFound"),
            (405, "create not allowed while custom resource definition is terminating", "KindMissing"),
            (500, "etcdserver: request is too large", "TooLarge"),
            (500, "failed calling webhook", "ApiServer"),
            (400, "quantities must match the regular expression", "BadRequest"),
            (409, "the object has been modified", "Conflict"),
            (429, "too many requests", "ApiServer"),
            (504, "the request timed out", "ApiServer"),
        ];
        for (code, message, want) in cases {
            let status =
                kube::core::Status { code, message: message.to_owned(), ..kube::core::Status::default() };
            let error = kube::Error::Api(Box::new(status));
            let error = ApplyError::from_request("Service", "x", ApplyMode::Create, error);
            assert_eq!(error.reason().as_str(), want, "{code} {message}");
            assert!(crate::metrics::FAILURES.contains(&want), "{want} does not begin with zero");
            assert_eq!(error.user_message().matches(message).count(), 1, "{}", error.user_message());
            assert_eq!(
                error.is_transient(),
                matches!(want, "Conflict" | "NotFound" | "KindMissing" | "ApiServer"),
                "{code} {message}"
            );
        }
    }

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
