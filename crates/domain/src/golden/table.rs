//! A comparison as a table for other programs.

use super::{GoldenComparison, Vote};
use crate::generation::GenerationRecord;

const HEAD: [&str; 17] = [
    "prompt",
    "text",
    "reference_service",
    "reference_outcome",
    "reference_ms",
    "reference_steps_per_second",
    "reference_memory_peak_bytes",
    "reference_model",
    "candidate_service",
    "candidate_outcome",
    "candidate_ms",
    "candidate_steps_per_second",
    "candidate_memory_peak_bytes",
    "candidate_model",
    "identical",
    "similarity",
    "vote",
];

/// The rows as CSV. What is not known is an empty cell.
pub fn csv(comparison: &GoldenComparison) -> String {
    let mut table = csv::Writer::from_writer(Vec::new());
    // Writing into memory does not fail.
    let _ = table.write_record(HEAD);
    for row in &comparison.rows {
        let text = row.reference.as_ref().or(row.candidate.as_ref());
        let text = text.map(|record| record.request.prompt.as_str());
        let mut cells = vec![plain(&row.prompt), plain(text.unwrap_or_default())];
        for (service, record) in comparison
            .services
            .iter()
            .zip([&row.reference, &row.candidate])
        {
            cells.push(service.to_string());
            cells.extend(side(record.as_ref()));
        }
        let likeness = row.likeness;
        cells.push(likeness.map_or_else(String::new, |l| l.identical.to_string()));
        cells.push(
            likeness
                .and_then(|l| l.similarity)
                .map_or_else(String::new, |s| format!("{s:.4}")),
        );
        cells.push(row.vote.map_or("", word).to_owned());
        let _ = table.write_record(cells);
    }
    let bytes = table.into_inner().unwrap_or_default();
    String::from_utf8_lossy(&bytes).into_owned()
}

fn side(record: Option<&GenerationRecord>) -> [String; 5] {
    let Some(record) = record else {
        return Default::default();
    };
    let speed = record.timing.and_then(|timing| timing.steps_per_second);
    let peak = record.card.as_ref().and_then(|card| card.memory_peak_bytes);
    [
        record.verdict.name().to_owned(),
        record.took_ms.to_string(),
        speed.map_or_else(String::new, |speed| format!("{speed:.3}")),
        peak.map_or_else(String::new, |peak| format!("{peak:.0}")),
        plain(record.model.as_deref().unwrap_or_default()),
    ]
}

fn word(vote: Vote) -> &'static str {
    match vote {
        Vote::Reference => "reference",
        Vote::Candidate => "candidate",
        Vote::Equal => "equal",
        Vote::Neither => "neither",
    }
}

/// A spreadsheet must not take a prompt for a formula.
fn plain(text: &str) -> String {
    let text = text.replace(['\r', '\n'], " ");
    if text.starts_with(['=', '+', '-', '@', '\t']) {
        format!("'{text}")
    } else {
        text
    }
}
