//! What to change when a service computes on another card than declared: the exact lines, as a
//! diff to copy.

use serde::{Deserialize, Serialize};

use super::{
    PlacementVerdict,
    declared::{CUDA_ORDER, CUDA_VISIBLE, NVIDIA_VISIBLE},
};
use crate::{container::ContainerSnapshot, ids::GpuUuid};

/// What to change.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "specta", derive(specta::Type))]
pub struct PlacementRemedy {
    /// The compose file, when the container knows it.
    pub file: Option<String>,
    /// Lines as a unified diff of the service's section; ` `, `-` or `+` first.
    pub diff: Vec<String>,
    /// Whether compose made the container: else the lines are options of `docker run`.
    pub compose: bool,
}

/// The lines that pin a service to a card. `None` where nothing is wrong or nothing would help.
pub fn remedy(
    verdict: PlacementVerdict,
    card: Option<&GpuUuid>,
    container: &ContainerSnapshot,
) -> Option<PlacementRemedy> {
    if !verdict.is_wrong() {
        return None;
    }
    let card = card?;
    Some(match &container.compose_service {
        Some(service) => PlacementRemedy {
            file: container.compose_file.clone(),
            diff: compose_diff(service, card, container),
            compose: true,
        },
        None => PlacementRemedy {
            file: None,
            diff: run_diff(card, container),
            compose: false,
        },
    })
}

/// The value of a variable as the container has it.
fn value<'a>(container: &'a ContainerSnapshot, name: &str) -> Option<&'a str> {
    let pair = container.gpu_env.iter().find(|pair| pair.name == name)?;
    Some(pair.value.as_str())
}

