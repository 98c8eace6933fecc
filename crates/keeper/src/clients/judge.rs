//! What an answer means for the `api` rung: pure functions from [`HttpAnswer`] to [`ApiFact`].

use forgekeeper_domain::facts::ApiFact;

use super::http::{Cut, HttpAnswer, HttpError};

/// Longest foreign text kept in a fact, in characters.
const MAX_WORDS: usize = 300;

/// An answer to the request that proves the API, judged.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Judged {
    /// The fact, whatever comes after.
    Fact(ApiFact),
    /// A 200 page that is no login form: the container's placeholder or something foreign.
    Page,
}

/// Judges the answer; `read` takes the number of models out of a whole JSON body.
pub(crate) fn judge<T>(
    answer: &HttpAnswer,
    sent_credentials: bool,
    read: impl FnOnce(&HttpAnswer) -> Result<T, String>,
    answered: impl FnOnce(T) -> ApiFact,
) -> Judged {
    let status = answer.status;
    Judged::Fact(match status {
        300..=399 => match &answer.location {
            Some(to) if is_login_place(to) => ApiFact::LoginPage {
                location: Some(shorten(to)),
            },
            Some(to) => bad(status, &format!("a redirect to {to}")),
            None => bad(status, "a redirect to nowhere"),
        },
        401 | 403 => ApiFact::Unauthorized {
            status,
            sent_credentials,
        },
        404 => ApiFact::Starting {
            what: "not_found".to_owned(),
        },
        502 if !answer.is_json() => ApiFact::Starting {
            what: "bad_gateway".to_owned(),
        },
        500..=599 => ApiFact::ServerError {
            status,
            message: error_message(answer),
        },
        200..=299 if answer.is_html() && !answer.is_json() => {
            if is_login_form(&answer.body) {
                ApiFact::LoginPage { location: None }
            } else {
                return Judged::Page;
            }
        }
        200..=299 => match &answer.cut {
            Some(cut) => bad(status, &cut_words(cut)),
            None => match read(answer) {
                Ok(found) => answered(found),
                Err(what) => bad(status, &what),
            },
        },
        _ => bad(status, &error_message(answer)),
    })
}

/// What a page that is not the API is called.
pub(crate) fn page(answer: &HttpAnswer, placeholder: bool) -> ApiFact {
    if placeholder {
        ApiFact::Starting {
            what: "placeholder".to_owned(),
        }
    } else {
        bad(
            answer.status,
            &format!("a web page: {}", page_words(&answer.body)),
        )
    }
}

/// Whether the words of a page are those of a container that prepares itself.
pub(crate) fn is_preparing(body: &[u8]) -> bool {
    let lower = String::from_utf8_lossy(head(body)).to_lowercase();
    let words = [
        "log viewer",
        "logviewer",
        "preparing",
        "loading",
        "please wait",
        "starting up",
    ];
    words.iter().any(|word| lower.contains(word))
}

/// A request that ended without an answer.
pub(crate) fn failed(error: HttpError) -> ApiFact {
    match error {
        HttpError::Dns { host } => ApiFact::Dns { host },
        HttpError::TimedOut { deadline_ms } => ApiFact::TimedOut {
            deadline_ms,
            progress_moves: false,
        },
        HttpError::Refused(reason) => ApiFact::Refused {
            reason: shorten(&reason),
        },
        other => ApiFact::Refused {
            reason: shorten(&other.to_string()),
        },
    }
}

/// The body as JSON, or what it is instead.
pub(crate) fn json(answer: &HttpAnswer) -> Result<serde_json::Value, String> {
    if answer.body.trim_ascii().is_empty() {
        return Err("an empty body".to_owned());
    }
    if !answer.is_json() {
        let kind = answer.content_type.as_deref().unwrap_or("no type");
        return Err(format!("{kind} instead of JSON"));
    }
    serde_json::from_slice(&answer.body).map_err(|error| {
        if error.is_eof() {
            "JSON that ends too early".to_owned()
        } else {
            format!("broken JSON: {error}")
        }
    })
}

