//! What the API server says about any stored object, as plain data: decoding that no object can break, field ownership, and
//! why a request was refused. Pure, and knows no kind.

pub mod bounded_json;
pub mod managed_fields;
pub mod refusal;
