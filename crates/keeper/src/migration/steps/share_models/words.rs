//! What the step says, in both languages.

use std::path::Path;

use forgekeeper_domain::{
    action::Refusal,
    error::{ErrorCode, ErrorInfo},
    ids::ServiceId,
    migration::Words,
    models::{YamlFault, YamlProblem},
};

pub(super) fn error(error: &ErrorInfo) -> Words {
    Words::both(
        format!("It could not be looked at: {error}."),
        format!("Impossible à examiner\u{202f}: {error}."),
    )
}

pub(super) fn not_there(names: &[&str], of: usize) -> Words {
    let list = names.join(", ");
    let (more_en, more_fr) = match of.saturating_sub(names.len()) {
        0 => (String::new(), String::new()),
        more => (format!(" and {more} more"), format!(" et {more} autres")),
    };
    Words::both(
        format!(
            "ComfyUI does not list these models of Forge, or lists others of their names: {list}{more_en}."
        ),
        format!(
            "ComfyUI ne liste pas ces modèles de Forge, ou en liste d’autres sous ces noms\u{202f}: {list}{more_fr}."
        ),
    )
}

pub(super) fn not_told(lists: &[&str]) -> Words {
    if lists.is_empty() {
        return Words::both(
            "Forge lists no model at all, which proves nothing.",
            "Forge ne liste aucun modèle, ce qui ne prouve rien.",
        );
    }
    let lists = lists.join(", ");
    Words::both(
        format!("These lists were not told, and prove nothing: {lists}."),
        format!("Ces listes n’ont pas été communiquées et ne prouvent rien\u{202f}: {lists}."),
    )
}

pub(super) fn mounts_unknown() -> Words {
    Words::both(
        "What ComfyUI’s container has mounted is not known: its engine does not answer, or there is no such container.",
        "On ne sait pas ce que monte le conteneur de ComfyUI\u{202f}: son moteur ne répond pas, ou le conteneur n’existe pas.",
    )
}

pub(super) fn not_reached(why: &str) -> Words {
    Words::both(
        format!("Forge’s folders are not known: {why}."),
        format!("Les dossiers de Forge ne sont pas connus\u{202f}: {why}."),
    )
}

pub(super) fn writable(target: &str) -> Words {
    Words::both(
        format!(
            "ComfyUI’s container may write to the shared models ({target}): mount them with `:ro`."
        ),
        format!(
            "Le conteneur de ComfyUI peut écrire dans les modèles partagés ({target})\u{202f}: les monter avec `:ro`."
        ),
    )
}

pub(super) fn not_mounted(path: &str) -> Words {
    Words::both(
        format!("ComfyUI’s container does not see {path}: mount it read-only in its compose file."),
        format!(
            "Le conteneur de ComfyUI ne voit pas {path}\u{202f}: le monter en lecture seule dans son fichier compose."
        ),
    )
}

pub(super) fn not_read(path: &str) -> Words {
    Words::both(
        format!(
            "ComfyUI does not read {path}: it is neither beside its main.py nor named by --extra-model-paths-config."
        ),
        format!(
            "ComfyUI ne lit pas {path}\u{202f}: ce n’est ni à côté de son main.py ni le fichier nommé par --extra-model-paths-config."
        ),
    )
}

pub(super) fn not_readable(path: &Path, error: &std::io::Error) -> ErrorInfo {
    ErrorInfo::new(
        ErrorCode::Io,
        format!("{} could not be read", path.display()),
    )
    .detail(error.to_string())
}

pub(super) fn nothing_to_share() -> Words {
    Words::both(
        "ComfyUI’s container sees none of Forge’s folders of models.",
        "Le conteneur de ComfyUI ne voit aucun des dossiers de modèles de Forge.",
    )
}

