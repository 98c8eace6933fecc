//! Whether a value can be what it is meant to be, and what is to be known about it.

use serde::{Deserialize, Serialize};

use super::{PlanField, Setting, path, words};
use crate::{
    ids::{GpuUuid, ServiceId},
    markup::is_disturbing,
    migration::{
        OwnPlan, Words, iis::Address, image::ImageRef, problem::excerpt, target::MAX_VALUE_CHARS,
    },
    service::KindId,
    suggest::nearest,
};

/// A service of the settings.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KnownService {
    /// Its id.
    pub id: ServiceId,
    /// What it is.
    pub kind: KindId,
    /// The port of its API.
    pub port: Option<u16>,
}

/// What is known of the place that a value is for.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Surroundings {
    /// The services of the settings.
    pub services: Vec<KnownService>,
    /// The cards that are seen; `None`: they cannot be read.
    pub cards: Option<Vec<GpuUuid>>,
    /// The names of the rules in the site's file; `None`: it cannot be read.
    pub rules: Option<Vec<String>>,
}

/// What is said of one value.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "specta", derive(specta::Type))]
pub struct FieldSaid {
    /// Of which.
    pub field: PlanField,
    /// Whether it is in the way: such a value is not written.
    pub wrong: bool,
    /// What is to be said.
    pub words: Words,
    /// What to do.
    pub remedy: Words,
}

/// What is to be said of values that are to be written into `plan`; those that are wrong are not.
pub fn judge_settings(
    settings: &[Setting],
    plan: &OwnPlan,
    around: &Surroundings,
) -> Vec<FieldSaid> {
    let will_be = |field: PlanField| {
        let set = settings.iter().rev().find(|setting| setting.field == field);
        set.map_or_else(|| field.of(plan), |setting| setting.value.clone())
    };
    let mut said = Vec::new();
    for Setting { field, value } in settings {
        let Some(value) = value else { continue };
        let mut say = |wrong: bool, (words, remedy): (Words, Words)| {
            said.push(FieldSaid {
                field: *field,
                wrong,
                words,
                remedy,
            });
        };
        if let Some(bad) = not_a_line(value) {
            say(true, bad);
            continue;
        }
        match field {
            PlanField::From => {
                if let Some(bad) = no_forge(value, around) {
                    say(true, bad);
                }
            }
            PlanField::To => match target(value, will_be(PlanField::From).as_deref(), around) {
                Some(Ok(remark)) => say(false, remark),
                Some(Err(bad)) => say(true, bad),
                None => {}
            },
            PlanField::Image => {
                if let Err(problem) = ImageRef::read(value) {
                    say(true, no_image(&problem.to_string()));
                }
            }
            PlanField::Port => match port(value) {
                None => say(true, no_port(value)),
                Some(port) => {
                    let to = will_be(PlanField::To);
                    if let Some(holder) = holder(port, to.as_deref(), around) {
                        say(false, port_taken(port, holder));
                    }
                }
            },
            PlanField::Gpu => match card(value, around) {
                Some(Ok(remark)) => say(false, remark),
                Some(Err(bad)) => say(true, bad),
                None => {}
            },
            PlanField::ComposeFile | PlanField::ExtraModelPaths => {
                if let Some(bad) = path::problem(value).or_else(|| no_yaml(value)) {
                    say(true, bad);
                }
            }
            PlanField::Models | PlanField::WebConfig => {
                if let Some(bad) = path::problem(value) {
                    say(true, bad);
                }
            }
            PlanField::PublicUrl | PlanField::RehearsalUrl => {
                if Address::read(value).is_err() {
                    say(true, no_address());
                }
            }
            PlanField::Rule | PlanField::RehearsalRule => {
                if let Some(remark) = no_rule(value, around) {
                    say(false, remark);
                }
            }
        }
    }
    let [rule, rehearsal] = [PlanField::Rule, PlanField::RehearsalRule].map(will_be);
    let named = |field| settings.iter().any(|setting| setting.field == field);
    if rule.is_some()
        && rule == rehearsal
        && (named(PlanField::Rule) || named(PlanField::RehearsalRule))
    {
        said.push(FieldSaid {
            field: if named(PlanField::RehearsalRule) {
                PlanField::RehearsalRule
            } else {
                PlanField::Rule
            },
            wrong: true,
            words: words(
                "The rehearsal cannot change the rule that people use.",
                "La répétition ne peut pas modifier la règle en service.",
            ),
            remedy: words("Name another rule.", "Nommer une autre règle."),
        });
    }
    said
}

