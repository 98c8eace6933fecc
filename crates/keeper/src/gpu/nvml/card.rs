//! One card through NVML: what never changes is asked once, everything else with each reading.

use std::{
    collections::HashMap,
    time::{Duration, Instant},
};

use forgekeeper_domain::{
    Timestamp,
    gpu::{GpuProcess, GpuSample, PcieLink, Throttle},
    ids::GpuUuid,
};
use nvml_wrapper::{
    Device,
    enum_wrappers::device::{Clock, PerformanceState, TemperatureSensor, TemperatureThreshold},
    enums::device::UsedGpuMemory,
    error::NvmlError,
};

use crate::sys::processes::{self, Program};

/// Processes kept of one card: a machine with more of them has other troubles.
const MOST_PROCESSES: usize = 64;
/// Between two questions for them; a little less than the usual time between two readings.
const PROCESSES_EVERY: Duration = Duration::from_millis(800);

/// A sample of a process's load that is older than this, in microseconds, is no load of now: the
/// driver keeps the last ones for as long as it likes.
const RECENT_US: u64 = 3_000_000;

/// What the driver says once and for all of a card, and what was last seen of its processes.
#[derive(Debug)]
pub(super) struct Known {
    name: String,
    bus_id: Option<String>,
    slowdown_c: Option<u32>,
    shutdown_c: Option<u32>,
    graphics_max_mhz: Option<u32>,
    max_generation: Option<u32>,
    max_width: Option<u32>,
    fans: u32,
    /// Programs by process id, for as long as the driver lists them.
    programs: HashMap<u32, Program>,
    /// Time of the newest utilization sample that was taken in, in the driver's microseconds.
    seen_until: u64,
    /// The processes as last told, and when.
    processes: Option<(Instant, Option<Vec<GpuProcess>>)>,
}

impl Known {
    /// Asks for it. An error is the driver saying that the card is lost.
    pub(super) fn ask(device: &Device<'_>, index: u32) -> Result<Self, NvmlError> {
        let threshold = |which| told(device.temperature_threshold(which));
        Ok(Self {
            name: told(device.name())?.unwrap_or_else(|| format!("GPU {index}")),
            bus_id: told(device.pci_info())?.map(|pci| pci.bus_id.to_lowercase()),
            slowdown_c: threshold(TemperatureThreshold::Slowdown)?,
            shutdown_c: threshold(TemperatureThreshold::Shutdown)?,
            graphics_max_mhz: told(device.max_clock_info(Clock::Graphics))?,
            max_generation: told(device.max_pcie_link_gen())?,
            max_width: told(device.max_pcie_link_width())?,
            fans: told(device.num_fans())?.unwrap_or(0),
            programs: HashMap::new(),
            seen_until: 0,
            processes: None,
        })
    }

    /// Reads a card. Each value stands alone: what the driver does not tell is unknown. A card that
    /// says that it is lost in the middle is an error.
    pub(super) fn read(
        &mut self,
        device: &Device<'_>,
        uuid: GpuUuid,
        index: u32,
        at: Timestamp,
    ) -> Result<GpuSample, NvmlError> {
        let load = told(device.utilization_rates())?;
        let memory = told(device.memory_info())?;
        let watts = |value: u32| f64::from(value) / 1000.0;
        let sample = GpuSample {
            bus_id: self.bus_id.clone(),
            load_percent: load.as_ref().map(|rates| rates.gpu),
            memory_load_percent: load.as_ref().map(|rates| rates.memory),
            encoder_percent: told(device.encoder_utilization())?.map(|video| video.utilization),
            decoder_percent: told(device.decoder_utilization())?.map(|video| video.utilization),
            memory_used: memory.as_ref().map(|memory| memory.used),
            memory_free: memory.as_ref().map(|memory| memory.free),
            memory_total: memory.as_ref().map(|memory| memory.total),
            temperature_c: told(device.temperature(TemperatureSensor::Gpu))?,
            slowdown_c: self.slowdown_c,
            shutdown_c: self.shutdown_c,
            power_w: told(device.power_usage())?.map(watts),
            power_limit_w: told(device.enforced_power_limit())?.map(watts),
            graphics_mhz: told(device.clock_info(Clock::Graphics))?,
            graphics_max_mhz: self.graphics_max_mhz,
            memory_mhz: told(device.clock_info(Clock::Memory))?,
            fan_percent: self.fan(device)?,
            performance_state: told(device.performance_state())?.and_then(state_number),
            throttle: told(device.current_throttle_reasons())?
                .map(|reasons| Throttle::of_mask(reasons.bits())),
            pcie: PcieLink {
                generation: told(device.current_pcie_link_gen())?,
                width: told(device.current_pcie_link_width())?,
                max_generation: self.max_generation,
                max_width: self.max_width,
            },
            processes: self.processes(device, at)?,
            ..GpuSample::unread(uuid, index, self.name.clone(), at)
        };
        Ok(sample.plausible())
    }

