//! One question to a host that is not ours: redirects are followed a few times, credentials go to the
//! host that asked for them and to no other, and each end has its word.

use forgekeeper_domain::migration::image::Unasked;
use reqwest::Url;
use tokio::time::Instant;

use crate::{
    clients::http::{Ask, Cut, Http, HttpAnswer, HttpError, Target},
    secrets::{Credentials, Sensitive},
};

/// Most redirects that are followed.
const MAX_REDIRECTS: usize = 3;

/// Why there is no answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Trouble {
    pub(super) why: Unasked,
    pub(super) words: String,
}

pub(super) fn trouble(why: Unasked, words: impl Into<String>) -> Trouble {
    Trouble {
        why,
        words: words.into(),
    }
}

/// What is asked.
pub(super) struct Question<'a> {
    pub(super) url: &'a Url,
    pub(super) token: Option<&'a str>,
    pub(super) accept: &'static str,
    pub(super) limit: usize,
    pub(super) deadline: Instant,
}

/// Asks, and follows redirects. Every status but those of trouble is the caller's to read.
pub(super) async fn ask(http: &Http, question: &Question<'_>) -> Result<HttpAnswer, Trouble> {
    let mut url = question.url.clone();
    for _ in 0..=MAX_REDIRECTS {
        let answer = once(http, question, &url).await?;
        if !matches!(answer.status, 301 | 302 | 303 | 307 | 308) {
            return settled(answer, question.limit);
        }
        let next = answer.location.as_deref().and_then(|to| url.join(to).ok());
        let next = next
            .ok_or_else(|| trouble(Unasked::Redirected, "it leads to an address that is none"))?;
        if !matches!(next.scheme(), "http" | "https")
            || url.scheme() == "https" && next.scheme() == "http"
        {
            return Err(trouble(
                Unasked::Redirected,
                "it leads away from encryption, and is not followed there",
            ));
        }
        url = next;
    }
    Err(trouble(
        Unasked::Redirected,
        format!("it leads elsewhere more than {MAX_REDIRECTS} times"),
    ))
}

async fn once(http: &Http, question: &Question<'_>, url: &Url) -> Result<HttpAnswer, Trouble> {
    let left = question
        .deadline
        .checked_duration_since(Instant::now())
        .filter(|left| !left.is_zero())
        .ok_or_else(|| trouble(Unasked::NotInTime, "no time was left to ask"))?;
    let credentials = question
        .token
        .filter(|_| same_place(url, question.url))
        .map(|token| Credentials::Bearer {
            token: Sensitive::new(token.to_owned()),
        });
    let mut base = url.clone();
    // A name in an address would be sent as a login.
    if !base.username().is_empty() || base.password().is_some() {
        return Err(trouble(Unasked::Redirected, "the address holds a login"));
    }
    base.set_path("");
    base.set_query(None);
    let target = Target::new(base.as_str(), credentials).map_err(|error| of_http(&error))?;
    let path = match url.query() {
        None => url.path().to_owned(),
        Some(query) => format!("{}?{query}", url.path()),
    };
    let ask = Ask::get(&path, left)
        .limit(question.limit)
        .accept(question.accept);
    http.send(&target, &ask).await.map_err(|e| of_http(&e))
}

fn settled(answer: HttpAnswer, limit: usize) -> Result<HttpAnswer, Trouble> {
    match &answer.cut {
        Some(Cut::TooLarge { .. }) => {
            return Err(trouble(
                Unasked::Unexpected,
                format!("the answer is larger than {limit} bytes"),
            ));
        }
        Some(Cut::Broken { reason }) => {
            return Err(trouble(Unasked::ServerFault, reason.clone()));
        }
        None => {}
    }
    match answer.status {
        429 => Err(trouble(
            Unasked::RateLimited,
            "it was asked too often for now (429)",
        )),
        status @ 500.. => Err(trouble(
            Unasked::ServerFault,
            format!("the server answers {status}"),
        )),
        _ => Ok(answer),
    }
}

fn of_http(error: &HttpError) -> Trouble {
    let why = match error {
        HttpError::TimedOut { .. } => Unasked::NotInTime,
        HttpError::Address(_) => Unasked::Unexpected,
        HttpError::Refused(_) | HttpError::Dns { .. } | HttpError::Reset(_) | HttpError::Tls(_) => {
            Unasked::Unreachable
        }
    };
    trouble(why, error.to_string())
}

fn same_place(one: &Url, other: &Url) -> bool {
    one.scheme() == other.scheme()
        && one.host_str() == other.host_str()
        && one.port_or_known_default() == other.port_or_known_default()
}
