//! `placement`: the proof of the card that a service computes on, or the last one.

use forgekeeper_domain::{
    error::ErrorInfo,
    gpu::GpuCard,
    ids::ServiceId,
    job::{Job, JobPhase, PlacementProgress, PlacementStage},
    placement::{DeclarationSource, Doubt, Fading, Placement, PlacementVerdict, Proved},
};

use super::gpu::card_name;
use crate::{
    args::PlacementArgs,
    exit,
    interrupt::Interrupt,
    session::{FIRST_ROUND, Session},
    text::{print_json, print_line, printable},
};

pub(super) async fn run(
    session: &Session,
    args: &PlacementArgs,
    json: bool,
    mut interrupt: Interrupt,
) -> Result<u8, ErrorInfo> {
    interrupt.unless(session.service(&args.service)).await?;
    let handle = session.handle();
    let mut state = handle.state();
    let read = async {
        handle.settled(FIRST_ROUND).await;
        let cards = state.wait_for(|s| s.hosts.iter().all(|h| !h.gpus.cards.is_empty()));
        // Without cards the keeper itself refuses, and says why.
        let _ = tokio::time::timeout(FIRST_ROUND, cards).await;
        Ok(())
    };
    interrupt.unless(read).await?;
    if args.last {
        return Ok(last(session, &args.service, json));
    }
    let id = handle.prove_placement(&args.service).await?;
    let mut follow = handle.follow_job(&id)?;
    let mut told = false;
    let mut shown = None;
    let ended = loop {
        let job = follow.borrow_and_update().clone();
        if job.phase != JobPhase::Running {
            break job;
        }
        if job.placement != shown {
            shown = job.placement;
            tell(shown, json);
        }
        tokio::select! {
            changed = follow.changed() => if changed.is_err() { break handle.wait(&id).await? },
            () = interrupt.asked(), if !told => {
                told = true;
                // An error means that it ended at this very moment.
                let _ = handle.cancel(&id);
            }
        }
    };
    finish(session, &args.service, ended, json)
}

fn tell(progress: Option<PlacementProgress>, json: bool) {
    let Some(progress) = progress else { return };
    if json {
        print_json(&serde_json::json!({ "event": "progress", "progress": progress }));
        return;
    }
    let what = match progress.stage {
        PlacementStage::Waiting => "waiting for another proof on the host",
        PlacementStage::Resting => "reading the cards at rest",
        PlacementStage::Working => "making a tiny picture",
        PlacementStage::Settling => "reading the cards again",
    };
    print_line(&format!("round {}: {what}", progress.round));
}

/// What was proved last, without proving anything.
fn last(session: &Session, service: &ServiceId, json: bool) -> u8 {
    let (placement, cards) = seen(session, service);
    if json {
        print_json(&placement);
    } else {
        print(service, &placement, &cards);
    }
    code(placement.proved.as_ref())
}

fn finish(session: &Session, service: &ServiceId, job: Job, json: bool) -> Result<u8, ErrorInfo> {
    let (placement, cards) = seen(session, service);
    let proved = job.proved.clone();
    if json {
        print_json(&serde_json::json!({ "event": "end", "job": job, "placement": placement }));
    } else if job.phase == JobPhase::Succeeded {
        print(service, &placement, &cards);
    }
    match job.error {
        // Measured, and something beside it went wrong.
        Some(error) if job.phase == JobPhase::Succeeded => {
            eprintln!("forgekeeperctl: {}", printable(&error.message));
            Ok(code(proved.as_ref()))
        }
        Some(error) if json => {
            eprintln!("forgekeeperctl: {}", printable(&error.message));
            Ok(exit::of_error(&error))
        }
        Some(error) => Err(error),
        None => Ok(code(proved.as_ref())),
    }
}

fn seen(session: &Session, service: &ServiceId) -> (Placement, Vec<GpuCard>) {
    let state = session.handle().state().borrow().clone();
    let found = state.services.iter().find(|s| s.id == *service);
    let host = found.and_then(|s| state.hosts.iter().find(|h| h.id == s.host));
    (
        found.map(|s| s.placement.clone()).unwrap_or_default(),
        host.map(|h| h.gpus.cards.clone()).unwrap_or_default(),
    )
}

/// A proof that has faded, or was not clear, or is not there, is unknown.
fn code(proved: Option<&Proved>) -> u8 {
    match proved {
        Some(proved) if proved.faded.is_some() => exit::UNKNOWN,
        Some(proved) => match proved.verdict {
            PlacementVerdict::Agrees | PlacementVerdict::Undeclared => exit::OK,
            PlacementVerdict::Differs | PlacementVerdict::SharedCard | PlacementVerdict::Cpu => {
                exit::NOT_OK
            }
            PlacementVerdict::Conflicting | PlacementVerdict::CouldNotTell => exit::UNKNOWN,
        },
        None => exit::UNKNOWN,
    }
}

