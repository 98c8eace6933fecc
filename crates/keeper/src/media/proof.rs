//! What a finished generation proves: its pictures unpacked, judged and kept.

use bytes::Bytes;
use forgekeeper_domain::{
    error::{ErrorCode, ErrorInfo},
    generation::{GenerationRequest, GenerationVerdict, Picture, Replaced, Substitution},
};

use super::pictures::PictureStore;
use crate::clients::GenerationOutcomeRaw;

/// The judged result of a generation.
#[derive(Debug, Clone, PartialEq)]
pub struct Proof {
    /// What it proved.
    pub verdict: GenerationVerdict,
    /// Kept pictures in order.
    pub pictures: Vec<Picture>,
    /// What the server replaced silently, sizes included.
    pub substitutions: Vec<Substitution>,
    /// The parameter text of the first picture.
    pub parameters: Option<String>,
    /// Model used, as the server tells it.
    pub model: Option<String>,
    /// Why it failed, or what is wrong with the pictures.
    pub error: Option<ErrorInfo>,
}

/// Unpacks and keeps every picture of an outcome. Pictures before a broken one are kept.
pub async fn prove(
    request: &GenerationRequest,
    raw: GenerationOutcomeRaw,
    store: &PictureStore,
) -> Proof {
    let GenerationOutcomeRaw {
        pictures: files,
        seeds,
        infotexts,
        model,
        substitutions,
        interrupted,
        failure,
        ..
    } = raw;
    let mut proof = Proof {
        verdict: GenerationVerdict::Proved,
        pictures: Vec::new(),
        substitutions,
        parameters: infotexts.first().cloned(),
        model,
        error: None,
    };
    if let Some((verdict, error)) = failure {
        proof.verdict = verdict;
        proof.error = Some(error);
        // What is left of one whose answer was lost: unfinished, and kept as that.
        for bytes in files {
            proof
                .pictures
                .extend(store.keep(bytes, None, None).await.ok());
        }
        return proof;
    }
    for (at, bytes) in files.into_iter().enumerate() {
        if at == 0 && proof.parameters.is_none() {
            proof.parameters = embedded(bytes.clone()).await;
        }
        match store
            .keep(bytes, infotexts.get(at).cloned(), seeds.get(at).copied())
            .await
        {
            Ok(picture) => proof.pictures.push(picture),
            Err(error) => {
                proof.verdict = match error.code {
                    ErrorCode::BadPicture => GenerationVerdict::Undecodable,
                    _ => GenerationVerdict::Failed,
                };
                proof.error = Some(error);
                return proof;
            }
        }
    }
    proof.substitutions.extend(sizes(request, &proof.pictures));
    if interrupted {
        // The server answers 200 with an unfinished picture and does not say so.
        proof.verdict = GenerationVerdict::Interrupted;
        proof.error = Some(ErrorInfo::new(
            ErrorCode::Cancelled,
            "The generation was interrupted on request.",
        ));
    } else if proof.pictures.len() < request.batch as usize {
        proof.verdict = GenerationVerdict::Failed;
        proof.error = Some(
            ErrorInfo::new(
                ErrorCode::Api,
                format!(
                    "The server sent {} of the {} pictures asked for.",
                    proof.pictures.len(),
                    request.batch
                ),
            )
            .hint("Read the last lines of its log."),
        );
    } else if proof.pictures.iter().any(|picture| picture.blank) {
        proof.verdict = GenerationVerdict::Blank;
        proof.error = Some(
            ErrorInfo::new(
                ErrorCode::BlankPicture,
                "Nearly all of its pixels have the same value.",
            )
            .hint("The VAE probably produced NaN; try --no-half-vae or another VAE."),
        );
    }
    proof
}

/// The parameter text inside a picture, for servers that tell it nowhere else.
async fn embedded(bytes: Bytes) -> Option<String> {
    tokio::task::spawn_blocking(move || super::png_text::parameters(&bytes))
        .await
        .ok()
        .flatten()
}

/// Real pixels of every picture against those asked for: servers round sizes silently. Each size
/// that was used instead is told once.
fn sizes(request: &GenerationRequest, pictures: &[Picture]) -> Vec<Substitution> {
    let mut found = Vec::new();
    let (width, height) = request.picture_size();
    for picture in pictures {
        for (field, asked, used) in [
            (Replaced::Width, width, picture.width),
            (Replaced::Height, height, picture.height),
        ] {
            let substitution = Substitution {
                field,
                asked: asked.to_string(),
                used: used.to_string(),
            };
            if asked != used && !found.contains(&substitution) {
                found.push(substitution);
            }
        }
    }
    found
}

#[cfg(test)]
mod tests;
