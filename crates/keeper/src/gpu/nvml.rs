//! NVML on a thread of its own: its calls block, and hang when a card falls off the bus.

use std::{ffi::OsString, path::PathBuf, time::Duration};

use forgekeeper_domain::{Timestamp, gpu::GpuSample, ids::GpuUuid};
use nvml_wrapper::{
    Device, Nvml,
    enum_wrappers::device::{TemperatureSensor, TemperatureThreshold},
    error::NvmlError,
};
use tokio::sync::{mpsc, oneshot};

use super::{LostCard, Reading};
use crate::sys::clock;

/// How long one reading may take.
const DEADLINE: Duration = Duration::from_secs(3);
/// While a card is lost, the library is opened anew after so many readings.
const REOPEN_AFTER: u32 = 30;
/// Names under which the library is looked for beyond the wrapper's own, in order.
#[cfg(target_os = "linux")]
const OTHER_NAMES: &[&str] = &["/usr/lib/wsl/lib/libnvidia-ml.so.1"];
#[cfg(windows)]
const OTHER_NAMES: &[&str] = &["C:\\Program Files\\NVIDIA Corporation\\NVSMI\\nvml.dll"];
#[cfg(not(any(target_os = "linux", windows)))]
const OTHER_NAMES: &[&str] = &[];

type Question = oneshot::Sender<Result<Reading, String>>;

/// The door to the thread.
#[derive(Debug)]
pub(super) struct NvmlThread {
    questions: mpsc::Sender<Question>,
    /// The answer still owed from a question that ran past its deadline.
    owed: Option<oneshot::Receiver<Result<Reading, String>>>,
}

impl NvmlThread {
    /// Starts the thread; the library is opened with the first question. It ends with this value.
    pub(super) fn start(lib_path: Option<PathBuf>) -> Result<Self, String> {
        let (questions, inbox) = mpsc::channel(1);
        std::thread::Builder::new()
            .name("nvml".to_owned())
            .spawn(move || serve(inbox, lib_path.as_ref()))
            .map_err(|error| format!("no thread for NVML: {error}"))?;
        Ok(Self {
            questions,
            owed: None,
        })
    }

    /// Reads all cards once.
    pub(super) async fn read(&mut self) -> Result<Reading, String> {
        let mut answer = if let Some(owed) = self.owed.take() {
            owed
        } else {
            let (question, answer) = oneshot::channel();
            self.questions
                .try_send(question)
                .map_err(|_| "the NVML thread has ended".to_owned())?;
            answer
        };
        match tokio::time::timeout(DEADLINE, &mut answer).await {
            Ok(Ok(reading)) => reading,
            Ok(Err(_)) => Err("the NVML thread has ended".to_owned()),
            Err(_) => {
                self.owed = Some(answer);
                Err(format!(
                    "the driver does not answer within {} s",
                    DEADLINE.as_secs()
                ))
            }
        }
    }
}

fn serve(mut inbox: mpsc::Receiver<Question>, lib_path: Option<&PathBuf>) {
    let mut session: Option<Session> = None;
    let mut known: Vec<(u32, GpuUuid)> = Vec::new();
    let mut lost_readings = 0_u32;
    while let Some(question) = inbox.blocking_recv() {
        let opened = match session.take() {
            Some(open) => Ok(open),
            None => Session::open(lib_path),
        };
        let answer = match opened {
            Ok(mut open) => {
                let answer = open.read(&mut known, clock::now());
                // After a failure, and now and then after a loss, the library is opened anew: a
                // driver that came back is seen only then.
                let lost = answer
                    .as_ref()
                    .is_ok_and(|reading| !reading.lost.is_empty());
                lost_readings = if lost {
                    lost_readings.wrapping_add(1)
                } else {
                    0
                };
                if answer.is_ok() && !(lost && lost_readings.is_multiple_of(REOPEN_AFTER)) {
                    session = Some(open);
                }
                answer
            }
            Err(error) => Err(error),
        };
        if question.send(answer).is_err() {
            tracing::debug!("nobody waited for a GPU reading");
        }
    }
}

#[derive(Debug)]
struct Session {
    nvml: Nvml,
    driver: Option<String>,
}

