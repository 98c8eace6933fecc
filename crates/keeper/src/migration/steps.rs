//! The steps, one file each.

mod backup;
mod batch;
mod compose_beside;
mod custom_nodes;
mod decommission;
mod disk_space;
mod gpu_plan;
mod proxy;
mod quality;
mod rest;
mod share_models;
mod stability;
mod standby;
mod target_image;
mod workflows;

pub(super) use backup::Backup;
pub(super) use batch::Batch;
pub(super) use compose_beside::ComposeBeside;
pub(super) use custom_nodes::CustomNodes;
pub(crate) use custom_nodes::extensions_of;
pub(super) use decommission::Decommission;
pub(super) use disk_space::DiskSpace;
pub(super) use gpu_plan::GpuPlan;
pub(super) use proxy::Proxy;
pub(super) use quality::Quality;
pub(crate) use quality::paired;
pub(super) use share_models::ShareModels;
pub(super) use stability::Stability;
pub(super) use standby::Standby;
pub(super) use target_image::TargetImage;
pub(super) use workflows::Workflows;
