//! Turning the public address to another service, and back: what is written, when the first good answer
//! came, and what is put back when it does not come.

use std::{
    path::{Path, PathBuf},
    time::{Duration, Instant},
};

use super::{
    back::{Back, Receipt},
    file::{self, FileTrouble},
    look::{Door, pairs},
};
use crate::{clients::http::Http, migration::StepRun, sys::clock};
use forgekeeper_domain::{
    error::{ErrorCode, ErrorInfo},
    migration::{
        Deed, Evidence, Words,
        iis::{
            Access, Address, Advice, Answer, Comparison, Edit, Refusal, Source, Trouble, Want,
            WebConfig, Why, advice, compare, judge, point,
        },
    },
    service::KindId,
};

/// For so long the new service may take to answer after the file was written; IIS takes it up at once, and
/// a first request may wait for a restarted worker.
const FIRST_ANSWER: Duration = Duration::from_mins(1);
/// Between two looks while it is waited for.
const LOOK_AGAIN: Duration = Duration::from_millis(60);
/// Pairs of looks behind a verdict.
const PAIRS: u32 = 7;
/// Pairs of looks in passing.
const FEW_PAIRS: u32 = 3;

/// What it takes to turn an address.
#[derive(Debug, Clone)]
pub(crate) struct Turn {
    pub(crate) http: Http,
    /// The site's `web.config`.
    pub(crate) file: PathBuf,
    /// The rule.
    pub(crate) rule: String,
    /// The address people use.
    pub(crate) public: Door,
    /// The service that takes over, at its own address.
    pub(crate) new: Door,
    /// What is written into the rule.
    pub(crate) to: Address,
    /// The service that is replaced, at its own address.
    pub(crate) old: Option<Door>,
    /// Where old files are kept under their hash.
    pub(crate) kept: PathBuf,
}

/// The file as it is, with the change that would be made.
#[derive(Debug, Clone)]
pub(crate) struct Planned {
    pub(crate) bytes: Vec<u8>,
    /// `None` where the rule leads there already.
    pub(crate) edit: Option<Edit>,
    pub(crate) advice: Vec<Advice>,
}

/// Why there is nothing to plan.
#[derive(Debug)]
pub(crate) enum Unplanned {
    File(FileTrouble),
    Refused(Refusal),
}

impl Unplanned {
    pub(crate) fn words(&self, path: &Path) -> Vec<Words> {
        match self {
            Self::File(trouble) => vec![trouble.words(path)],
            Self::Refused(refusal) => vec![refusal.reason(), refusal.remedy()],
        }
    }

    fn error(&self, path: &Path) -> ErrorInfo {
        match self {
            Self::File(trouble) => trouble.error(path),
            Self::Refused(refusal) => file::refused(refusal),
        }
    }
}

/// Files may be on another machine: waiting for them holds up nobody else.
pub(super) async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, FileTrouble> + Send + 'static,
) -> Result<T, FileTrouble> {
    let ended = tokio::task::spawn_blocking(work).await;
    ended.unwrap_or_else(|error| Err(FileTrouble::Other(std::io::Error::other(error))))
}

impl Turn {
    /// Reads the file and finds the change. Writes nothing.
    pub(crate) async fn plan(&self) -> Result<Planned, Unplanned> {
        let path = self.file.clone();
        let bytes = blocking(move || file::read(&path))
            .await
            .map_err(Unplanned::File)?;
        let edit = match point(&bytes, &self.rule, &self.to) {
            Ok(edit) => Some(edit),
            Err(refusal) if refusal.why == Why::Nothing => None,
            Err(refusal) => return Err(Unplanned::Refused(refusal)),
        };
        let source = Source::read(&bytes).map_err(Unplanned::Refused)?;
        let config = WebConfig::read(&source).map_err(Unplanned::Refused)?;
        let advice = advice(&source, &config, &self.rule);
        Ok(Planned {
            bytes,
            edit,
            advice,
        })
    }

    /// Whether the file could be written now.
    pub(crate) async fn writable(&self) -> Result<(), FileTrouble> {
        let path = self.file.clone();
        blocking(move || file::writable(&path)).await
    }

    /// What answers now, at the public address and beside it.
    pub(crate) async fn measure(&self, of: KindId, direct: &Door, many: bool) -> Comparison {
        let n = if many { PAIRS } else { FEW_PAIRS };
        let pairs = pairs(&self.http, &self.public, direct, of, n).await;
        let sockets = self.public.sockets(of).await;
        let access = self.public.access(&self.http, of).await;
        compare(&pairs, sockets, access, self.public.encrypted())
    }

    /// The same of the service that takes over.
    pub(crate) async fn measure_new(&self, many: bool) -> Comparison {
        self.measure(KindId::Comfyui, &self.new, many).await
    }

