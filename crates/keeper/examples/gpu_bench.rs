//! What `cargo xtask bench gpu` measures of ours, each in its own process:
//!
//! - `sample LIBRARY COUNT`: reads all cards so often through the library.
//! - `fill FOLDER DAYS`: writes so many days of two cards' minutes into a history, up to now.
//!
//! Prints one line of JSON: cards read, nanoseconds of CPU, bytes on disk.

use std::{error::Error, path::Path, time::Duration};

use forgekeeper_domain::{
    Timestamp,
    gpu::GpuSample,
    ids::{GpuUuid, HostId},
};
use forgekeeper_keeper::{
    gpu::{nvml::Sampler, past::Past},
    store::Store,
    sys::clock,
};

type Failure = Box<dyn Error + Send + Sync>;

/// The cards of the demo host, so that its window shows what is written here.
const CARDS: [(&str, &str, u64, f64); 2] = [
    (
        "GPU-19af3c52-6d0e-4b8a-9f27-5e41c08db736",
        "NVIDIA GeForce RTX 3080",
        16,
        320.0,
    ),
    (
        "GPU-7c1e84d9-25f3-4a60-b1ce-98d3720f6a15",
        "NVIDIA GeForce RTX 3090",
        24,
        350.0,
    ),
];
/// Minutes that are written at once.
const AT_ONCE: i64 = 24 * 60;
/// Readings of a minute: as while nobody looks.
const EVERY_S: i64 = 10;

fn main() -> Result<(), Failure> {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let args: Vec<&str> = args.iter().map(String::as_str).collect();
    let mut cpu = 0;
    let (cards, bytes) = match args[..] {
        ["sample", library, count] => {
            let cards = sample(library, count.parse()?)?;
            cpu = cpu_ns()?;
            (cards, 0)
        }
        ["fill", folder, days] => {
            let runtime = tokio::runtime::Builder::new_current_thread()
                .enable_all()
                .build()?;
            (0, runtime.block_on(fill(Path::new(folder), days.parse()?))?)
        }
        _ => return Err("see the first lines of this file for what may be asked".into()),
    };
    println!("{{\"cards\":{cards},\"cpu_ns\":{cpu},\"bytes\":{bytes}}}");
    Ok(())
}

/// Nanoseconds that this process has run (`/proc/self/schedstat`, first field).
fn cpu_ns() -> Result<u64, Failure> {
    let text = std::fs::read_to_string("/proc/self/schedstat")?;
    let first = text.split_whitespace().next().ok_or("an empty schedstat")?;
    Ok(first.parse()?)
}

fn sample(library: &str, count: u32) -> Result<usize, Failure> {
    let mut sampler = Sampler::new(Some(library.into()));
    let mut cards = 0;
    for _ in 0..count {
        cards += sampler.read(clock::now())?.samples.len();
    }
    Ok(cards)
}

async fn fill(folder: &Path, days: i64) -> Result<u64, Failure> {
    let (store, _) = Store::open(folder).await?;
    let host = HostId::new("demo")?;
    let past = Past::default();
    let end = clock::now().as_second().div_euclid(60) * 60;
    let mut ended = Vec::new();
    let mut dice = 7_u64;
    for second in (end - days * 86_400..end).step_by(usize::try_from(EVERY_S)?) {
        let at = Timestamp::from_second(second)?;
        for (index, card) in (0_u32..).zip(CARDS) {
            let sample = reading(index, card, at, &mut dice)?;
            ended.extend(past.record(&[sample], Duration::from_secs(10), at));
        }
        if ended.len() >= usize::try_from(AT_ONCE)? {
            store
                .insert_gpu_minutes(&host, std::mem::take(&mut ended), at)
                .await?;
        }
    }
    ended.extend(past.unfinished());
    store.insert_gpu_minutes(&host, ended, clock::now()).await?;
    let bytes = store.bytes().await?;
    store.close().await;
    Ok(bytes)
}

/// Values that move as a card's do: bursts of work, noise in every one of them.
fn reading(
    index: u32,
    (uuid, name, gib, watts): (&str, &str, u64, f64),
    at: Timestamp,
    dice: &mut u64,
) -> Result<GpuSample, Failure> {
    let mut roll = |sides: u64| {
        *dice = dice.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        (*dice >> 33) % sides
    };
    let busy = (at.as_second() / 900 + i64::from(index)) % 3 == 0;
    let load = u32::try_from(if busy { 80 + roll(20) } else { roll(6) })?;
    let used = ((gib / 3) << 30) + (roll(900) << 20);
    Ok(GpuSample {
        load_percent: Some(load),
        memory_load_percent: Some(load / 2),
        memory_used: Some(used),
        memory_free: Some((gib << 30) - used),
        memory_total: Some(gib << 30),
        temperature_c: Some(u32::try_from(40 + roll(35))?),
        power_w: Some(watts * f64::from(load) / 110.0 + f64::from(u32::try_from(roll(30))?)),
        graphics_mhz: Some(u32::try_from(210 + roll(1700))?),
        fan_percent: Some(u32::try_from(30 + roll(40))?),
        throttle: Some(Vec::new()),
        ..GpuSample::unread(GpuUuid::new(uuid)?, index, name, at)
    })
}
