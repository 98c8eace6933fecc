//! What stands on the page, in which order.

use super::{
    Block, Line, ours, theirs,
    words::{PageWords, words},
};
use crate::{
    Timestamp,
    migration::{
        Basis, Counts, DateBasis, Days, Language, Plan, PlannedStep, Standing, StepId, StepState,
        Window, Words,
    },
};

struct Writer<'p> {
    standing: &'p Standing,
    language: Language,
    words: &'static PageWords,
}

pub(super) fn page(standing: &Standing, language: Language) -> Vec<Block> {
    let writer = Writer {
        standing,
        language,
        words: words(language),
    };
    let mut blocks = writer.summary();
    for phase in &standing.phases {
        let mut title = vec![writer.both(&phase.phase.title)];
        title.push(ours(format!(" ({})", writer.days(phase.phase.days))));
        blocks.push(Block::Heading(2, title));
        blocks.push(Block::Paragraph(writer.counted(&phase.counts)));
        blocks.push(writer.overview(&phase.steps));
        for planned in &phase.steps {
            let mut title = vec![writer.title(planned)];
            title.extend([ours(" ("), theirs(planned.step.id.as_str()), ours(")")]);
            blocks.push(Block::Heading(3, title));
            blocks.push(Block::List(writer.details(planned)));
        }
    }
    blocks.extend(writer.background());
    blocks
}

