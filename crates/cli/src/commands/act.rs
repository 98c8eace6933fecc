//! `start`, `stop`, `restart`: acts, waits for proof, prints each stage with its time.

use forgekeeper_domain::{
    action::Action,
    error::ErrorInfo,
    ids::{JobId, ServiceId},
    job::{Job, JobPhase},
};
use forgekeeper_keeper::keeper::KeeperHandle;

use crate::{
    exit,
    interrupt::Interrupt,
    session::Session,
    text::{print_error, print_json, print_line, seconds},
};

pub(super) async fn run(
    session: &Session,
    service: &ServiceId,
    action: Action,
    force: bool,
    json: bool,
    mut interrupt: Interrupt,
) -> Result<u8, ErrorInfo> {
    // Nothing acts on an unknown state: the first round of measurements comes before.
    interrupt.unless(session.service(service)).await?;
    let handle = session.handle();
    let plan = handle.plan(service, action)?;
    let refusal = plan.refused(force);
    if !json && refusal.is_none() {
        print_line(&format!("runs: {}", plan.runs.join("; ")));
        if !plan.interrupts_known {
            print_line("whether a generation is running could not be measured; one would be lost");
        }
        if let Some(forecast) = plan.forecast {
            let took = seconds(forecast.median_ms);
            print_line(&match forecast.spread_ms {
                Some(spread) => {
                    format!(
                        "took {took} before (±{}, {} runs)",
                        seconds(spread),
                        forecast.runs
                    )
                }
                None => format!("took {took} the only time before"),
            });
        }
    }
    let id = match (handle.act(service, action, force).await, refusal) {
        (Ok(id), _) => id,
        (Err(error), Some(refusal)) => {
            print_error(&error, json);
            return Ok(exit::of_refusal(refusal));
        }
        (Err(error), None) => return Err(error),
    };
    follow(&handle, &id, json, interrupt).await
}

/// Prints the stages of a job until its end; its exit code.
pub(super) async fn follow(
    handle: &KeeperHandle,
    id: &JobId,
    json: bool,
    mut interrupt: Interrupt,
) -> Result<u8, ErrorInfo> {
    let mut follow = handle.follow_job(id)?;
    let (mut printed, mut told) = (0, false);
    loop {
        let job = follow.borrow_and_update().clone();
        printed = print_new_stages(&job, printed, json);
        if job.phase != JobPhase::Running {
            return end(job, json);
        }
        if told && job.cancellable {
            // An error means that it ended at this very moment: its end comes next.
            let _ = handle.cancel(id);
        }
        tokio::select! {
            changed = follow.changed() => if changed.is_err() {
                let job = handle.wait(id).await?;
                return end(job, json);
            },
            () = interrupt.asked(), if !told => {
                told = true;
                eprintln!("forgekeeperctl: {}", if job.cancellable {
                    "waits no longer; the engine goes on with what it was told"
                } else {
                    "this is not left in the middle; it ends when it can"
                });
                // An error means that it ended at this very moment: its end comes next.
                let _ = handle.cancel(id);
            }
        }
    }
}

fn print_new_stages(job: &Job, printed: usize, json: bool) -> usize {
    for stage in job.stages.iter().skip(printed) {
        if json {
            print_json(
                &serde_json::json!({ "event": "stage", "service": job.service,
                "stage": stage.stage, "at": stage.at, "after_ms": stage.after_ms }),
            );
        } else {
            print_line(&format!(
                "  {:<14} {:>9}",
                stage_word(stage.stage),
                seconds(stage.after_ms)
            ));
        }
    }
    job.stages.len().max(printed)
}

fn stage_word(stage: forgekeeper_domain::restart::Stage) -> &'static str {
    use forgekeeper_domain::restart::Stage;
    match stage {
        Stage::Asked => "asked",
        Stage::Stopping => "stopping",
        Stage::Stopped => "stopped",
        Stage::Starting => "starting",
        Stage::ContainerUp => "container up",
        Stage::ProgramUp => "program up",
        Stage::ApiAnswers => "API answers",
        Stage::Image => "image",
    }
}

fn end(job: Job, json: bool) -> Result<u8, ErrorInfo> {
    if json {
        print_json(&serde_json::json!({ "event": "end", "job": job }));
    }
    match job.error {
        Some(error) if json => {
            // The end was printed with the error inside; people still get its words.
            eprintln!("forgekeeperctl: {}", error.message);
            Ok(exit::of_error(&error))
        }
        Some(error) => Err(error),
        None if job.phase == JobPhase::Succeeded => {
            if !json {
                print_line("ok");
            }
            Ok(exit::OK)
        }
        None => Ok(exit::NOT_OK),
    }
}
