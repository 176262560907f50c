//! Checks free-form values for numbers that Kubernetes cannot store exactly.

use crate::lower::problems::Problems;
use serde_json::{Map, Value};

/// Reports numbers that lose digits: integers beyond 64 bits, which the API server stores as doubles. From 1e21 on a
/// double has an exponent, so it cannot have been written as an integer.
pub(crate) fn check(map: &Map<String, Value>, path: &str, problems: &mut Problems) {
    for (key, value) in map {
        check_value(value, &format!("{path}.{key}"), problems);
    }
}

fn check_value(value: &Value, path: &str, problems: &mut Problems) {
    // 2^63, below which a double of that size is stored as the integer that it is.
    const BEYOND: f64 = 9_223_372_036_854_775_808.0;
    match value {
        Value::Number(n) if n.as_i64().is_none() => problems.when(
            n.as_f64().is_some_and(|n| (BEYOND..1e21).contains(&n.abs())),
            path,
            "is an integer beyond 64 bits, of which Kubernetes stores 15 to 17 digits only; write it as a string, in quotes",
        ),
        Value::Array(items) => {
            for (i, item) in items.iter().enumerate() {
                check_value(item, &format!("{path}[{i}]"), problems);
            }
        }
        Value::Object(map) => check(map, path, problems),
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::text::go_json::object;

    #[test]
    fn integers_arrive_with_all_their_digits_or_are_refused() {
        let read = |text: &str| -> (String, Vec<String>) {
            let value: Value = serde_json::from_str(text).unwrap();
            let mut problems = Problems::default();
            check(value.as_object().unwrap(), "spec.sinkConfig", &mut problems);
            (
                object(value.as_object().unwrap()),
                problems.into_vec().into_iter().map(|problem| problem.field).collect(),
            )
        };
        for text in [
            r#"{"a":9007199254740992}"#,
            r#"{"a":9007199254740993}"#,
            r#"{"a":9223372036854775807,"b":[-9223372036854775808]}"#,
            r#"{"a":-9007199254740993}"#,
            r#"{"a":1e+21,"b":0.1}"#,
        ] {
            assert_eq!(read(text), (text.to_owned(), Vec::new()));
        }
        let beyond =
            r#"{"a":{"b":[1,18446744073709552000]},"c":-9300000000000000000,"d":18446744073709551615}"#;
        assert_eq!(read(beyond).1, ["spec.sinkConfig.a.b[1]", "spec.sinkConfig.c", "spec.sinkConfig.d"]);
    }
}
