//! Changes in words, in English: for the command line, the journal and reports.

use super::{Certainty, Change, Origin, PartDrift, PartFinding, Side, Uncomparable};

/// A key as it is shown.
pub fn key_text(key: &[String]) -> String {
    if key.is_empty() {
        "(the whole)".to_owned()
    } else {
        key.join(" › ")
    }
}

/// One part in words: its finding, then each change.
pub fn describe(part: &PartDrift) -> Vec<String> {
    let side = |side: Side| match side {
        Side::Before => "older",
        Side::After => "younger",
    };
    let head = match &part.finding {
        PartFinding::Changed => None,
        PartFinding::SameValues => Some("other bytes, the same values".to_owned()),
        PartFinding::Moved => Some("the same lines in another order".to_owned()),
        PartFinding::Bytes { before, after } => {
            let mut problems = Vec::new();
            for (name, problem) in [("before", before), ("after", after)] {
                problems.extend(problem.as_ref().map(|words| format!("{name}: {words}")));
            }
            Some(format!(
                "compared byte for byte, and differs ({})",
                problems.join("; ")
            ))
        }
        PartFinding::Appeared => Some("new".to_owned()),
        PartFinding::Vanished => Some("gone".to_owned()),
        PartFinding::NotRead {
            side: which, words, ..
        } => Some(format!(
            "not known: not readable for the {} snapshot ({words})",
            side(*which)
        )),
        PartFinding::NotComparable { side: which, why } => Some(format!(
            "not known: the {} snapshot's bytes {}",
            side(*which),
            match why {
                Uncomparable::Missing => "are gone",
                Uncomparable::Damaged => "are damaged",
                Uncomparable::Sealed => "are sealed with a key that is not there",
                Uncomparable::NotKept => "were not kept: there was no keyring",
            }
        )),
    };
    let mut lines = Vec::new();
    if let Some(head) = head {
        let by = part.origin.as_ref().map(by).unwrap_or_default();
        lines.push(format!("{head}{by}"));
    }
    lines.extend(part.changes.iter().map(change));
    if part.more > 0 {
        lines.push(format!("and {} more", part.more));
    }
    lines
}

fn change(change: &Change) -> String {
    let key = key_text(&change.key);
    let what = match (&change.old, &change.new) {
        (Some(old), Some(new)) if old == new => format!("{key}: changed ({new})"),
        (Some(old), Some(new)) => format!("{key}: {old} → {new}"),
        (None, Some(new)) => format!("{key}: new, {new}"),
        (Some(old), None) => format!("{key}: gone, was {old}"),
        (None, None) => key,
    };
    format!("{what}{}", by(&change.origin))
}

fn by(origin: &super::Attribution) -> String {
    let who = match origin.by {
        Origin::Us => "by Forgekeeper",
        Origin::WorkspaceNotMounted => "the workspace is not mounted",
        Origin::SecondWriter => "another service writes the same workspace",
        Origin::WorkspaceMoved => "the workspace is mounted from elsewhere",
        Origin::CrashReset => "reset: the settings could not be read",
        Origin::ApiCall => "by a request to the API",
        Origin::ImageChanged => "with another image",
        Origin::EnvironmentChanged => "the environment was changed",
        Origin::ContainerRecreated => "the container was made anew",
        Origin::FileEdited => "the file was edited",
        Origin::Updated => "updated",
        Origin::Ui => "by its page",
        Origin::UiOrApi => "by its page or its API",
        Origin::Unknown => return " [origin unknown]".to_owned(),
    };
    let sure = match origin.certainty {
        Certainty::Proved => "",
        Certainty::Likely | Certainty::Unknown => "probably ",
    };
    match &origin.evidence {
        Some(evidence) => format!(" [{sure}{who}: {evidence}]"),
        None => format!(" [{sure}{who}]"),
    }
}
