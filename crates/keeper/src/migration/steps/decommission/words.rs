//! What the decommissioning says.

use forgekeeper_domain::{
    error::ErrorInfo,
    ids::ServiceId,
    migration::{Words, ending::KeptWhy},
};

/// A size as people read it, in both languages; not told is said so.
fn size(bytes: Option<u64>) -> (String, String) {
    let Some(bytes) = bytes else {
        return ("size unknown".to_owned(), "taille inconnue".to_owned());
    };
    let units = [
        (1_000_000_000, "GB", "Go"),
        (1_000_000, "MB", "Mo"),
        (1_000, "kB", "ko"),
    ];
    for (unit, en, fr) in units {
        if bytes >= unit {
            let tenths = bytes / (unit / 10);
            let (whole, tenth) = (tenths / 10, tenths % 10);
            return (
                format!("{whole}.{tenth} {en}"),
                format!("{whole},{tenth}\u{a0}{fr}"),
            );
        }
    }
    (format!("{bytes} bytes"), format!("{bytes}\u{a0}octets"))
}

fn quoted(name: &str) -> String {
    format!("«\u{202f}{name}\u{202f}»")
}

pub(super) fn no_engine() -> Words {
    Words::both("The engine does not answer.", "Le moteur ne répond pas.")
}

pub(super) fn no_container(name: &str) -> Words {
    Words::both(
        format!("There is no container `{name}`."),
        format!("Il n’y a pas de conteneur {}.", quoted(name)),
    )
}

pub(super) fn goes_on() -> Words {
    Words::both(
        "The container is gone already: what is left of the step is done, and everything measured again.",
        "Le conteneur a déjà disparu\u{202f}: le reste de l’étape est fait, et tout est mesuré de nouveau.",
    )
}

pub(super) fn still_runs(id: &ServiceId) -> Words {
    Words::both(
        format!("`{id}` runs: only what is at rest is removed. Do the standby again."),
        format!(
            "{} fonctionne\u{202f}: seul ce qui est au repos est supprimé. Refaire la période de secours.",
            quoted(id.as_str())
        ),
    )
}

pub(super) fn marks(folder: &str, files: usize, bytes: u64) -> Words {
    let (en, fr) = size(Some(bytes));
    Words::both(
        format!(
            "Marks the {files} files of {folder} ({en}) before and compares them afterwards: size, time, header. None is touched."
        ),
        format!(
            "Relève les {files}\u{a0}fichiers de {folder} ({fr}) avant et les compare après\u{202f}: taille, date, en-tête. Aucun n’est touché."
        ),
    )
}

pub(super) fn not_marked(error: &ErrorInfo) -> Words {
    Words::both(
        format!(
            "{}. Nothing is removed while it is not known that the models stay.",
            error.message
        ),
        format!(
            "Le dossier des modèles ne peut pas être parcouru\u{202f}: rien n’est supprimé tant qu’on ignore si les modèles restent ({}).",
            error.message
        ),
    )
}

pub(super) fn last_snapshot(id: &ServiceId) -> Words {
    Words::both(
        format!("Takes a last snapshot of `{id}`, verifies it, and keeps it whatever its age."),
        format!(
            "Prend un dernier instantané de {}, le vérifie et le conserve quel que soit son âge.",
            quoted(id.as_str())
        ),
    )
}

pub(super) fn container_goes(name: &str, written: Option<u64>) -> Words {
    let (en, fr) = size(written);
    Words::both(
        format!("Removes the container `{name}` ({en} of its own)."),
        format!("Supprime le conteneur {} ({fr} en propre).", quoted(name)),
    )
}

pub(super) fn network_goes(name: &str) -> Words {
    Words::both(
        format!("Removes its network `{name}`, in which nobody else is."),
        format!(
            "Supprime son réseau {}, où il n’y a personne d’autre.",
            quoted(name)
        ),
    )
}

pub(super) fn network_stays(name: &str, others: &[String]) -> Words {
    let (en, fr) = if others.is_empty() {
        (String::new(), String::new())
    } else {
        let names = others.join(", ");
        (format!(" with {names} in it"), format!(", avec {names}"))
    };
    Words::both(
        format!("The network `{name}` stays{en}."),
        format!("Le réseau {} reste{fr}.", quoted(name)),
    )
}

