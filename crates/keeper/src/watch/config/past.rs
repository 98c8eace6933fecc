//! How the settings were when they were last well: from the looks before, else from the snapshots.

use std::sync::Arc;

use forgekeeper_domain::{
    Timestamp,
    config::{
        ContainerRef, Content, Item, ItemState, PartId, Reading, Recipe, Snapshot, Values,
        checkpoint, read,
    },
    ids::{ServiceId, SnapshotId},
    logs::findings::Finding,
};

use crate::{
    config::{Stored, Vaults, place::Miss},
    docker::stat::FileStat,
};

/// Snapshots that are looked into.
const MOST: usize = 8;

/// The settings when they were last well.
#[derive(Debug, Clone)]
pub(super) struct Before {
    pub(super) values: Arc<Values>,
    /// When they were.
    pub(super) at: Timestamp,
    /// What lay set aside then.
    aside: WasAside,
    line: Line,
}

/// What lay set aside when the settings were last well.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum WasAside {
    NotKnown,
    Nothing,
    File(Aside),
}

/// A file that was set aside. Times are whole seconds: what came through a tar has no more.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Aside {
    bytes: u64,
    second: i64,
}

/// What the log had said by then of settings that were set aside.
#[derive(Debug, Clone)]
enum Line {
    /// Nothing.
    Nothing,
    /// This message, by the time of its last line.
    Said(Option<Timestamp>),
    /// Nothing that is older than this counts.
    Until(Timestamp),
}

impl From<FileStat> for Aside {
    fn from(stat: FileStat) -> Self {
        Self {
            bytes: stat.bytes,
            second: stat.modified_at.as_second(),
        }
    }
}

impl Before {
    /// As seen now.
    pub(super) fn seen(
        values: Arc<Values>,
        at: Timestamp,
        aside: Result<Option<FileStat>, &Miss>,
        said: Option<&Finding>,
    ) -> Self {
        Self {
            values,
            at,
            aside: match aside {
                Ok(Some(stat)) => WasAside::File(stat.into()),
                Ok(None) => WasAside::Nothing,
                Err(_) => WasAside::NotKnown,
            },
            line: said.map_or(Line::Nothing, |finding| Line::Said(finding.last)),
        }
    }

    /// Whether this file was set aside since.
    pub(super) fn is_new_aside(&self, stat: FileStat) -> bool {
        match self.aside {
            WasAside::NotKnown => false,
            WasAside::Nothing => true,
            WasAside::File(before) => before != stat.into(),
        }
    }

    /// Whether the log said this since.
    pub(super) fn is_new_line(&self, said: &Finding) -> bool {
        match &self.line {
            Line::Nothing => true,
            Line::Said(before) => *before != said.last,
            Line::Until(at) => said.last.is_none_or(|last| last > *at),
        }
    }
}

/// A snapshot in which the settings were well.
#[derive(Debug, Clone)]
pub(super) struct Kept {
    pub(super) id: SnapshotId,
    pub(super) before: Before,
    /// Whether somebody pinned it since.
    pub(super) pinned: bool,
}

/// The newest snapshot that is good for a comparison with what the container is now: taken while the
/// service was well, or pinned since, which says that its settings are meant.
pub(super) async fn newest(
    vaults: &Vaults,
    service: &ServiceId,
    recipe: &Recipe,
    pinned_since: Option<Timestamp>,
) -> Option<Kept> {
    let all = match vaults.list().await {
        Ok(all) => all,
        Err(error) => {
            tracing::warn!(%service, %error, "snapshots cannot be listed");
            return None;
        }
    };
    let now = ContainerRef::of(recipe);
    let fits = all.into_iter().filter_map(|one| match one.stored {
        Stored::Whole { snapshot, pinned } => {
            let taken = pinned && pinned_since.is_some_and(|since| snapshot.taken_at > since);
            let good = snapshot.is_good() || taken;
            (snapshot.service == *service && good && same_place(&snapshot, &now))
                .then_some((one.id, snapshot, taken))
        }
        Stored::Damaged { .. } => None,
    });
    let mut without_model = None;
    for (id, snapshot, taken) in fits.take(MOST) {
        let Some(before) = of_snapshot(vaults, &snapshot).await else {
            continue;
        };
        let chosen = checkpoint(&before.values).is_some();
        let kept = Kept {
            id,
            before,
            pinned: taken,
        };
        // Between the loss of a model and its discovery one may have been taken.
        if chosen || taken {
            return Some(kept);
        }
        without_model.get_or_insert(kept);
    }
    without_model
}

