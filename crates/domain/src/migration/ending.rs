//! The last steps: the target carries the work for days, the old service stands by, and goes.
//!
//! What is decided here rests on what was measured meanwhile. Time that nobody watched counts for
//! nothing.

mod parting;
mod since;
mod stability;
mod standby;
mod watched;

pub use parting::{
    FileMark, FilesLeft, ImageFate, KeptWhy, image_fate, is_shared_network, untouched,
};
pub use since::{Carried, carried_since};
pub use stability::{StabilityFacts, Stop, stability, stops};
pub use standby::{DRILL_EVERY_DAYS, Drill, StandbyFacts, drill_due, standby};
pub use watched::Watched;
