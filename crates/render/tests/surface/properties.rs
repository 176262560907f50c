//! Whatever an object contains: no panic, the same bytes every time, and problems that name their field.
//!
//! `PROPERTY_SEED` and `PROPERTY_OBJECTS` give another seed and number of objects per kind.

use crate::case::{Case, Kind, round_trips};
use crate::generate::{Cases, Values};
use crate::{check, report, schema};
use functionmesh_api::{BackendConfigSpec, FunctionMeshSpec};
use functionmesh_render::Invalid;
use proptest::prelude::Strategy;
use proptest::test_runner::{Config, RngSeed, TestCaseError, TestRunner};
use serde_json::Value;
use std::cell::Cell;
use std::fmt::Write;

fn number(variable: &str, default: u64) -> u64 {
    std::env::var(variable)
        .map_or(default, |text| text.parse().unwrap_or_else(|_| panic!("{variable} is no number")))
}

/// Objects of each kind. `make fuzz` tries ten thousand of all kinds together.
const OBJECTS: u64 = 800;

fn runner(cases: u64) -> TestRunner {
    TestRunner::new(Config {
        cases: u32::try_from(cases).unwrap(),
        rng_seed: RngSeed::Fixed(number("PROPERTY_SEED", 7)),
        failure_persistence: None,
        max_shrink_iters: 20_000,
        ..Config::default()
    })
}

fn fail<T>(reason: impl Into<String>) -> Result<T, TestCaseError> {
    Err(TestCaseError::fail(reason.into()))
}

/// The text of a value with the fields of each object in another order.
fn turned(value: &Value, out: &mut String) {
    match value {
        Value::Object(map) => {
            out.push('{');
            for (i, (key, inner)) in map.iter().rev().enumerate() {
                let comma = if i == 0 { "" } else { "," };
                write!(out, "{comma}{}:", Value::from(key.as_str())).unwrap();
                turned(inner, out);
            }
            out.push('}');
        }
        Value::Array(items) => {
            out.push('[');
            for (i, inner) in items.iter().enumerate() {
                out.push_str(if i == 0 { "" } else { "," });
                turned(inner, out);
            }
            out.push(']');
        }
        scalar => write!(out, "{scalar}").unwrap(),
    }
}

/// Refused with a helpful message, or rendered to objects that the API server accepts, with the same bytes each time. Returns
/// whether it was rendered.
fn holds(case: &Case) -> Result<bool, TestCaseError> {
    let [first, second] = case.round_trips().or_else(fail)?;
    if first != second {
        return fail(format!("decoding and encoding is not stable: {first} becomes {second}"));
    }
    let mut other = String::new();
    turned(&case.spec, &mut other);
    let outcome = case.outcome().or_else(fail)?;
    let again = case.outcome_of(&other).or_else(fail)?;
    match outcome {
        Err(invalid) => {
            helps(&invalid)?;
            if again.err() != Some(invalid.clone()) {
                return fail(format!("refused otherwise the next time: {invalid}"));
            }
            Ok(false)
        }
        Ok(rendered) => {
            let text = rendered.text();
            if again.map(|again| again.text()) != Ok(text) {
                return fail("renders to other bytes the next time");
            }
            let problems = check::problems(&rendered, case);
            if problems.is_empty() { Ok(true) } else { fail(problems.join("; ")) }
        }
    }
}

fn helps(invalid: &Invalid) -> Result<(), TestCaseError> {
    if invalid.0.is_empty() {
        return fail("refused without a problem");
    }
    for problem in &invalid.0 {
        let rest = problem.field.strip_prefix("spec").or_else(|| problem.field.strip_prefix("metadata"));
        if !rest.is_some_and(|rest| rest.is_empty() || rest.starts_with(['.', '[']))
            || problem.problem.is_empty()
        {
            return fail(format!("the problem names no field: {problem:?}"));
        }
    }
    Ok(())
}

fn run(kind: Kind) {
    let objects = number("PROPERTY_OBJECTS", OBJECTS);
    let (refused, rendered) = (Cell::new(0_u64), Cell::new(0_u64));
    let outcome = runner(objects).run(&Cases(kind), |case| {
        let counter = if holds(&case)? { &rendered } else { &refused };
        counter.set(counter.get() + 1);
        Ok(())
    });
    report(&format!(
        "{}: {objects} objects, {} refused, {} rendered",
        kind.name(),
        refused.get(),
        rendered.get()
    ));
    if let Err(error) = outcome {
        panic!("{error}");
    }
    // Otherwise the properties of rendered objects were hardly tested.
    assert!(rendered.get() * 4 > objects, "too few objects are rendered");
}

#[test]
fn any_function() {
    run(Kind::Function);
}

#[test]
fn any_source() {
    run(Kind::Source);
}

#[test]
fn any_sink() {
    run(Kind::Sink);
}

#[test]
fn any_mesh_and_backend_config_decodes_and_encodes() {
    let mut runner = runner(number("PROPERTY_OBJECTS", OBJECTS) / 16);
    let stable = |both: Result<[Value; 2], String>| match both {
        Ok([first, second]) if first == second => Ok(()),
        Ok(_) => fail("decoding and encoding is not stable"),
        Err(error) => fail(error),
    };
    let meshes = Values(schema::spec("FunctionMesh"));
    runner.run(&meshes, |spec| stable(round_trips::<FunctionMeshSpec>(&spec))).unwrap();
    let configs = Values(schema::spec("BackendConfig")).prop_filter("null", |spec| !spec.is_null());
    runner.run(&configs, |spec| stable(round_trips::<BackendConfigSpec>(&spec))).unwrap();
    // The items of a mesh are rendered as the components that they define.
    let lists = Kind::ALL.map(|kind| (kind.plural(), kind));
    runner
        .run(&meshes, |spec| {
            for (list, kind) in lists {
                for item in spec[list].as_array().into_iter().flatten() {
                    holds(&Case::new(kind, item.clone()))?;
                }
            }
            Ok(())
        })
        .unwrap();
}
