//! The interface of source repositories: when something was pushed last, and whether it is archived.

use forgekeeper_domain::{
    Timestamp,
    migration::image::{RepositoryFacts, SourceAnswer, Unasked, source_repository},
};
use reqwest::Url;
use serde::Deserialize;
use tokio::time::Instant;

use super::walk::{self, Question, trouble};
use crate::{clients::http::Http, docker::error::shortened};

const MAX_ANSWER: usize = 1024 * 1024;
const JSON: &str = "application/json";

#[derive(Deserialize)]
struct Repository {
    pushed_at: Option<String>,
    archived: Option<bool>,
}

/// Asks about the repository that an address of a page names.
pub(super) async fn ask(http: &Http, address: &str, api: &str, deadline: Instant) -> SourceAnswer {
    let Some(name) = source_repository(address) else {
        return SourceAnswer::NotNamed;
    };
    match found(http, &name, api, deadline).await {
        Ok(answer) => answer,
        Err(walk::Trouble { why, words }) => SourceAnswer::Unknown {
            why,
            words: shortened(&words),
        },
    }
}

async fn found(
    http: &Http,
    name: &str,
    api: &str,
    deadline: Instant,
) -> Result<SourceAnswer, walk::Trouble> {
    let base = api.trim_end_matches('/');
    let url = Url::parse(&format!("{base}/repos/{name}"))
        .map_err(|_| trouble(Unasked::Unexpected, "the address of sources cannot be used"))?;
    let question = Question {
        url: &url,
        token: None,
        accept: JSON,
        limit: MAX_ANSWER,
        deadline,
    };
    let answer = walk::ask(http, &question).await?;
    match answer.status {
        200 => {}
        404 | 410 | 451 => return Ok(SourceAnswer::NotThere),
        // Whoever asks without a login too often is told 403 there.
        403 => {
            return Err(trouble(
                Unasked::RateLimited,
                "it was asked too often for now (403)",
            ));
        }
        status => {
            return Err(trouble(
                Unasked::Unexpected,
                format!("the interface of sources answers {status}"),
            ));
        }
    }
    let found: Repository = serde_json::from_slice(&answer.body).map_err(|error| {
        trouble(
            Unasked::Unexpected,
            format!("what came is not what such an interface sends: {error}"),
        )
    })?;
    // An answer without the one thing that is asked for says nothing.
    let Some(archived) = found.archived else {
        return Err(trouble(
            Unasked::Unexpected,
            "the answer does not say whether it is archived",
        ));
    };
    Ok(SourceAnswer::Found(RepositoryFacts {
        name: name.to_owned(),
        pushed_at: found.pushed_at.and_then(|at| at.parse::<Timestamp>().ok()),
        archived,
    }))
}