    /// The fastest fan, as `nvidia-smi` shows it.
    fn fan(&self, device: &Device<'_>) -> Result<Option<u32>, NvmlError> {
        let mut fastest = None;
        for fan in 0..self.fans {
            fastest = fastest.max(told(device.fan_speed(fan))?);
        }
        Ok(fastest)
    }

    /// What computes and what draws; `None` where the driver tells neither. Once a second is enough.
    fn processes(
        &mut self,
        device: &Device<'_>,
        at: Timestamp,
    ) -> Result<Option<Vec<GpuProcess>>, NvmlError> {
        if let Some((asked, told)) = &self.processes
            && asked.elapsed() < PROCESSES_EVERY
        {
            return Ok(told.clone());
        }
        let told = self.ask_processes(device, at)?;
        self.processes = Some((Instant::now(), told.clone()));
        Ok(told)
    }

    fn ask_processes(
        &mut self,
        device: &Device<'_>,
        at: Timestamp,
    ) -> Result<Option<Vec<GpuProcess>>, NvmlError> {
        let computing = told(device.running_compute_processes())?;
        let drawing = told(device.running_graphics_processes())?;
        if computing.is_none() && drawing.is_none() {
            return Ok(None);
        }
        let loads = self.loads(device, at)?;
        let mut found: Vec<GpuProcess> = Vec::new();
        let listed = computing
            .into_iter()
            .flatten()
            .chain(drawing.into_iter().flatten());
        for process in listed.take(2 * MOST_PROCESSES) {
            let memory = match process.used_gpu_memory {
                UsedGpuMemory::Used(bytes) => Some(bytes),
                UsedGpuMemory::Unavailable => None,
            };
            // One that does both is in both lists, with the same memory.
            if let Some(known) = found.iter_mut().find(|known| known.pid == process.pid) {
                known.memory = known.memory.max(memory);
                continue;
            }
            let program = self
                .programs
                .entry(process.pid)
                .or_insert_with(|| processes::program(process.pid));
            found.push(GpuProcess {
                pid: process.pid,
                name: program.name.clone(),
                container: program.container.clone(),
                memory,
                load_percent: loads.as_ref().map(|loads| {
                    // Without a sample it did not compute lately.
                    loads.get(&process.pid).copied().unwrap_or(0)
                }),
            });
        }
        self.programs
            .retain(|pid, _| found.iter().any(|process| process.pid == *pid));
        found.truncate(MOST_PROCESSES);
        Ok(Some(found))
    }

    /// Newest load of each process since the last reading, and of the last seconds; `None` where the
    /// driver does not tell.
    fn loads(
        &mut self,
        device: &Device<'_>,
        at: Timestamp,
    ) -> Result<Option<HashMap<u32, u32>>, NvmlError> {
        // The driver counts microseconds since 1970, as this clock does.
        let now = u64::try_from(at.as_microsecond()).unwrap_or(0);
        let since = asked_since(self.seen_until, now);
        let samples = match device.process_utilization_stats(since) {
            // That nothing computed is told as an error.
            Err(NvmlError::NotFound) => Some(Vec::new()),
            other => told(other)?,
        };
        let Some(samples) = samples else {
            return Ok(None);
        };
        let newest = samples.iter().map(|sample| sample.timestamp).max();
        self.seen_until = newest.unwrap_or(0).max(since);
        let samples = samples.iter().map(|s| (s.timestamp, s.pid, s.sm_util));
        Ok(recent(samples.collect(), now))
    }
}