pub(super) fn image_goes(name: &str, bytes: Option<u64>, comes_back: bool) -> Words {
    let (en, fr) = size(bytes);
    if comes_back {
        return Words::both(
            format!("Removes the image `{name}` ({en}); its registry still has it."),
            format!(
                "Supprime l’image {} ({fr})\u{202f}; son registre l’a toujours.",
                quoted(name)
            ),
        );
    }
    Words::both(
        format!(
            "Removes the image `{name}` ({en}) as `remove_image` in migration.toml wants it. It is not known to be in its registry: without it the container cannot be made again."
        ),
        format!(
            "Supprime l’image {} ({fr}) comme le veut `remove_image` dans migration.toml. On ne sait pas si son registre l’a\u{202f}: sans elle, le conteneur ne peut pas être recréé.",
            quoted(name)
        ),
    )
}

pub(super) fn image_stays(
    name: &str,
    bytes: Option<u64>,
    why: KeptWhy,
    others: &[String],
) -> Words {
    let (size_en, size_fr) = size(bytes);
    let names = others.join(", ");
    let (en, fr) = match why {
        KeptWhy::Used => (
            format!("it is used by {names}, too"),
            format!("elle sert aussi à {names}"),
        ),
        KeptWhy::Wanted => (
            "`remove_image` in migration.toml wants it so".to_owned(),
            "`remove_image` dans migration.toml le veut ainsi".to_owned(),
        ),
        KeptWhy::NotInRegistry => (
            "no registry has it any more, and without it there is no way back".to_owned(),
            "aucun registre ne l’a plus, et sans elle il n’y a pas de retour".to_owned(),
        ),
        KeptWhy::RegistryUnknown => (
            "whether its registry still has it is not known".to_owned(),
            "on ignore si son registre l’a toujours".to_owned(),
        ),
        KeptWhy::Absent => (
            "it is not there".to_owned(),
            "elle n’est pas présente".to_owned(),
        ),
    };
    Words::both(
        format!("The image `{name}` ({size_en}) stays: {en}."),
        format!("L’image {} ({size_fr}) reste\u{202f}: {fr}.", quoted(name)),
    )
}

pub(super) fn stays() -> Words {
    Words::both(
        "Volumes, mounted folders, models, settings and snapshots stay.",
        "Les volumes, les dossiers montés, les modèles, les réglages et les instantanés restent.",
    )
}

pub(super) fn service_stays(id: &ServiceId) -> Words {
    Words::both(
        format!(
            "The service `{id}` stays in Forgekeeper’s settings; take it out there when it is not to come back."
        ),
        format!(
            "Le service {} reste dans la configuration de Forgekeeper\u{202f}; l’en retirer s’il ne doit pas revenir.",
            quoted(id.as_str())
        ),
    )
}

pub(super) fn secrets_in_memory(names: &[String]) -> Words {
    let names = names.join(", ");
    Words::both(
        format!(
            "This system has no keyring: what may be secret ({names}) is kept in memory alone. Taken back after this program has ended, the container comes without it."
        ),
        format!(
            "Ce système n’a pas de trousseau\u{202f}: ce qui peut être secret ({names}) n’est gardé qu’en mémoire. Si l’étape est annulée après la fin de ce programme, le conteneur revient sans cela."
        ),
    )
}

pub(super) fn undone_by() -> Words {
    Words::both(
        "Taking it back makes the container again as it was (mounts, ports, cards, networks, environment) and leaves it at rest.",
        "L’annulation recrée le conteneur tel qu’il était (montages, ports, GPU, réseaux, environnement) et le laisse au repos.",
    )
}

pub(super) fn nothing_remembered() -> Words {
    Words::both(
        "Nothing is remembered that could be made again.",
        "Rien n’est mémorisé qui puisse être recréé.",
    )
}

pub(super) fn there_already(name: &str) -> Words {
    Words::both(
        format!("The container `{name}` is there already: nothing is done."),
        format!(
            "Le conteneur {} est déjà là\u{202f}: rien n’est fait.",
            quoted(name)
        ),
    )
}

pub(super) fn made_again(name: &str) -> Words {
    Words::both(
        format!("Makes the container `{name}` again as it was, and leaves it at rest."),
        format!(
            "Recrée le conteneur {} tel qu’il était et le laisse au repos.",
            quoted(name)
        ),
    )
}

