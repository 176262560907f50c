//! Settings that are dangerous in the runtime of the object. Admission refuses them; a stored object that has one keeps running,
//! with a condition that reports it.

use crate::conditions::UNSAFE_SETTINGS;
use crate::health::reason::Reason;
use functionmesh_api::Kind;
use functionmesh_api::condition::DesiredCondition;
use functionmesh_api::settings::refused;

/// The condition of an object with such settings, by the text of its spec.
pub fn unsafe_settings(kind: Kind, spec: &str) -> Option<DesiredCondition> {
    let spec = serde_json::from_str(spec).ok()?;
    let found = refused(kind, &spec);
    (!found.is_empty()).then(|| DesiredCondition {
        type_: UNSAFE_SETTINGS,
        status: true,
        reason: Reason::SettingsRefused.to_string(),
        message: found.join("; "),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_dangerous_setting_is_named() {
        let of = |spec: &str| unsafe_settings(Kind::Function, spec).map(|wanted| wanted.message);
        let short = of(r#"{"java": {"jar": "a"}, "timeout": 5, "maxPendingAsyncRequests": 0}"#).unwrap();
        assert!(
            short.contains("spec.timeout: 1 to 999: ") && short.contains("spec.maxPendingAsyncRequests: 0"),
            "{short}"
        );
        assert_eq!(of(r#"{"java": {"jar": "a"}, "timeout": 5000}"#), None);
        assert!(of(r#"{"python": {"py": "a"}, "timeout": 5000}"#).is_some());
    }
}
