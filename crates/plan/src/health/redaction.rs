//! The redaction of termination messages, for other text that people read or send to others.

use super::termination_message::patterns::replaced;
use super::termination_message::redact::{PAYLOADS, SECRETS};

/// A text in which `<redacted>` takes the place of tokens, passwords, private keys, the user part of addresses, and of Pulsar
/// messages that exceptions quote.
pub fn redacted(text: &str) -> String {
    replaced(&replaced(text, &SECRETS), &PAYLOADS)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn secrets_and_messages_are_replaced_and_the_rest_is_as_it_was() {
        let text = "2026-01-01T00:00:00Z [id: 0x1a2b3c4d] pulsar://u:canary@broker:6650 token:canary For input string: \"canary\"";
        assert_eq!(
            redacted(text),
            "2026-01-01T00:00:00Z [id: 0x1a2b3c4d] pulsar://<redacted>@broker:6650 token:<redacted> For input string: <redacted>"
        );
    }
}