/// Error name and message of a failed answer: `message`, else `errors`, else `detail`, else the text.
pub(crate) fn error_message(answer: &HttpAnswer) -> String {
    let Ok(body) = serde_json::from_slice::<serde_json::Value>(&answer.body) else {
        return match page_words(&answer.body) {
            words if words.is_empty() => format!("HTTP {} without a body", answer.status),
            words => words,
        };
    };
    let text = |key: &str| {
        body.get(key)
            .and_then(|v| v.as_str())
            .map(str::trim)
            .filter(|text| !text.is_empty())
    };
    let name = text("error");
    let fields = body
        .get("detail")
        .and_then(|d| d.as_array())
        .map(|list| field_words(list));
    let message = text("message")
        .or_else(|| text("errors"))
        .map(str::to_owned);
    let message = message
        .or_else(|| text("detail").map(str::to_owned))
        .or(fields);
    shorten(&match (name, message) {
        (Some(name), Some(message)) => format!("{name}: {message}"),
        (Some(name), None) => name.to_owned(),
        (None, Some(message)) => message,
        (None, None) => format!("HTTP {} without a reason", answer.status),
    })
}

/// `[{loc, msg}]` in words: `steps: Input should be a valid integer`.
fn field_words(list: &[serde_json::Value]) -> String {
    let words: Vec<String> = list
        .iter()
        .take(8)
        .map(|entry| {
            let place: Vec<String> = entry
                .get("loc")
                .and_then(|loc| loc.as_array())
                .into_iter()
                .flatten()
                .map(|part| {
                    part.as_str()
                        .map_or_else(|| part.to_string(), str::to_owned)
                })
                .filter(|part| part != "body")
                .collect();
            let message = entry
                .get("msg")
                .and_then(|m| m.as_str())
                .unwrap_or("not accepted");
            if place.is_empty() {
                message.to_owned()
            } else {
                format!("{}: {message}", place.join("."))
            }
        })
        .collect();
    words.join("; ")
}

fn bad(status: u16, what: &str) -> ApiFact {
    ApiFact::BadAnswer {
        status,
        what: shorten(what),
    }
}

fn cut_words(cut: &Cut) -> String {
    match cut {
        Cut::TooLarge { limit } => format!("more than {} MiB", limit / (1024 * 1024)),
        Cut::Broken { reason } => format!("an answer that was cut off: {reason}"),
    }
}

fn is_login_place(location: &str) -> bool {
    let lower = location.to_lowercase();
    [
        "login", "signin", "sign-in", "sign_in", "/auth", "oauth", "/sso",
    ]
    .iter()
    .any(|word| lower.contains(word))
}

fn is_login_form(body: &[u8]) -> bool {
    let lower = String::from_utf8_lossy(head(body)).to_lowercase();
    let password = ["type=\"password\"", "type='password'", "type=password"];
    let title = ["<title>login", "<title>log in", "<title>sign in"];
    password
        .iter()
        .chain(&title)
        .any(|word| lower.contains(word))
}

/// The title of a page, or the text between its tags.
fn page_words(body: &[u8]) -> String {
    let text = String::from_utf8_lossy(head(body));
    let lower = text.to_ascii_lowercase();
    if let Some((_, rest)) = lower
        .find("<title>")
        .map(|at| text.split_at(at + "<title>".len()))
        && let Some(end) = rest.to_ascii_lowercase().find("</title>")
        && !rest[..end].trim().is_empty()
    {
        return shorten(rest[..end].trim());
    }
    let mut words = String::new();
    let mut inside = false;
    for c in text.chars() {
        match c {
            '<' => inside = true,
            '>' => {
                inside = false;
                words.push(' ');
            }
            c if !inside => words.push(c),
            _ => {}
        }
    }
    shorten(&words.split_whitespace().collect::<Vec<_>>().join(" "))
}

/// Enough of a page to know it by.
fn head(body: &[u8]) -> &[u8] {
    &body[..body.len().min(64 * 1024)]
}

/// One line of foreign text, bounded, without control characters.
pub(crate) fn shorten(text: &str) -> String {
    let clean: String = text
        .chars()
        .take(MAX_WORDS + 1)
        .map(|c| if c.is_control() { ' ' } else { c })
        .collect();
    match clean.char_indices().nth(MAX_WORDS) {
        Some((end, _)) => format!("{}…", clean[..end].trim()),
        None => clean.trim().to_owned(),
    }
}

#[cfg(test)]
mod tests;
