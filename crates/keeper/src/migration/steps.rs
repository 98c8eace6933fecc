//! The steps, one file each.

mod batch;
mod disk_space;
mod gpu_plan;
pub(super) mod proxy;
mod share_models;
mod workflows;

pub(super) use batch::Batch;
pub(super) use disk_space::DiskSpace;
pub(super) use gpu_plan::GpuPlan;
pub(super) use share_models::ShareModels;
pub(super) use workflows::Workflows;
