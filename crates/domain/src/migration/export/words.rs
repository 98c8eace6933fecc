//! The words of the page in both languages.

use crate::migration::{AlternativeVerdict, DateBasis, Language, Level, Verdict};

pub(super) struct PageWords {
    pub(super) title: &'static str,
    /// Between a label and what it labels.
    pub(super) colon: &'static str,
    pub(super) as_of: &'static str,
    pub(super) decision: &'static str,
    pub(super) done: &'static str,
    pub(super) of: &'static str,
    pub(super) by_word: &'static str,
    pub(super) next: &'static str,
    pub(super) no_next: &'static str,
    pub(super) step: &'static str,
    pub(super) state: &'static str,
    pub(super) start: &'static str,
    pub(super) end: &'static str,
    pub(super) duration: &'static str,
    pub(super) proof: &'static str,
    pub(super) why: &'static str,
    pub(super) told_by: &'static str,
    pub(super) machine: &'static str,
    pub(super) person: &'static str,
    pub(super) own: &'static str,
    pub(super) risky: &'static str,
    pub(super) undoable: &'static str,
    pub(super) needs: &'static str,
    pub(super) expires: &'static str,
    pub(super) note: &'static str,
    pub(super) evidence: &'static str,
    pub(super) unknown: &'static str,
    pub(super) to: &'static str,
    pub(super) day: &'static str,
    pub(super) days: &'static str,
    pub(super) blocked: &'static str,
    pub(super) ready: &'static str,
    pub(super) running: &'static str,
    pub(super) measured: &'static str,
    pub(super) attested: &'static str,
    pub(super) failed: &'static str,
    pub(super) stale: &'static str,
    pub(super) skipped: &'static str,
    pub(super) resources: &'static str,
    pub(super) risks: &'static str,
    pub(super) risk: &'static str,
    pub(super) likelihood: &'static str,
    pub(super) impact: &'static str,
    pub(super) mitigation: &'static str,
    pub(super) alternatives: &'static str,
    pub(super) verdict: &'static str,
    pub(super) pros: &'static str,
    pub(super) cons: &'static str,
    pub(super) timeline: &'static str,
    pub(super) meanwhile: &'static str,
    pub(super) afterwards: &'static str,
    french: bool,
}

const EN: PageWords = PageWords {
    title: "Migration from Forge to ComfyUI",
    colon: ": ",
    as_of: "As of",
    decision: "Decision",
    done: "Done",
    of: "of",
    by_word: "of them by a person’s word",
    next: "Next step",
    no_next: "none that can be done now",
    step: "Step",
    state: "State",
    start: "Begins",
    end: "Ends",
    duration: "Duration",
    proof: "Found",
    why: "Proves",
    told_by: "Told by",
    machine: "a measurement",
    person: "a person",
    own: "added by the owner",
    risky: "can do harm",
    undoable: "can be taken back",
    needs: "Needs",
    expires: "A proof holds",
    note: "Note",
    evidence: "Evidence",
    unknown: "unknown",
    to: "to",
    day: "day",
    days: "days",
    blocked: "Waits for",
    ready: "Ready",
    running: "Running since",
    measured: "Proved by measurement on",
    attested: "Attested by a person on",
    failed: "Failed on",
    stale: "Proof out of date since",
    skipped: "Skipped",
    resources: "Resources",
    risks: "Risks",
    risk: "Risk",
    likelihood: "Likelihood",
    impact: "Impact",
    mitigation: "Mitigation",
    alternatives: "Alternatives considered",
    verdict: "Verdict",
    pros: "For",
    cons: "Against",
    timeline: "Calendar of the report",
    meanwhile: "As long as Forge carries the work",
    afterwards: "Afterwards",
    french: false,
};

const FR: PageWords = PageWords {
    title: "Migration de Forge vers ComfyUI",
    colon: "\u{202f}: ",
    as_of: "État au",
    decision: "Décision",
    done: "Terminées",
    of: "sur",
    by_word: "dont sur déclaration d’une personne",
    next: "Prochaine étape",
    no_next: "aucune n’est réalisable maintenant",
    step: "Étape",
    state: "État",
    start: "Début",
    end: "Fin",
    duration: "Durée",
    proof: "Constat",
    why: "Prouve",
    told_by: "Établie par",
    machine: "une mesure",
    person: "une personne",
    own: "ajoutée par le propriétaire",
    risky: "peut causer des dégâts",
    undoable: "peut être annulée",
    needs: "Nécessite",
    expires: "Validité d’une preuve",
    note: "Note",
    evidence: "Éléments de preuve",
    unknown: "inconnu",
    to: "à",
    day: "jour",
    days: "jours",
    blocked: "Attend",
    ready: "Prête",
    running: "En cours depuis le",
    measured: "Prouvée par une mesure le",
    attested: "Attestée par une personne le",
    failed: "Échouée le",
    stale: "Preuve périmée depuis le",
    skipped: "Omise",
    resources: "Ressources",
    risks: "Risques",
    risk: "Risque",
    likelihood: "Probabilité",
    impact: "Impact",
    mitigation: "Mitigation",
    alternatives: "Alternatives étudiées",
    verdict: "Verdict",
    pros: "Pour",
    cons: "Contre",
    timeline: "Calendrier du rapport",
    meanwhile: "Tant que Forge assure le travail",
    afterwards: "Ensuite",
    french: true,
};

pub(super) fn words(language: Language) -> &'static PageWords {
    match language {
        Language::En => &EN,
        Language::Fr => &FR,
    }
}

impl PageWords {
    fn either(&self, en: &'static str, fr: &'static str) -> &'static str {
        if self.french { fr } else { en }
    }

    pub(super) fn likelihood(&self, level: Level) -> &'static str {
        match level {
            Level::Low => self.either("low", "faible"),
            Level::Medium => self.either("medium", "moyenne"),
            Level::High => self.either("high", "élevée"),
        }
    }

    pub(super) fn impact_of(&self, level: Level) -> &'static str {
        match level {
            Level::Low => self.either("low", "faible"),
            Level::Medium => self.either("medium", "moyen"),
            Level::High => self.either("high", "élevé"),
        }
    }

    pub(super) fn alternative(&self, verdict: AlternativeVerdict) -> &'static str {
        match verdict {
            AlternativeVerdict::Recommended => self.either(
                "Recommended for the medium term",
                "Recommandé à moyen terme",
            ),
            AlternativeVerdict::ShortTerm => self.either(
                "Acceptable for the short term only",
                "Acceptable à court terme uniquement",
            ),
            AlternativeVerdict::NotRecommended => self.either("Not recommended", "Non recommandé"),
        }
    }

    pub(super) fn found(&self, verdict: Verdict) -> &'static str {
        match verdict {
            Verdict::Running => self.either("begun", "commencée"),
            Verdict::Passed => self.either("holds", "vérifiée"),
            Verdict::Failed => self.either("does not hold", "non vérifiée"),
            Verdict::Undone => self.either("taken back", "annulée"),
        }
    }

    pub(super) fn basis(&self, basis: DateBasis) -> &'static str {
        match basis {
            DateBasis::Proved => self.either("proved", "prouvée"),
            DateBasis::Begun => self.either("begun", "commencée"),
            DateBasis::Assigned => self.either("assigned", "fixée"),
            DateBasis::Computed => self.either("from durations", "d’après les durées"),
            DateBasis::Unknown => self.either("unknown", "inconnu"),
            DateBasis::Skipped => self.either("skipped", "omise"),
        }
    }
}