/// A problem of the file, with its line and what to do.
pub(super) fn yaml(path: &str, problem: &YamlProblem) -> Words {
    let line = problem
        .line
        .map_or_else(String::new, |line| format!(":{line}"));
    let remedy = problem.remedy();
    let (what, todo) = match problem.fault {
        YamlFault::Syntax => (
            "ce n’est pas du YAML valide",
            "corriger la ligne\u{202f}; ComfyUI ne peut pas non plus lire le fichier",
        ),
        YamlFault::NotText => (
            "ce n’est pas du texte en UTF-8",
            "enregistrer le fichier en UTF-8",
        ),
        YamlFault::TooMuch => (
            "le fichier est trop long ou trop imbriqué",
            "déplacer le fichier pour qu’un nouveau soit écrit",
        ),
        YamlFault::Anchor => (
            "le fichier utilise une ancre ou un alias",
            "écrire la valeur en entier au lieu de `&` et `*`",
        ),
        YamlFault::Tag => (
            "le fichier utilise une étiquette",
            "retirer le mot qui commence par `!`",
        ),
        YamlFault::Documents => (
            "le fichier contient plusieurs documents",
            "n’en garder qu’un\u{202f}: retirer les lignes `---` ou `...` suivantes",
        ),
        YamlFault::NotSections => (
            "le fichier ne contient pas de sections",
            "écrire des sections telles que `a111:`, avec leurs clés en dessous",
        ),
        YamlFault::Braces => (
            "les sections sont entre accolades",
            "les écrire en lignes indentées",
        ),
        YamlFault::Twice => ("une section y figure deux fois", "retirer l’une des deux"),
        YamlFault::NotReadBack => (
            "le fichier ne se relirait pas comme prévu",
            "déplacer la section `forgekeeper:` à la fin du fichier, ou la retirer",
        ),
        YamlFault::Path => (
            "ComfyUI lirait un chemin autrement qu’il n’est écrit",
            "renommer le dossier sans `$`, tilde initial ni caractères de contrôle",
        ),
    };
    Words::both(
        format!("{path}{line}: {}; {remedy}.", problem.words),
        format!("{path}{line}\u{202f}: {what}\u{202f}; {todo}."),
    )
}

pub(super) fn no_restart(id: &ServiceId, refusal: Refusal) -> Words {
    let (en, fr) = match refusal {
        Refusal::GenerationRunning => (
            "a generation is running and would be lost",
            "une génération est en cours et serait perdue",
        ),
        Refusal::AlreadyActing => (
            "another action on it is under way",
            "une autre action est en cours",
        ),
        Refusal::EngineNotAnswering => ("its engine does not answer", "son moteur ne répond pas"),
        Refusal::ContainerMissing => ("its container does not exist", "son conteneur n’existe pas"),
        _ => (
            "its state does not allow it, or is not known",
            "son état ne le permet pas, ou n’est pas connu",
        ),
    };
    Words::both(
        format!("`{id}` cannot be restarted now: {en}."),
        format!("`{id}` ne peut pas être redémarré maintenant\u{202f}: {fr}."),
    )
}

pub(super) fn shares(models: u32, bytes: u64) -> Words {
    let gb = bytes as f64 / 1e9;
    let french = format!("{gb:.1}").replace('.', ",");
    Words::both(
        format!(
            "Forge’s {models} models ({gb:.1} GB) are read where they lie: 0 bytes are copied."
        ),
        format!(
            "Les {models} modèles de Forge ({french}\u{a0}Go) sont lus là où ils se trouvent\u{202f}: 0 octet n’est copié."
        ),
    )
}

pub(super) fn there_already() -> Words {
    Words::both(
        "The file says all of this already; nothing is written.",
        "Le fichier le dit déjà\u{202f}; rien n’est écrit.",
    )
}

pub(super) fn restarts(id: &ServiceId) -> Words {
    Words::both(
        format!("`{id}` is restarted: it reads the file when it starts."),
        format!("`{id}` est redémarré\u{202f}: il lit le fichier à son démarrage."),
    )
}

pub(super) fn undo() -> Words {
    Words::both(
        "The file gets back the very bytes it had, or goes if there was none, and ComfyUI is restarted.",
        "Le fichier retrouve exactement ses octets d’avant, ou disparaît s’il n’existait pas, et ComfyUI est redémarré.",
    )
}

pub(super) fn gone_already() -> Words {
    Words::both(
        "The section is not in the file any more; ComfyUI is only restarted.",
        "La section n’est plus dans le fichier\u{202f}; ComfyUI est seulement redémarré.",
    )
}

pub(super) fn removes(path: &str) -> Words {
    Words::both(
        format!("{path} is removed: there was none before."),
        format!("{path} est supprimé\u{202f}: il n’existait pas avant."),
    )
}

pub(super) fn looking() -> Words {
    Words::both("Looking at both services", "Examen des deux services")
}

pub(super) fn writing() -> Words {
    Words::both("Writing the file", "Écriture du fichier")
}

pub(super) fn restarting(id: &ServiceId) -> Words {
    Words::both(
        format!("Restarting `{id}`"),
        format!("Redémarrage de `{id}`"),
    )
}
