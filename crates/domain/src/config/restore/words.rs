//! A plan in words, in English: for the command line and the journal.

use super::{Caution, Deed, Effect, FilePlan, Left, RestorePlan, RestoredValue, WhyLeft};
use crate::config::{PartFinding, key_text};

/// A plan in words, line by line.
pub fn describe_restore(plan: &RestorePlan) -> Vec<String> {
    let mut lines = Vec::new();
    for file in &plan.files {
        lines.push(format!("{}  {}", file.part.as_str(), file.path));
        lines.extend(file_lines(file).into_iter().map(|line| format!("  {line}")));
    }
    for left in &plan.left {
        lines.push(format!("{}  {}", left.part.as_str(), left.path));
        lines.extend(left_lines(left).into_iter().map(|line| format!("  {line}")));
    }
    lines.extend(
        plan.cautions
            .iter()
            .map(|caution| format!("! {}", caution_words(caution))),
    );
    if plan.unchanged > 0 {
        lines.push(format!("{} the same already", plan.unchanged));
    }
    lines
}

fn file_lines(file: &FilePlan) -> Vec<String> {
    let head = match (file.deed, &file.finding) {
        (Deed::Create, _) => format!("is made: {} bytes", file.bytes),
        (Deed::Remove, _) => "is removed: it was not there".to_owned(),
        (Deed::Replace, PartFinding::SameValues) => "other bytes, the same values".to_owned(),
        (Deed::Replace, PartFinding::Moved) => "the same lines in another order".to_owned(),
        (Deed::Replace, PartFinding::Bytes { before, .. }) => match before {
            Some(words) => format!("is replaced as a whole; now it is {words}"),
            None => "is replaced as a whole".to_owned(),
        },
        (Deed::Replace, _) => "is put back:".to_owned(),
    };
    let mut lines = vec![head];
    lines.extend(file.values.iter().map(value));
    if file.more > 0 {
        lines.push(format!("and {} more", file.more));
    }
    lines.extend(match file.effect {
        Effect::AtOnce => None,
        // Its program is stopped for it, and starts with it.
        Effect::AtStart if file.writer => None,
        Effect::AtStart => Some("counts from the next start of the program on".to_owned()),
        Effect::AtRecreate => {
            Some("counts when the container is made anew: docker compose up -d".to_owned())
        }
    });
    lines
}

fn value(value: &RestoredValue) -> String {
    let key = key_text(&value.key);
    match (&value.now, &value.then) {
        (Some(now), Some(then)) if now == then => format!("{key}: as it was ({then})"),
        (Some(now), Some(then)) => format!("{key}: {now} → {then}"),
        (None, Some(then)) => format!("{key}: again {then}"),
        (Some(now), None) => format!("{key}: goes, is {now}"),
        (None, None) => key,
    }
}

fn left_lines(left: &Left) -> Vec<String> {
    let head = match left.why {
        WhyLeft::NotInSnapshot => "stays: the snapshot has no such part",
        WhyLeft::NotReadThen => "stays: it could not be read when the snapshot was taken",
        WhyLeft::NotKept => "stays: it was held in memory only, for want of a keyring",
        WhyLeft::Gone => "stays: the snapshot's bytes are gone",
        WhyLeft::Damaged => "stays: the snapshot's bytes are damaged",
        WhyLeft::Sealed => "stays: the snapshot's bytes are sealed with a key that is not there",
        WhyLeft::WasBroken => "stays: it was half a file when the snapshot was taken",
        WhyLeft::WasNotThere => "stays: it was not there when the snapshot was taken",
        WhyLeft::NotReadNow => "stays: what is there now cannot be read",
        WhyLeft::PlaceUnknown => "stays: nothing tells where it belongs by now",
        WhyLeft::OfContainer => "stays: put the compose file back and run docker compose up -d",
        WhyLeft::OfEnvironment => {
            "stays: put the compose and env files back and run docker compose up -d"
        }
        WhyLeft::OfCheckouts => "stays: check these commits out by hand (- was not there)",
        WhyLeft::OfApi => "stays: it follows the settings file when the program starts",
        WhyLeft::MovedAway => "stays: it is what the program moved away; put its settings back",
        WhyLeft::NoFileNow => "stays: there is no file to set a key in; put the whole file back",
        WhyLeft::BrokenNow => "stays: the present file cannot be read; put the whole file back",
        WhyLeft::NoSuchKey => "stays: there is no such key, neither now nor then",
        WhyLeft::KeyTwice => "stays: the file names this key twice; put the whole file back",
        WhyLeft::OtherShape => {
            "stays: what is around this key has changed; put the key above it back"
        }
        WhyLeft::NoKeys => "stays: it has no keys; put the whole file back",
        WhyLeft::SameAlready => "is the same already",
        WhyLeft::TooLong => "stays: it would be too long",
    };
    let words = left.words.as_ref().map(|words| format!(" ({words})"));
    let mut lines = vec![format!("{head}{}", words.unwrap_or_default())];
    lines.extend(left.to_do.iter().map(|line| format!("  {line}")));
    lines
}

fn caution_words(caution: &Caution) -> String {
    let none = "none";
    match caution {
        Caution::NotGood => {
            "the service was not known to be well when the snapshot was taken".to_owned()
        }
        Caution::WorkspaceNotMounted => {
            "the workspace is not mounted: what is put back goes with the container".to_owned()
        }
        Caution::WorkspaceMoved { then, now } => format!(
            "another workspace is mounted than then: {} instead of {}",
            now.as_deref().unwrap_or(none),
            then.as_deref().unwrap_or(none)
        ),
        Caution::Shared { services } => format!(
            "the same workspace is used by {}, which is not stopped and may write over it",
            services.join(", ")
        ),
    }
}
