//! Names of rendered objects.

use functionmesh_api::Kind;
use functionmesh_api::constants::MAX_NAME_LENGTH;
use std::fmt;

/// Name of the `StatefulSet`, `<name>-<kind>`: short enough for every name derived from it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WorkloadName(String);

impl WorkloadName {
    /// Derives the name.
    ///
    /// # Errors
    /// What to do about a name that is too long or not a valid name of a Service.
    pub fn new(name: &str, kind: Kind) -> Result<Self, String> {
        if name.is_empty() {
            return Err("must be set".to_owned());
        }
        if name.len() > MAX_NAME_LENGTH {
            return Err(format!(
                "must be at most {MAX_NAME_LENGTH} characters, is {}; choose a shorter name",
                name.len()
            ));
        }
        if name.starts_with(|c: char| c.is_ascii_digit()) {
            return Err("must begin with a letter, because the name of a Service starts with it; \
                        create the object under another name"
                .to_owned());
        }
        let label = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
        if !name.chars().all(label) || name.starts_with('-') || name.ends_with('-') {
            return Err(
                "must consist of lower-case letters, digits and '-', without '-' at the ends, because the name of a Service contains it"
                    .to_owned(),
            );
        }
        Ok(Self(format!("{name}-{}", kind.singular())))
    }

    /// Name of the `StatefulSet`.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Name of the headless Service.
    pub fn service(&self) -> String {
        format!("{}-headless", self.0)
    }

    /// Name of the cleanup Job.
    pub fn cleanup(&self) -> String {
        format!("{}-cleanup", self.0)
    }
}

impl fmt::Display for WorkloadName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Name of a volume made from user text: lower case, each run of other characters one `-`, at most 63 characters,
/// no `-` at the ends.
pub(crate) fn volume_name(text: &str) -> String {
    let mut name = String::with_capacity(text.len());
    let mut replaced = false;
    for c in text.to_lowercase().chars() {
        let keep = c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
        if keep {
            name.push(c);
        } else if !replaced {
            name.push('-');
        }
        replaced = !keep;
    }
    name.truncate(63);
    match name.trim_matches('-') {
        // The text has no valid character at all.
        "" => "volume".to_owned(),
        name => name.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_fit_everything_derived_from_them() {
        let longest = "a".repeat(MAX_NAME_LENGTH);
        let name = WorkloadName::new(&longest, Kind::Function).unwrap();
        assert!(name.as_str().len() + "-0123456789".len() <= 63);
        assert!(name.service().len() <= 63);
        for wrong in ["", "a.b", "A", "-a", "a-", "3rd-party", &"a".repeat(MAX_NAME_LENGTH + 1)] {
            assert!(WorkloadName::new(wrong, Kind::Sink).is_err(), "{wrong}");
        }
    }

    #[test]
    fn volume_names_are_those_of_the_go_operator() {
        assert_eq!(
            volume_name("java-function-crypto-sample-crypto-secret-test_ecdsa_privkey.pem"),
            "java-function-crypto-sample-crypto-secret-test-ecdsa-privkey-pe"
        );
        assert_eq!(volume_name("_A..b_"), "a-b");
        assert_eq!(volume_name("_✓_"), "volume");
    }
}
