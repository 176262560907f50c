//! What each runtime does with each setting: works, has no effect, or is dangerous.
//!
//! One table, from which come the admission policies, the warnings of `kubectl apply`, the condition of stored objects, the
//! descriptions of fields and the page in the reference. There is no fourth state: what is not in the table works in every
//! runtime as its description says.
//!
//! *Dangerous* is plaintext where encryption was asked for, messages that are lost, or an instance that can only end. It is
//! refused on creation and when that part of an object changes; an object that is stored so keeps running.

mod consuming;
mod describe;
mod producing;
mod program;
mod rule;
mod setting;
mod table;
mod when;

pub(crate) use describe::describe;
pub use rule::{Rule, refused, rules, without_effect};
pub use setting::{Effect, Evidence, LINE, Runtime, Setting};
pub use table::settings;
pub use when::When;