/// Whether the settings of then and now are in the same place.
fn same_place(snapshot: &Snapshot, now: &ContainerRef) -> bool {
    snapshot.container.as_ref().is_some_and(|then| {
        then.workspace == now.workspace && (now.workspace.is_some() || then.id == now.id)
    })
}

async fn of_snapshot(vaults: &Vaults, snapshot: &Snapshot) -> Option<Before> {
    let item = |part: PartId| {
        let mut items = snapshot.items.iter();
        items.find(|item: &&Item| item.part == part)
    };
    let content = item(PartId::ForgeConfig)?.state.content()?.clone();
    let address = content.address.clone();
    let bytes = vaults
        .bytes(vec![content])
        .await
        .ok()?
        .remove(&address)?
        .ok()?;
    let format = PartId::ForgeConfig.part().format;
    let reading = tokio::task::spawn_blocking(move || read(format, &bytes)).await;
    let Ok(Reading::Keys(values)) = reading else {
        return None;
    };
    let of = |content: &Content| {
        Some(Aside {
            bytes: content.bytes.into(),
            second: content.modified_at?.as_second(),
        })
    };
    let aside = match &item(PartId::ForgeConfigMoved)?.state {
        ItemState::Absent => WasAside::Nothing,
        ItemState::Kept(content) | ItemState::InMemory(content) => {
            of(content).map_or(WasAside::NotKnown, WasAside::File)
        }
        ItemState::NotReadable { .. } => WasAside::NotKnown,
    };
    Some(Before {
        values: Arc::new(values),
        at: snapshot.taken_at,
        aside,
        line: Line::Until(snapshot.taken_at),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use forgekeeper_domain::logs::{
        LogLevel,
        signature::{Blocking, Severity},
    };

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(1_800_000_000 + second).expect("a time")
    }

    fn said(last: Option<i64>) -> Finding {
        Finding {
            id: "forge.config-corrupt".to_owned(),
            severity: Severity::Error,
            blocking: Blocking::No,
            count: 1,
            first: None,
            last: last.map(at),
            level: LogLevel::Error,
            text: "a line".to_owned(),
            program: None,
            names: Vec::new(),
            open: true,
        }
    }

    fn file(bytes: u64, second: i64) -> FileStat {
        FileStat {
            bytes,
            modified_at: at(second),
        }
    }

    #[test]
    fn a_line_and_a_file_count_only_when_they_came_since() {
        let none = || Arc::new(Values::new());
        let calm = Before::seen(none(), at(0), Ok(None), None);
        assert!(calm.is_new_line(&said(Some(-50))), "it was read late");
        assert!(calm.is_new_aside(file(10, -50)), "it keeps its old time");
        let old = Ok(Some(file(10, -50)));
        let settled = Before::seen(none(), at(0), old, Some(&said(Some(-50))));
        assert!(!settled.is_new_line(&said(Some(-50))));
        assert!(settled.is_new_line(&said(Some(5))));
        assert!(!settled.is_new_aside(file(10, -50)));
        assert!(settled.is_new_aside(file(11, -50)));
        let unread = Before::seen(none(), at(0), Err(&Miss::Absent), None);
        assert!(!unread.is_new_aside(file(10, 5)), "nobody knows");
        let snapshot = Before {
            line: Line::Until(at(0)),
            ..calm
        };
        assert!(!snapshot.is_new_line(&said(Some(-50))));
        assert!(snapshot.is_new_line(&said(Some(5))));
        assert!(snapshot.is_new_line(&said(None)));
    }
}
