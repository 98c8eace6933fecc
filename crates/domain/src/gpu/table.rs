//! A card's past as a table that other programs read (CSV, RFC 4180).

use jiff::{SignedDuration, Timestamp};

use super::history::{GpuHistory, GpuLine, GpuMetric, GpuTrack};

/// The unit of a metric, as in a column's name.
fn unit(metric: GpuMetric) -> &'static str {
    match metric {
        GpuMetric::Load | GpuMetric::MemoryLoad | GpuMetric::Fan | GpuMetric::Throttled => {
            "percent"
        }
        GpuMetric::Memory => "mib",
        GpuMetric::Temperature => "celsius",
        GpuMetric::Power => "watts",
        GpuMetric::Clock => "mhz",
    }
}

/// One row for each card and step in which anything was read; what was not is an empty cell.
pub fn csv(history: &GpuHistory) -> String {
    let metrics: Vec<GpuMetric> = history
        .cards
        .first()
        .map(|card| card.lines.iter().map(|line| line.metric).collect())
        .unwrap_or_default();
    let mut table = csv::Writer::from_writer(Vec::new());
    let mut heading = ["time", "seconds", "gpu", "name", "uuid"]
        .map(str::to_owned)
        .to_vec();
    for metric in metrics {
        for part in ["min", "mean", "max"] {
            heading.push(format!("{}_{part}_{}", metric.name(), unit(metric)));
        }
    }
    let mut rows = vec![heading];
    for place in 0..usize::try_from(history.steps).unwrap_or(0) {
        let after = i64::try_from(place).unwrap_or(i64::MAX);
        let after = SignedDuration::from_secs(after.saturating_mul(i64::from(history.step_s)));
        let Ok(at) = history.from.checked_add(after) else {
            break;
        };
        rows.extend(
            history
                .cards
                .iter()
                .filter_map(|card| row(card, at, history.step_s, place)),
        );
    }
    for row in rows {
        // Rows are as long as their heading, and memory takes every write.
        if table.write_record(&row).is_err() {
            break;
        }
    }
    table
        .into_inner()
        .ok()
        .and_then(|bytes| String::from_utf8(bytes).ok())
        .unwrap_or_default()
}

fn row(card: &GpuTrack, at: Timestamp, step_s: u32, place: usize) -> Option<Vec<String>> {
    let values = |line: &GpuLine| {
        [&line.min, &line.mean, &line.max].map(|values| values.get(place).copied().flatten())
    };
    let values: Vec<Option<f32>> = card.lines.iter().flat_map(values).collect();
    if values.iter().all(Option::is_none) {
        return None;
    }
    let mut cells = vec![
        at.to_string(),
        step_s.to_string(),
        card.index.to_string(),
        inert(&card.name),
        card.uuid.to_string(),
    ];
    let shown = |value: Option<f32>| value.map(|v| v.to_string()).unwrap_or_default();
    cells.extend(values.into_iter().map(shown));
    Some(cells)
}

/// A text that no spreadsheet takes for a formula.
fn inert(text: &str) -> String {
    if text.starts_with(['=', '+', '-', '@', '\t', '\r']) {
        format!("'{text}")
    } else {
        text.to_owned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ids::GpuUuid;

    #[test]
    fn a_row_for_each_step_that_was_read_and_empty_cells_for_what_was_not() {
        let track = |uuid: &str, name: &str, mean: Vec<Option<f32>>| GpuTrack {
            uuid: GpuUuid::new(uuid).expect("an id"),
            name: name.to_owned(),
            index: 0,
            lines: vec![
                GpuLine {
                    metric: GpuMetric::Load,
                    min: mean.clone(),
                    mean: mean.clone(),
                    max: mean.clone(),
                },
                GpuLine {
                    metric: GpuMetric::Power,
                    min: vec![None; mean.len()],
                    mean: vec![None; mean.len()],
                    max: vec![None; mean.len()],
                },
            ],
        };
        let history = GpuHistory {
            from: Timestamp::UNIX_EPOCH,
            step_s: 60,
            steps: 2,
            cards: vec![
                track("GPU-a", "=CMD(), \"12\" GB", vec![Some(12.5), None]),
                track("GPU-b", "X", vec![None, Some(0.0)]),
            ],
            markers: Vec::new(),
            problem: None,
        };
        assert_eq!(
            csv(&history),
            "time,seconds,gpu,name,uuid,load_min_percent,load_mean_percent,load_max_percent,\
             power_min_watts,power_mean_watts,power_max_watts\n\
             1970-01-01T00:00:00Z,60,0,\"'=CMD(), \"\"12\"\" GB\",GPU-a,12.5,12.5,12.5,,,\n\
             1970-01-01T00:01:00Z,60,0,X,GPU-b,0,0,0,,,\n"
        );
        let empty = GpuHistory {
            cards: Vec::new(),
            ..history
        };
        assert_eq!(csv(&empty), "time,seconds,gpu,name,uuid\n");
    }
}
