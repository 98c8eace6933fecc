//! What changed without being a problem: written into the journal, never an incident.

use crate::{
    Timestamp,
    container::ContainerSnapshot,
    facts::{ContainerFact, EngineFact, Facts},
    outcome::Evidence,
};

/// What is worth a line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NoteKind {
    /// The engine was away, and the container was started with its return.
    EngineRestarted,
    /// Another container has taken the name.
    ContainerRecreated,
    /// The registry has a new build of the tag.
    ImageUpdated,
}

impl NoteKind {
    /// Stable code, as in the journal.
    pub fn code(self) -> &'static str {
        match self {
            NoteKind::EngineRestarted => "engine.restarted",
            NoteKind::ContainerRecreated => "container.recreated",
            NoteKind::ImageUpdated => "freshness.update",
        }
    }
}

/// One line for the journal.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Note {
    /// What happened.
    pub kind: NoteKind,
    /// What was seen.
    pub evidence: Vec<Evidence>,
}

/// Remembers of one service what the next look is compared with.
#[derive(Debug, Clone, Default)]
pub struct NoteBook {
    container: Option<ContainerSnapshot>,
    away: Option<Away>,
    digest: Option<String>,
}

/// The engine does not answer, or the container was not looked at since it does again.
#[derive(Debug, Clone, Copy)]
struct Away {
    /// The start of the container before.
    started_at: Option<Timestamp>,
}

impl NoteBook {
    /// Compares with the last look. The first look at a thing is no change.
    pub fn observe(&mut self, facts: &Facts) -> Vec<Note> {
        let mut notes = Vec::new();
        let returned = self.engine(facts);
        if let Some(measured) = &facts.container
            && let ContainerFact::Present(now) = &measured.value
        {
            let before = self.container.replace((**now).clone());
            match before {
                Some(before) if before.id != now.id => notes.push(recreated(&before, now)),
                Some(before) if returned && before.started_at != now.started_at => {
                    notes.push(Note {
                        kind: NoteKind::EngineRestarted,
                        evidence: pair("started_at", before.started_at, now.started_at),
                    });
                }
                _ => {}
            }
        }
        if let Some(registry) = &facts.registry {
            let digest = registry.value.digest.clone();
            let before = self.digest.replace(digest.clone());
            if before.as_ref().is_some_and(|before| *before != digest) {
                let mut evidence = vec![Evidence::new("image", &registry.value.image)];
                evidence.extend(pair("digest", before, Some(digest)));
                notes.push(Note {
                    kind: NoteKind::ImageUpdated,
                    evidence,
                });
            }
        }
        notes
    }

    /// Whether the container is seen for the first time since the engine came back.
    fn engine(&mut self, facts: &Facts) -> bool {
        let Some(engine) = &facts.engine else {
            return false;
        };
        if !matches!(engine.value, EngineFact::Answering { .. }) {
            let started_at = self.container.as_ref().and_then(|c| c.started_at);
            self.away.get_or_insert(Away { started_at });
            return false;
        }
        let Some(Away { started_at }) = self.away else {
            return false;
        };
        let looked = facts.container.as_ref().is_some_and(|m| match &m.value {
            ContainerFact::Present(c) => c.started_at != started_at,
            ContainerFact::Missing { .. } | ContainerFact::NotMeasurable { .. } => false,
        });
        if looked {
            self.away = None;
        }
        looked
    }
}

fn pair<T: ToString>(name: &str, before: Option<T>, now: Option<T>) -> Vec<Evidence> {
    let one = |name: String, value: Option<T>| value.map(|v| Evidence::new(&name, v));
    one(format!("{name}_before"), before)
        .into_iter()
        .chain(one(name.to_owned(), now))
        .collect()
}

