//! Model files: what their headers say they are, where Forge keeps them, how ComfyUI is told of those
//! folders, and whether both see the same.

mod classify;
mod diff;
mod duplicates;
mod flags;
mod folders;
mod header;
mod kind;
mod marks;
mod parity;
mod paths;
mod section;
mod sharing;
#[cfg(test)]
mod tests;
mod yaml;

pub use classify::classify;
pub use diff::one_change;
pub use duplicates::{Body, DuplicateGroup, Sameness, duplicates, reclaimable};
pub use flags::folders_of_command;
pub use folders::{FOLDERS, FolderId, FolderRow, Layout, below_folder, folder_of_path, folder_row};
pub use header::{Header, HeaderFault, MAX_HEADER, PREFIX, Tensor, header_length, read_header};
pub use kind::{Family, FileForm, ModelKind, Role};
pub use parity::{
    Listed, Lists, Match, Parity, ParityCounts, ParityRow, ParityState, forge_lists, parity,
};
pub use paths::{engine_path, seen_at};
pub use section::{SECTION, Section, SectionEntry};
pub use sharing::{NotShared, SharedFolder, Sharing, sharing};
pub use yaml::{Spliced, YamlFault, YamlProblem, remove_section, splice};
