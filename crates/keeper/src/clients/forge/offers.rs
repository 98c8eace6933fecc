//! What a Forge offers, and which Forge it is.

use forgekeeper_domain::{
    error::{ErrorCode, ErrorInfo},
    generation::GenerationChoices,
};
use serde::Deserialize;
use serde_json::Value;

use super::{
    super::{
        failure,
        http::{Ask, HttpAnswer},
        judge,
        probe::PROBE_DEADLINE,
    },
    client::ForgeClient,
    errors,
};

/// Longest list of names offered.
const MAX_CHOICES: usize = 5000;
/// Largest list of LoRAs in bytes: each brings the whole metadata of its training.
const LORAS_LIMIT: usize = 32 * 1024 * 1024;
/// Largest description of the API in bytes; with many extensions it has some megabytes.
const OPENAPI_LIMIT: usize = 16 * 1024 * 1024;

/// Which of the programs with this API answers, as far as they take a request in other ways
/// (`forge-api.md` §14).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Dialect {
    /// A Forge that ignores `override_settings`, such as the one in the container's image.
    Image,
    /// A newer Forge.
    Head,
    /// A1111.
    A1111,
}

/// A file beside the model: a VAE or a text encoder.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub(super) struct Module {
    #[serde(rename = "model_name")]
    pub name: String,
    /// Where it is on the server.
    #[serde(rename = "filename")]
    pub path: String,
}

/// A LoRA by both names that a tag may use; what it was trained with is not read.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub(super) struct Lora {
    pub name: String,
    #[serde(default)]
    pub alias: Option<String>,
}

impl ForgeClient {
    /// Names the service offers. Only samplers and models must be there: the other lists are those
    /// of newer servers, or of extensions.
    pub async fn choices(&self) -> Result<GenerationChoices, ErrorInfo> {
        let (samplers, schedulers, models, latent, upscalers, modules, loras) = tokio::join!(
            self.names("/sdapi/v1/samplers", "name"),
            self.names("/sdapi/v1/schedulers", "label"),
            self.names("/sdapi/v1/sd-models", "title"),
            self.names("/sdapi/v1/latent-upscale-modes", "name"),
            self.names("/sdapi/v1/upscalers", "name"),
            self.modules(),
            self.loras(),
        );
        let schedulers = match schedulers {
            Err((404, _)) => Vec::new(),
            other => other.map_err(|(_, info)| info)?,
        };
        let mut all_upscalers = latent.unwrap_or_default();
        all_upscalers.extend(upscalers.unwrap_or_default());
        let modules = modules.into_iter().flatten().map(|module| module.name);
        let loras = loras.into_iter().flatten().map(|lora| lora.name);
        Ok(GenerationChoices {
            samplers: samplers.map_err(|(_, info)| info)?,
            schedulers,
            models: models.map_err(|(_, info)| info)?,
            upscalers: all_upscalers,
            modules: modules.collect(),
            loras: loras.collect(),
        })
    }

    pub(super) async fn names(
        &self,
        path: &str,
        key: &str,
    ) -> Result<Vec<String>, (u16, ErrorInfo)> {
        let answer = self
            .reach
            .http
            .send(&self.reach.target, &Ask::get(path, PROBE_DEADLINE))
            .await;
        let answer = answer.map_err(|error| (0, failure::unanswered(&error).1))?;
        if answer.status != 200 {
            return Err((
                answer.status,
                errors::refused(&answer, self.reach.target.has_credentials()).1,
            ));
        }
        let odd = |what: &str| {
            let info = ErrorInfo::new(ErrorCode::Api, "The service's list of names is not usable.");
            (answer.status, info.detail(format!("{path}: {what}")))
        };
        if answer.cut.is_some() {
            return Err(odd("cut off or too large"));
        }
        let body = judge::json(&answer).map_err(|what| odd(&what))?;
        let list = body.as_array().ok_or_else(|| odd("no list"))?;
        let names = list
            .iter()
            .filter_map(|entry| entry.get(key)?.as_str())
            .map(str::to_owned);
        Ok(names.take(MAX_CHOICES).collect())
    }

    /// VAEs and text encoders: Forge's list, or A1111's, which has only VAEs. `None` when neither
    /// is told.
    pub(super) async fn modules(&self) -> Option<Vec<Module>> {
        let forges = self.list("/sdapi/v1/sd-modules", OPENAPI_LIMIT).await;
        match forges {
            Err(404) => self.list("/sdapi/v1/sd-vae", OPENAPI_LIMIT).await.ok(),
            other => other.ok(),
        }
    }

