//! Manifests, for the tests that decode them.

use functionmesh_api::{BackendConfig, Function, FunctionMesh, Sink, Source};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::fmt::Debug;
use std::path::{Path, PathBuf};

/// A path below the root of the repository.
pub(crate) fn repository(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").join(path)
}

/// The documents of a file.
pub(crate) fn documents(path: &Path) -> Vec<Value> {
    let text = std::fs::read_to_string(path).unwrap_or_else(|e| panic!("{}: {e}", path.display()));
    serde_yaml::Deserializer::from_str(&text)
        .map(|document| Value::deserialize(document).unwrap_or_else(|e| panic!("{}: {e}", path.display())))
        .filter(|document| !document.is_null())
        .collect()
}

/// The spec of an object of Function Mesh after decoding and encoding; none for other kinds.
pub(crate) fn round_trip(object: &Value) -> Option<Result<Value, String>> {
    macro_rules! through {
        ($($kind:ident),*) => {
            match object["kind"].as_str()? {
                $(stringify!($kind) => {
                    let decoded = serde_json::from_value::<$kind>(object.clone());
                    Some(decoded.map(|object| again(&object.spec)).map_err(|e| e.to_string()))
                })*
                _ => None,
            }
        };
    }
    through!(Function, Source, Sink, FunctionMesh, BackendConfig)
}

/// Encodes, and decodes once more to see that nothing changes.
fn again<S: Serialize + for<'de> Deserialize<'de> + PartialEq + Debug>(spec: &S) -> Value {
    let encoded = serde_json::to_value(spec).unwrap();
    assert_eq!(&serde_json::from_value::<S>(encoded.clone()).unwrap(), spec);
    encoded
}
