//! The sentences of the step, in both languages.

use forgekeeper_domain::migration::{Words, compose::Conflict};

pub(super) fn not_seen_yet(id: &str) -> Words {
    Words::both(
        format!("`{id}` has not been looked at yet. Wait a moment."),
        format!("«\u{202f}{id}\u{202f}» n’a pas encore été examiné. Patienter un instant."),
    )
}

pub(super) fn not_green(id: &str) -> Words {
    Words::both(
        format!("`{id}` is not well: its ladder is not green. Look at it on the Overview."),
        format!(
            "«\u{202f}{id}\u{202f}» ne va pas bien\u{202f}: son échelle n’est pas verte. L’examiner dans la vue d’ensemble."
        ),
    )
}

pub(super) fn not_measured(id: &str) -> Words {
    Words::both(
        format!("Whether `{id}` is well is not known."),
        format!("On ignore si «\u{202f}{id}\u{202f}» va bien."),
    )
}

pub(super) fn other_image(wanted: &str, is: &str) -> Words {
    Words::both(
        format!("It runs `{is}`, and the plan names `{wanted}`. Do the step again."),
        format!(
            "Il exécute «\u{202f}{is}\u{202f}», alors que le plan nomme «\u{202f}{wanted}\u{202f}». Refaire l’étape."
        ),
    )
}

pub(super) fn other_card(card: &str) -> Words {
    Words::both(
        format!("Its container is not declared on the card {card}."),
        format!("Son conteneur n’est pas déclaré sur le GPU {card}."),
    )
}

pub(super) fn forge_silent() -> Words {
    Words::both(
        "Forge did not answer often enough to say whether it suffers.",
        "Forge n’a pas répondu assez souvent pour dire s’il en souffre.",
    )
}

pub(super) fn forge_slower(before: u32, now: u32) -> Words {
    Words::both(
        format!("Forge answers in {now} ms and took {before} ms before: it suffers."),
        format!("Forge répond en {now} ms contre {before} ms auparavant\u{202f}: il en souffre."),
    )
}

pub(super) fn engine_silent(why: &str) -> Words {
    Words::both(
        format!("The engine of the Forge service does not answer. {why}"),
        format!("Le moteur du service Forge ne répond pas. {why}"),
    )
}

pub(super) fn no_path_there(path: &str) -> Words {
    Words::both(
        format!(
            "The engine's machine has no name for `{path}`: choose a folder of a local drive or of WSL."
        ),
        format!(
            "La machine du moteur n’a pas de nom pour «\u{202f}{path}\u{202f}»\u{202f}: choisir un dossier d’un disque local ou de WSL."
        ),
    )
}

pub(super) fn no_models(path: &str) -> Words {
    Words::both(
        format!("There is no folder `{path}`; correct `models` below `[target]`."),
        format!(
            "Le dossier «\u{202f}{path}\u{202f}» n’existe pas\u{202f}; corriger `models` sous `[target]`."
        ),
    )
}

pub(super) fn layout_assumed(root: &str) -> Words {
    Words::both(
        format!(
            "Where ComfyUI lies in this image is not known; `{root}` is assumed, and the check afterwards tells whether it works."
        ),
        format!(
            "L’emplacement de ComfyUI dans cette image est inconnu\u{202f}; «\u{202f}{root}\u{202f}» est supposé, et la vérification dira si cela fonctionne."
        ),
    )
}

pub(super) fn open_port(port: u16) -> Words {
    Words::both(
        format!(
            "The engine is another machine: port {port} is opened to its network, and ComfyUI asks nobody for a password."
        ),
        format!(
            "Le moteur est une autre machine\u{202f}: le port {port} est ouvert sur son réseau, et ComfyUI ne demande aucun mot de passe."
        ),
    )
}

pub(super) fn service_exists(id: &str, container: &str) -> Words {
    Words::both(
        format!(
            "The settings already have a service `{id}` with the container `{container}`. Check the step, or choose another `to`."
        ),
        format!(
            "La configuration a déjà un service «\u{202f}{id}\u{202f}» avec le conteneur «\u{202f}{container}\u{202f}». Vérifier l’étape, ou choisir un autre `to`."
        ),
    )
}

pub(super) fn unreadable(path: &str, why: &str) -> Words {
    Words::both(
        format!("`{path}` cannot be read: {why}."),
        format!("«\u{202f}{path}\u{202f}» est illisible\u{202f}: {why}."),
    )
}

pub(super) fn foreign_file(path: &str) -> Words {
    Words::both(
        format!(
            "`{path}` was written by somebody else and is not replaced. Choose another `compose_file`."
        ),
        format!(
            "«\u{202f}{path}\u{202f}» a été écrit par quelqu’un d’autre et n’est pas remplacé. Choisir un autre `compose_file`."
        ),
    )
}

pub(super) fn compose_unread(path: &str, why: &str) -> Words {
    Words::both(
        format!("The compose file `{path}` could not be read for conflicts: {why}."),
        format!(
            "Le fichier compose «\u{202f}{path}\u{202f}» n’a pas pu être lu pour y chercher des conflits\u{202f}: {why}."
        ),
    )
}