type Said = (Words, Words);

fn not_a_line(value: &str) -> Option<Said> {
    if value.trim().is_empty() {
        let remedy = words(
            "Write what it is, or unset it.",
            "Indiquer une valeur, ou retirer la clé.",
        );
        return Some((words("Nothing is written.", "Rien n’est indiqué."), remedy));
    }
    if value.chars().any(is_disturbing) {
        return Some((
            words(
                "A control character is in it.",
                "Un caractère de contrôle s’y trouve.",
            ),
            words("Remove it.", "Le retirer."),
        ));
    }
    (value.chars().count() > MAX_VALUE_CHARS).then(|| {
        (
            words("It is too long.", "La valeur est trop longue."),
            words(
                format!("Shorten it to {MAX_VALUE_CHARS} characters."),
                format!("La raccourcir à {MAX_VALUE_CHARS} caractères."),
            ),
        )
    })
}

/// The remedy for a name that is no service of this kind.
fn instead(name: &str, kind: KindId, around: &Surroundings) -> Words {
    let of_kind = around.services.iter().filter(|known| known.kind == kind);
    let ids: Vec<&str> = of_kind.map(|known| known.id.as_str()).collect();
    match nearest(name, ids.iter().copied()) {
        Some(meant) => words(
            format!("Did you mean `{meant}`?"),
            format!("Vouliez-vous dire `{meant}`\u{202f}?"),
        ),
        None if ids.is_empty() => words(
            "Add the service to the settings first.",
            "Ajouter d’abord le service à la configuration.",
        ),
        None => words(
            format!("Write one of `{}`.", ids.join("`, `")),
            format!("Écrire l’un de `{}`.", ids.join("`, `")),
        ),
    }
}

fn no_forge(value: &str, around: &Surroundings) -> Option<Said> {
    let shown = excerpt(value);
    let remedy = || instead(value, KindId::Forge, around);
    match around
        .services
        .iter()
        .find(|known| known.id.as_str() == value)
    {
        Some(known) if known.kind == KindId::Forge => None,
        Some(_) => Some((
            words(
                format!("`{shown}` is no Forge service."),
                format!("`{shown}` n’est pas un service Forge."),
            ),
            remedy(),
        )),
        None => Some((
            words(
                format!("The settings have no service `{shown}`."),
                format!("La configuration n’a pas de service `{shown}`."),
            ),
            remedy(),
        )),
    }
}

/// The target may not be there yet: it is added when it is set up.
fn target(value: &str, from: Option<&str>, around: &Surroundings) -> Option<Result<Said, Said>> {
    let shown = excerpt(value);
    if from == Some(value) {
        return Some(Err((
            words(
                format!("`{shown}` is the service that is replaced."),
                format!("`{shown}` est le service remplacé."),
            ),
            instead("", KindId::Comfyui, around),
        )));
    }
    match around
        .services
        .iter()
        .find(|known| known.id.as_str() == value)
    {
        Some(known) if known.kind == KindId::Comfyui => None,
        Some(_) => Some(Err((
            words(
                format!("`{shown}` is no ComfyUI service."),
                format!("`{shown}` n’est pas un service ComfyUI."),
            ),
            instead(value, KindId::Comfyui, around),
        ))),
        None if ServiceId::new(value.to_owned()).is_err() => Some(Err((
            words(
                format!("`{shown}` cannot be the name of a service."),
                format!("`{shown}` ne peut pas nommer un service."),
            ),
            words(
                "Use letters, digits, `.`, `_` and `-`, at most 128.",
                "Employer lettres, chiffres, `.`, `_` et `-`, 128 au plus.",
            ),
        ))),
        None => Some(Ok((
            words(
                format!("The settings have no service `{shown}` yet."),
                format!("La configuration n’a pas encore de service `{shown}`."),
            ),
            words(
                "It is added when ComfyUI is set up beside Forge.",
                "Il est ajouté quand ComfyUI est installé à côté de Forge.",
            ),
        ))),
    }
}

fn no_image(problem: &str) -> Said {
    (
        words(
            format!("This names no image: {problem}."),
            format!("Ceci ne nomme aucune image\u{202f}: {problem}."),
        ),
        words(
            "Write it like `registry/owner/name:tag`.",
            "L’écrire comme `registre/propriétaire/nom:étiquette`.",
        ),
    )
}

