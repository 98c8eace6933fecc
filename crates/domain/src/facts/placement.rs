//! A placement proof, as the ladder wants it.

use crate::{ids::ServiceId, placement::PlacementVerdict};

/// What the newest proof of a service says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PlacementFact {
    /// Compared with what is declared.
    pub verdict: PlacementVerdict,
    /// Whether it is not believed any more.
    pub faded: bool,
    /// The declared card, as shown: `GPU 0 · RTX 3080`.
    pub declared: Option<String>,
    /// The card that did the work, as shown.
    pub measured: Option<String>,
    /// Other services that compute on it.
    pub shared_with: Vec<ServiceId>,
}
