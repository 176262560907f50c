//! Server-side apply with one field manager per controller.

use crate::apply_error::ApplyError;
use crate::metrics::Metrics;
use functionmesh_objects::refusal::Refusal;
use kube::api::{
    Api, ApiResource, DeleteParams, DynamicObject, ListParams, Patch, PatchParams, Preconditions,
};
use kube::core::NamespaceResourceScope;
use kube::{Client, Resource, ResourceExt};
use serde::Serialize;
use serde::de::DeserializeOwned;
use std::fmt::Debug;
use std::sync::Arc;

/// How an object is applied.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ApplyMode {
    /// No object of that name is known. Without force, so that an unknown object of another owner causes a conflict instead of
    /// being taken over.
    Create,
    /// The object belongs to the operator. With force, so that edits of its fields by other managers are reverted.
    Update,
}

/// As reported by the API server for a JSON patch that does not fit the object.
const REJECTED_TEST: &str = "the server rejected our request due to an error in our request";

/// Writes with the field manager of one controller.
#[derive(Clone)]
pub struct Writer {
    pub(crate) client: Client,
    pub(crate) manager: &'static str,
    pub(crate) metrics: Arc<Metrics>,
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

    /// Applies an object and decodes the response as `V`, usually the cached form of the same kind.
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
        answer.map_err(|error| match mode {
            ApplyMode::Create => ApplyError::from_creation(&kind, name, error),
            ApplyMode::Update => ApplyError::from_request(&kind, name, error),
        })
    }

    /// Changes an object of the operator by a JSON patch and decodes the response as `V`. If a test in the patch fails because the
    /// object changed meanwhile, that is a conflict.
    ///
    /// # Errors
    /// See [`ApplyError`].
    pub async fn patch<V>(&self, object: &V, body: serde_json::Value) -> Result<V, ApplyError>
    where
        V: Resource<DynamicType = (), Scope = NamespaceResourceScope> + Clone + Debug + DeserializeOwned,
    {
        let (kind, name) = (V::kind(&()).into_owned(), object.name_any());
        let answer: kube::Result<V> = self.json_patch(object, body).await;
        answer.map_err(|error| match ApplyError::from_request(&kind, &name, error) {
            // The API server's response to a failed test has no cause.
            ApplyError::Refused { kind, name, reason: Refusal::Invalid, message }
                if message.contains(REJECTED_TEST) =>
            {
                ApplyError::Refused { kind, name, reason: Refusal::Conflict, message }
            }
            error => error,
        })
    }

    /// Sends and counts a JSON patch of an object, and decodes the response as `V`.
    pub(crate) async fn json_patch<O, V>(&self, object: &O, body: serde_json::Value) -> kube::Result<V>
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

    /// Reads an object of the operator with all its fields, where the cached form is not sufficient.
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
        value.map_err(|error| ApplyError::from_request(&kind, &name, error))
    }

    /// Reads an object that is in no cache, by name. The request is a list that selects one name: it needs only the permission to
    /// list, which the caches need as well.
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
        found.map_err(|error| ApplyError::from_request(&V::kind(&()), name, error))
    }

    /// Deletes an object of the operator; a missing object is not an error. The request has a precondition on uid and
    /// resourceVersion: neither an object that was recreated under the same name is deleted, nor one that no longer belongs to
    /// the operator, such as a component that a user just took out of its mesh.
    ///
    /// A newer version is a conflict, to be retried with the newer state from the watch.
    ///
    /// # Errors
    /// See [`ApplyError`].
    pub async fn delete<V>(&self, object: &V) -> Result<(), ApplyError>
    where
        V: Resource<DynamicType = (), Scope = NamespaceResourceScope> + Clone + Debug + DeserializeOwned,
    {
        self.delete_with(object, DeleteParams::background()).await
    }

    /// The same, but orphans the children: the pods of a `StatefulSet` keep running, and the next one with that selector adopts
    /// them.
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
            Err(error) => Err(ApplyError::from_request(&kind, &name, error)),
        }
    }
}

/// Whether a deletion was refused because another object has the name: the object to delete is gone. The API server responds to a
/// wrong uid and a wrong version with the same reason.
fn is_another(status: &kube::core::Status) -> bool {
    const UID: [&str; 2] = ["the UID in the precondition", "Precondition failed: UID"];
    status.is_conflict() && UID.iter().any(|text| status.message.contains(text))
}