impl Writer<'_> {
    fn both(&self, words: &Words) -> super::Span {
        ours(words.in_language(self.language))
    }

    fn title(&self, planned: &PlannedStep) -> super::Span {
        self.worded(planned, &planned.step.title)
    }

    fn worded(&self, planned: &PlannedStep, words: &Words) -> super::Span {
        if planned.own {
            theirs(words.in_language(self.language))
        } else {
            self.both(words)
        }
    }

    fn labelled(&self, label: &str, rest: Line) -> Line {
        let mut line = vec![ours(format!("{label}{}", self.words.colon))];
        line.extend(rest);
        line
    }

    fn days(&self, days: Days) -> String {
        let Days { least, most } = days;
        let unit = if most == 1 {
            self.words.day
        } else {
            self.words.days
        };
        if least == most {
            format!("{most}\u{a0}{unit}")
        } else {
            format!("{least} {} {most}\u{a0}{unit}", self.words.to)
        }
    }

    fn moment(&self, at: Timestamp) -> String {
        let at = at.to_zoned_datetime(self.standing.zone.clone());
        at.strftime("%Y-%m-%d %H:%M %:z").to_string()
    }

    fn window(&self, window: Option<Window>) -> String {
        match window {
            None => self.words.unknown.to_owned(),
            Some(Window { earliest, latest }) if earliest == latest => earliest.to_string(),
            Some(Window { earliest, latest }) => {
                format!("{earliest} – {latest}")
            }
        }
    }

    fn counted(&self, counts: &Counts) -> Line {
        let w = self.words;
        let mut text = format!("{} {} {}", counts.done(), w.of, counts.total());
        for (count, what) in [(counts.attested, w.by_word), (counts.skipped, w.skipped)] {
            if count > 0 {
                text.push_str(&format!(" · {}{}{count}", what.to_lowercase(), w.colon));
            }
        }
        self.labelled(w.done, vec![ours(text)])
    }

    fn summary(&self) -> Vec<Block> {
        let plan = Plan::built_in();
        let w = self.words;
        let next = self.standing.next.as_ref().and_then(|id| self.step(id));
        let next = next.map_or_else(|| ours(w.no_next), |planned| self.title(planned));
        vec![
            Block::Heading(1, vec![ours(w.title)]),
            Block::Paragraph(vec![ours(format!(
                "{} {}",
                w.as_of,
                self.moment(self.standing.at)
            ))]),
            Block::Paragraph(self.labelled(w.decision, vec![self.both(&plan.decision)])),
            Block::Paragraph(self.counted(&self.standing.counts)),
            Block::Paragraph(self.labelled(w.next, vec![next])),
        ]
    }

    fn step(&self, id: &StepId) -> Option<&PlannedStep> {
        let mut steps = self.standing.phases.iter().flat_map(|phase| &phase.steps);
        steps.find(|planned| planned.step.id == *id)
    }

    fn overview(&self, steps: &[PlannedStep]) -> Block {
        let w = self.words;
        let head = [w.step, w.state, w.start, w.end, w.duration];
        let rows = steps.iter().map(|planned| {
            let dates = self.standing.dates.get(&planned.step.id);
            let left_out = dates.is_some_and(|dates| dates.basis == DateBasis::Skipped);
            let date = |window: Option<Window>| {
                vec![ours(if left_out {
                    "–".to_owned()
                } else {
                    self.window(window)
                })]
            };
            let mut start = date(dates.and_then(|dates| dates.start));
            if let Some(dates) = dates
                && dates.start.is_some()
            {
                start.push(ours(format!(" ({})", w.basis(dates.basis))));
            }
            vec![
                vec![self.title(planned)],
                self.state(&planned.step.id),
                start,
                date(dates.and_then(|dates| dates.end)),
                vec![ours(self.days(planned.step.days))],
            ]
        });
        Block::Table(head.map(|word| vec![ours(word)]).to_vec(), rows.collect())
    }

    fn state(&self, id: &StepId) -> Line {
        let w = self.words;
        let on = |words: &str, at: &Timestamp| vec![ours(format!("{words} {}", self.moment(*at)))];
        match self.standing.states.get(id) {
            None => vec![ours(w.unknown)],
            Some(StepState::Blocked { missing }) => self.labelled(w.blocked, self.names(missing)),
            Some(StepState::Ready) => vec![ours(w.ready)],
            Some(StepState::Running { since }) => on(w.running, since),
            Some(StepState::Proved { at, attested }) => {
                on(if *attested { w.attested } else { w.measured }, at)
            }
            Some(StepState::Failed { at }) => on(w.failed, at),
            Some(StepState::Stale { since }) => on(w.stale, since),
            Some(StepState::Skipped { why }) => self.labelled(w.skipped, vec![theirs(why)]),
        }
    }

    fn names(&self, ids: &[StepId]) -> Line {
        let mut line = Line::new();
        for id in ids {
            if !line.is_empty() {
                line.push(ours(", "));
            }
            line.push(match self.step(id) {
                Some(planned) => self.title(planned),
                None => theirs(id.as_str()),
            });
        }
        line
    }

    fn details(&self, planned: &PlannedStep) -> Vec<Line> {
        let w = self.words;
        let step = &planned.step;
        let mut lines = vec![
            self.labelled(w.why, vec![self.worded(planned, &step.why)]),
            self.labelled(w.state, self.state(&step.id)),
        ];
        let by = if step.check.is_some() {
            w.machine
        } else {
            w.person
        };
        lines.push(self.labelled(w.told_by, vec![ours(by)]));
        let traits = [
            (planned.own, w.own),
            (step.risky, w.risky),
            (step.undoable, w.undoable),
        ];
        for (has, word) in traits {
            if has {
                lines.push(vec![ours(word)]);
            }
        }
        if !step.needs.is_empty() {
            lines.push(self.labelled(w.needs, self.names(&step.needs)));
        }
        if let Some(days) = step.expires_after {
            let days = self.days(Days::from((days, days)));
            lines.push(self.labelled(w.expires, vec![ours(days)]));
        }
        if let Some(note) = &planned.note {
            lines.push(self.labelled(w.note, vec![theirs(note)]));
        }
        if let Some(proof) = self.standing.proofs.get(&step.id) {
            let found = format!("{}, {}", w.found(proof.verdict), self.moment(proof.at));
            let mut line = vec![ours(found)];
            match &proof.basis {
                Basis::Measured => line.push(ours(format!(", {}", w.machine))),
                Basis::Attested { by } => line.extend([ours(", "), theirs(by)]),
            }
            lines.push(self.labelled(w.proof, line));
            for piece in &proof.evidence {
                let pair = vec![theirs(&piece.name), ours(" = "), theirs(&piece.value)];
                lines.push(self.labelled(w.evidence, pair));
            }
        }
        lines
    }

    /// What was weighed for the plan.
    fn background(&self) -> Vec<Block> {
        let plan = Plan::built_in();
        let w = self.words;
        let heading = |text: &str| Block::Heading(2, vec![ours(text)]);
        let list = |of: &[Words]| Block::List(of.iter().map(|one| vec![self.both(one)]).collect());
        let risks = plan.risks.iter().map(|risk| {
            vec![
                vec![self.both(&risk.risk)],
                vec![ours(w.likelihood(risk.likelihood))],
                vec![ours(w.impact_of(risk.impact))],
                vec![self.both(&risk.mitigation)],
            ]
        });
        let head = [w.risk, w.likelihood, w.impact, w.mitigation];
        let mut blocks = vec![
            heading(w.resources),
            list(&plan.resources),
            heading(w.risks),
            Block::Table(head.map(|word| vec![ours(word)]).to_vec(), risks.collect()),
            heading(w.alternatives),
        ];
        for other in &plan.alternatives {
            let all = |of: &[Words]| {
                let texts: Vec<&str> = of
                    .iter()
                    .map(|one| one.in_language(self.language))
                    .collect();
                vec![ours(texts.join(" · "))]
            };
            blocks.push(Block::Heading(3, vec![self.both(&other.name)]));
            blocks.push(Block::List(vec![
                self.labelled(w.verdict, vec![ours(w.alternative(other.verdict))]),
                self.labelled(w.pros, all(&other.pros)),
                self.labelled(w.cons, all(&other.cons)),
            ]));
        }
        let calendar = plan.timeline.iter().map(|entry| {
            self.labelled(
                entry.when.in_language(self.language),
                vec![self.both(&entry.what)],
            )
        });
        blocks.extend([
            heading(w.timeline),
            Block::List(calendar.collect()),
            heading(w.meanwhile),
            list(&plan.meanwhile),
            heading(w.afterwards),
            list(&plan.afterwards),
        ]);
        blocks
    }
}
