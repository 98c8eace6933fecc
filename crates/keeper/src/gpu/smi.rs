//! `nvidia-smi` run inside containers, for machines whose driver cannot be asked directly.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

use forgekeeper_domain::{
    gpu::{
        GpuSample,
        smi::{self, SmiCard, SmiProblem, Thresholds},
    },
    ids::GpuUuid,
};

use super::{GpuContainer, GpuExec, MOST_CARDS, MOST_REMEMBERED, Reading, SilentCard};
use crate::sys::clock;

/// How long one run may take at most; the door has a shorter deadline that fits its transport.
const DEADLINE: Duration = Duration::from_secs(20);
/// Most containers that are asked.
const MAX_CONTAINERS: usize = 8;
/// After so many rounds every container is asked again: it may see a card that the others do not.
const FULL_ROUND: u32 = 60;
/// Columns that a driver may not know before it is no `nvidia-smi` that we can ask.
const MOST_UNKNOWN: usize = 12;
/// After so many rounds the thresholds are asked again.
const THRESHOLD_ROUND: u32 = 600;

/// A reading with the containers it came from.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct SmiRound {
    pub reading: Reading,
    pub containers: Vec<String>,
}

/// The containers of a host as a source. Each sees only the cards it was given, so their answers
/// are put together by UUID.
#[derive(Default)]
pub(super) struct SmiSource {
    round: u32,
    /// Containers that added a card in the last full round.
    needed: Vec<String>,
    /// The containers there were then: a new one may see a card that the others do not.
    containers: Vec<GpuContainer>,
    thresholds: BTreeMap<String, Thresholds>,
    cuda: Option<String>,
    /// Containers that did not answer when all were asked last.
    silent: Vec<String>,
    /// Columns that a driver does not know, by container.
    unknown_columns: BTreeMap<String, Vec<String>>,
    /// PCI address and UUID of cards seen before, to name one that is lost.
    seen: BTreeMap<String, GpuUuid>,
}

impl SmiSource {
    /// Asks the containers; the error tells how each ended.
    pub(super) async fn read(
        &mut self,
        exec: &GpuExec,
        containers: &[GpuContainer],
    ) -> Result<SmiRound, Vec<String>> {
        if containers.is_empty() {
            return Err(vec!["nvidia-smi: no running container to ask".to_owned()]);
        }
        let full = self.needed.is_empty()
            || self.round.is_multiple_of(FULL_ROUND)
            || self.containers != containers;
        if full {
            self.containers = containers.to_vec();
        }
        let asked: Vec<&GpuContainer> = containers
            .iter()
            .filter(|container| full || self.needed.contains(&container.name))
            .take(MAX_CONTAINERS)
            .collect();
        let answers = futures_util::future::join_all(asked.iter().map(|c| {
            let without = self.unknown_columns.get(&c.name).cloned();
            table(exec, &c.name, without.unwrap_or_default())
        }))
        .await;
        let mut merged = Merged::default();
        let mut failures = Vec::new();
        let mut silent = Vec::new();
        for (container, answer) in asked.iter().zip(answers) {
            match answer {
                Ok((reading, without)) => {
                    self.unknown_columns.insert(container.name.clone(), without);
                    merged.add(container, reading);
                }
                Err(words) => {
                    failures.push(format!("nvidia-smi in {}: {words}", container.name));
                    silent.push(container.name.clone());
                }
            }
        }
        if full {
            self.silent = silent;
        } else {
            self.silent.extend(silent);
        }
        if merged.cards.is_empty() && merged.lost.is_empty() {
            self.needed.clear();
            return Err(failures);
        }
        for SmiCard { sample, .. } in merged.cards.iter().take(MOST_CARDS) {
            if let Some(bus) = &sample.bus_id {
                if self.seen.len() >= MOST_REMEMBERED && !self.seen.contains_key(bus) {
                    // No machine has so many places: somebody makes them up.
                    self.seen.clear();
                }
                self.seen.insert(bus.clone(), sample.uuid.clone());
            }
        }
        if full {
            self.needed.clone_from(&merged.contributors);
        } else if !failures.is_empty() {
            // The cards that this one showed may be shown by another one too.
            self.needed.clear();
        }
        if self.round.is_multiple_of(THRESHOLD_ROUND) || self.thresholds.is_empty() && full {
            for name in &merged.contributors {
                if let Some(text) = details(exec, name).await {
                    self.thresholds.extend(smi::thresholds(&text));
                    self.cuda = smi::cuda_version(&text).or(self.cuda.take());
                }
            }
            let seen = &self.seen;
            self.thresholds.retain(|bus, _| seen.contains_key(bus));
        }
        self.round = self.round.wrapping_add(1);
        let containers = merged.contributors.clone();
        Ok(SmiRound {
            reading: self.finish(merged),
            containers,
        })
    }

