//! The rewrite rules of an IIS site: read out of its `web.config`, and one address changed in one of them.
//!
//! [`Source`] tells how the bytes spell text, [`WebConfig`] what is in it, and [`point`] makes new bytes in
//! which only the address of one rule is another. Nothing is ever written anew from what was parsed: comments,
//! spaces, quotes and the sections of other programs stay as they are, because they are not touched.

mod address;
mod advice;
mod edit;
mod probe;
mod read;
mod refusal;
mod source;

pub use address::Address;
pub use advice::{Advice, advice};
pub use edit::{Edit, point};
pub use probe::{
    Access, Answer, Comparison, Layer, Look, Pair, SocketAnswer, Trouble, Want, compare, judge,
};
pub use read::{Action, Condition, Elsewhere, Outbound, Pattern, Rule, WebConfig};
pub use refusal::{Refusal, Why};
pub use source::{Encoding, MAX_BYTES, Source};

#[cfg(test)]
mod tests;