impl Session {
    fn open(lib_path: Option<&PathBuf>) -> Result<Self, String> {
        let names: Vec<Option<OsString>> = match lib_path {
            Some(path) => vec![Some(path.clone().into_os_string())],
            None => std::iter::once(None)
                .chain(OTHER_NAMES.iter().map(|n| Some(OsString::from(n))))
                .collect(),
        };
        let mut first_error = None;
        for name in names {
            let opened = match &name {
                Some(path) => Nvml::builder().lib_path(path).init(),
                None => Nvml::init(),
            };
            match opened {
                Ok(nvml) => {
                    let driver = nvml.sys_driver_version().ok();
                    return Ok(Self { nvml, driver });
                }
                Err(error) => {
                    // A library that is there and fails says more than one that is not.
                    let missing = matches!(error, NvmlError::LibloadingError(_));
                    if first_error.is_none() || !missing {
                        first_error = Some(words(&error));
                    }
                }
            }
        }
        Err(first_error.unwrap_or_else(|| "no NVML library".to_owned()))
    }

    /// Reads every card; `known` holds cards by index as last read, to name one that is lost.
    fn read(&mut self, known: &mut Vec<(u32, GpuUuid)>, at: Timestamp) -> Result<Reading, String> {
        let count = self.nvml.device_count().map_err(|error| words(&error))?;
        let mut reading = Reading {
            driver: self.driver.clone(),
            ..Reading::default()
        };
        for index in 0..count {
            let result = self.nvml.device_by_index(index).and_then(|device| {
                let uuid = device.uuid()?;
                Ok((uuid, device))
            });
            match result {
                Ok((uuid, device)) => match GpuUuid::new(uuid) {
                    Ok(uuid) => match sample(&device, uuid.clone(), index, at) {
                        Ok(sample) => {
                            known.retain(|(place, _)| *place != index);
                            known.push((index, uuid));
                            reading.samples.push(sample);
                        }
                        Err(message) => reading.lost.push(LostCard {
                            uuid,
                            index,
                            message,
                        }),
                    },
                    Err(error) => {
                        let problem = format!("GPU {index} has no usable UUID: {error}");
                        reading.problems.push(problem);
                    }
                },
                Err(error) if is_lost(&error) => {
                    reading.lost.extend(lost(known, index, &error));
                }
                Err(error) => {
                    let problem = format!("GPU {index} cannot be opened: {}", words(&error));
                    reading.problems.push(problem);
                }
            }
        }
        if count > 0 && reading.samples.is_empty() && reading.lost.is_empty() {
            let problems = reading.problems.join("; ");
            return Err(format!(
                "the driver counts {count} GPUs and opens none: {problems}"
            ));
        }
        Ok(reading)
    }
}

fn lost(known: &[(u32, GpuUuid)], index: u32, error: &NvmlError) -> Option<LostCard> {
    let uuid = known
        .iter()
        .find(|(place, _)| *place == index)
        .map(|(_, uuid)| uuid.clone());
    let uuid = uuid.or_else(|| GpuUuid::new(format!("index-{index}")).ok())?;
    Some(LostCard {
        uuid,
        index,
        message: words(error),
    })
}

/// Each value on its own: what the driver does not tell is unknown. A card that says that it is
/// lost in the middle is an error with the driver's words.
fn sample(
    device: &Device<'_>,
    uuid: GpuUuid,
    index: u32,
    at: Timestamp,
) -> Result<GpuSample, String> {
    let memory = told(device.memory_info())?;
    let milliwatts = |value: u32| f64::from(value) / 1000.0;
    Ok(GpuSample {
        name: told(device.name())?.unwrap_or_else(|| format!("GPU {index}")),
        uuid,
        index,
        at,
        load_percent: told(device.utilization_rates())?
            .map(|rates| rates.gpu)
            .filter(|load| *load <= 100),
        memory_used: memory.as_ref().map(|memory| memory.used),
        memory_total: memory.as_ref().map(|memory| memory.total),
        temperature_c: told(device.temperature(TemperatureSensor::Gpu))?,
        slowdown_c: told(device.temperature_threshold(TemperatureThreshold::Slowdown))?
            .filter(|c| *c > 0),
        power_w: told(device.power_usage())?.map(milliwatts),
        power_limit_w: told(device.enforced_power_limit())?.map(milliwatts),
    })
}

fn told<T>(value: Result<T, NvmlError>) -> Result<Option<T>, String> {
    match value {
        Ok(value) => Ok(Some(value)),
        Err(error) if is_lost(&error) => Err(words(&error)),
        Err(_) => Ok(None),
    }
}

fn is_lost(error: &NvmlError) -> bool {
    matches!(error, NvmlError::GpuLost | NvmlError::ResetRequired)
}

fn words(error: &NvmlError) -> String {
    match error {
        NvmlError::GpuLost => "GPU is lost (fallen off the bus)".to_owned(),
        NvmlError::ResetRequired => "the GPU requires a reset".to_owned(),
        // Its own text names only that loading failed; the reason is below.
        NvmlError::LibloadingError(inner) => format!("the NVML library cannot be opened: {inner}"),
        other => other.to_string(),
    }
}
