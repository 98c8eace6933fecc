//! `nvidia-smi`, as far as a program asks it.

use std::fmt::Write as _;

use super::{GpuBoard, LANES, Reading, SLOWDOWN};

/// Output and exit status of one call.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SmiAnswer {
    /// What is printed (the real one prints its errors on stdout too).
    pub text: String,
    /// Exit status.
    pub code: i64,
}

type Cell = (String, &'static str);

/// Queryable fields: name, value and unit.
fn field(name: &str, r: &Reading) -> Option<Cell> {
    let na = || ("[N/A]".to_owned(), "");
    Some(match name {
        "index" => (r.card.index.to_string(), ""),
        "count" => ("2".to_owned(), ""),
        "name" | "gpu_name" => (r.card.name.clone(), ""),
        "uuid" | "gpu_uuid" => (r.card.uuid.clone(), ""),
        "pci.bus_id" | "gpu_bus_id" => (r.card.bus.clone(), ""),
        "driver_version" => ("552.44".to_owned(), ""),
        "vbios_version" => ("94.02.42.00.A9".to_owned(), ""),
        "timestamp" => (
            jiff::Timestamp::now()
                .strftime("%Y/%m/%d %H:%M:%S.000")
                .to_string(),
            "",
        ),
        "utilization.gpu" => (format!("{:.0}", r.load), " %"),
        "utilization.memory" => (format!("{:.0}", r.memory_load), " %"),
        "memory.total" => (r.card.total_mib.to_string(), " MiB"),
        "memory.used" => (r.used_mib.to_string(), " MiB"),
        "memory.free" => ((r.card.total_mib - r.used_mib).to_string(), " MiB"),
        "memory.reserved" => ("0".to_owned(), " MiB"),
        "temperature.gpu" => (format!("{:.0}", r.temperature), ""),
        "utilization.encoder" | "utilization.decoder" => ("0".to_owned(), " %"),
        "clocks_throttle_reasons.active" | "clocks_event_reasons.active" => {
            (format!("0x{:016x}", r.throttle), "")
        }
        // At rest a link is slow to save power; its width stays.
        "pcie.link.gen.current" | "pcie.link.gen.gpucurrent" => {
            ((if r.load > 5.0 { "4" } else { "1" }).to_owned(), "")
        }
        "pcie.link.gen.max" => ("4".to_owned(), ""),
        "pcie.link.width.current" => (r.lanes.to_string(), ""),
        "pcie.link.width.max" => (LANES.to_string(), ""),
        "temperature.gpu.tlimit"
        | "temperature.memory"
        | "ecc.mode.current"
        | "mig.mode.current" => na(),
        "power.draw"
        | "power.draw.instant"
        | "power.limit"
        | "enforced.power.limit"
        | "fan.speed"
            if r.sparse =>
        {
            na()
        }
        "power.draw" | "power.draw.instant" => (format!("{:.2}", r.power), " W"),
        "power.limit" | "enforced.power.limit" => (format!("{:.2}", r.card.power_limit), " W"),
        "fan.speed" => (format!("{:.0}", r.fan), " %"),
        "clocks.gr" | "clocks.current.graphics" | "clocks.sm" | "clocks.current.sm" => {
            (format!("{:.0}", r.clock), " MHz")
        }
        "clocks.mem" | "clocks.current.memory" => ("9501".to_owned(), " MHz"),
        "clocks.max.graphics" | "clocks.max.gr" => ("2100".to_owned(), " MHz"),
        "pstate" => ((if r.load > 20.0 { "P2" } else { "P8" }).to_owned(), ""),
        "compute_mode" => ("Default".to_owned(), ""),
        "display_active" | "persistence_mode" => ("Disabled".to_owned(), ""),
        "compute_cap" => ("8.6".to_owned(), ""),
        _ => return None,
    })
}

fn heading(name: &str) -> &str {
    match name {
        "memory.total" | "memory.used" | "memory.free" | "memory.reserved" => " [MiB]",
        "utilization.gpu"
        | "utilization.memory"
        | "utilization.encoder"
        | "utilization.decoder"
        | "fan.speed" => " [%]",
        "power.draw" | "power.draw.instant" | "power.limit" | "enforced.power.limit" => " [W]",
        name if name.starts_with("clocks.") => " [MHz]",
        _ => "",
    }
}

/// Answers `nvidia-smi ARGS` for the cards `visible` to the caller.
pub fn answer(board: &GpuBoard, visible: &[usize], args: &[String]) -> SmiAnswer {
    if board.without_driver() {
        return SmiAnswer {
            text: "NVIDIA-SMI has failed because it couldn't communicate with the NVIDIA driver. \
                   Make sure that the latest NVIDIA driver is installed and running.\n\n"
                .to_owned(),
            code: 9,
        };
    }
    let mut readings: Vec<Reading> = visible
        .iter()
        .filter_map(|card| board.read(*card))
        .collect();
    // Inside a container the visible cards are counted from 0 again.
    for (index, reading) in readings.iter_mut().enumerate() {
        reading.card.index = index;
    }
    let seen = readings.len();
    // The driver cannot open a lost card at all: a line of its own, and no row of the table.
    let lost = readings.iter().filter(|r| r.lost).fold(String::new(), |mut out, r| {
        let _ = writeln!(
            out,
            "Unable to determine the device handle for GPU{}: GPU is lost.  Reboot the system to \
             recover this GPU",
            // Four digits of the domain here, eight elsewhere.
            r.card.bus.get(4..).unwrap_or(&r.card.bus)
        );
        out
    });
    readings.retain(|r| !r.lost);
    if !lost.is_empty() {
        let rest = rows(&readings, args);
        return SmiAnswer {
            text: if readings.is_empty() {
                lost
            } else {
                lost + &rest.text
            },
            code: 15,
        };
    }
    if seen == 0 {
        return SmiAnswer {
            text: "No devices were found\n".to_owned(),
            code: 6,
        };
    }
    rows(&readings, args)
}

/// What is asked of cards that can be opened.
fn rows(readings: &[Reading], args: &[String]) -> SmiAnswer {
    let option = |name: &str| {
        args.iter().enumerate().find_map(|(i, arg)| {
            let rest = arg.strip_prefix(name)?;
            match rest.strip_prefix('=') {
                Some(value) => Some(value.to_owned()),
                None if rest.is_empty() => args.get(i + 1).cloned(),
                None => None,
            }
        })
    };
    if args.iter().any(|a| a == "-L" || a == "--list-gpus") {
        let text = readings.iter().fold(String::new(), |mut out, r| {
            let _ = writeln!(
                out,
                "GPU {}: {} (UUID: {})",
                r.card.index, r.card.name, r.card.uuid
            );
            out
        });
        return SmiAnswer { text, code: 0 };
    }
    if args.iter().any(|a| a == "-q" || a == "--query") {
        let wanted = option("-d").or_else(|| option("--display"));
        return details(readings, wanted.as_deref());
    }
    let format = option("--format").unwrap_or_default();
    let has = |word: &str| format.split(',').any(|f| f.trim() == word);
    let (bare, no_units) = (has("noheader"), has("nounits"));
    if option("--query-compute-apps").is_some() {
        // Under WSL the driver does not tell which processes use a card.
        let head = "pid, process_name, used_gpu_memory [MiB]\n";
        return SmiAnswer {
            text: if bare { String::new() } else { head.to_owned() },
            code: 0,
        };
    }
    let Some(query) = option("--query-gpu") else {
        return SmiAnswer {
            text: table(readings),
            code: 0,
        };
    };
    if !has("csv") {
        return SmiAnswer {
            text: "\"--format=\" switch is missing. Please run 'nvidia-smi -h' for help.\n"
                .to_owned(),
            code: 2,
        };
    }
    let wanted: Vec<&str> = query.split(',').map(str::trim).collect();
    let mut text = String::new();
    if !bare {
        let names: Vec<String> = wanted
            .iter()
            .map(|n| format!("{n}{}", heading(n)))
            .collect();
        let _ = writeln!(text, "{}", names.join(", "));
    }
    for reading in readings {
        let mut row = Vec::new();
        for name in &wanted {
            let Some((value, unit)) = field(name, reading) else {
                return SmiAnswer {
                    text: format!("Field \"{name}\" is not a valid field to query.\n\n"),
                    code: 2,
                };
            };
            row.push(if no_units {
                value
            } else {
                format!("{value}{unit}")
            });
        }
        let _ = writeln!(text, "{}", row.join(", "));
    }
    SmiAnswer { text, code: 0 }
}

/// A section of `nvidia-smi -q`: its heading, and name and value of its lines.
fn section(name: &str, r: &Reading) -> Option<(&'static str, Vec<(&'static str, String)>)> {
    let celsius = |degrees: f64| format!("{degrees:.0} C");
    let watts = |value: f64| {
        if r.sparse {
            "N/A".to_owned()
        } else {
            format!("{value:.2} W")
        }
    };
    Some(match name {
        "MEMORY" => (
            "FB Memory Usage",
            vec![
                ("Total", format!("{} MiB", r.card.total_mib)),
                ("Reserved", "0 MiB".to_owned()),
                ("Used", format!("{} MiB", r.used_mib)),
                ("Free", format!("{} MiB", r.card.total_mib - r.used_mib)),
            ],
        ),
        "UTILIZATION" => (
            "Utilization",
            vec![
                ("Gpu", format!("{:.0} %", r.load)),
                ("Memory", format!("{:.0} %", r.memory_load)),
            ],
        ),
        "TEMPERATURE" => (
            "Temperature",
            vec![
                ("GPU Current Temp", celsius(r.temperature)),
                ("GPU T.Limit Temp", "N/A".to_owned()),
                ("GPU Shutdown Temp", celsius(SLOWDOWN + 3.0)),
                ("GPU Slowdown Temp", celsius(SLOWDOWN)),
                ("GPU Max Operating Temp", celsius(SLOWDOWN - 2.0)),
                ("GPU Target Temperature", celsius(83.0)),
                ("Memory Current Temp", "N/A".to_owned()),
                ("Memory Max Operating Temp", "N/A".to_owned()),
            ],
        ),
        "POWER" => (
            "GPU Power Readings",
            vec![
                ("Power Draw", watts(r.power)),
                ("Current Power Limit", watts(r.card.power_limit)),
            ],
        ),
        _ => return None,
    })
}

