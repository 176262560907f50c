//! Upper bounds that the rules need: the API server estimates the cost of a rule, and refuses a definition with rules on
//! unbounded lists and strings. The bounds are far above any realistic value.

use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::{
    JSONSchemaProps, JSONSchemaPropsOrArray,
};

/// Maximum number of topics of one component, and of settings by topic.
const TOPICS: i64 = 1000;
/// Maximum length of the name of one of several topics, in characters.
const TOPIC_LENGTH: i64 = 640;
/// Maximum length of the name of a single topic, or of a pattern, which may list topics as alternatives, in characters.
const SINGLE_TOPIC_LENGTH: i64 = 32_768;
/// Maximum length of the location of a package, in characters: a pre-signed address has some thousand.
const LOCATION_LENGTH: i64 = 8192;
/// Maximum number of entries of a list that usually has a few.
const ENTRIES: i64 = 100;

/// Sets the bound of a list of the user's containers.
pub(crate) fn set_embedded(schema: &mut JSONSchemaProps, name: &str) {
    if ["initContainers", "sidecars"].contains(&name) && schema.type_.as_deref() == Some("array") {
        schema.max_items = Some(ENTRIES);
    }
}
/// Maximum number of environment variables, labels and the like in a BackendConfig.
pub(crate) const VARIABLES: i64 = 1000;

/// Sets the bounds of a field.
pub(crate) fn set(schema: &mut JSONSchemaProps, name: &str) {
    match name {
        "topics" if schema.type_.as_deref() == Some("array") => {
            schema.max_items = Some(TOPICS);
            if let Some(JSONSchemaPropsOrArray::Schema(items)) = &mut schema.items {
                items.max_length = Some(TOPIC_LENGTH);
            }
        }
        "topicPattern" | "topic" | "logTopic" | "deadLetterTopic" => {
            schema.max_length = Some(SINGLE_TOPIC_LENGTH);
        }
        "customSerdeSources" | "customSchemaSources" | "sourceSpecs"
            if schema.additional_properties.is_some() =>
        {
            schema.max_properties = Some(TOPICS);
        }
        "jarLocation" | "pyLocation" | "goLocation" => schema.max_length = Some(LOCATION_LENGTH),
        "builtinAutoscaler" | "containerPolicies" if schema.type_.as_deref() == Some("array") => {
            schema.max_items = Some(ENTRIES);
        }
        _ => {}
    }
}