/// The number of a port, as it is typed.
pub(in crate::migration) fn port(value: &str) -> Option<u16> {
    let digits = value.bytes().all(|byte| byte.is_ascii_digit());
    value.parse().ok().filter(|port| digits && *port > 0)
}

fn no_port(value: &str) -> Said {
    let shown = excerpt(value);
    (
        words(
            format!("`{shown}` is no port."),
            format!("`{shown}` n’est pas un port."),
        ),
        words(
            "Write a number from 1 to 65535; ComfyUI’s own is 8188.",
            "Écrire un nombre de 1 à 65535\u{202f}; celui de ComfyUI est 8188.",
        ),
    )
}

fn holder<'s>(port: u16, to: Option<&str>, around: &'s Surroundings) -> Option<&'s ServiceId> {
    let mut others = around.services.iter();
    let other = others.find(|known| known.port == Some(port) && to != Some(known.id.as_str()))?;
    Some(&other.id)
}

fn port_taken(port: u16, holder: &ServiceId) -> Said {
    (
        words(
            format!("`{holder}` answers on port {port}."),
            format!("`{holder}` répond sur le port {port}."),
        ),
        words(
            "On one machine they cannot have the same: choose another if they share it.",
            "Une même machine ne peut pas l’offrir deux fois\u{202f}: en choisir un autre si elle est commune.",
        ),
    )
}

/// A card that is not seen may be one that is not there yet.
fn card(value: &str, around: &Surroundings) -> Option<Result<Said, Said>> {
    const NO_CARD: &str = "none";
    if value == NO_CARD {
        return None;
    }
    let shown = excerpt(value);
    if GpuUuid::new(value.to_owned()).is_err() || value.contains(char::is_whitespace) {
        return Some(Err((
            words(
                format!("`{shown}` is no UUID of a card."),
                format!("`{shown}` n’est pas l’UUID d’une carte."),
            ),
            words(
                "Write it as `nvidia-smi -L` shows it, or `none` for the processor.",
                "L’écrire comme l’affiche `nvidia-smi -L`, ou `none` pour le processeur.",
            ),
        )));
    }
    let Some(cards) = &around.cards else {
        return Some(Ok((
            words(
                "The cards cannot be read now: whether this one is there is not known.",
                "Les cartes sont illisibles pour l’instant\u{202f}: on ignore si celle-ci est présente.",
            ),
            words("Check it later.", "Vérifier plus tard."),
        )));
    };
    if cards.iter().any(|card| card.as_str() == value) {
        return None;
    }
    let known: Vec<&str> = cards.iter().map(GpuUuid::as_str).collect();
    let known = known.join("`, `");
    Some(Ok((
        words(
            "No card with this UUID is seen.",
            "Aucune carte portant cet UUID n’est visible.",
        ),
        words(
            format!("Seen are: `{known}`."),
            format!("Cartes visibles\u{202f}: `{known}`."),
        ),
    )))
}

fn no_yaml(value: &str) -> Option<Said> {
    let end = value.rsplit('.').next().unwrap_or_default();
    let yaml = ["yaml", "yml"]
        .iter()
        .any(|known| end.eq_ignore_ascii_case(known));
    (!yaml).then(|| {
        (
            words("This is no YAML file.", "Ce n’est pas un fichier YAML."),
            words(
                "Write the file itself, ending in .yaml or .yml.",
                "Indiquer le fichier lui-même, en .yaml ou .yml.",
            ),
        )
    })
}

fn no_address() -> Said {
    (
        words("This is no address.", "Ce n’est pas une adresse."),
        words(
            "Write it like `https://host.example.org`, without a path.",
            "L’écrire comme `https://hote.exemple.org`, sans chemin.",
        ),
    )
}

fn no_rule(value: &str, around: &Surroundings) -> Option<Said> {
    let rules = around.rules.as_ref()?;
    if rules.iter().any(|rule| rule == value) {
        return None;
    }
    let known = rules
        .iter()
        .map(|rule| excerpt(rule))
        .collect::<Vec<_>>()
        .join("`, `");
    Some((
        words(
            "The site’s file has no rule of this name.",
            "Le fichier du site n’a pas de règle de ce nom.",
        ),
        words(
            format!("It has: `{known}`."),
            format!("Il contient\u{202f}: `{known}`."),
        ),
    ))
}
