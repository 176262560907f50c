//! Dates in JSON Web Tokens and certificates. Only dates leave this file.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use k8s_openapi::jiff::Timestamp;
use regex::bytes::Regex;
use std::sync::LazyLock;
use x509_parser::pem::Pem;

/// Header, payload and signature.
static TOKEN: LazyLock<Option<Regex>> =
    LazyLock::new(|| Regex::new(r"eyJ[A-Za-z0-9_-]+\.([A-Za-z0-9_-]+)\.[A-Za-z0-9_-]*").ok());

/// What has a date.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Credential {
    Token,
    /// The first certificate of a file, which a server presents.
    Certificate,
    /// Another certificate of the same file.
    FurtherCertificate,
}

/// What the data of a Secret or ConfigMap has that ends.
pub(crate) fn dates(data: &[u8]) -> Vec<(Credential, Timestamp)> {
    let mut found = Vec::new();
    for token in TOKEN.iter().flat_map(|pattern| pattern.captures_iter(data)) {
        let payload = token.get(1).and_then(|payload| URL_SAFE_NO_PAD.decode(payload.as_bytes()).ok());
        let claims: Option<serde_json::Value> = payload.and_then(|text| serde_json::from_slice(&text).ok());
        // RFC 7519: seconds since 1970, with or without a fraction.
        let end = claims.and_then(|claims| claims.get("exp")?.as_f64());
        #[allow(clippy::cast_possible_truncation, reason = "a date far away saturates, and is no date then")]
        found.extend(
            end.and_then(|end| Timestamp::from_second(end as i64).ok()).map(|end| (Credential::Token, end)),
        );
    }
    if !data.windows(10).any(|text| text == b"-----BEGIN") {
        return found;
    }
    let mut kind = Credential::Certificate;
    for pem in Pem::iter_from_buffer(data).flatten() {
        if !matches!(pem.label.as_str(), "CERTIFICATE" | "TRUSTED CERTIFICATE") {
            continue;
        }
        let end = pem.parse_x509().ok().map(|certificate| certificate.validity().not_after.timestamp());
        if let Some(end) = end.and_then(|end| Timestamp::from_second(end).ok()) {
            found.push((kind, end));
            kind = Credential::FurtherCertificate;
        }
    }
    found
}

/// Whether the data is a Java keystore or a PKCS#12 archive, whose certificates are encrypted or of a format that is not read.
pub(crate) fn is_keystore(key: &str, data: &[u8]) -> bool {
    const MAGIC: [&[u8]; 2] = [&[0xFE, 0xED, 0xFE, 0xED], &[0xCE, 0xCE, 0xCE, 0xCE]];
    let lower = key.to_lowercase();
    MAGIC.iter().any(|magic| data.starts_with(magic))
        || [".p12", ".pfx", ".jks"].iter().any(|e| lower.ends_with(e))
}

/// The day of a time.
pub(crate) fn day(time: Timestamp) -> String {
    time.strftime("%Y-%m-%d").to_string()
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    /// A token that ends at a time, with the canary where a signature is.
    pub(crate) fn token(end: i64) -> String {
        let part = |text: &str| URL_SAFE_NO_PAD.encode(text);
        let (header, claims) =
            (part(r#"{"alg":"HS256"}"#), part(&format!(r#"{{"sub":"canary","exp":{end}}}"#)));
        format!("{header}.{claims}.c4n4ry")
    }

    /// Self-signed; it ended on 2021-01-02.
    pub(crate) const CERTIFICATE: &str = include_str!("../../tests/data/expired.pem");

    #[test]
    fn tokens_are_found_wherever_they_are() {
        let end = 1_800_000_000;
        for text in [
            token(end),
            format!("token:{}", token(end)),
            format!("{{\"token\": \"{}\"}}", token(end)),
            token(end).replace("c4n4ry", ""),
        ] {
            let found = dates(text.as_bytes());
            assert_eq!(found, [(Credential::Token, Timestamp::from_second(end).unwrap())], "{text}");
        }
        for text in ["", "token:abc", "eyJhbGciOiJub25lIn0.e30.x", "eyJx.eyJ!.x"] {
            assert!(dates(text.as_bytes()).is_empty(), "{text}");
        }
    }

    #[test]
    fn certificates_have_dates_and_keys_have_none() {
        let key = "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n";
        let found = dates(format!("{key}{CERTIFICATE}{CERTIFICATE}").as_bytes());
        let kinds: Vec<Credential> = found.iter().map(|(kind, _)| *kind).collect();
        assert_eq!(kinds, [Credential::Certificate, Credential::FurtherCertificate]);
        assert!(found.iter().all(|(_, end)| day(*end) == "2021-01-02"));
        assert!(dates(b"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----").is_empty());
        assert!(is_keystore("trust.jks", b"x") && is_keystore("x", &[0xFE, 0xED, 0xFE, 0xED, 0]));
    }
}
