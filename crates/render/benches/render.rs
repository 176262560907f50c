//! What one Function with everything on costs: lower, render and hash (`make bench-render`).
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    missing_docs,
    reason = "a benchmark; its macros need no docs"
)]

use criterion::{BatchSize, Criterion, criterion_group, criterion_main};
use functionmesh_api::{BackendConfigSpec, Function, FunctionSpec};
use functionmesh_render::{Component, Defaults, Environment, render};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use serde_json::Value;
use std::hint::black_box;

fn everything(criterion: &mut Criterion) {
    let object: Value = serde_yaml::from_str(include_str!("everything.yaml")).unwrap();
    let metadata: ObjectMeta = serde_json::from_value(object["metadata"].clone()).unwrap();
    let spec: FunctionSpec = serde_json::from_value(object["spec"].clone()).unwrap();
    let text = object["spec"].to_string();
    let environment = Environment { init_containers: true, ..Environment::default() };
    let config: BackendConfigSpec =
        serde_yaml::from_str("{env: {A: a, B: b, C: c}, pod: {labels: {l: m}}}").unwrap();
    let defaults = Defaults::merge(Some(&config), None);
    let mut group = criterion.benchmark_group("one Function with everything on");
    group.bench_function("lower + render + hash", |bencher| {
        bencher.iter_batched(
            || spec.clone(),
            |spec| render(&Function::lower(&metadata, spec).unwrap(), &environment, &defaults),
            BatchSize::SmallInput,
        );
    });
    group.bench_function("decode", |bencher| {
        bencher.iter(|| serde_json::from_str::<FunctionSpec>(black_box(&text)).unwrap());
    });
    group.finish();
}

criterion_group!(benches, everything);
criterion_main!(benches);
