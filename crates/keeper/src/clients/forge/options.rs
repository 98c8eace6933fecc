//! Options for one generation. Servers that know overrides take them with the request. The Forge of
//! the container's image ignores those: there the options are set for everybody and put back
//! afterwards (`forge-api.md` §6 and §14).

use std::time::Duration;

use forgekeeper_domain::{
    error::{ErrorCode, ErrorInfo},
    generation::{GenerationRequest, GenerationVerdict, Replaced, Substitution},
};
use serde_json::{Map, Value, json};

use super::{
    super::{
        failure::{self, Failure},
        http::{Ask, HttpError},
        judge,
        outcome::GenerationOutcomeRaw,
        probe::PROBE_DEADLINE,
        reach::Reach,
    },
    client::ForgeClient,
    errors,
    offers::{Dialect, Module},
    wire::bare_model,
};

const OPTIONS: &str = "/sdapi/v1/options";
/// The option that a partial write empties.
const CHECKPOINT: &str = "sd_model_checkpoint";
/// So many times options are tried to be put back.
const TRIES: u32 = 3;
const BETWEEN_TRIES: Duration = Duration::from_millis(700);

fn bad(message: String) -> ErrorInfo {
    ErrorInfo::new(ErrorCode::BadRequest, message)
}

/// The options that a request needs, for the server's kind.
pub(super) fn of(
    request: &GenerationRequest,
    dialect: Dialect,
    modules: Option<&[Module]>,
) -> Result<Map<String, Value>, ErrorInfo> {
    let mut options = Map::new();
    if let Some(model) = &request.model {
        options.insert(CHECKPOINT.to_owned(), json!(bare_model(model)));
    }
    if let Some(skip) = request.clip_skip {
        options.insert("CLIP_stop_at_last_layers".to_owned(), json!(skip));
    }
    if request.modules.is_empty() {
        return Ok(options);
    }
    let offered = modules.ok_or_else(|| {
        ErrorInfo::new(
            ErrorCode::Api,
            "The service does not list its VAEs and text encoders.",
        )
    })?;
    let mut chosen = Vec::new();
    for asked in &request.modules {
        let found = offered
            .iter()
            .find(|module| module.name == *asked || module.path == *asked);
        // Unknown ones would be dropped in silence, or break the model.
        chosen.push(found.ok_or_else(|| {
            bad(format!(
                "The service offers no VAE or text encoder `{asked}`."
            ))
            .hint("Choose one that the service offers.")
        })?);
    }
    match (dialect, chosen.as_slice()) {
        (Dialect::A1111, [vae]) => {
            options.insert("sd_vae".to_owned(), json!(vae.name));
        }
        (Dialect::A1111, _) => {
            return Err(bad(
                "A1111 takes one VAE, and no text encoders beside a model.".to_owned(),
            ));
        }
        // The image's Forge takes nothing but paths; the newer one takes them, too.
        (Dialect::Image | Dialect::Head, chosen) => {
            let paths: Vec<&str> = chosen.iter().map(|module| module.path.as_str()).collect();
            options.insert("forge_additional_modules".to_owned(), json!(paths));
        }
    }
    Ok(options)
}

/// Options that are set for everybody until they are put back.
#[derive(Debug)]
pub(super) struct Borrowed<'a> {
    client: &'a ForgeClient,
    ours: Map<String, Value>,
    former: Map<String, Value>,
}

impl ForgeClient {
    /// Sets options for everybody. The checkpoint always goes with them: without it the server
    /// forgets which one is chosen, for good.
    pub(super) async fn borrow_options(
        &self,
        mut ours: Map<String, Value>,
    ) -> Result<Option<Borrowed<'_>>, Failure> {
        let failed = |info: ErrorInfo| (GenerationVerdict::Failed, info);
        if let Some(model) = ours.get(CHECKPOINT).and_then(Value::as_str) {
            self.offers_model(model).await.map_err(failed)?;
        }
        let now = self.options().await.map_err(failed)?;
        let missing = ours.keys().find(|key| !now.contains_key(*key));
        if let Some(key) = missing.cloned().or_else(|| {
            let known = now.contains_key(CHECKPOINT);
            (!known).then(|| CHECKPOINT.to_owned())
        }) {
            let words = format!("The service has no option `{key}`.");
            return Err(failed(ErrorInfo::new(ErrorCode::Api, words)));
        }
        let checkpoint = now.get(CHECKPOINT).cloned().unwrap_or_default();
        ours.entry(CHECKPOINT).or_insert(checkpoint);
        let keys = ours.keys().cloned();
        let former: Map<String, Value> = keys
            .map(|key| {
                let value = now.get(&key).cloned().unwrap_or_default();
                (key, value)
            })
            .collect();
        if ours.iter().all(|(key, value)| is_same(value, &former[key])) {
            return Ok(None);
        }
        let borrowed = Borrowed {
            client: self,
            ours,
            former,
        };
        // An answer that is lost may be that to a write that happened.
        if let Err(info) = self.write_options(&borrowed.ours).await {
            let outcome = GenerationOutcomeRaw::failed(failed(info), Duration::ZERO);
            let outcome = borrowed.put_back(outcome).await;
            return outcome.failure.map_or(Ok(None), Err);
        }
        Ok(Some(borrowed))
    }

    /// Refuses a model that the server does not list: it would answer without a reason.
    async fn offers_model(&self, model: &str) -> Result<(), ErrorInfo> {
        let Ok(titles) = self.names("/sdapi/v1/sd-models", "title").await else {
            return Ok(());
        };
        if titles.iter().any(|title| bare_model(title) == model) {
            return Ok(());
        }
        Err(bad(format!("The service offers no model `{model}`."))
            .hint("Choose one that the service offers."))
    }

    async fn options(&self) -> Result<Map<String, Value>, ErrorInfo> {
        let answer = self
            .reach
            .http
            .send(&self.reach.target, &Ask::get(OPTIONS, PROBE_DEADLINE))
            .await
            .map_err(|error| failure::unanswered(&error).1)?;
        let odd = |what: &str| {
            ErrorInfo::new(ErrorCode::Api, "The service's options cannot be read.")
                .detail(what.to_owned())
        };
        if answer.status != 200 {
            return Err(errors::refused(&answer, self.reach.target.has_credentials()).1);
        }
        if answer.cut.is_some() {
            return Err(odd("cut off or too large"));
        }
        match judge::json(&answer) {
            Ok(Value::Object(options)) => Ok(options),
            Ok(_) => Err(odd("no object")),
            Err(what) => Err(odd(&what)),
        }
    }

    async fn write_options(&self, options: &Map<String, Value>) -> Result<(), ErrorInfo> {
        let body = Value::Object(options.clone());
        let ask = Ask::post(OPTIONS, &body, PROBE_DEADLINE);
        let answer: Result<_, HttpError> = self.reach.http.send(&self.reach.target, &ask).await;
        let answer = answer.map_err(|error| failure::unanswered(&error).1)?;
        if answer.status == 200 {
            return Ok(());
        }
        Err(errors::refused(&answer, self.reach.target.has_credentials()).1)
    }
}

