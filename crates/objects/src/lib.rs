//! Facts about any stored object, as plain data: decoding that no object can break, field ownership, why a request was refused,
//! hashes, shards and bounded texts. Pure, and independent of kinds.

pub mod bounded_json;
pub mod hash;
pub mod managed_fields;
pub mod refusal;
pub mod shard;
pub mod text;