fn print(service: &ServiceId, placement: &Placement, cards: &[GpuCard]) {
    for declaration in &placement.declared.all {
        let source = match declaration.source {
            DeclarationSource::Reservation => "the reservation",
            DeclarationSource::CudaVisible => "CUDA_VISIBLE_DEVICES",
            DeclarationSource::NvidiaVisible => "NVIDIA_VISIBLE_DEVICES",
            DeclarationSource::Settings => "forgekeeper.toml",
        };
        let named: Vec<String> = declaration
            .cards
            .iter()
            .map(|c| card_name(cards, c))
            .collect();
        let means = match (declaration.cuda_order, named.is_empty()) {
            (true, _) => "counted in CUDA's own order".to_owned(),
            (false, true) => "no card known here".to_owned(),
            (false, false) => named.join(", "),
        };
        print_line(&format!(
            "declared by {source}: {} ({means})",
            printable(&declaration.value)
        ));
    }
    if placement.declared.all.is_empty() {
        print_line("declared: nothing");
    }
    match &placement.reported {
        Some(reported) => print_line(&format!("reported: {}", printable(&reported.text))),
        None => print_line("reported: nothing"),
    }
    match &placement.proved {
        Some(proved) => print_line(&sentence(service, proved, cards)),
        None => print_line("measured: never"),
    }
    if let Some(unclear) = &placement.unclear {
        print_line(&format!(
            "measured {}: could not tell: {}",
            unclear.at,
            doubt(unclear.reason)
        ));
    }
    if let Some(remedy) = &placement.remedy {
        let file = remedy.file.as_deref().map(printable);
        print_line(&format!(
            "change {}:",
            file.unwrap_or_else(|| "how the container is made".to_owned())
        ));
        for line in &remedy.diff {
            print_line(&format!("  {}", printable(line)));
        }
    }
}

fn doubt(reason: Doubt) -> &'static str {
    match reason {
        Doubt::TooFew => "too few readings",
        Doubt::Noise => "several cards worked with it",
        Doubt::Unsteady => "a card moved by too little to tell work from rest",
        Doubt::Saturated => "a card was too busy to show more work",
        Doubt::Disturbed => "another service began or ended a picture meanwhile",
        Doubt::Untold => "a card does not tell its values",
        Doubt::Contradiction => "load and memory point at different cards",
        Doubt::Disagreement => "rounds found different cards",
        Doubt::NoCards => "a card was lost, or none could be read",
    }
}

fn sentence(service: &ServiceId, proved: &Proved, cards: &[GpuCard]) -> String {
    let card = proved.card.as_ref().map(|card| card_name(cards, card));
    let card = card.unwrap_or_else(|| "a card".to_owned());
    let names = |ids: &[ServiceId]| {
        let ids: Vec<&str> = ids.iter().map(ServiceId::as_str).collect();
        ids.join(", ")
    };
    let found = match proved.verdict {
        PlacementVerdict::Agrees => format!("{service} computes on {card}, as declared"),
        PlacementVerdict::Differs => match &proved.swapped_with {
            Some(other) => format!("{service} computes on {card}, the card declared for {other}"),
            None => format!("{service} computes on {card}, which is not the declared one"),
        },
        PlacementVerdict::SharedCard => format!(
            "{service} computes on {card}, as {} does, and not on the declared one",
            names(&proved.shared_with)
        ),
        PlacementVerdict::Undeclared => {
            format!("{service} computes on {card}; no card is declared")
        }
        PlacementVerdict::Conflicting => {
            format!("{service} computes on {card}; the declarations name different cards")
        }
        PlacementVerdict::Cpu => format!("{service} computes on the CPU: no card moved"),
        PlacementVerdict::CouldNotTell => {
            format!("which card {service} computes on could not be told")
        }
    };
    let faded = proved.faded.map(|why| match why {
        Fading::Age => "older than seven days",
        Fading::Clock => "its time lies ahead: a clock was set",
        Fading::Driver => "the driver is another one since",
        Fading::Cards => "the cards are others since",
        Fading::Engine => "the engine is another one since",
        Fading::Container => "the container was made anew since",
        Fading::Compose => "the compose configuration is another one since",
        Fading::Address => "the service's address is another one since",
    });
    let faded = faded.map(|why| format!("; not believed any more: {why}"));
    format!(
        "measured {} in {} rounds: {found}{}",
        proved.at,
        proved.rounds,
        faded.unwrap_or_default()
    )
}