    /// Turns the address. Where the new service is not proved behind it in time, the old bytes go back.
    pub(crate) async fn run(&self, run: &StepRun) -> Result<Deed, ErrorInfo> {
        let planned = self.plan().await.map_err(|why| why.error(&self.file))?;
        let Some(edit) = planned.edit else {
            return self.turned_already(run).await;
        };
        run.say(
            Words::both(
                "What answers before is measured.",
                "Ce qui répond avant est mesuré.",
            ),
            Some(5),
        );
        let before = self.before().await?;
        run.go_on()?;
        let receipt = self.secure(run, &planned.bytes, &edit, &before).await?;
        run.go_on()?;
        run.say(
            Words::both(
                "The address is written; the first good answer is waited for.",
                "L’adresse est écrite\u{202f}; la première bonne réponse est attendue.",
            ),
            Some(50),
        );
        let (path, old, new) = (self.file.clone(), planned.bytes.clone(), edit.bytes.clone());
        let started = Instant::now();
        if let Err(trouble) = blocking(move || file::replace(&path, &old, &new)).await {
            // Half of a file may be there: what can be put back is.
            return Err(self
                .fall_back(run, receipt, trouble.error(&self.file))
                .await);
        }
        match Box::pin(self.proved(run, started, before.access)).await {
            Ok((ms, after)) => {
                let mut deed = Deed {
                    before: told(&before),
                    after: after.evidence(),
                };
                deed.before.push(Evidence::new("rule_address", &edit.from));
                Ok(deed
                    .after("rule_address", &edit.to)
                    .after("cutover_ms", ms)
                    .after("backup_file", receipt.backup.display()))
            }
            Err(error) => Err(self.fall_back(run, receipt, error).await),
        }
    }

    /// The first good answer after the writing, and what is measured then.
    async fn proved(
        &self,
        run: &StepRun,
        started: Instant,
        access: Access,
    ) -> Result<(u32, Comparison), ErrorInfo> {
        let direct = self.new.look(&self.http, KindId::Comfyui).await.answer;
        let first = self
            .first_answer(run, started, |answer| *answer == direct)
            .await?;
        run.say(
            Words::both(
                "What answers now is measured.",
                "Ce qui répond maintenant est mesuré.",
            ),
            Some(80),
        );
        let found = self.measure_new(true).await;
        let want = Want {
            kind: KindId::Comfyui,
            before: access,
        };
        match (first, judge(&found, want)) {
            (Some(ms), Ok(())) => Ok((ms, found)),
            (None, Ok(())) => Err(not_proved(Trouble::Unsteady, &found)),
            (_, Err(trouble)) => Err(not_proved(trouble, &found)),
        }
    }

    /// Milliseconds from then to the first answer that is as wanted; `None` if none came in time.
    async fn first_answer(
        &self,
        run: &StepRun,
        since: Instant,
        wanted: impl Fn(&Answer) -> bool,
    ) -> Result<Option<u32>, ErrorInfo> {
        while since.elapsed() < FIRST_ANSWER {
            let answer = self.public.look(&self.http, KindId::Comfyui).await.answer;
            if wanted(&answer) {
                return Ok(Some(millis(since)));
            }
            tokio::select! {
                () = run.cancel.cancelled() => return Err(StepRun::cancelled()),
                () = tokio::time::sleep(LOOK_AGAIN) => {}
            }
        }
        Ok(None)
    }

    /// What answers before anything is changed. The new service has to be up: nobody is sent to a closed door.
    async fn before(&self) -> Result<Comparison, ErrorInfo> {
        let new = self.new.look(&self.http, KindId::Comfyui).await.answer;
        if !matches!(
            &new,
            Answer::Service {
                kind: KindId::Comfyui,
                ..
            }
        ) {
            let words = Trouble::ServiceDown.words();
            return Err(ErrorInfo::new(ErrorCode::Api, words.en).detail(new.told()));
        }
        let direct = self.old.as_ref().unwrap_or(&self.new);
        Ok(self.measure(KindId::Forge, direct, true).await)
    }

    /// Keeps the old bytes twice, and remembers what is about to be done.
    async fn secure(
        &self,
        run: &StepRun,
        bytes: &[u8],
        edit: &Edit,
        before: &Comparison,
    ) -> Result<Receipt, ErrorInfo> {
        let (path, kept, old) = (self.file.clone(), self.kept.clone(), bytes.to_vec());
        let at = clock::now();
        let secured = blocking(move || {
            let name = file::keep(&kept, &old)?;
            Ok((name, file::back_up(&path, &old, at)?))
        });
        let (name, backup) = secured.await.map_err(|trouble| trouble.error(&self.file))?;
        if let Some(left) = run.remembered::<Receipt>()
            && left.is_forgotten(&name, at)
        {
            run.remember(&Receipt {
                returned: true,
                ..left
            })
            .await?;
            return Err(ErrorInfo::new(
                ErrorCode::Refused,
                "this was begun long ago and left in the middle before anything was written",
            )
            .hint("Begin it again when its users know."));
        }
        // Where the new address says that it has no prefix, putting back has to say so, too.
        let closed = edit.to.prefix.is_some() && edit.from.prefix.is_none();
        let receipt = Receipt {
            file: self.file.clone(),
            rule: self.rule.clone(),
            from: format!("{}{}", edit.from, if closed { "/" } else { "" }),
            to: edit.to.to_string(),
            before: name,
            after: file::hash(&edit.bytes),
            backup,
            at,
            answered: self.public.look(&self.http, KindId::Forge).await.answer,
            access: before.access,
            returned: false,
        };
        run.remember(&receipt).await?;
        Ok(receipt)
    }

