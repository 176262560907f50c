//! Objects from text, and the parts of what they render to.
#![allow(dead_code, reason = "each test program uses a part of it")]

use functionmesh_api::{BackendConfigSpec, Function, Sink, Source};
use functionmesh_render::{Component, Defaults, Desired, Environment, Invalid, Workload, cleanup, render};
use k8s_openapi::api::batch::v1::Job;
use k8s_openapi::api::core::v1::{Container, PodSpec};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use serde_json::Value;

pub(crate) fn yaml(text: &str) -> Value {
    serde_yaml::from_str(text).unwrap()
}

/// A small valid object of a kind, whose `spec` is changed by a JSON merge patch in YAML.
pub(crate) fn object(kind: &str, patch: &str) -> Value {
    let mut object = yaml(
        r"
metadata: {name: fn, namespace: ns1, uid: 00000000-1111-2222-3333-444444444444}
spec:
  className: org.Example
  input: {topics: ['persistent://public/default/in']}
  output: {topic: persistent://public/default/out}
  pulsar: {pulsarConfig: pc}
  java: {jar: /pulsar/a.jar, log: {logConfig: {name: cm, key: k}}}
",
    );
    object["kind"] = kind.into();
    if kind == "Source" {
        object["spec"].as_object_mut().unwrap().remove("input");
        object["spec"]["sourceConfig"] = serde_json::json!({"k": "v"});
    }
    if kind == "Sink" {
        object["spec"].as_object_mut().unwrap().remove("output");
        object["spec"]["sinkConfig"] = serde_json::json!({"k": "v"});
    }
    merge(&mut object["spec"], &yaml(patch));
    object
}

pub(crate) fn function(patch: &str) -> Value {
    object("Function", patch)
}

fn merge(into: &mut Value, patch: &Value) {
    let Value::Object(patch) = patch else {
        if !patch.is_null() {
            *into = patch.clone();
        }
        return;
    };
    if !into.is_object() {
        *into = serde_json::json!({});
    }
    for (key, value) in patch {
        if value.is_null() {
            into.as_object_mut().unwrap().remove(key);
        } else {
            merge(&mut into[key], value);
        }
    }
}

fn lower_as<K: Component>(object: &Value) -> Result<Workload, Invalid> {
    let mut metadata: ObjectMeta = serde_json::from_value(object["metadata"].clone()).unwrap();
    metadata.namespace.get_or_insert_with(|| "default".to_owned());
    metadata.uid.get_or_insert_with(|| "00000000-0000-0000-0000-000000000000".to_owned());
    K::lower(&metadata, functionmesh_render::decode::<K::Spec>(&object["spec"])?)
}

pub(crate) fn lower(object: &Value) -> Result<Workload, Invalid> {
    match object["kind"].as_str() {
        Some("Source") => lower_as::<Source>(object),
        Some("Sink") => lower_as::<Sink>(object),
        _ => lower_as::<Function>(object),
    }
}

/// The fields that have a problem.
pub(crate) fn problems(object: &Value) -> Vec<String> {
    lower(object).err().map(|invalid| invalid.0.into_iter().map(|p| p.field).collect()).unwrap_or_default()
}

pub(crate) fn rendered_in(object: &Value, environment: &Environment, defaults: &Defaults) -> Desired {
    render(&lower(object).unwrap(), environment, defaults)
}

pub(crate) fn rendered(object: &Value) -> Desired {
    rendered_in(object, &Environment::default(), &Defaults::default())
}

pub(crate) fn with_init_containers() -> Environment {
    Environment { init_containers: true, ..Environment::default() }
}

pub(crate) fn job(object: &Value) -> Option<Job> {
    cleanup(&lower(object).unwrap(), &Environment::default(), &Defaults::default())
}

/// What a `BackendConfig` of the namespace contributes.
pub(crate) fn defaults(spec: &str) -> Defaults {
    let spec: BackendConfigSpec = serde_json::from_value(yaml(spec)).unwrap();
    Defaults::merge(None, Some(&spec))
}

pub(crate) fn pod(desired: &Desired) -> &PodSpec {
    desired.stateful_set.spec.template.spec.as_ref().unwrap()
}

pub(crate) fn container<'a>(desired: &'a Desired, name: &str) -> &'a Container {
    let pod = pod(desired);
    let all = pod.containers.iter().chain(pod.init_containers.iter().flatten());
    all.into_iter().find(|container| container.name == name).unwrap()
}

pub(crate) fn main_container(desired: &Desired) -> &Container {
    pod(desired).containers.iter().find(|container| container.name.starts_with("pulsar-")).unwrap()
}

/// The script of a container.
pub(crate) fn script(container: &Container) -> &str {
    container.command.as_ref().unwrap().last().unwrap()
}

/// Name and value of the variables of a container.
pub(crate) fn env(container: &Container) -> Vec<(&str, &str)> {
    let variables = container.env.iter().flatten();
    variables.map(|v| (v.name.as_str(), v.value.as_deref().unwrap_or_default())).collect()
}

/// The details in the form in which the instance receives them.
pub(crate) fn details(object: &Value) -> Value {
    let desired = rendered(object);
    let script = script(main_container(&desired));
    let (_, rest) = script.split_once("--function_details '").unwrap();
    let text = rest.split_once("' --pulsar_serviceurl").unwrap().0.replace(r#"'"'"'"#, "'");
    serde_json::from_str(&text).unwrap()
}