/// The time from which on samples are asked for, in microseconds: newer than the last ones, and none
/// that is no load of now. What was seen ahead of the clock was seen before it was set back.
fn asked_since(seen_until: u64, now: u64) -> u64 {
    let oldest = now.saturating_sub(RECENT_US);
    if seen_until > now {
        oldest
    } else {
        seen_until.max(oldest)
    }
}

/// The newest load of each process, of samples with their time in microseconds, process and percent.
/// `None` where all that is told is ahead of the clock: it was set back, and nothing is known of now.
fn recent(mut samples: Vec<(u64, u32, u32)>, now: u64) -> Option<HashMap<u32, u32>> {
    let ahead = |time: u64| time > now.saturating_add(RECENT_US);
    if !samples.is_empty() && samples.iter().all(|(time, ..)| ahead(*time)) {
        return None;
    }
    samples.retain(|(time, ..)| time.abs_diff(now) <= RECENT_US);
    samples.sort_by_key(|(time, ..)| *time);
    let loads = samples.into_iter().map(|(_, pid, percent)| (pid, percent));
    Some(loads.collect())
}

/// A value, or that there is none. Only a lost card is an error.
fn told<T>(value: Result<T, NvmlError>) -> Result<Option<T>, NvmlError> {
    match value {
        Ok(value) => Ok(Some(value)),
        Err(error) if is_lost(&error) => Err(error),
        Err(_) => Ok(None),
    }
}

/// Whether the driver says that a card is gone until the machine restarts, or is reset.
pub(super) fn is_lost(error: &NvmlError) -> bool {
    matches!(error, NvmlError::GpuLost | NvmlError::ResetRequired)
}

fn state_number(state: PerformanceState) -> Option<u32> {
    use PerformanceState as P;
    let order = [
        P::Zero,
        P::One,
        P::Two,
        P::Three,
        P::Four,
        P::Five,
        P::Six,
        P::Seven,
        P::Eight,
        P::Nine,
        P::Ten,
        P::Eleven,
        P::Twelve,
        P::Thirteen,
        P::Fourteen,
        P::Fifteen,
    ];
    let place = order.iter().position(|known| *known == state)?;
    u32::try_from(place).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: u64 = 1_800_000_000_000_000;
    const SECOND: u64 = 1_000_000;

    #[test]
    fn a_load_of_long_ago_is_none_of_now() {
        let samples = vec![
            (NOW - SECOND / 2, 7, 80),
            (NOW - SECOND, 7, 20),
            (NOW - 60 * SECOND, 8, 99),
        ];
        let loads = recent(samples, NOW).expect("told");
        assert_eq!(loads, HashMap::from([(7, 80)]));
        let old = recent(vec![(NOW - 4 * SECOND, 8, 99)], NOW);
        assert_eq!(old, Some(HashMap::new()), "it does not compute now");
        let ahead = recent(vec![(NOW + 3600 * SECOND, 8, 99)], NOW);
        assert_eq!(ahead, None, "the clock was set back");
    }

    #[test]
    fn samples_are_asked_for_of_the_last_seconds_and_once() {
        let oldest = NOW - RECENT_US;
        assert_eq!(asked_since(0, NOW), oldest);
        assert_eq!(asked_since(NOW - 60 * SECOND, NOW), oldest);
        assert_eq!(asked_since(NOW - SECOND, NOW), NOW - SECOND);
        assert_eq!(asked_since(NOW + 3600 * SECOND, NOW), oldest);
    }
}