/// `nvidia-smi -q`, whole or only the sections named by `-d`.
fn details(readings: &[Reading], display: Option<&str>) -> SmiAnswer {
    const ALL: &str = "MEMORY,UTILIZATION,TEMPERATURE,POWER";
    let wanted = display.unwrap_or(ALL);
    let line = |out: &mut String, indent: usize, name: &str, value: &str| {
        let _ = writeln!(
            out,
            "{:indent$}{name:<width$}: {value}",
            "",
            width = 42 - indent
        );
    };
    let mut text = "\n==============NVSMI LOG==============\n\n".to_owned();
    let now = jiff::Timestamp::now().strftime("%a %b %e %H:%M:%S %Y");
    line(&mut text, 0, "Timestamp", &now.to_string());
    line(&mut text, 0, "Driver Version", "552.44");
    line(&mut text, 0, "CUDA Version", "12.4");
    text.push('\n');
    line(&mut text, 0, "Attached GPUs", &readings.len().to_string());
    for reading in readings {
        let _ = writeln!(text, "GPU {}", reading.card.bus);
        if display.is_none() {
            line(&mut text, 4, "Product Name", &reading.card.name);
            line(&mut text, 4, "GPU UUID", &reading.card.uuid);
        }
        for name in wanted.split(',').map(str::trim) {
            let Some((heading, lines)) = section(&name.to_ascii_uppercase(), reading) else {
                return SmiAnswer {
                    text: format!(
                        "Invalid combination of input arguments. Please run 'nvidia-smi -h' for help.\n\n\"{name}\" is not a valid display type.\n"
                    ),
                    code: 2,
                };
            };
            let _ = writeln!(text, "    {heading}");
            for (name, value) in lines {
                line(&mut text, 8, name, &value);
            }
        }
        text.push('\n');
    }
    SmiAnswer { text, code: 0 }
}