    /// The LoRAs; `None` when they are not told. The route is an extension's, and needs no
    /// credentials even where all others do.
    pub(super) async fn loras(&self) -> Option<Vec<Lora>> {
        self.list("/sdapi/v1/loras", LORAS_LIMIT).await.ok()
    }

    /// A list of objects of one sort; others in it are passed over. The error is the status, 0 where
    /// none came or what came is no list.
    async fn list<T: for<'de> Deserialize<'de>>(
        &self,
        path: &str,
        limit: usize,
    ) -> Result<Vec<T>, u16> {
        #[derive(Deserialize)]
        #[serde(untagged)]
        enum Entry<T> {
            Good(T),
            Odd(serde::de::IgnoredAny),
        }
        let ask = Ask::get(path, PROBE_DEADLINE).limit(limit);
        let answer = self
            .reach
            .http
            .send(&self.reach.target, &ask)
            .await
            .map_err(|_| 0_u16)?;
        if answer.status != 200 {
            return Err(answer.status);
        }
        let all: Vec<Entry<T>> = whole(&answer)
            .and_then(|body| serde_json::from_slice(body).ok())
            .ok_or(0_u16)?;
        let good = all.into_iter().filter_map(|entry| match entry {
            Entry::Good(good) => Some(good),
            Entry::Odd(_) => None,
        });
        Ok(good.take(MAX_CHOICES).collect())
    }

    /// Which program answers: by the description of its API, else by a route that only Forge has.
    pub(super) async fn dialect(&self) -> Result<Dialect, ErrorInfo> {
        let ask = Ask::get("/openapi.json", PROBE_DEADLINE).limit(OPENAPI_LIMIT);
        let answer = self.reach.http.send(&self.reach.target, &ask).await;
        let answer = answer.map_err(|error| failure::unanswered(&error).1)?;
        let described = whole(&answer).filter(|_| answer.status == 200);
        if let Some(dialect) = described.and_then(by_description) {
            return Ok(dialect);
        }
        let modules = Ask::get("/sdapi/v1/sd-modules", PROBE_DEADLINE);
        match self.reach.http.send(&self.reach.target, &modules).await {
            Ok(answer) if answer.status == 404 => Ok(Dialect::A1111),
            Ok(_) => Err(ErrorInfo::new(
                ErrorCode::Api,
                "The service does not tell which Forge it is, so it cannot be told how to take this request.",
            )
            .hint("Does something stand before it that hides /openapi.json?")),
            Err(error) => Err(failure::unanswered(&error).1),
        }
    }
}

/// The body of an answer that came whole.
fn whole(answer: &HttpAnswer) -> Option<&[u8]> {
    (answer.cut.is_none() && answer.is_json()).then_some(&*answer.body)
}

fn by_description(body: &[u8]) -> Option<Dialect> {
    /// What is looked at; the rest of some megabytes is passed over.
    #[derive(Deserialize)]
    struct Description {
        paths: Paths,
        components: Components,
    }
    #[derive(Deserialize)]
    struct Paths {
        #[serde(default, rename = "/sdapi/v1/sd-modules")]
        modules: Option<serde::de::IgnoredAny>,
    }
    #[derive(Deserialize)]
    struct Components {
        schemas: Schemas,
    }
    #[derive(Deserialize)]
    struct Schemas {
        #[serde(rename = "StableDiffusionProcessingTxt2Img")]
        txt2img: Value,
    }
    let description: Description = serde_json::from_slice(body).ok()?;
    let fields = description.components.schemas.txt2img.get("properties")?;
    Some(if fields.get("hr_additional_modules").is_some() {
        Dialect::Head
    } else if description.paths.modules.is_some() {
        Dialect::Image
    } else {
        Dialect::A1111
    })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn the_description_tells_which_program_it_is() {
        let described = |paths: Value, fields: Value| {
            let schemas =
                json!({"StableDiffusionProcessingTxt2Img": {"properties": fields}, "Other": 5});
            let all =
                json!({"openapi": "3.1.0", "paths": paths, "components": {"schemas": schemas}});
            by_description(all.to_string().as_bytes())
        };
        let forge = json!({"/sdapi/v1/sd-modules": {"get": {}}, "/sdapi/v1/txt2img": {}});
        assert_eq!(
            described(forge.clone(), json!({"hr_additional_modules": {}})),
            Some(Dialect::Head)
        );
        assert_eq!(
            described(forge, json!({"prompt": {}})),
            Some(Dialect::Image)
        );
        assert_eq!(
            described(json!({"/sdapi/v1/sd-vae": {}}), json!({"prompt": {}})),
            Some(Dialect::A1111)
        );
        assert_eq!(by_description(b"{\"paths\": {}}"), None);
        assert_eq!(by_description(b"<html>"), None);
    }
}
