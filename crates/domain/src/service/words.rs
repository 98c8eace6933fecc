//! What speaks for a kind, and how much: shared by the rows of [`super::KINDS`].
//!
//! A word counts only where it stands between boundaries: `forge` is no part of `forgejo`.

use super::Recognition;
use crate::{container::ContainerSnapshot, discovery::Clue};

/// The image reference names the program: nobody calls something else so.
const IMAGE: u32 = 100;
/// A label of the image does: as good, but a rebuilt image may carry its base's labels.
const LABEL: u32 = 80;
/// The command starts the program.
const COMMAND: u32 = 50;
/// A variable that only images of this kind read.
const ENVIRONMENT: u32 = 40;
/// A name that somebody chose for the compose service.
const COMPOSE: u32 = 30;
/// A port that the kind uses, as do many others.
const PORT: u32 = 10;

const TITLE: &str = "org.opencontainers.image.title";
const SOURCE: &str = "org.opencontainers.image.source";

/// Words that speak for one kind, in lower case.
#[derive(Debug)]
pub(super) struct Words {
    /// In image references and their labels, as `-`, `_` and `.` cut them into parts.
    pub(super) image: &'static [&'static str],
    /// In the command; a word with a dot is a whole file name.
    pub(super) command: &'static [&'static str],
    /// Whole names of environment variables.
    pub(super) environment: &'static [&'static str],
    /// Whole names of compose services.
    pub(super) compose: &'static [&'static str],
    /// Ports inside the container.
    pub(super) ports: &'static [u16],
}

/// Everything that speaks for a kind. A port alone is a clue of its own, and called weak.
pub(super) fn clues(container: &ContainerSnapshot, words: &Words) -> Option<Recognition> {
    let mut found = Recognition {
        score: 0,
        why: Vec::new(),
    };
    let mut speaks = |score: u32, clue: Clue| {
        found.score += score;
        found.why.push(clue);
    };
    if let Some(word) = word_in(&container.image, words.image) {
        let image = container.image.clone();
        speaks(IMAGE, Clue::Image { image, word });
    }
    let labels = [
        (TITLE, &container.image_title),
        (SOURCE, &container.image_source),
    ];
    // Title and source of one image say the same: they count once.
    if let Some((name, word)) = labels
        .iter()
        .find_map(|(name, text)| Some((*name, word_in(text.as_deref()?, words.image)?)))
    {
        let name = name.to_owned();
        speaks(LABEL, Clue::Label { name, word });
    }
    let command = container
        .command
        .iter()
        .find_map(|part| word_in(part, words.command));
    if let Some(word) = command {
        speaks(COMMAND, Clue::Command { word });
    }
    let has = |name: &&&str| container.env_names.iter().any(|n| n == **name);
    if let Some(name) = words.environment.iter().find(has) {
        let name = (*name).to_owned();
        speaks(ENVIRONMENT, Clue::Environment { name });
    }
    if let Some(service) = container.compose_service.as_deref()
        && let Some(word) = words
            .compose
            .iter()
            .find(|w| w.eq_ignore_ascii_case(service))
    {
        let word = (*word).to_owned();
        speaks(COMPOSE, Clue::Compose { word });
    }
    let port = words
        .ports
        .iter()
        .find(|p| container.ports.iter().any(|b| b.container_port == **p));
    if let Some(port) = port.copied() {
        let alone = found.why.is_empty();
        found.score += PORT;
        found.why.push(if alone {
            Clue::PortAlone { port }
        } else {
            Clue::Port { port }
        });
    }
    (found.score > 0).then_some(found)
}

/// The first of the words that stands within a component of the text.
fn word_in(text: &str, words: &[&str]) -> Option<String> {
    let text = text.to_ascii_lowercase();
    // What follows the digest sign is a number.
    let text = text.split("@sha256:").next().unwrap_or_default();
    let boundary = |c: char| c.is_whitespace() || "/:@=\"'(),;".contains(c);
    let components: Vec<&str> = text.split(boundary).filter(|c| !c.is_empty()).collect();
    words
        .iter()
        .find(|word| components.iter().any(|component| holds(component, word)))
        .map(|word| (*word).to_owned())
}

/// A file name is the whole component; another word is a run of its parts.
fn holds(component: &str, word: &str) -> bool {
    if word.contains('.') {
        return component == word;
    }
    let part = ['-', '_', '.'];
    let have: Vec<&str> = component.split(part).collect();
    let want: Vec<&str> = word.split(part).collect();
    have.windows(want.len()).any(|run| run == want)
}