    /// The rule leads there already: by an earlier run that ended in the middle, or by hand. It is proved, and
    /// nothing is written.
    async fn turned_already(&self, run: &StepRun) -> Result<Deed, ErrorInfo> {
        let mine = run
            .remembered::<Receipt>()
            .filter(|receipt| !receipt.returned);
        let access = mine
            .as_ref()
            .map_or(Access::Unknown, |receipt| receipt.access);
        match Box::pin(self.proved(run, Instant::now(), access)).await {
            Ok((_, found)) => Ok(Deed {
                before: Vec::new(),
                after: found.evidence(),
            }),
            Err(error) => match mine {
                Some(receipt) => Err(self.fall_back(run, receipt, error).await),
                None => Err(error),
            },
        }
    }

    /// Puts the old bytes back because of an error, and says so.
    async fn fall_back(&self, run: &StepRun, receipt: Receipt, error: ErrorInfo) -> ErrorInfo {
        let started = Instant::now();
        match receipt.put_back(&self.kept).await {
            Ok(_) => {
                let answered = receipt.answered.clone();
                let remembered = run
                    .remember(&Receipt {
                        returned: true,
                        ..receipt
                    })
                    .await;
                if let Err(unkept) = remembered {
                    tracing::error!(%unkept, "that the address was put back is not remembered");
                }
                let quiet = StepRun::new(
                    tokio_util::sync::CancellationToken::new(),
                    None,
                    Box::new(|_| Box::pin(async { Ok(()) })),
                );
                // A program that is ending does not wait for it: the bytes are there.
                let back = if run.cancel.is_cancelled() {
                    None
                } else {
                    self.first_answer(&quiet, started, |a| returned(a, &answered))
                        .await
                        .ok()
                        .flatten()
                };
                let time = back.map_or(String::new(), |ms| format!(" after {ms} ms"));
                let hint = format!("The old address was put back{time}.");
                ErrorInfo {
                    hint: Some(hint),
                    ..error
                }
            }
            Err(again) => ErrorInfo {
                hint: Some(format!(
                    "The old file could not be put back ({}): copy {} over it.",
                    again.message,
                    receipt.backup.display()
                )),
                ..error
            },
        }
    }

    /// Takes it back: the bytes first, then the time until the old answer is there.
    pub(crate) async fn undo(&self, run: &StepRun) -> Result<Deed, ErrorInfo> {
        let receipt: Receipt = run.remembered().ok_or_else(|| {
            ErrorInfo::new(
                ErrorCode::Refused,
                "it is not remembered what was there before",
            )
            .hint("Copies stand beside web.config, named after their time.")
        })?;
        run.say(
            Words::both(
                "The old address is put back.",
                "L’ancienne adresse est remise.",
            ),
            Some(20),
        );
        let started = Instant::now();
        let back = receipt.put_back(&self.kept).await?;
        let answered = receipt.answered.clone();
        // What is measured here takes nothing back any more: whoever ends it ends the waiting alone.
        let first = self
            .first_answer(run, started, |a| returned(a, &answered))
            .await;
        let now = self.public.look(&self.http, KindId::Forge).await;
        let way = match back {
            Back::Already => "nothing_written",
            Back::Exact => "exact_bytes",
            Back::AddressOnly => "address_only",
        };
        let deed = Deed::default()
            .before("rule_address", &receipt.to)
            .after("rule_address", receipt.from.trim_end_matches('/'))
            .after("put_back", way)
            .after("public_answer", now.answer.told());
        Ok(match first.ok().flatten() {
            Some(ms) => deed.after("return_ms", ms),
            None => deed,
        })
    }
}

/// Whether an answer is that of before.
fn returned(now: &Answer, before: &Answer) -> bool {
    match before {
        Answer::Service { .. } => now == before,
        _ => !matches!(
            now,
            Answer::Service {
                kind: KindId::Comfyui,
                ..
            }
        ),
    }
}

fn not_proved(trouble: Trouble, found: &Comparison) -> ErrorInfo {
    let told = found.evidence();
    let told: Vec<String> = told
        .iter()
        .map(|e| format!("{} {}", e.name, e.value))
        .collect();
    ErrorInfo::new(ErrorCode::NotProved, trouble.words().en).detail(told.join(", "))
}

/// What answered before, with the names of before.
fn told(before: &Comparison) -> Vec<Evidence> {
    let named = before.evidence().into_iter();
    named
        .filter(|e| e.name != "websocket" && e.name != "encrypted")
        .collect()
}

fn millis(since: Instant) -> u32 {
    u32::try_from(since.elapsed().as_millis()).unwrap_or(u32::MAX)
}
