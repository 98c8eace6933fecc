//! Looks: who answers at an address, asked the way only its own kind answers.

use std::time::Duration;

use forgekeeper_domain::{
    migration::iis::{Access, Answer, Layer, Look, Pair, SocketAnswer},
    service::{KindId, kind},
};
use serde_json::Value;

use super::{file, socket};
use crate::{
    clients::http::{Ask, Http, HttpAnswer, HttpError, Target},
    secrets::Credentials,
};

/// How long one look may take.
const DEADLINE: Duration = Duration::from_secs(5);
/// Between two pairs of looks: not a load, and not a moment's luck either.
const BETWEEN: Duration = Duration::from_millis(80);
/// Characters of a hash by which people tell services apart.
const MARK: usize = 8;

/// One address with what is needed to ask there.
#[derive(Debug, Clone)]
pub(crate) struct Door {
    /// As it is written.
    pub(crate) url: String,
    target: Target,
    stranger: Target,
}

impl Door {
    /// An address; the credentials go there and nowhere else.
    pub(crate) fn new(url: &str, credentials: Option<Credentials>) -> Result<Self, HttpError> {
        Ok(Self {
            url: url.trim().to_owned(),
            target: Target::new(url, credentials)?,
            stranger: Target::new(url, None)?,
        })
    }

    /// Whether it is encrypted.
    pub(crate) fn encrypted(&self) -> bool {
        self.url.to_ascii_lowercase().starts_with("https://")
    }

    /// Who answers there; the kind that is expected is asked for first.
    pub(crate) async fn look(&self, http: &Http, first: KindId) -> Look {
        look(http, &self.target, first).await
    }

    /// Who is let in there without saying who they are.
    pub(crate) async fn access(&self, http: &Http, first: KindId) -> Access {
        match look(http, &self.stranger, first).await.answer {
            Answer::Service { .. } => Access::Open,
            Answer::Asks { .. } => Access::Asked,
            _ => Access::Unknown,
        }
    }

    /// A WebSocket as a browser opens it, and without saying for which page, where that is refused.
    pub(crate) async fn sockets(&self, of: KindId) -> (SocketAnswer, SocketAnswer) {
        if of != KindId::Comfyui {
            return (SocketAnswer::NotTried, SocketAnswer::NotTried);
        }
        let page = socket::page_of(&self.url);
        let socket = socket::open(&self.target, page.as_deref()).await;
        let plain = match socket {
            SocketAnswer::Refused { .. } => socket::open(&self.target, None).await,
            _ => SocketAnswer::NotTried,
        };
        (socket, plain)
    }
}

/// Pairs of looks, one right after the other, each beginning where the last one ended.
pub(crate) async fn pairs(
    http: &Http,
    public: &Door,
    direct: &Door,
    of: KindId,
    n: u32,
) -> Vec<Pair> {
    let mut pairs = Vec::new();
    for turn in 0..n {
        if turn > 0 {
            tokio::time::sleep(BETWEEN).await;
        }
        // Whoever is asked second finds everything warm: they take turns.
        let pair = if turn % 2 == 0 {
            let public = public.look(http, of).await;
            Pair {
                public,
                direct: direct.look(http, of).await,
            }
        } else {
            let direct = direct.look(http, of).await;
            Pair {
                public: public.look(http, of).await,
                direct,
            }
        };
        pairs.push(pair);
    }
    pairs
}

async fn look(http: &Http, target: &Target, first: KindId) -> Look {
    let second = match first {
        KindId::Forge => KindId::Comfyui,
        KindId::Comfyui => KindId::Forge,
    };
    let found = ask(http, target, first).await;
    match found.answer {
        // It may be of the other kind.
        Answer::Other { .. } | Answer::Proxy { .. } => {
            let other = ask(http, target, second).await;
            if matches!(other.answer, Answer::Service { .. }) {
                other
            } else {
                found
            }
        }
        _ => found,
    }
}

async fn ask(http: &Http, target: &Target, of: KindId) -> Look {
    let ask = Ask::get(kind(of).api_probe_path(), DEADLINE);
    match http.send(target, &ask).await {
        Ok(answer) => Look {
            ms: Some(answer.took_ms()),
            answer: judged(&answer, of),
        },
        Err(error) => Look {
            ms: None,
            answer: nobody(&error),
        },
    }
}

fn judged(answer: &HttpAnswer, of: KindId) -> Answer {
    let status = answer.status;
    if let Some(mark) = mark(answer, of) {
        return Answer::Service { kind: of, mark };
    }
    match status {
        300..=399 | 401 | 403 | 407 => Answer::Asks { status },
        _ if answer.is_html() && (status >= 500 || status == 404) => Answer::Proxy {
            status: iis_status(&answer.body).unwrap_or_else(|| status.to_string()),
        },
        502..=504 => Answer::Proxy {
            status: status.to_string(),
        },
        _ => Answer::Other { status },
    }
}

