//! What each runtime does with each setting: works, works under a condition, has no effect, or is dangerous.
//!
//! The admission policies, the warnings of `kubectl apply`, the condition of stored objects, the descriptions of fields
//! and the page in the reference are generated from one table. Settings that are not in the table work in every runtime
//! as described.
//!
//! *Dangerous* means plain text instead of encryption, lost messages, or an instance that can only fail. Dangerous
//! settings are refused on creation and when that part of an object changes; an object that is already stored keeps
//! running.

mod consuming;
mod describe;
mod producing;
mod program;
mod rule;
mod setting;
mod table;
mod when;

pub(crate) use describe::describe;
pub use rule::{Rule, refused, rules, warned};
pub use setting::{Effect, Evidence, LINE, Runtime, Setting};
pub use table::settings;
pub use when::When;