pub(super) fn unresolved(path: &str, line: u32, what: &str) -> Words {
    Words::both(
        format!(
            "`{path}` has `{what}` in line {line}, which only compose resolves: what it stands for was not compared."
        ),
        format!(
            "«\u{202f}{path}\u{202f}» contient `{what}` à la ligne {line}, que seul compose résout\u{202f}: sa valeur n’a pas été comparée."
        ),
    )
}

pub(super) fn makes(image: &str, container: &str) -> Words {
    Words::both(
        format!(
            "Pulls `{image}` where it is not here yet, makes the container `{container}` with its network and volumes, and starts it."
        ),
        format!(
            "Récupère «\u{202f}{image}\u{202f}» si elle manque, crée le conteneur «\u{202f}{container}\u{202f}» avec son réseau et ses volumes, et le démarre."
        ),
    )
}

pub(super) fn adds_service(id: &str) -> Words {
    Words::both(
        format!("Adds the service `{id}` to the settings."),
        format!("Ajoute le service «\u{202f}{id}\u{202f}» à la configuration."),
    )
}

pub(super) fn waits() -> Words {
    Words::both(
        "Waits until its ladder is green, and compares Forge's answers with those of before.",
        "Attend que son échelle soit verte, et compare les réponses de Forge à celles d’avant.",
    )
}

pub(super) fn undo_by() -> Words {
    Words::both(
        "Taking it back stops and removes the container, takes the service out of the settings and the file away. Volumes with data stay.",
        "L’annulation arrête et supprime le conteneur, retire le service de la configuration et le fichier. Les volumes de données restent.",
    )
}

pub(super) fn removes(container: &str) -> Words {
    Words::both(
        format!(
            "Stops and removes the container `{container}` and its network, if they carry our label."
        ),
        format!(
            "Arrête et supprime le conteneur «\u{202f}{container}\u{202f}» et son réseau, s’ils portent notre étiquette."
        ),
    )
}

pub(super) fn removes_service(id: &str) -> Words {
    Words::both(
        format!("Takes the service `{id}` out of the settings."),
        format!("Retire le service «\u{202f}{id}\u{202f}» de la configuration."),
    )
}

pub(super) fn keeps_volumes() -> Words {
    Words::both(
        "The volumes with pictures, settings and custom nodes stay.",
        "Les volumes d’images, de réglages et de nœuds personnalisés restent.",
    )
}

pub(super) fn redo_by() -> Words {
    Words::both(
        "Doing the step again makes everything anew, with the volumes of before.",
        "Refaire l’étape recrée tout, avec les volumes d’avant.",
    )
}

pub(super) fn nothing_made() -> Words {
    Words::both(
        "Nothing is remembered that could be taken back.",
        "Rien n’est mémorisé qui puisse être annulé.",
    )
}

pub(super) fn interrupts_target(id: &str) -> Words {
    Words::both(
        format!("Whoever works with `{id}`."),
        format!("Quiconque travaille avec «\u{202f}{id}\u{202f}»."),
    )
}

pub(super) fn measuring() -> Words {
    Words::both(
        "Measures how fast Forge answers",
        "Mesure la rapidité de Forge",
    )
}

pub(super) fn writing() -> Words {
    Words::both("Writes the compose file", "Écrit le fichier compose")
}

pub(super) fn asking_compose() -> Words {
    Words::both(
        "Has `docker compose config` read it",
        "Le fait lire par `docker compose config`",
    )
}

pub(super) fn pulling() -> Words {
    Words::both("Pulls the image", "Récupère l’image")
}

pub(super) fn making() -> Words {
    Words::both("Makes the container", "Crée le conteneur")
}

pub(super) fn starting() -> Words {
    Words::both(
        "Starts it, and waits until it answers",
        "Le démarre et attend sa réponse",
    )
}

pub(super) fn stopping() -> Words {
    Words::both(
        "Stops and removes the container",
        "Arrête et supprime le conteneur",
    )
}

pub(super) fn conflict(conflict: &Conflict) -> Words {
    match conflict {
        Conflict::Name { name } => Words::both(
            format!(
                "There is a container `{name}` that this step did not make. Rename it, or choose another `to`."
            ),
            format!(
                "Il existe un conteneur «\u{202f}{name}\u{202f}» que cette étape n’a pas créé. Le renommer, ou choisir un autre `to`."
            ),
        ),
        Conflict::Port { port, by } => Words::both(
            format!("Port {port} is taken by `{by}`. Choose another `port` below `[target]`."),
            format!(
                "Le port {port} est pris par «\u{202f}{by}\u{202f}». Choisir un autre `port` sous `[target]`."
            ),
        ),
        Conflict::SharedCard { card, by } => Words::both(
            format!("`{by}` computes on {card}, too: both share its memory."),
            format!(
                "«\u{202f}{by}\u{202f}» calcule aussi sur {card}\u{202f}: tous deux en partagent la mémoire."
            ),
        ),
        Conflict::NoSuchCard { card } => Words::both(
            format!("There is no card {card}. Correct `gpu` below `[target]`."),
            format!("Il n’y a pas de GPU {card}. Corriger `gpu` sous `[target]`."),
        ),
        Conflict::Project { project } => Words::both(
            format!(
                "There is a compose project `{project}` with other services. Choose another `to`."
            ),
            format!(
                "Il existe un projet compose «\u{202f}{project}\u{202f}» avec d’autres services. Choisir un autre `to`."
            ),
        ),
    }
}
