//! The image that the migration leads to: which it is, and whether it exists and is maintained.
//!
//! [`ImageRef`] reads a name as Docker does, [`judge`] makes a verdict of what a registry and the source
//! repository told, [`known_images`] is the maintained table of what else there is.

mod known;
mod reference;
mod verdict;

pub use known::{
    Defaults, KnownImage, KnownImages, KnownVerdict, Layout, defaults, known_images, layout_of,
};
pub use reference::{ImageRef, ImageRefProblem};
pub use verdict::{
    BuiltImage, ImageFacts, ImageFault, ImageFinding, ImageReport, ImageVerdict,
    MAX_BUILD_AGE_DAYS, MAX_PUSH_AGE_DAYS, Platform, RegistryAnswer, RepositoryFacts, SourceAnswer,
    Unasked, judge, source_repository,
};

#[cfg(test)]
mod tests;
