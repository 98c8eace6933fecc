//! Which steps are built.

use forgekeeper_domain::migration::CheckKind;

use super::{
    StepWork,
    steps::{
        Backup, Batch, ComposeBeside, CustomNodes, Decommission, DiskSpace, GpuPlan, Proxy,
        Quality, ShareModels, Stability, Standby, TargetImage, Workflows,
    },
};

/// Every step that is built, with its work. One that is not here says so when it is looked at.
const WORKS: &[(CheckKind, &dyn StepWork)] = &[
    (CheckKind::TargetImage, &TargetImage),
    (CheckKind::Backup, &Backup),
    (CheckKind::ComposeBeside, &ComposeBeside),
    (CheckKind::GpuPlan, &GpuPlan),
    (CheckKind::DiskSpace, &DiskSpace),
    (CheckKind::ShareModels, &ShareModels),
    (CheckKind::WorkflowsAccepted, &Workflows),
    (CheckKind::BatchEquivalence, &Batch),
    (CheckKind::ProxyRehearsal, &Proxy::REHEARSAL),
    (CheckKind::ProxyCutover, &Proxy::CUTOVER),
    (CheckKind::CustomNodes, &CustomNodes),
    (CheckKind::Stability, &Stability),
    (CheckKind::Standby, &Standby),
    (CheckKind::Decommission, &Decommission),
    (CheckKind::Quality, &Quality),
];

/// Where the work of each step is found: [`Steps::built`], but for tests that play steps of their own.
#[derive(Debug, Clone, Copy)]
pub struct Steps(pub fn(CheckKind) -> Option<&'static dyn StepWork>);

impl Steps {
    /// Every step that is built.
    pub fn built() -> Self {
        Self(built)
    }

    /// The work of a step; `None` where it is not built.
    pub fn work(self, check: CheckKind) -> Option<&'static dyn StepWork> {
        (self.0)(check)
    }
}

fn built(check: CheckKind) -> Option<&'static dyn StepWork> {
    WORKS
        .iter()
        .find(|(kind, _)| *kind == check)
        .map(|(_, work)| *work)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_step_is_built_once() {
        for kind in CheckKind::ALL {
            let works = WORKS.iter().filter(|(of, _)| of == kind);
            assert_eq!(works.count(), 1, "{kind:?}");
        }
    }
}
