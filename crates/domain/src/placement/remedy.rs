//! What to change when a service computes on another card than declared: the exact lines, as a
//! diff to copy.

use serde::{Deserialize, Serialize};

use super::{
    PlacementVerdict,
    declared::{CUDA_ORDER, CUDA_VISIBLE, Declared, NVIDIA_VISIBLE},
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

/// The lines that pin a service to a card. `None` where nothing is wrong, where nothing would help,
/// and where the declarations name different cards: which one is meant is not ours to guess.
pub fn remedy(
    verdict: PlacementVerdict,
    declared: &Declared,
    container: &ContainerSnapshot,
) -> Option<PlacementRemedy> {
    if !verdict.is_wrong() || declared.conflict {
        return None;
    }
    let card = declared.card.as_ref()?;
    let lines = Lines {
        card,
        container,
        sees_none: verdict == PlacementVerdict::Cpu && !runtime_shows_cards(container),
    };
    Some(match &container.compose_service {
        Some(service) => PlacementRemedy {
            file: container.compose_file.clone(),
            diff: lines.of_compose(service),
            compose: true,
        },
        None => PlacementRemedy {
            file: None,
            diff: lines.of_run(),
            compose: false,
        },
    })
}

/// The value of a variable as the container has it.
fn value<'a>(container: &'a ContainerSnapshot, name: &str) -> Option<&'a str> {
    let pair = container.gpu_env.iter().find(|pair| pair.name == name)?;
    Some(pair.value.as_str())
}

/// Whether the variable of the NVIDIA runtime shows cards to a container without a device request.
fn runtime_shows_cards(container: &ContainerSnapshot) -> bool {
    value(container, NVIDIA_VISIBLE).is_some_and(|value| !matches!(value, "" | "void" | "none"))
}

/// What is made into lines.
struct Lines<'a> {
    card: &'a GpuUuid,
    container: &'a ContainerSnapshot,
    /// No card is shown to the container at all.
    sees_none: bool,
}

/// A variable as it is and as it should be; `None` where it should not be.
struct Variable<'a> {
    name: &'static str,
    now: Option<&'a str>,
    wanted: Option<String>,
}

/// How a device request is changed.
enum Request {
    /// There is none, and none is needed.
    Absent,
    /// It names the card already.
    Right,
    /// It is to name the card; as it is now, in compose's and in `docker run`'s words, if it is.
    Change(Option<(String, String)>),
}

