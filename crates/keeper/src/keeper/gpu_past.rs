//! What a host's cards did: the last hour from memory, what was before from the store, and what
//! happened to the services meanwhile.

use std::path::PathBuf;

use base64::{Engine as _, prelude::BASE64_STANDARD};
use forgekeeper_domain::{
    Timestamp,
    error::{ErrorCode, ErrorInfo},
    gpu::{
        history::{
            Axis, Gathered, GpuHistory, GpuHistoryQuery, GpuLine, GpuMarker, GpuMarkerKind,
            GpuTrack,
        },
        table,
    },
    ids::{HostId, ServiceId},
};

use super::{KeeperHandle, save::save};
use crate::{
    store::{StoreError, gpu_minutes::Steps},
    sys::clock,
};

/// Largest picture of a chart that is saved, in bytes: four screens of noise.
const MAX_PICTURE_BYTES: usize = 32 * 1024 * 1024;
/// How every PNG begins (PNG specification, 5.2).
const PNG_BEGINS: &[u8] = b"\x89PNG\r\n\x1a\n";

impl KeeperHandle {
    /// The past of a host's cards. What the store cannot tell is said in the answer.
    pub async fn gpu_history(&self, query: &GpuHistoryQuery) -> Result<GpuHistory, ErrorInfo> {
        let axis = Axis::over(query.from, query.to, query.steps).ok_or_else(|| {
            let message = "the range of the history has to end after it begins";
            ErrorInfo::new(ErrorCode::BadRequest, message)
        })?;
        let gpus = self.inner.roster.gpus(&query.host).ok_or_else(|| {
            let message = format!("no host `{}` is watched", query.host);
            ErrorInfo::new(ErrorCode::BadRequest, message)
        })?;
        let mut steps = Steps::new();
        let held_from = gpus.past().fill(&axis, &mut steps);
        let held = steps.clone();
        let mut problem = None;
        let stored = self
            .inner
            .store
            .gpu_minutes(&query.host, axis, held_from, steps);
        let steps = stored.await.unwrap_or_else(|error| {
            problem = Some(error.to_string());
            held
        });
        let mut cards: Vec<GpuTrack> = steps
            .into_values()
            .filter(|(_, line)| !line.iter().all(Gathered::is_empty))
            .map(|(card, line)| GpuTrack {
                uuid: card.uuid,
                name: card.name,
                index: card.index,
                lines: query
                    .metrics
                    .iter()
                    .map(|m| GpuLine::of(*m, &line))
                    .collect(),
            })
            .collect();
        cards.sort_by(|a, b| (a.index, &a.uuid).cmp(&(b.index, &b.uuid)));
        let (from, to) = (moment(axis.from_s)?, moment(axis.end_s())?);
        let markers = self.markers(query, from, to).await.unwrap_or_else(|error| {
            problem = Some(error.to_string());
            Vec::new()
        });
        Ok(GpuHistory {
            from,
            step_s: axis.step_s,
            steps: axis.steps,
            cards,
            markers,
            problem,
        })
    }

    /// What happened to the services of the host within a range, oldest first.
    async fn markers(
        &self,
        query: &GpuHistoryQuery,
        from: Timestamp,
        to: Timestamp,
    ) -> Result<Vec<GpuMarker>, StoreError> {
        let settings = self.inner.settings.borrow().settings.clone();
        let here = |id: &ServiceId| {
            let services = &settings.services;
            services.iter().any(|s| s.id == *id && s.host == query.host)
        };
        let store = &self.inner.store;
        let generations = store.generations_between(from, to).await?;
        let actions = store.restarts_between(from, to).await?;
        let proofs = store.placements_between(from, to).await?;
        let mut markers: Vec<GpuMarker> = generations
            .into_iter()
            .map(|record| GpuMarker {
                kind: GpuMarkerKind::Generation,
                service: record.service,
                at: record.started_at,
                took_ms: Some(record.took_ms),
                ok: Some(record.error.is_none()),
            })
            .chain(actions.into_iter().map(|entry| GpuMarker {
                kind: GpuMarkerKind::Action,
                service: entry.service,
                at: entry.at,
                took_ms: entry.stages.last().map(|stage| stage.after_ms),
                ok: Some(entry.proved),
            }))
            .chain(proofs.into_iter().map(|proof| GpuMarker {
                kind: GpuMarkerKind::Placement,
                at: proof.rounds.first().map_or(proof.at, |round| round.at),
                took_ms: proof.took_ms(),
                service: proof.service,
                ok: None,
            }))
            .filter(|marker| here(&marker.service))
            .collect();
        markers.sort_by_key(|marker| marker.at);
        Ok(markers)
    }

    /// A name for a file of a host's cards, with the time on this machine.
    pub fn gpu_file_name(&self, host: &HostId, extension: &str) -> String {
        // No colon: Windows takes none.
        let at = clock::local().strftime("%Y-%m-%dT%H%M");
        format!("gpus-{host}-{at}.{extension}")
    }

    /// The past of a host's cards as a table for other programs (CSV), written to a file.
    pub async fn save_gpu_table(
        &self,
        query: &GpuHistoryQuery,
        path: PathBuf,
    ) -> Result<(), ErrorInfo> {
        let history = self.gpu_history(query).await?;
        if let Some(problem) = history.problem {
            // Half a table looks like a whole one.
            return Err(ErrorInfo::new(ErrorCode::Store, problem));
        }
        save(path, table::csv(&history).into_bytes()).await
    }

    /// A picture of the charts, drawn by the page (PNG in base64), written to a file.
    pub async fn save_gpu_picture(&self, png: &str, path: PathBuf) -> Result<(), ErrorInfo> {
        let bad = |message: &str| ErrorInfo::new(ErrorCode::BadPicture, message);
        if png.len() > MAX_PICTURE_BYTES / 3 * 4 {
            return Err(bad("the picture of the charts is too large to be saved"));
        }
        let bytes = BASE64_STANDARD.decode(png).map_err(|error| {
            bad("the picture of the charts is damaged").detail(error.to_string())
        })?;
        if !bytes.starts_with(PNG_BEGINS) {
            return Err(bad("the picture of the charts is no PNG"));
        }
        save(path, bytes).await
    }
}

fn moment(second: i64) -> Result<Timestamp, ErrorInfo> {
    Timestamp::from_second(second).map_err(|error| {
        ErrorInfo::new(
            ErrorCode::BadRequest,
            "the range of the history is out of bounds",
        )
        .detail(error.to_string())
    })
}
