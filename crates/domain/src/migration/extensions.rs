//! The extensions of Forge and what takes their place in ComfyUI: a maintained table, the owner's
//! decisions, and what is still to be decided.

mod decide;
mod decision;
mod known;

pub use decide::{
    Adoption, Counted, Decided, Inventory, NodesAnswer, Seen, adoption, inventory, repository_of,
    seen_in,
};
pub(super) use decision::fields as decision_fields;
pub use decision::{Decision, DecisionKind, Decisions};
pub use known::{Fate, KnownExtension, NodePack, fate_of, known_extensions};

#[cfg(test)]
mod tests;