impl<'a> Borrowed<'a> {
    /// What [`Borrowed::kept`] needs: ours, and the former ones.
    pub(super) fn to_keep(&self) -> [Map<String, Value>; 2] {
        [self.ours.clone(), self.former.clone()]
    }

    /// Options that an earlier run of this program set.
    pub(super) fn kept(client: &'a ForgeClient, [ours, former]: [Map<String, Value>; 2]) -> Self {
        Self {
            client,
            ours,
            former,
        }
    }

    /// Puts the former options back, and says in the outcome when that fails.
    pub(super) async fn put_back(self, mut outcome: GenerationOutcomeRaw) -> GenerationOutcomeRaw {
        let Err(info) = self.try_to_put_back().await else {
            return outcome;
        };
        let why = info.message;
        let (former, ours) = (words(&self.former), words(&self.ours));
        match &mut outcome.failure {
            Some((_, info)) => {
                let left =
                    format!("the options {former} could not be put back and are now {ours}: {why}");
                let detail = info.detail.take().map(|detail| format!("{detail}; {left}"));
                info.detail = Some(detail.unwrap_or(left));
            }
            None => outcome.substitutions.push(Substitution {
                field: Replaced::OptionsAfterwards,
                asked: former,
                used: ours,
            }),
        }
        outcome
    }

    async fn try_to_put_back(&self) -> Result<(), ErrorInfo> {
        let mut round = 1;
        loop {
            let back = self.to_write().await;
            if back.is_empty() {
                return Ok(());
            }
            match self.client.write_options(&back).await {
                Err(_) if round < TRIES => round += 1,
                end => return end,
            }
            tokio::time::sleep(BETWEEN_TRIES).await;
        }
    }

    /// The former values, but for what somebody else has changed meanwhile: that stays. Empty when
    /// nothing of ours is left.
    async fn to_write(&self) -> Map<String, Value> {
        let Ok(now) = self.client.options().await else {
            return self.former.clone();
        };
        let mut back = Map::new();
        let mut ours_is_left = false;
        for (key, former) in &self.former {
            let is_ours = now
                .get(key)
                .zip(self.ours.get(key))
                .is_none_or(|(now, ours)| is_same(now, ours));
            if is_ours {
                // One that was lent as it was, for the checkpoint's sake, is nothing to put back.
                ours_is_left |= self.ours.get(key).is_none_or(|ours| !is_same(ours, former));
                back.insert(key.clone(), former.clone());
            } else if key == CHECKPOINT {
                back.insert(key.clone(), now.get(key).cloned().unwrap_or_default());
            }
        }
        if ours_is_left { back } else { Map::new() }
    }
}

/// Puts options back that a program lent which is no more; an error says that they are still lent.
pub(in crate::clients) async fn put_back(
    reach: Reach,
    lent: [Map<String, Value>; 2],
) -> Result<(), ErrorInfo> {
    let client = ForgeClient::new(reach);
    Borrowed::kept(&client, lent).try_to_put_back().await
}

/// Whole numbers come back as broken ones: `1` is `1.0`.
fn is_same(a: &Value, b: &Value) -> bool {
    match (a.as_f64(), b.as_f64()) {
        (Some(a), Some(b)) => (a - b).abs() < f64::EPSILON,
        _ => a == b,
    }
}

fn words(options: &Map<String, Value>) -> String {
    let pairs = options.iter().map(|(key, value)| match value {
        Value::String(text) => format!("{key} = {text}"),
        other => format!("{key} = {other}"),
    });
    judge::shorten(&pairs.collect::<Vec<_>>().join(", "))
}