impl Lines<'_> {
    /// The order first: a UUID needs none, and an index in somebody's other container does.
    fn variables(&self) -> Vec<Variable<'_>> {
        let now = |name| value(self.container, name);
        let mut variables = vec![
            Variable {
                name: CUDA_ORDER,
                now: now(CUDA_ORDER),
                wanted: Some("PCI_BUS_ID".to_owned()),
            },
            Variable {
                name: CUDA_VISIBLE,
                now: now(CUDA_VISIBLE),
                wanted: Some(self.card.to_string()),
            },
        ];
        if let Some(shown) = now(NVIDIA_VISIBLE)
            && runtime_shows_cards(self.container)
            && shown != self.card.as_str()
            && !shown.eq_ignore_ascii_case("all")
        {
            // With a request the runtime sets it itself, and a second word for it only confuses;
            // without one it is what shows the card.
            let wanted = matches!(self.request(), Request::Absent).then(|| self.card.to_string());
            variables.push(Variable {
                name: NVIDIA_VISIBLE,
                now: Some(shown),
                wanted,
            });
        }
        variables
    }

    fn request(&self) -> Request {
        let ids = self.container.gpu_device_ids.as_slice();
        if ids == [self.card.to_string()] {
            return Request::Right;
        }
        if !ids.is_empty() {
            let ids: Vec<String> = ids.iter().map(|id| plain(id)).collect();
            return Request::Change(Some((
                format!("device_ids: ['{}']", ids.join("', '")),
                format!("'\"device={}\"'", ids.join(",")),
            )));
        }
        match self.container.gpu_count {
            Some(count) if count < 0 => {
                Request::Change(Some(("count: all".to_owned(), "all".to_owned())))
            }
            Some(count) => Request::Change(Some((format!("count: {count}"), count.to_string()))),
            None if self.sees_none => Request::Change(None),
            None => Request::Absent,
        }
    }

    fn of_compose(&self, service: &str) -> Vec<String> {
        let mut lines = vec![
            " services:".to_owned(),
            format!("   {}:", plain(service)),
            "     environment:".to_owned(),
        ];
        lines.extend(self.of_variables("      ", ": "));
        let (mark, device) = match self.request() {
            Request::Absent => return lines,
            Request::Right => (
                ' ',
                vec![format!("               device_ids: ['{}']", self.card)],
            ),
            Request::Change(now) => {
                let mark = if now.is_some() { ' ' } else { '+' };
                let now = now.map(|(compose, _)| format!("-              {compose}"));
                let wanted = format!("+              device_ids: ['{}']", self.card);
                (mark, now.into_iter().chain([wanted]).collect())
            }
        };
        let around = [
            "    deploy:",
            "      resources:",
            "        reservations:",
            "          devices:",
            "            - driver: nvidia",
        ];
        lines.extend(around.map(|line| format!("{mark}{line}")));
        lines.extend(device);
        lines.push(format!("{mark}              capabilities: [gpu]"));
        lines
    }

    fn of_run(&self) -> Vec<String> {
        let mut lines = vec![format!(
            " docker run --name {}",
            plain(&self.container.name)
        )];
        lines.extend(self.of_variables("  --env ", "="));
        let wanted = format!("--gpus '\"device={}\"'", self.card);
        match self.request() {
            Request::Absent => {}
            Request::Right => lines.push(format!("   {wanted}")),
            Request::Change(now) => {
                lines.extend(now.map(|(_, run)| format!("-  --gpus {run}")));
                lines.push(format!("+  {wanted}"));
            }
        }
        lines
    }

    fn of_variables(&self, before: &str, between: &str) -> Vec<String> {
        let line = |mark: char, name: &str, value: &str| {
            format!("{mark}{before}{name}{between}{}", plain(value))
        };
        let mut lines = Vec::new();
        for Variable { name, now, wanted } in self.variables() {
            if let Some(now) = now
                && wanted.as_deref() == Some(now)
            {
                lines.push(line(' ', name, now));
                continue;
            }
            lines.extend(now.map(|now| line('-', name, now)));
            lines.extend(wanted.map(|wanted| line('+', name, &wanted)));
        }
        lines
    }
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

    fn meant() -> Declared {
        Declared {
            card: Some(card()),
            ..Declared::default()
        }
    }

    fn advised(verdict: PlacementVerdict, container: &ContainerSnapshot) -> Vec<String> {
        remedy(verdict, &meant(), container).expect("a remedy").diff
    }

    fn diff(container: &ContainerSnapshot) -> Vec<String> {
        advised(PlacementVerdict::Differs, container)
    }

    fn changed(container: &ContainerSnapshot) -> Vec<String> {
        let lines = diff(container).into_iter();
        lines.filter(|line| !line.starts_with(' ')).collect()
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
        assert_eq!(
            changed(&container(&["GPU-aaaa-1"], &env)),
            [
                "-      CUDA_VISIBLE_DEVICES: 1",
                "+      CUDA_VISIBLE_DEVICES: GPU-aaaa-1",
                "-      NVIDIA_VISIBLE_DEVICES: 1",
            ]
        );
    }

    #[test]
    fn a_request_is_changed_where_there_is_one_and_made_where_no_card_is_shown() {
        let pins = [
            "+      CUDA_DEVICE_ORDER: PCI_BUS_ID",
            "+      CUDA_VISIBLE_DEVICES: GPU-aaaa-1",
        ];
        let named = "+              device_ids: ['GPU-aaaa-1']";
        let asks = |count| ContainerSnapshot {
            gpu_count: Some(count),
            ..container(&[], &[(NVIDIA_VISIBLE, "all")])
        };
        for (count, now) in [
            (-1, "-              count: all"),
            (1, "-              count: 1"),
        ] {
            let expected = [pins[0], pins[1], now, named];
            assert_eq!(changed(&asks(count)), expected);
        }
        // The runtime's variable alone shows cards: there is no request, and none is needed.
        let by_runtime = |value| container(&[], &[(NVIDIA_VISIBLE, value)]);
        assert_eq!(changed(&by_runtime("all")), pins);
        assert!(!diff(&by_runtime("all")).contains(&"     deploy:".to_owned()));
        assert_eq!(
            changed(&by_runtime("1"))[2..],
            [
                "-      NVIDIA_VISIBLE_DEVICES: 1",
                "+      NVIDIA_VISIBLE_DEVICES: GPU-aaaa-1",
            ]
        );
        // On the CPU, and nothing shows a card: the whole request is new.
        let nothing = advised(PlacementVerdict::Cpu, &container(&[], &[]));
        assert!(nothing.contains(&"+    deploy:".to_owned()), "{nothing:#?}");
        assert!(nothing.contains(&named.to_owned()));
        assert!(nothing.contains(&"+              capabilities: [gpu]".to_owned()));
    }

    #[test]
    fn without_compose_it_is_options_of_docker_run() {
        let plain = ContainerSnapshot {
            compose_service: None,
            ..container(&["0"], &[])
        };
        let found = remedy(PlacementVerdict::Cpu, &meant(), &plain).expect("a remedy");
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
            PlacementVerdict::Conflicting,
            PlacementVerdict::CouldNotTell,
        ] {
            assert_eq!(remedy(verdict, &meant(), &container), None);
        }
        let none = Declared::default();
        assert_eq!(remedy(PlacementVerdict::Differs, &none, &container), None);
        let conflict = Declared {
            conflict: true,
            ..meant()
        };
        assert_eq!(
            remedy(PlacementVerdict::Differs, &conflict, &container),
            None,
            "which one is meant is not ours to guess"
        );
    }

    #[test]
    fn a_hostile_value_stays_on_its_line() {
        let env = [(CUDA_VISIBLE, "1\n+  privileged: true'\"")];
        let hostile = ContainerSnapshot {
            compose_service: Some("my\nia".to_owned()),
            ..container(&["0'\n"], &env)
        };
        let lines = diff(&hostile);
        assert!(lines.len() > 4);
        for line in lines {
            assert!(!line.contains('\n') && !line.contains('"'), "{line:?}");
        }
    }
}
