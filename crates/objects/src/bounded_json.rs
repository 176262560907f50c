//! Decoding of JSON to a limited depth.
//!
//! The API server stores JSON that is nested 10,000 levels deep; serde_json decodes 128. A single field beyond that would make a
//! whole list fail to decode, and so stop all other objects. Here, content that is nested too deeply is skipped without recursion,
//! and the result has its path (docs/decisions/0037-decoding-depth.md).

use k8s_openapi::apimachinery::pkg::apis::meta::v1::{ManagedFieldsEntry, OwnerReference, Time};
use kube::core::ObjectMeta;
use serde::de::{DeserializeSeed, Error as _, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde::{Deserialize, Deserializer};
use serde_json::value::RawValue;
use serde_json::{Map, Number, Value};
use std::collections::BTreeMap;
use std::fmt;

/// Levels of a `spec`. A list adds three; serde_json's limit is 128.
pub const LEVELS: usize = 100;
/// Levels of the metadata. The fields listed in `managedFields` are nested as deeply as the object.
const METADATA_LEVELS: usize = 40;
/// The field that is dropped when the rest of the metadata does not decode with it.
const MANAGED_FIELDS: &str = "managedFields";
/// Longest path that is reported, in steps.
const TOLD: usize = 5;

/// A value, without the parts that are nested too deeply.
#[derive(Debug, Default, PartialEq)]
pub struct Shallow {
    /// The value; null where content was skipped.
    pub value: Value,
    /// Steps to the first skipped content, the last step first.
    skipped: Option<Vec<String>>,
}

impl Shallow {
    /// Decodes a value of at most this many levels.
    pub fn decode<'de, D: Deserializer<'de>>(levels: usize, from: D) -> Result<Self, D::Error> {
        Levels(levels).deserialize(from)
    }

    /// The beginning of the path to the skipped content, if any was skipped.
    pub fn path(&self) -> Option<String> {
        let steps = self.skipped.as_ref()?;
        let mut path = String::new();
        for step in steps.iter().rev().take(TOLD) {
            if !path.is_empty() && !step.starts_with('[') {
                path.push('.');
            }
            path.push_str(step);
        }
        Some(path)
    }
}

impl<'de> Deserialize<'de> for Shallow {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        Self::decode(LEVELS, from)
    }
}

/// The number of levels that may follow.
#[derive(Clone, Copy)]
pub struct Levels(pub usize);

impl<'de> DeserializeSeed<'de> for Levels {
    type Value = Shallow;

    fn deserialize<D: Deserializer<'de>>(self, from: D) -> Result<Shallow, D::Error> {
        from.deserialize_any(self)
    }
}

impl From<Value> for Shallow {
    fn from(value: Value) -> Self {
        Self { value, skipped: None }
    }
}

impl<'de> Visitor<'de> for Levels {
    type Value = Shallow;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON value")
    }

    fn visit_bool<E>(self, value: bool) -> Result<Shallow, E> {
        Ok(Value::Bool(value).into())
    }

    fn visit_i64<E>(self, value: i64) -> Result<Shallow, E> {
        Ok(Value::from(value).into())
    }

    fn visit_u64<E>(self, value: u64) -> Result<Shallow, E> {
        Ok(Value::from(value).into())
    }

    fn visit_f64<E>(self, value: f64) -> Result<Shallow, E> {
        Ok(Number::from_f64(value).map_or(Value::Null, Value::Number).into())
    }

    fn visit_str<E>(self, value: &str) -> Result<Shallow, E> {
        Ok(Value::String(value.to_owned()).into())
    }

    fn visit_string<E>(self, value: String) -> Result<Shallow, E> {
        Ok(Value::String(value).into())
    }

    fn visit_unit<E>(self) -> Result<Shallow, E> {
        Ok(Value::Null.into())
    }

    fn visit_none<E>(self) -> Result<Shallow, E> {
        Ok(Value::Null.into())
    }

    fn visit_some<D: Deserializer<'de>>(self, from: D) -> Result<Shallow, D::Error> {
        self.deserialize(from)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Shallow, A::Error> {
        let Some(below) = self.0.checked_sub(1) else {
            while list.next_element::<IgnoredAny>()?.is_some() {}
            return Ok(Shallow { value: Value::Null, skipped: Some(Vec::new()) });
        };
        let (mut values, mut skipped) = (Vec::new(), None);
        while let Some(item) = list.next_element_seed(Levels(below))? {
            if let Some(mut path) = item.skipped.filter(|_| skipped.is_none()) {
                path.push(format!("[{}]", values.len()));
                skipped = Some(path);
            }
            values.push(item.value);
        }
        Ok(Shallow { value: Value::Array(values), skipped })
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Shallow, A::Error> {
        let Some(below) = self.0.checked_sub(1) else {
            while map.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {}
            return Ok(Shallow { value: Value::Null, skipped: Some(Vec::new()) });
        };
        let (mut values, mut skipped) = (Map::new(), None);
        while let Some(key) = map.next_key::<String>()? {
            let item = map.next_value_seed(Levels(below))?;
            if let Some(mut path) = item.skipped.filter(|_| skipped.is_none()) {
                path.push(key.clone());
                skipped = Some(path);
            }
            values.insert(key, item.value);
        }
        Ok(Shallow { value: Value::Object(values), skipped })
    }
}

