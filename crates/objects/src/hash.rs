//! The hash function of this project.

use sha2::{Digest, Sha256};

/// The first 16 bytes of a SHA-256, in hexadecimal digits.
pub fn hash_of(bytes: &[u8]) -> String {
    let number =
        Sha256::digest(bytes).iter().take(16).fold(0, |number, byte| number << 8 | u128::from(*byte));
    format!("{number:032x}")
}

/// The first 8 bytes of a SHA-256 as a number.
pub fn number_of(bytes: &[u8]) -> u64 {
    Sha256::digest(bytes).iter().take(8).fold(0, |number, byte| number << 8 | u64::from(*byte))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_hash_is_the_beginning_of_the_sha_256() {
        assert_eq!(hash_of(b""), "e3b0c44298fc1c149afbf4c8996fb924");
        assert_eq!(number_of(b""), 0xe3b0_c442_98fc_1c14);
    }
}
