//! The user's own rules for logs, from the outside.

use std::sync::Arc;

use forgekeeper_domain::{
    Timestamp,
    error::{ErrorCode, ErrorInfo},
    ids::ServiceId,
    logs::{
        LineFilter, LogQuery,
        rules::{
            DraftFault, Language, RuleDraft, RulesEdit, RulesInForce, Silence, draft_from_line,
        },
        signature::Signature,
    },
};
use tokio::sync::{mpsc, watch};

use super::KeeperHandle;
use crate::{
    logs::Tried,
    rules::{RuleTest, RulesSnapshot, RulesView},
    sys::{clock, tasks::Tasks},
    watch::facts::Report,
};

/// Lines that a test shows.
const TEST_SAMPLES: usize = 20;

impl KeeperHandle {
    /// The rules in force at this moment.
    pub fn rules_in_force(&self) -> Arc<RulesInForce> {
        self.inner.own_rules.snapshot(clock::now()).in_force
    }

    /// What a query asks for, where messages are as grave as the rules in force say.
    pub(super) fn filter(&self, query: &LogQuery) -> Result<LineFilter, ErrorInfo> {
        Ok(LineFilter::compile(query)?.knowing(&self.rules_in_force()))
    }

    /// Every known message, own rules first.
    pub fn signatures(&self) -> Vec<Signature> {
        let rules = self.rules_in_force();
        rules.signatures().iter().cloned().collect()
    }

    /// The rules file and what is in it.
    pub fn rules(&self) -> RulesView {
        self.inner.own_rules.view(clock::now())
    }

    /// What a draft would name of the lines that are held of a service, and what is wrong with it.
    pub async fn test_rule(
        &self,
        id: &ServiceId,
        draft: RuleDraft,
        replaces: Option<String>,
    ) -> Result<RuleTest, ErrorInfo> {
        let log = self.log_of(id)?;
        let rules = self.inner.own_rules.clone();
        // An expression over all that is held takes a while.
        let tested = tokio::task::spawn_blocking(move || {
            let faults = rules.faults(&draft, replaces.as_deref());
            let tried = log.try_pattern(&draft.pattern, TEST_SAMPLES);
            // What is wrong with the pattern is among the faults.
            let tried = tried.unwrap_or_else(|_: DraftFault| Tried::default());
            let count = |n: usize| u32::try_from(n).unwrap_or(u32::MAX);
            RuleTest {
                looked: count(tried.looked),
                count: count(tried.count),
                samples: tried.newest,
                faults,
            }
        });
        tested
            .await
            .map_err(|_| ErrorInfo::new(ErrorCode::Cancelled, "the program is ending"))
    }

    /// Adds a rule, or changes the one that it `replaces`.
    pub fn save_rule(&self, draft: RuleDraft, replaces: Option<String>) -> Result<(), ErrorInfo> {
        self.change_rules(&RulesEdit::Save {
            draft: Box::new(draft),
            replaces,
        })
    }

    /// Takes a rule out of the file, with its silence.
    pub fn remove_rule(&self, id: String) -> Result<(), ErrorInfo> {
        self.change_rules(&RulesEdit::Remove(id))
    }

    /// Silences a signature until a moment that is still to come.
    pub fn silence(&self, id: String, until: Timestamp) -> Result<(), ErrorInfo> {
        if self.rules_in_force().signatures().index_of(&id).is_none() {
            return Err(ErrorInfo::new(
                ErrorCode::BadRequest,
                format!("no signature is called `{id}`"),
            )
            .hint("It may have been removed meanwhile; look again."));
        }
        if until <= clock::now() {
            return Err(
                ErrorInfo::new(ErrorCode::BadRequest, "a silence cannot end in the past")
                    .hint("Choose a later day."),
            );
        }
        self.change_rules(&RulesEdit::Silence(Silence { id, until }))
    }

    /// Ends a silence.
    pub fn unsilence(&self, id: String) -> Result<(), ErrorInfo> {
        self.change_rules(&RulesEdit::Unsilence(id))
    }

    /// A draft of a rule that names a line and its like.
    pub fn rule_from_line(&self, text: &str, language: Language) -> Result<RuleDraft, ErrorInfo> {
        let rules = &self.inner.own_rules;
        draft_from_line(text, language, |id| rules.has(id)).ok_or_else(|| {
            ErrorInfo::new(ErrorCode::BadRequest, "this line has no text")
                .hint("Choose a line with words in it.")
        })
    }

    fn change_rules(&self, change: &RulesEdit) -> Result<(), ErrorInfo> {
        self.inner.own_rules.apply(change, clock::now())
    }
}

/// Tells the overseer of the rules file.
pub(super) fn tell(
    tasks: &Tasks,
    mut rules: watch::Receiver<RulesSnapshot>,
    reports: mpsc::Sender<Report>,
) {
    let stop = tasks.token();
    tasks.spawn("rules status", async move {
        loop {
            let status = rules.borrow_and_update().status.clone();
            tokio::select! {
                () = stop.cancelled() => return,
                sent = reports.send(Report::Rules(status)) => if sent.is_err() { return }
            }
            tokio::select! {
                () = stop.cancelled() => return,
                changed = rules.changed() => if changed.is_err() { return }
            }
        }
    });
}