fn table(readings: &[Reading]) -> String {
    let rule = "+-----------------------------------------+------------------------+----------------------+\n";
    let mut text = format!(
        "+-----------------------------------------------------------------------------------------+\n\
         | NVIDIA-SMI 550.76.01              Driver Version: 552.44         CUDA Version: 12.4     |\n{rule}"
    );
    for r in readings {
        let _ = writeln!(
            text,
            "| {:>3}  {:<34}|   {} Off |",
            r.card.index, r.card.name, r.card.bus
        );
        let power = if r.sparse {
            "N/A".to_owned()
        } else {
            format!("{:.0}W", r.power)
        };
        let _ = writeln!(
            text,
            "|      {:.0}C {:>6} / {:.0}W          | {:>6}MiB / {:>6}MiB |  {:>3.0}%   Default |",
            r.temperature, power, r.card.power_limit, r.used_mib, r.card.total_mib, r.load
        );
        text.push_str(rule);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::faults::{Fault, FaultBoard};
    use crate::gpu::founding_cards;

    fn ask(faults: &FaultBoard, args: &[&str]) -> SmiAnswer {
        let board = GpuBoard::new(founding_cards(), faults.clone());
        let args: Vec<String> = args.iter().map(|a| (*a).to_owned()).collect();
        answer(&board, &[1], &args)
    }

    #[test]
    fn the_asked_fields_come_in_the_asked_order() {
        let faults = FaultBoard::default();
        let got = ask(
            &faults,
            &[
                "--query-gpu=uuid,index,memory.total,power.draw",
                "--format=csv,noheader,nounits",
            ],
        );
        let cells: Vec<&str> = got.text.trim().split(", ").collect();
        assert_eq!(
            cells[..3],
            ["GPU-7c1e84d9-25f3-4a60-b1ce-98d3720f6a15", "0", "24576"]
        );
        assert!(cells[3].parse::<f64>().unwrap() > 10.0);
        let units = ask(&faults, &["--query-gpu=memory.total", "--format=csv"]);
        assert_eq!(units.text, "memory.total [MiB]\n24576 MiB\n");
        assert_eq!(
            ask(&faults, &["--query-gpu=nonsense", "--format=csv"]).code,
            2
        );
    }

    #[test]
    fn faults_change_the_answers() {
        let faults = FaultBoard::default();
        faults.raise(Fault::GpuNa, None);
        let got = ask(
            &faults,
            &[
                "--query-gpu=power.draw,fan.speed",
                "--format=csv,noheader,nounits",
            ],
        );
        assert_eq!(got.text, "[N/A], [N/A]\n");
        faults.raise(Fault::GpuLost, None);
        let lost = ask(&faults, &["-L"]);
        assert!(
            lost.text.contains("GPU0000:02:00.0: GPU is lost") && lost.code == 15,
            "the visible card is named: {}",
            lost.text
        );
    }

    #[test]
    fn thresholds_come_in_a_block_for_each_card() {
        let got = ask(&FaultBoard::default(), &["-q", "-d", "TEMPERATURE"]);
        let block = got.text.split_once("\nGPU 00000000:02:00.0\n").unwrap().1;
        assert!(
            block.contains("        GPU Slowdown Temp                 : 95 C\n"),
            "{block}"
        );
        assert!(!block.contains("FB Memory"), "{block}");
        let whole = ask(&FaultBoard::default(), &["-q"]).text;
        assert!(whole.contains("FB Memory") && whole.contains("GPU UUID"));
        assert_eq!(
            ask(&FaultBoard::default(), &["-q", "-d", "NONSENSE"]).code,
            2
        );
    }
}
