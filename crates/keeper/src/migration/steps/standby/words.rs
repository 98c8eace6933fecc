//! What the standby says.

use forgekeeper_domain::{ids::ServiceId, migration::Words};

pub(super) fn snapshot(id: &ServiceId) -> Words {
    Words::both(
        format!("Takes a snapshot of `{id}` that stays whatever its age."),
        format!("Prend un instantané de «\u{202f}{id}\u{202f}», conservé quel que soit son âge."),
    )
}

pub(super) fn stops(id: &ServiceId, container: &str) -> Words {
    Words::both(
        format!("Stops `{id}`. The container `{container}`, its image and its volumes stay."),
        format!(
            "Arrête «\u{202f}{id}\u{202f}». Le conteneur «\u{202f}{container}\u{202f}», son image et ses volumes restent."
        ),
    )
}

pub(super) fn counts(days: u16) -> Words {
    Words::both(
        format!("Counts {days} days from then. Once a week the way back is tried: a drill."),
        format!(
            "Compte {days}\u{a0}jour(s) à partir de là. Une fois par semaine, le retour est essayé\u{202f}: un exercice."
        ),
    )
}

pub(super) fn not_carried() -> Words {
    Words::both(
        "The public address is not proved to lead to the target: the days count only from when it is.",
        "Il n’est pas prouvé que l’adresse publique mène à la cible\u{202f}: les jours ne comptent qu’à partir de là.",
    )
}

pub(super) fn starts_by_itself() -> Words {
    Words::both(
        "Its restart policy is `always`: the engine starts it again when it starts itself. The check tells.",
        "Sa politique de redémarrage est `always`\u{202f}: le moteur le relance à son propre démarrage. La vérification le signale.",
    )
}

pub(super) fn interrupts(id: &ServiceId) -> Words {
    Words::both(
        format!("Whoever still works with `{id}`."),
        format!("Quiconque travaille encore avec «\u{202f}{id}\u{202f}»."),
    )
}

pub(super) fn undone_by() -> Words {
    Words::both(
        "Taking it back starts the old service again, in the same container.",
        "L’annulation redémarre l’ancien service, dans le même conteneur.",
    )
}

pub(super) fn starts(id: &ServiceId) -> Words {
    Words::both(
        format!("Starts `{id}` again and waits until it answers."),
        format!("Redémarre «\u{202f}{id}\u{202f}» et attend qu’il réponde."),
    )
}

pub(super) fn again() -> Words {
    Words::both(
        "Doing the step again stops it and counts anew.",
        "Refaire l’étape l’arrête et recommence à compter.",
    )
}

pub(super) fn taking_snapshot() -> Words {
    Words::both("Takes a snapshot", "Prend un instantané")
}

pub(super) fn stopping() -> Words {
    Words::both("Stops the old service", "Arrête l’ancien service")
}

pub(super) fn starting() -> Words {
    Words::both(
        "Starts the old service, and waits until it answers",
        "Démarre l’ancien service et attend sa réponse",
    )
}

pub(super) fn painting() -> Words {
    Words::both("Makes a picture", "Génère une image")
}

pub(super) fn puts_back(id: &ServiceId) -> Words {
    Words::both(
        format!("A drill was cut short: `{id}` is stopped again, and nothing else is done."),
        format!(
            "Un exercice a été interrompu\u{202f}: «\u{202f}{id}\u{202f}» est arrêté de nouveau, et rien d’autre n’est fait."
        ),
    )
}

pub(super) fn runs_already(id: &ServiceId) -> Words {
    Words::both(
        format!("`{id}` runs: a drill begins at rest. Do the step again first."),
        format!(
            "«\u{202f}{id}\u{202f}» fonctionne\u{202f}: un exercice commence au repos. Refaire d’abord l’étape."
        ),
    )
}

pub(super) fn container_gone(container: &str) -> Words {
    Words::both(
        format!("The container `{container}` is gone."),
        format!("Le conteneur «\u{202f}{container}\u{202f}» a disparu."),
    )
}

pub(super) fn not_begun() -> Words {
    Words::both(
        "The standby has not begun.",
        "La période de secours n’a pas commencé.",
    )
}

pub(super) fn drill_starts(id: &ServiceId) -> Words {
    Words::both(
        format!("Starts `{id}` and waits until it answers."),
        format!("Démarre «\u{202f}{id}\u{202f}» et attend qu’il réponde."),
    )
}

pub(super) fn drill_paints() -> Words {
    Words::both(
        "Makes one picture with it: 512×512, 20 steps.",
        "Génère une image avec lui\u{202f}: 512×512, 20\u{a0}étapes.",
    )
}

pub(super) fn drill_stops() -> Words {
    Words::both(
        "Stops it again, whatever came of it. The times are kept in the flight recorder.",
        "L’arrête de nouveau, quel que soit le résultat. Les durées sont gardées dans l’enregistreur de vol.",
    )
}

pub(super) fn drill_interrupts() -> Words {
    Words::both(
        "Nobody, unless both compute on one card: then pictures of the target are slower meanwhile.",
        "Personne, sauf si les deux calculent sur le même GPU\u{202f}: les images de la cible sont alors plus lentes.",
    )
}

pub(super) fn decommissioned() -> Words {
    Words::both(
        "The old service has been decommissioned: there is nothing left to measure here.",
        "L’ancien service a été retiré\u{202f}: il n’y a plus rien à mesurer ici.",
    )
}

pub(super) fn drill_undone() -> Words {
    Words::both(
        "It leaves everything as it was.",
        "Tout est laissé comme avant.",
    )
}