    fn finish(&self, mut merged: Merged) -> Reading {
        // By PCI address the order is the driver's own.
        let order = |card: &SmiCard| (card.sample.bus_id.clone(), card.sample.index);
        merged.cards.sort_by_key(order);
        let mut reading = Reading {
            driver: merged.driver,
            cuda: self.cuda.clone(),
            problems: merged.problems,
            silent: self.silent.clone(),
            ..Reading::default()
        };
        // Two cards with one number: the containers' own numbers say nothing of the host's.
        let numbers: BTreeSet<u32> = merged.cards.iter().map(|c| c.sample.index).collect();
        let trusted = numbers.len() == merged.cards.len();
        for (place, SmiCard { sample, lost }) in (0_u32..).zip(merged.cards) {
            let index = if trusted { sample.index } else { place };
            if lost {
                let message = "GPU is lost".to_owned();
                reading.lost.push(SilentCard {
                    uuid: sample.uuid,
                    index,
                    message,
                });
                continue;
            }
            let bus = sample.bus_id.as_ref();
            let thresholds = bus.and_then(|bus| self.thresholds.get(bus)).copied();
            let thresholds = thresholds.unwrap_or_default();
            let sample = GpuSample {
                index,
                slowdown_c: thresholds.slowdown_c,
                shutdown_c: thresholds.shutdown_c,
                ..sample
            };
            reading.samples.push(sample.plausible());
        }
        for (bus, message) in merged.lost {
            let seen = bus.as_ref().and_then(|bus| self.seen_at(bus));
            let place = bus.as_deref().unwrap_or("unknown").replace(':', "-");
            if let Some(uuid) = seen.or_else(|| GpuUuid::new(format!("pci-{place}")).ok())
                && !reading.lost.iter().any(|lost| lost.uuid == uuid)
            {
                let index = u32::try_from(reading.samples.len() + reading.lost.len()).unwrap_or(0);
                reading.lost.push(SilentCard {
                    uuid,
                    index,
                    message,
                });
            }
        }
        reading
    }

    /// The card at a PCI address; error lines write the domain with four digits, tables with eight.
    fn seen_at(&self, bus: &str) -> Option<GpuUuid> {
        let bare = |bus: &str| bus.trim_start_matches('0').to_owned();
        self.seen
            .iter()
            .find(|(known, _)| bare(known) == bare(bus))
            .map(|(_, uuid)| uuid.clone())
    }
}

#[derive(Default)]
struct Merged {
    driver: Option<String>,
    cards: Vec<SmiCard>,
    lost: Vec<(Option<String>, String)>,
    contributors: Vec<String>,
    problems: Vec<String>,
}

impl Merged {
    fn add(&mut self, container: &GpuContainer, reading: smi::SmiReading) {
        self.driver = self.driver.take().or(reading.driver);
        self.problems.extend(reading.problems);
        let mut added = false;
        // Inside a container the index counts only what it was given, in the host's order.
        let mut given: Vec<u32> = container
            .device_ids
            .iter()
            .filter_map(|id| id.parse().ok())
            .collect();
        given.sort_unstable();
        let told = given.len() == reading.cards.len();
        for mut card in reading.cards {
            let own = card.sample.index;
            let place = usize::try_from(own).unwrap_or(usize::MAX);
            let host = given.get(place).copied().filter(|_| told);
            card.sample.index = host.unwrap_or(own);
            let same = |known: &SmiCard| known.sample.uuid == card.sample.uuid;
            if !self.cards.iter().any(same) {
                self.cards.push(card);
                added = true;
            }
        }
        for lost in reading.lost {
            if !self.lost.iter().any(|(bus, _)| *bus == lost.bus_id) {
                self.lost.push((lost.bus_id, lost.message));
                added = true;
            }
        }
        if added {
            self.contributors.push(container.name.clone());
        }
    }
}

/// Asks for the table; a column that the driver does not know is left out and the rest asked again.
/// Returns the columns left out, too.
async fn table(
    exec: &GpuExec,
    container: &str,
    mut without: Vec<String>,
) -> Result<(smi::SmiReading, Vec<String>), String> {
    loop {
        let text = run(exec, container, smi::command(&without)).await?;
        match smi::parse(&text, clock::now()) {
            Ok(reading) => return Ok((reading, without)),
            Err(SmiProblem::UnknownColumn(column))
                if without.len() < MOST_UNKNOWN && !without.contains(&column) =>
            {
                without.push(column);
            }
            Err(problem) => return Err(problem.to_string()),
        }
    }
}

/// What the table has no column for.
async fn details(exec: &GpuExec, container: &str) -> Option<String> {
    match run(exec, container, smi::thresholds_command()).await {
        Ok(text) => Some(text),
        Err(words) => {
            tracing::debug!(container, words, "the GPU's thresholds are not told");
            None
        }
    }
}

async fn run(exec: &GpuExec, container: &str, argv: Vec<String>) -> Result<String, String> {
    match tokio::time::timeout(DEADLINE, exec(container.to_owned(), argv)).await {
        Ok(answer) => answer,
        Err(_) => Err(format!("no answer within {} s", DEADLINE.as_secs())),
    }
}