/// Both ids, both images, and which parts of the configuration differ.
fn recreated(before: &ContainerSnapshot, now: &ContainerSnapshot) -> Note {
    let mut evidence = pair("id", Some(&before.id), Some(&now.id));
    evidence.extend(pair(
        "image_id",
        Some(&before.image_id),
        Some(&now.image_id),
    ));
    let changed: Vec<&str> = [
        ("image", before.image != now.image),
        ("image_id", before.image_id != now.image_id),
        ("command", before.command != now.command),
        ("env_names", before.env_names != now.env_names),
        ("ports", before.ports != now.ports),
        (
            "gpu_device_ids",
            before.gpu_device_ids != now.gpu_device_ids,
        ),
        ("memory_limit", before.memory_limit != now.memory_limit),
    ]
    .into_iter()
    .filter_map(|(name, differs)| differs.then_some(name))
    .collect();
    evidence.push(Evidence::new("changed", changed.join(", ")));
    Note {
        kind: NoteKind::ContainerRecreated,
        evidence,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        checks::tests::{at, healthy, now, refused_engine, with_container},
        facts::{Measured, RegistryFact},
        incident::rules::tests::observe,
        incident::rules::{Changes, IncidentBook},
    };

    fn kinds(notes: &[Note]) -> Vec<NoteKind> {
        notes.iter().map(|note| note.kind).collect()
    }

    #[test]
    fn a_recreated_container_is_followed_by_name_and_noted() {
        let mut notes = NoteBook::default();
        let mut book = IncidentBook::default();
        assert_eq!(notes.observe(&healthy()), []);
        let again = with_container(|c| {
            c.id = "def".into();
            c.image_id = "sha256:2".into();
        });
        assert_eq!(
            observe(&mut book, &again),
            Changes::default(),
            "no incident"
        );
        let found = notes.observe(&again);
        assert_eq!(kinds(&found), [NoteKind::ContainerRecreated]);
        assert!(
            found[0]
                .evidence
                .contains(&Evidence::new("id_before", "abc"))
        );
        assert!(
            found[0]
                .evidence
                .contains(&Evidence::new("changed", "image_id"))
        );
        assert_eq!(notes.observe(&again), [], "once");
    }

    #[test]
    fn removed_and_run_again_is_recreated_all_the_same() {
        let mut notes = NoteBook::default();
        notes.observe(&healthy());
        notes.observe(&Facts {
            container: now(ContainerFact::Missing {
                name: "x".into(),
                last_seen: None,
                image_id: None,
            }),
            ..healthy()
        });
        let again = with_container(|c| c.id = "def".into());
        assert_eq!(
            kinds(&notes.observe(&again)),
            [NoteKind::ContainerRecreated]
        );
    }

    #[test]
    fn an_engine_that_returns_closes_its_incident_and_the_new_uptime_is_noted() {
        let mut notes = NoteBook::default();
        let mut book = IncidentBook::default();
        let away = Facts {
            engine: Some(refused_engine()),
            ..healthy()
        };
        notes.observe(&healthy());
        assert_eq!(observe(&mut book, &away).opened.len(), 1);
        assert_eq!(notes.observe(&away), []);
        assert_eq!(
            notes.observe(&healthy()),
            [],
            "as it was before, not looked at yet"
        );
        let back = with_container(|c| c.started_at = Some(at(1_799_999_999)));
        assert_eq!(observe(&mut book, &back).closed.len(), 1);
        assert_eq!(kinds(&notes.observe(&back)), [NoteKind::EngineRestarted]);
        assert_eq!(notes.observe(&back), []);
        let later = with_container(|c| c.started_at = Some(at(1_800_000_000)));
        assert_eq!(
            notes.observe(&later),
            [],
            "the engine was there all the time"
        );
    }

    #[test]
    fn a_new_build_of_the_tag_is_noted_and_no_incident() {
        let build = |digest: &str| Facts {
            registry: Some(Measured::new(
                RegistryFact {
                    image: "a:latest".into(),
                    digest: digest.into(),
                    built_at: at(1_799_000_000),
                },
                at(1_800_000_000),
            )),
            ..healthy()
        };
        let mut notes = NoteBook::default();
        assert_eq!(notes.observe(&build("sha256:1")), []);
        let found = notes.observe(&build("sha256:2"));
        assert_eq!(kinds(&found), [NoteKind::ImageUpdated]);
        assert_eq!(found[0].kind.code(), "freshness.update");
        let changes = observe(&mut IncidentBook::default(), &build("sha256:2"));
        assert_eq!(changes, Changes::default());
    }
}