/// What tells a service from others of its kind: what it says of itself and does not change while it runs.
fn mark(answer: &HttpAnswer, of: KindId) -> Option<String> {
    if answer.status != 200 || answer.cut.is_some() {
        return None;
    }
    let body: Value = serde_json::from_slice(&answer.body).ok()?;
    let short = |of: &Value| {
        file::hash(of.to_string().as_bytes())
            .chars()
            .take(MARK)
            .collect::<String>()
    };
    match of {
        KindId::Comfyui => {
            let mut system = body.get("system")?.as_object()?.clone();
            let version = system.get("comfyui_version")?.as_str()?.to_owned();
            system.remove("ram_free");
            let devices = body.get("devices").and_then(Value::as_array);
            let fixed = ["name", "type", "index", "vram_total"];
            let devices: Vec<Value> = devices
                .into_iter()
                .flatten()
                .flat_map(|device| fixed.map(|key| device.get(key).cloned().unwrap_or_default()))
                .collect();
            let version: String = version
                .chars()
                .filter(|c| !c.is_control())
                .take(20)
                .collect();
            Some(format!(
                "{version} {}",
                short(&serde_json::json!([system, devices]))
            ))
        }
        KindId::Forge => {
            let models = body.as_array()?;
            let titles: Option<Vec<&str>> = models
                .iter()
                .map(|model| model.get("title")?.as_str())
                .collect();
            Some(short(&serde_json::json!(titles?)))
        }
    }
}

/// `502.3` out of a page of IIS: its own numbers tell more than HTTP's.
fn iis_status(body: &[u8]) -> Option<String> {
    let page = String::from_utf8_lossy(&body[..body.len().min(4096)]).into_owned();
    let (_, rest) = page.split_once("HTTP Error ")?;
    let number: String = rest
        .chars()
        .take_while(|c| c.is_ascii_digit() || *c == '.')
        .take(8)
        .collect();
    let (status, sub) = number.split_once('.')?;
    (status.len() == 3 && !sub.is_empty()).then(|| number.clone())
}

fn nobody(error: &HttpError) -> Answer {
    let layer = match error {
        HttpError::Dns { .. } => Layer::Dns,
        HttpError::Refused(_) | HttpError::Address(_) => Layer::Connect,
        HttpError::Tls(_) => Layer::Tls,
        HttpError::TimedOut { .. } => Layer::Timeout,
        HttpError::Reset(_) => Layer::Closed,
    };
    let why = error.to_string().chars().take(200).collect();
    Answer::Nobody { layer, why }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answer(status: u16, kind: &str, body: &str) -> HttpAnswer {
        HttpAnswer {
            status,
            content_type: Some(kind.to_owned()),
            location: None,
            challenge: None,
            body: body.to_owned().into(),
            cut: None,
            took: Duration::from_millis(3),
            ready: Duration::from_millis(2),
        }
    }

    #[test]
    fn services_are_told_apart_by_what_does_not_change() {
        let stats = |free: u32, version: &str| {
            let body = format!(
                r#"{{"system":{{"comfyui_version":"{version}","ram_free":{free}}},"devices":[{{"name":"cuda:0","vram_free":{free}}}]}}"#
            );
            judged(&answer(200, "application/json", &body), KindId::Comfyui)
        };
        assert_eq!(stats(1, "0.3.64"), stats(2, "0.3.64"));
        assert_ne!(stats(1, "0.3.64"), stats(1, "0.3.65"));
        let models = |title: &str| {
            let body = format!(r#"[{{"title":"{title}"}}]"#);
            judged(&answer(200, "application/json", &body), KindId::Forge)
        };
        assert!(matches!(
            models("a"),
            Answer::Service {
                kind: KindId::Forge,
                ..
            }
        ));
        assert_ne!(models("a"), models("b"));
    }

    #[test]
    fn what_is_no_service_is_named() {
        let told =
            |status: u16, body: &str| judged(&answer(status, "text/html", body), KindId::Comfyui);
        let page = "<!DOCTYPE html><h2>HTTP Error 502.3 - Bad Gateway</h2>";
        assert_eq!(
            told(502, page),
            Answer::Proxy {
                status: "502.3".to_owned()
            }
        );
        assert_eq!(
            told(500, "<html>"),
            Answer::Proxy {
                status: "500".to_owned()
            }
        );
        assert_eq!(
            told(404, "<html>"),
            Answer::Proxy {
                status: "404".to_owned()
            }
        );
        assert_eq!(told(401, ""), Answer::Asks { status: 401 });
        assert_eq!(told(302, ""), Answer::Asks { status: 302 });
        assert_eq!(told(200, "<html>"), Answer::Other { status: 200 });
        assert_eq!(iis_status(b"HTTP Error nothing"), None);
    }
}