/// Metadata as it is used in views of objects (`deserialize_with`, from JSON only): it decodes whatever `managedFields` contains,
/// which is nested as deeply as the object.
///
/// # Errors
/// If it is not JSON.
pub fn metadata<'de, D: Deserializer<'de>>(from: D) -> Result<ObjectMeta, D::Error> {
    let text = Box::<RawValue>::deserialize(from)?;
    if let Ok(metadata) = serde_json::from_str(text.get()) {
        return Ok(metadata);
    }
    let all = Shallow::decode(METADATA_LEVELS, &mut serde_json::Deserializer::from_str(text.get()));
    Ok(metadata_of(all.map_err(D::Error::custom)?.value))
}

/// The same without `managedFields`, which are most of an object's bytes.
///
/// # Errors
/// If it is not JSON.
pub fn slim_metadata<'de, D: Deserializer<'de>>(from: D) -> Result<ObjectMeta, D::Error> {
    slim(from, false)
}

/// The same with the managers of the object, without their fields.
///
/// # Errors
/// If it is not JSON.
pub fn metadata_with_managers<'de, D: Deserializer<'de>>(from: D) -> Result<ObjectMeta, D::Error> {
    slim(from, true)
}

fn slim<'de, D: Deserializer<'de>>(from: D, managers: bool) -> Result<ObjectMeta, D::Error> {
    let text = Box::<RawValue>::deserialize(from)?;
    if let Ok(metadata) = serde_json::from_str::<WithoutFields>(text.get()) {
        return Ok(metadata.into_metadata(managers));
    }
    let mut from = serde_json::Deserializer::from_str(text.get());
    from.deserialize_any(Slim { managers }).map_err(D::Error::custom)
}

/// The metadata without the fields in `managedFields`, as far as they are what the API server ensures.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct WithoutFields {
    name: Option<String>,
    generate_name: Option<String>,
    namespace: Option<String>,
    uid: Option<String>,
    resource_version: Option<String>,
    generation: Option<i64>,
    creation_timestamp: Option<Time>,
    deletion_timestamp: Option<Time>,
    deletion_grace_period_seconds: Option<i64>,
    labels: Option<BTreeMap<String, String>>,
    annotations: Option<BTreeMap<String, String>>,
    owner_references: Option<Vec<OwnerReference>>,
    finalizers: Option<Vec<String>>,
    managed_fields: Option<Vec<Entry>>,
}

/// An entry of `managedFields` without the fields.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Entry {
    manager: Option<String>,
    operation: Option<String>,
    api_version: Option<String>,
    time: Option<Time>,
    fields_type: Option<String>,
    subresource: Option<String>,
}

impl WithoutFields {
    fn into_metadata(self, managers: bool) -> ObjectMeta {
        let entry = |entry: Entry| ManagedFieldsEntry {
            manager: entry.manager,
            operation: entry.operation,
            api_version: entry.api_version,
            time: entry.time,
            fields_type: entry.fields_type,
            fields_v1: None,
            subresource: entry.subresource,
        };
        let entries = self.managed_fields.filter(|_| managers);
        ObjectMeta {
            name: self.name,
            generate_name: self.generate_name,
            namespace: self.namespace,
            uid: self.uid,
            resource_version: self.resource_version,
            generation: self.generation,
            creation_timestamp: self.creation_timestamp,
            deletion_timestamp: self.deletion_timestamp,
            deletion_grace_period_seconds: self.deletion_grace_period_seconds,
            labels: self.labels,
            annotations: self.annotations,
            owner_references: self.owner_references,
            finalizers: self.finalizers,
            managed_fields: entries.map(|entries| entries.into_iter().map(entry).collect()),
            ..ObjectMeta::default()
        }
    }
}

/// Reads metadata; a value of another type has none.
struct Slim {
    managers: bool,
}

