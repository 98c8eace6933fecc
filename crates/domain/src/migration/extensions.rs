//! The extensions of Forge and what takes their place in ComfyUI: a maintained table, the owner's
//! decisions, and what is still to be decided.

mod decide;
mod decision;
mod known;

pub use decide::{
    Adoption, Counted, Decided, Inventory, NodesAnswer, Seen, adoption, inventory, seen_in,
};
pub use decision::{Decision, DecisionKind, Decisions, set_decision};
pub use known::{Fate, KnownExtension, NodePack, fate_of, known_extensions};

#[cfg(test)]
mod tests;
