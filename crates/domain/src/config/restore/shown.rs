//! What a plan shows of each write, and what has to be minded.

use std::collections::BTreeMap;

use super::{
    Caution, Deed, Effect, FilePlan, RestoreFacts, RestorePlan, RestoredValue, WhyLeft, Write,
    way_of,
};
use crate::config::{
    Content, FORMAT, Item, ItemState, OriginFacts, PartFinding, Reason, Snapshot, Uncomparable,
    Via, drift,
};

/// Now and then side by side, by the same rules as any comparison of two snapshots.
pub(super) fn shown(write: &Write, facts: &RestoreFacts<'_>) -> FilePlan {
    let (now, then) = ("now", "then");
    let mut bytes = BTreeMap::new();
    let mut snapshot = |address: &str, found: &Option<Vec<u8>>| {
        let state = match found {
            None => ItemState::Absent,
            Some(found) => {
                bytes.insert(address.to_owned(), Ok(found.clone()));
                ItemState::Kept(Content {
                    address: address.to_owned(),
                    bytes: 0,
                    mode: None,
                    modified_at: None,
                    via: Via::Local,
                    key: None,
                })
            }
        };
        Snapshot {
            format: FORMAT,
            service: facts.snapshot.service.clone(),
            kind: facts.snapshot.kind,
            taken_at: facts.at,
            reason: Reason::BeforeAction,
            note: None,
            healthy: None,
            container: None,
            items: vec![Item {
                part: write.part,
                path: write.path.clone(),
                state,
            }],
        }
    };
    let both = [&snapshot(now, &write.before), &snapshot(then, &write.after)];
    let ids = [facts.id, facts.id];
    let found = drift(ids, both, &OriginFacts::default(), &bytes)
        .parts
        .pop();
    let way = way_of(write.part);
    let (finding, changes, more) = found
        .map_or((PartFinding::SameValues, Vec::new(), 0), |found| {
            (found.finding, found.changes, found.more)
        });
    let length = write.after.as_ref().map_or(0, Vec::len);
    FilePlan {
        part: write.part,
        path: write.path.clone(),
        deed: match (&write.before, &write.after) {
            (_, None) => Deed::Remove,
            (None, Some(_)) => Deed::Create,
            (Some(_), Some(_)) => Deed::Replace,
        },
        finding,
        values: changes
            .into_iter()
            .map(|change| RestoredValue {
                key: change.key,
                now: change.old,
                then: change.new,
                masked: change.masked,
            })
            .collect(),
        more,
        bytes: u32::try_from(length).unwrap_or(u32::MAX),
        effect: way.map_or(Effect::AtStart, |way| way.effect),
        writer: way.is_some_and(|way| way.writer),
    }
}

pub(super) fn cautions(plan: &RestorePlan, facts: &RestoreFacts<'_>) -> Vec<Caution> {
    let mut all = Vec::new();
    if plan.files.is_empty() {
        return all;
    }
    // An undo goes back to what was there, however that was.
    if facts.snapshot.healthy != Some(true) && !facts.undo {
        all.push(Caution::NotGood);
    }
    let below = plan
        .files
        .iter()
        .any(|file| file.part.part().in_workspace());
    let Some(now) = facts.container.filter(|_| below) else {
        return all;
    };
    let then = facts.snapshot.container.as_ref();
    if now.workspace.is_none() {
        all.push(Caution::WorkspaceNotMounted);
    } else if let Some(then) = then.filter(|then| then.workspace != now.workspace) {
        all.push(Caution::WorkspaceMoved {
            then: then.workspace.clone(),
            now: now.workspace.clone(),
        });
    }
    if !now.shared_with.is_empty() {
        all.push(Caution::Shared {
            services: now.shared_with.clone(),
        });
    }
    all
}

pub(super) fn why(why: Uncomparable) -> WhyLeft {
    match why {
        Uncomparable::Missing => WhyLeft::Gone,
        Uncomparable::Damaged => WhyLeft::Damaged,
        Uncomparable::Sealed => WhyLeft::Sealed,
        Uncomparable::NotKept => WhyLeft::NotKept,
    }
}
