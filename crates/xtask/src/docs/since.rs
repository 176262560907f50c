//! The release that a field came with.

/// The release of every field that is not in the table.
const FIRST: &str = "0.1";

/// Fields that came later: kind, path, release. Everything below a field came with it, unless it is here itself.
const LATER: &[(&str, &str, &str)] = &[];

/// The release that a field came with.
pub(super) fn since(kind: &str, path: &str) -> &'static str {
    since_in(LATER, kind, path)
}

fn since_in(table: &[(&str, &str, &'static str)], kind: &str, path: &str) -> &'static str {
    let covers = |field: &str| {
        path.strip_prefix(field).is_some_and(|rest| rest.is_empty() || rest.starts_with(['.', '[']))
    };
    let matching = table.iter().filter(|(of, field, _)| *of == kind && covers(field));
    matching.max_by_key(|(_, field, _)| field.len()).map_or(FIRST, |(_, _, release)| release)
}

/// Entries of the table that name no field.
pub(super) fn unknown(kind: &str, paths: &[&str]) -> Vec<&'static str> {
    LATER
        .iter()
        .filter(|(of, path, _)| *of == kind && !paths.contains(path))
        .map(|(_, path, _)| *path)
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_closest_entry_counts() {
        let table =
            [("Sink", "spec.a", "0.2"), ("Sink", "spec.a.list[].b", "0.3"), ("Source", "spec", "0.9")];
        let of = |path: &str| since_in(&table, "Sink", path);
        assert_eq!([of("spec"), of("spec.ab"), of("spec.c")], [FIRST; 3]);
        assert_eq!([of("spec.a"), of("spec.a.list"), of("spec.a.list[].c")], ["0.2"; 3]);
        assert_eq!([of("spec.a.list[].b"), of("spec.a.list[].b.c")], ["0.3"; 2]);
    }
}
