//! All cards through NVML: opens the driver's library, reads, and opens it anew after a failure.

use std::{
    collections::{HashMap, hash_map::Entry},
    ffi::OsString,
    path::PathBuf,
};

use forgekeeper_domain::{Timestamp, ids::GpuUuid};
use nvml_wrapper::{Nvml, cuda_driver_version_major, cuda_driver_version_minor, error::NvmlError};

use super::card::{Known, is_lost};
use crate::gpu::{Reading, SilentCard};

/// While a card is lost, the library is opened anew after so many readings.
const REOPEN_AFTER: u32 = 30;
/// Names under which the library is looked for beyond the wrapper's own, in order.
#[cfg(target_os = "linux")]
const OTHER_NAMES: &[&str] = &["/usr/lib/wsl/lib/libnvidia-ml.so.1"];
#[cfg(windows)]
const OTHER_NAMES: &[&str] = &["C:\\Program Files\\NVIDIA Corporation\\NVSMI\\nvml.dll"];
#[cfg(not(any(target_os = "linux", windows)))]
const OTHER_NAMES: &[&str] = &[];

/// Reads all cards; its calls block.
#[derive(Debug)]
pub struct Sampler {
    lib_path: Option<PathBuf>,
    open: Option<Open>,
    /// Cards by index as last read, to name one that is lost.
    places: Vec<(u32, GpuUuid)>,
    lost_readings: u32,
}

impl Sampler {
    /// Opens nothing yet. Without a path the library is looked for where the system's loader looks,
    /// and in the folders that drivers use beside that.
    pub fn new(lib_path: Option<PathBuf>) -> Self {
        Self {
            lib_path,
            open: None,
            places: Vec::new(),
            lost_readings: 0,
        }
    }

    /// Reads every card once. The error is the driver's or the loader's words.
    pub fn read(&mut self, at: Timestamp) -> Result<Reading, String> {
        let mut open = match self.open.take() {
            Some(open) => open,
            None => Open::library(self.lib_path.as_ref())?,
        };
        let reading = open.read(&mut self.places, at)?;
        // After a failure, and now and then after a loss, the library is opened anew: a driver that
        // came back is seen only then.
        self.lost_readings = if reading.lost.is_empty() {
            0
        } else {
            self.lost_readings.wrapping_add(1)
        };
        if reading.lost.is_empty() || !self.lost_readings.is_multiple_of(REOPEN_AFTER) {
            self.open = Some(open);
        }
        Ok(reading)
    }
}

/// The library while it is open.
#[derive(Debug)]
struct Open {
    nvml: Nvml,
    driver: Option<String>,
    cuda: Option<String>,
    cards: HashMap<GpuUuid, Known>,
}

impl Open {
    fn library(lib_path: Option<&PathBuf>) -> Result<Self, String> {
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
                Ok(nvml) => return Ok(Self::new(nvml)),
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

    fn new(nvml: Nvml) -> Self {
        let cuda = nvml.sys_cuda_driver_version().ok().filter(|v| *v > 0);
        Self {
            driver: nvml.sys_driver_version().ok(),
            cuda: cuda.map(|version| {
                let minor = cuda_driver_version_minor(version);
                format!("{}.{minor}", cuda_driver_version_major(version))
            }),
            nvml,
            cards: HashMap::new(),
        }
    }

    fn read(&mut self, places: &mut Vec<(u32, GpuUuid)>, at: Timestamp) -> Result<Reading, String> {
        let count = self.nvml.device_count().map_err(|error| words(&error))?;
        let mut reading = Reading {
            at: Some(at),
            driver: self.driver.clone(),
            cuda: self.cuda.clone(),
            ..Reading::default()
        };
        for index in 0..count {
            let opened = self.nvml.device_by_index(index).and_then(|device| {
                let uuid = device.uuid()?;
                Ok((uuid, device))
            });
            let (uuid, device) = match opened {
                Ok(opened) => opened,
                Err(error) if is_lost(&error) => {
                    reading.lost.extend(silent(places, index, &error));
                    continue;
                }
                Err(error) => {
                    let problem = format!("GPU {index} cannot be opened: {}", words(&error));
                    reading.problems.push(problem);
                    reading.unread.extend(silent(places, index, &error));
                    continue;
                }
            };
            let uuid = match GpuUuid::new(uuid) {
                Ok(uuid) => uuid,
                Err(error) => {
                    let problem = format!("GPU {index} has no usable UUID: {error}");
                    reading.problems.push(problem);
                    continue;
                }
            };
            let known = match self.cards.entry(uuid.clone()) {
                Entry::Occupied(known) => Ok(known.into_mut()),
                Entry::Vacant(place) => Known::ask(&device, index).map(|new| place.insert(new)),
            };
            let read = known.and_then(|known| known.read(&device, uuid.clone(), index, at));
            match read {
                Ok(sample) => {
                    let here = |(place, known): &(u32, GpuUuid)| *place == index && *known == uuid;
                    if !places.iter().any(here) {
                        places.retain(|(place, _)| *place != index);
                        places.push((index, uuid));
                    }
                    reading.samples.push(sample);
                }
                Err(error) => reading.lost.push(SilentCard {
                    uuid,
                    index,
                    message: words(&error),
                }),
            }
        }
        if count > 0 && reading.samples.is_empty() && reading.lost.is_empty() {
            let problems = reading.problems.join("; ");
            return Err(format!(
                "the driver counts {count} GPUs and opens none: {problems}"
            ));
        }
        // Where cards changed their places, the one at this place is another, and was read.
        let Reading {
            samples, unread, ..
        } = &mut reading;
        unread.retain(|card| samples.iter().all(|sample| sample.uuid != card.uuid));
        Ok(reading)
    }
}

/// The card at a place that cannot be opened, by what was there before.
fn silent(places: &[(u32, GpuUuid)], index: u32, error: &NvmlError) -> Option<SilentCard> {
    let uuid = places
        .iter()
        .find(|(place, _)| *place == index)
        .map(|(_, uuid)| uuid.clone());
    let uuid = uuid.or_else(|| GpuUuid::new(format!("index-{index}")).ok())?;
    Some(SilentCard {
        uuid,
        index,
        message: words(error),
    })
}

fn words(error: &NvmlError) -> String {
    match error {
        NvmlError::GpuLost => "GPU is lost (fallen off the bus)".to_owned(),
        NvmlError::ResetRequired => "the GPU requires a reset".to_owned(),
        NvmlError::LibRmVersionMismatch => {
            "driver/library version mismatch: the driver was updated; restart the machine \
             (on Windows with WSL: `wsl --shutdown`) to load the new one"
                .to_owned()
        }
        // Its own text names only that loading failed; the reason is below.
        NvmlError::LibloadingError(inner) => format!("the NVML library cannot be opened: {inner}"),
        other => other.to_string(),
    }
}