/// Each variable as it is and as it should be: order first, because a UUID needs none and an index
/// in somebody's other container does.
fn variables(card: &GpuUuid) -> [(&'static str, String); 2] {
    [
        (CUDA_ORDER, "PCI_BUS_ID".to_owned()),
        (CUDA_VISIBLE, card.to_string()),
    ]
}

fn compose_diff(service: &str, card: &GpuUuid, container: &ContainerSnapshot) -> Vec<String> {
    let mut lines = vec![
        " services:".to_owned(),
        format!("   {}:", plain(service)),
        "     environment:".to_owned(),
    ];
    for (name, wanted) in variables(card) {
        match value(container, name) {
            Some(now) if now == wanted => lines.push(format!("       {name}: {}", plain(now))),
            Some(now) => {
                lines.push(format!("-      {name}: {}", plain(now)));
                lines.push(format!("+      {name}: {wanted}"));
            }
            None => lines.push(format!("+      {name}: {wanted}")),
        }
    }
    if let Some(now) = value(container, NVIDIA_VISIBLE)
        && !container.gpu_device_ids.is_empty()
        && now != card.as_str()
        && !now.eq_ignore_ascii_case("all")
        && now != "void"
    {
        // With a reservation the runtime sets it itself; a second word for it only confuses.
        lines.push(format!("-      {NVIDIA_VISIBLE}: {}", plain(now)));
    }
    let ids = container.gpu_device_ids.as_slice();
    let wanted = [card.to_string()];
    let quoted = |ids: &[String]| {
        let ids: Vec<String> = ids.iter().map(|id| format!("'{}'", plain(id))).collect();
        ids.join(", ")
    };
    lines.extend(
        [
            "     deploy:",
            "       resources:",
            "         reservations:",
            "           devices:",
            "             - driver: nvidia",
        ]
        .map(str::to_owned),
    );
    if ids == wanted {
        lines.push(format!("               device_ids: [{}]", quoted(ids)));
    } else {
        if ids.is_empty() {
            lines.push("-              count: all".to_owned());
        } else {
            lines.push(format!("-              device_ids: [{}]", quoted(ids)));
        }
        lines.push(format!("+              device_ids: [{}]", quoted(&wanted)));
    }
    lines.push("               capabilities: [gpu]".to_owned());
    lines
}

fn run_diff(card: &GpuUuid, container: &ContainerSnapshot) -> Vec<String> {
    let mut lines = vec![format!(" docker run --name {}", plain(&container.name))];
    for (name, wanted) in variables(card) {
        match value(container, name) {
            Some(now) if now == wanted => lines.push(format!("   --env {name}={}", plain(now))),
            Some(now) => {
                lines.push(format!("-  --env {name}={}", plain(now)));
                lines.push(format!("+  --env {name}={wanted}"));
            }
            None => lines.push(format!("+  --env {name}={wanted}")),
        }
    }
    let wanted = format!("--gpus '\"device={card}\"'");
    let ids = container.gpu_device_ids.as_slice();
    if ids == [card.to_string()] {
        lines.push(format!("   {wanted}"));
    } else {
        if ids.is_empty() {
            lines.push("-  --gpus all".to_owned());
        } else {
            let now: Vec<String> = ids.iter().map(|id| plain(id)).collect();
            lines.push(format!("-  --gpus '\"device={}\"'", now.join(",")));
        }
        lines.push(format!("+  {wanted}"));
    }
    lines
}

/// What comes from the engine stays on its line and inside its quotes.
fn plain(text: &str) -> String {
    let kept = text
        .chars()
        .filter(|c| !c.is_control() && !matches!(c, '\'' | '"'));
    kept.take(120).collect()
}

#[cfg(test)]
mod tests {
    use super::super::tests::container;
    use super::*;

    fn card() -> GpuUuid {
        GpuUuid::new("GPU-aaaa-1").expect("an id")
    }

    fn diff(container: &ContainerSnapshot) -> Vec<String> {
        remedy(PlacementVerdict::Differs, Some(&card()), container)
            .expect("a remedy")
            .diff
    }

    #[test]
    fn the_lines_pin_the_service_by_uuid_and_order() {
        let found = diff(&container(&["0"], &[]));
        assert_eq!(
            found,
            [
                " services:",
                "   myia:",
                "     environment:",
                "+      CUDA_DEVICE_ORDER: PCI_BUS_ID",
                "+      CUDA_VISIBLE_DEVICES: GPU-aaaa-1",
                "     deploy:",
                "       resources:",
                "         reservations:",
                "           devices:",
                "             - driver: nvidia",
                "-              device_ids: ['0']",
                "+              device_ids: ['GPU-aaaa-1']",
                "               capabilities: [gpu]",
            ]
        );
    }

    #[test]
    fn what_is_right_already_stays_and_what_is_wrong_goes() {
        let env = [
            (CUDA_ORDER, "PCI_BUS_ID"),
            (CUDA_VISIBLE, "1"),
            (NVIDIA_VISIBLE, "1"),
        ];
        let found = diff(&container(&["GPU-aaaa-1"], &env));
        let changed: Vec<&String> = found.iter().filter(|l| !l.starts_with(' ')).collect();
        assert_eq!(
            changed,
            [
                "-      CUDA_VISIBLE_DEVICES: 1",
                "+      CUDA_VISIBLE_DEVICES: GPU-aaaa-1",
                "-      NVIDIA_VISIBLE_DEVICES: 1",
            ]
        );
        let all = diff(&container(&[], &[(NVIDIA_VISIBLE, "all")]));
        assert!(all.contains(&"-              count: all".to_owned()));
        assert!(!all.iter().any(|line| line.contains(NVIDIA_VISIBLE)));
    }

    #[test]
    fn without_compose_it_is_options_of_docker_run() {
        let plain = ContainerSnapshot {
            compose_service: None,
            ..container(&["0"], &[])
        };
        let found = remedy(PlacementVerdict::Cpu, Some(&card()), &plain).expect("a remedy");
        assert!(!found.compose && found.file.is_none());
        assert_eq!(
            found.diff,
            [
                " docker run --name myia-1",
                "+  --env CUDA_DEVICE_ORDER=PCI_BUS_ID",
                "+  --env CUDA_VISIBLE_DEVICES=GPU-aaaa-1",
                "-  --gpus '\"device=0\"'",
                "+  --gpus '\"device=GPU-aaaa-1\"'",
            ]
        );
    }

    #[test]
    fn nothing_is_advised_where_nothing_is_wrong() {
        let container = container(&["0"], &[]);
        for verdict in [
            PlacementVerdict::Agrees,
            PlacementVerdict::Undeclared,
            PlacementVerdict::CouldNotTell,
        ] {
            assert_eq!(remedy(verdict, Some(&card()), &container), None);
        }
        assert_eq!(remedy(PlacementVerdict::Differs, None, &container), None);
    }

    #[test]
    fn a_hostile_value_stays_on_its_line() {
        let env = [(CUDA_VISIBLE, "1\n+  privileged: true'\"")];
        let hostile = ContainerSnapshot {
            compose_service: Some("my\nia".to_owned()),
            ..container(&["0'\n"], &env)
        };
        for line in diff(&hostile) {
            assert!(!line.contains('\n') && !line.contains('"'), "{line:?}");
        }
    }
}