pub(super) fn network_again(name: &str) -> Words {
    Words::both(
        format!("Makes its network `{name}` again."),
        format!("Recrée son réseau {}.", quoted(name)),
    )
}

pub(super) fn pulled_again(image: &str) -> Words {
    Words::both(
        format!("Pulls the image `{image}` again."),
        format!("Récupère de nouveau l’image {}.", quoted(image)),
    )
}

pub(super) fn image_lost(image: &str) -> Words {
    Words::both(
        format!(
            "The image `{image}` is gone, and no registry has it: the container cannot be made again."
        ),
        format!(
            "L’image {} a disparu, et aucun registre ne l’a\u{202f}: le conteneur ne peut pas être recréé.",
            quoted(image)
        ),
    )
}

pub(super) fn registry_unknown() -> Words {
    Words::both(
        "Whether its registry still has it is not known.",
        "On ignore si son registre l’a toujours.",
    )
}

pub(super) fn secrets_lost(names: &[String]) -> Words {
    let names = names.join(", ");
    Words::both(
        format!("The values of {names} are not kept any more: the container comes without them."),
        format!(
            "Les valeurs de {names} ne sont plus conservées\u{202f}: le conteneur revient sans elles."
        ),
    )
}

pub(super) fn again() -> Words {
    Words::both(
        "Doing the step again removes it once more.",
        "Refaire l’étape le supprime de nouveau.",
    )
}

pub(super) fn removing() -> Words {
    Words::both("Removes the container", "Supprime le conteneur")
}

pub(super) fn counting() -> Words {
    Words::both("Counts the space", "Compte l’espace")
}

pub(super) fn marking() -> Words {
    Words::both("Looks through the models", "Parcourt les modèles")
}

pub(super) fn taking_snapshot() -> Words {
    Words::both("Takes the last snapshot", "Prend le dernier instantané")
}

pub(super) fn making() -> Words {
    Words::both("Makes the container again", "Recrée le conteneur")
}

pub(super) fn pulling() -> Words {
    Words::both("Pulls the image", "Récupère l’image")
}

pub(super) fn not_seen() -> Words {
    Words::both(
        "What is there cannot be seen now.",
        "Ce qui existe ne peut pas être vu actuellement.",
    )
}

pub(super) fn is_there(name: &str) -> Words {
    Words::both(
        format!("The container `{name}` is there."),
        format!("Le conteneur {} est là.", quoted(name)),
    )
}

pub(super) fn gone_otherwise(name: &str) -> Words {
    Words::both(
        format!(
            "The container `{name}` is gone, but not by this step: nothing is known of how the models were before."
        ),
        format!(
            "Le conteneur {} a disparu, mais pas par cette étape\u{202f}: on ignore comment étaient les modèles auparavant.",
            quoted(name)
        ),
    )
}

pub(super) fn image_is_there(image: &str) -> Words {
    Words::both(
        format!("The image `{image}` is still there."),
        format!("L’image {} est toujours là.", quoted(image)),
    )
}

pub(super) fn marks_lost() -> Words {
    Words::both(
        "How the models were before is not kept any more.",
        "L’état antérieur des modèles n’est plus conservé.",
    )
}

pub(super) fn models_touched(count: usize, names: &str) -> Words {
    Words::both(
        format!("{count} model files are not as they were: {names}."),
        format!("{count}\u{a0}fichier(s) de modèles ne sont plus comme avant\u{202f}: {names}."),
    )
}

pub(super) fn snapshot_unread() -> Words {
    Words::both(
        "The last snapshot cannot be read.",
        "Le dernier instantané ne peut pas être lu.",
    )
}

pub(super) fn snapshot_damaged() -> Words {
    Words::both(
        "The last snapshot is damaged.",
        "Le dernier instantané est endommagé.",
    )
}

pub(super) fn backup_unread() -> Words {
    Words::both(
        "What is known of the backup cannot be read.",
        "Ce que l’on sait de la sauvegarde ne peut pas être lu.",
    )
}

pub(super) fn backup_damaged() -> Words {
    Words::both(
        "The verification of the backup found that it is not whole.",
        "La vérification de la sauvegarde a montré qu’elle n’est pas intacte.",
    )
}
