//! The flight recorder written down: one line for each entry, oldest first.

use jiff::tz::TimeZone;

use super::{Block, Language, Line, as_html, as_markdown, ours, theirs, words::words};
use crate::migration::{
    Evidence, OwnPlan, PlannedStep, RecordAction, RecordEntry, RecordOutcome, StepId,
};

fn title(language: Language) -> &'static str {
    match language {
        Language::En => "Flight recorder of the migration",
        Language::Fr => "Enregistreur de la migration",
    }
}

fn action(action: RecordAction, language: Language) -> &'static str {
    let (en, fr) = match action {
        RecordAction::Check => ("checked", "vérification"),
        RecordAction::Preview => ("previewed", "aperçu"),
        RecordAction::Run => ("done", "exécution"),
        RecordAction::Undo => ("taken back", "annulation"),
        RecordAction::Drill => ("drill", "exercice de retour"),
        RecordAction::Skip => ("skipped", "omission"),
        RecordAction::Unskip => ("taken in again", "reprise dans le plan"),
        RecordAction::Attest => ("attested", "attestation"),
        RecordAction::Edit => ("plan changed", "modification du plan"),
    };
    either(language, en, fr)
}

fn outcome(outcome: RecordOutcome, language: Language) -> &'static str {
    let (en, fr) = match outcome {
        RecordOutcome::Begun => ("begun", "commencée"),
        RecordOutcome::Done => ("done", "faite"),
        RecordOutcome::Proved => ("holds", "vérifiée"),
        RecordOutcome::Failed => ("failed", "échec"),
        RecordOutcome::Unknown => ("unknown", "inconnu"),
        RecordOutcome::Refused => ("refused", "refusée"),
        RecordOutcome::Cancelled => ("ended by somebody", "interrompue par quelqu’un"),
        RecordOutcome::Interrupted => (
            "interrupted: the program ended",
            "interrompue\u{202f}: le programme s’est arrêté",
        ),
        RecordOutcome::Resumed => ("taken up again", "reprise"),
    };
    either(language, en, fr)
}

fn either(language: Language, en: &'static str, fr: &'static str) -> &'static str {
    match language {
        Language::En => en,
        Language::Fr => fr,
    }
}

/// The record as Markdown.
pub fn record_markdown(
    entries: &[RecordEntry],
    plan: &OwnPlan,
    language: Language,
    zone: &TimeZone,
) -> String {
    as_markdown::written(&page(entries, plan, language, zone))
}

/// The same as a page of HTML that needs nothing else and has no script.
pub fn record_html(
    entries: &[RecordEntry],
    plan: &OwnPlan,
    language: Language,
    zone: &TimeZone,
) -> String {
    as_html::written(
        title(language),
        language,
        &page(entries, plan, language, zone),
    )
}

/// The same for other programs: one JSON document a line.
pub fn record_json_lines(entries: &[RecordEntry]) -> String {
    let lines = entries
        .iter()
        .filter_map(|entry| serde_json::to_string(entry).ok());
    lines.map(|line| line + "\n").collect()
}

fn page(
    entries: &[RecordEntry],
    plan: &OwnPlan,
    language: Language,
    zone: &TimeZone,
) -> Vec<Block> {
    let steps = plan.steps();
    let name = |id: &Option<StepId>| step_name(&steps, id.as_ref(), language);
    let head = [
        either(language, "When", "Quand"),
        either(language, "Step", "Étape"),
        either(language, "What", "Quoi"),
        either(language, "Outcome", "Résultat"),
        either(language, "Said", "Précisions"),
        either(language, "Before", "Avant"),
        either(language, "After", "Après"),
    ];
    let rows = entries.iter().map(|entry| {
        let at = entry.at.to_zoned_datetime(zone.clone());
        let mut said: Line = Vec::new();
        for words in &entry.says {
            said.push(ours(format!("{} ", words.in_language(language))));
        }
        if let Some(by) = &entry.by {
            said.extend([ours(either(language, "by ", "par ")), theirs(by), ours(" ")]);
        }
        said.extend(entry.detail.iter().map(|detail| theirs(detail)));
        vec![
            vec![ours(at.strftime("%Y-%m-%d %H:%M:%S %:z").to_string())],
            name(&entry.step),
            vec![ours(action(entry.action, language))],
            vec![ours(outcome(entry.outcome, language))],
            said,
            pairs(&entry.before),
            pairs(&entry.after),
        ]
    });
    let head = head.map(|word| vec![ours(word)]).to_vec();
    let mut blocks = vec![Block::Heading(1, vec![ours(title(language))])];
    if entries.is_empty() {
        let nothing = either(
            language,
            "Nothing was done yet.",
            "Rien n’a encore été fait.",
        );
        blocks.push(Block::Paragraph(vec![ours(nothing)]));
    } else {
        blocks.push(Block::Table(head, rows.collect()));
    }
    blocks
}

fn step_name(steps: &[PlannedStep], id: Option<&StepId>, language: Language) -> Line {
    let Some(id) = id else {
        return vec![ours(words(language).title)];
    };
    match steps.iter().find(|planned| planned.step.id == *id) {
        Some(planned) if planned.own => vec![theirs(planned.step.title.in_language(language))],
        Some(planned) => vec![ours(planned.step.title.in_language(language))],
        None => vec![theirs(id.as_str())],
    }
}

fn pairs(evidence: &[Evidence]) -> Line {
    let mut line = Line::new();
    for Evidence { name, value } in evidence {
        if !line.is_empty() {
            line.push(ours("; "));
        }
        line.extend([theirs(name), ours(" = "), theirs(value)]);
    }
    line
}