impl<'de> Visitor<'de> for Slim {
    type Value = ObjectMeta;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("metadata")
    }

    fn visit_unit<E>(self) -> Result<ObjectMeta, E> {
        Ok(ObjectMeta::default())
    }

    fn visit_bool<E>(self, _: bool) -> Result<ObjectMeta, E> {
        Ok(ObjectMeta::default())
    }

    fn visit_i64<E>(self, _: i64) -> Result<ObjectMeta, E> {
        Ok(ObjectMeta::default())
    }

    fn visit_u64<E>(self, _: u64) -> Result<ObjectMeta, E> {
        Ok(ObjectMeta::default())
    }

    fn visit_f64<E>(self, _: f64) -> Result<ObjectMeta, E> {
        Ok(ObjectMeta::default())
    }

    fn visit_str<E>(self, _: &str) -> Result<ObjectMeta, E> {
        Ok(ObjectMeta::default())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<ObjectMeta, A::Error> {
        while list.next_element::<IgnoredAny>()?.is_some() {}
        Ok(ObjectMeta::default())
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<ObjectMeta, A::Error> {
        let mut fields = Map::new();
        while let Some(key) = map.next_key::<String>()? {
            if key == MANAGED_FIELDS && self.managers {
                // The list and its entries; the fields are further down.
                let entries = map.next_value_seed(Levels(2))?;
                fields.insert(key, entries.value);
            } else if key == MANAGED_FIELDS {
                map.next_value::<IgnoredAny>()?;
            } else {
                let field = map.next_value_seed(Levels(METADATA_LEVELS))?;
                fields.insert(key, field.value);
            }
        }
        Ok(metadata_of(Value::Object(fields)))
    }
}

/// The metadata in a value. If it does not decode as a whole, the parts that decode by themselves are used: without a name and
/// version the object could not even be named.
fn metadata_of(value: Value) -> ObjectMeta {
    if let Ok(metadata) = ObjectMeta::deserialize(&value) {
        return metadata;
    }
    let Value::Object(mut fields) = value else { return ObjectMeta::default() };
    fields.retain(|key, value| {
        let alone = Map::from_iter([(key.clone(), value.clone())]);
        ObjectMeta::deserialize(Value::Object(alone)).is_ok()
    });
    ObjectMeta::deserialize(Value::Object(fields)).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn nested(levels: usize) -> String {
        format!("{}1{}", r#"{"a":"#.repeat(levels), "}".repeat(levels))
    }

    #[test]
    fn what_fits_is_as_it_is() {
        for text in [
            r#"{"a":[1,-2,3.5,1e300,18446744073709551615,"x",null,true,{"b":[]}],"c":{}}"#,
            "[]",
            "null",
            "\"\\u00fc\"",
        ] {
            let value: Value = serde_json::from_str(text).unwrap();
            let shallow: Shallow = serde_json::from_str(text).unwrap();
            assert_eq!((shallow.path(), shallow.value), (None, value));
        }
        let deepest: Shallow = serde_json::from_str(&nested(LEVELS)).unwrap();
        assert_eq!(deepest.path(), None);
        assert_eq!(deepest.value.to_string(), nested(LEVELS));
    }

    #[test]
    fn content_that_is_too_deep_is_skipped_and_reported() {
        for levels in [LEVELS, 126, 10_000, 1_000_000] {
            let text = format!(r#"{{"x":[0,{}],"y":2}}"#, nested(levels));
            let shallow: Shallow = serde_json::from_str(&text).unwrap();
            assert_eq!(shallow.path().as_deref(), Some("x[1].a.a.a"));
            assert_eq!(shallow.value["y"], 2);
        }
        let lists = format!("{}{}", "[".repeat(100_000), "]".repeat(100_000));
        let shallow: Shallow = serde_json::from_str(&lists).unwrap();
        assert_eq!(shallow.path().as_deref(), Some("[0][0][0][0][0]"));
    }

    #[test]
    fn metadata_decodes_whatever_is_in_it() {
        #[derive(Deserialize)]
        struct View {
            #[serde(deserialize_with = "metadata")]
            metadata: ObjectMeta,
        }
        #[derive(Deserialize)]
        struct SlimView {
            #[serde(deserialize_with = "slim_metadata")]
            metadata: ObjectMeta,
        }
        let text = format!(
            r#"{{"metadata":{{"name":"n","labels":{{"l":"v"}},"managedFields":[{{"manager":"m","fieldsV1":{}}}]}}}}"#,
            nested(10_000)
        );
        let view: View = serde_json::from_str(&text).unwrap();
        assert_eq!(
            (view.metadata.name.as_deref(), view.metadata.labels.unwrap()["l"].as_str()),
            (Some("n"), "v")
        );
        assert_eq!(view.metadata.managed_fields.unwrap()[0].manager.as_deref(), Some("m"));
        let slim: SlimView = serde_json::from_str(&text).unwrap();
        assert_eq!((slim.metadata.name.as_deref(), slim.metadata.managed_fields), (Some("n"), None));
        let mut with_managers =
            serde_json::Deserializer::from_str(text.trim_start_matches(r#"{"metadata":"#));
        let slim = metadata_with_managers(&mut with_managers).unwrap();
        let entry = &slim.managed_fields.unwrap()[0];
        assert_eq!((entry.manager.as_deref(), &entry.fields_v1), (Some("m"), &None));
        let odd = json!({"metadata": {"name": "n", "resourceVersion": "7", "labels": 5, "generation": "x"}});
        let slim: SlimView = serde_json::from_value(odd).unwrap();
        assert_eq!(slim.metadata.resource_version.as_deref(), Some("7"), "what is right is kept");
    }
}
