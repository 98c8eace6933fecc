//! Secrets are masked before a line is kept: a start line of Forge prints its passwords.

use std::{borrow::Cow, sync::LazyLock};

use regex::Regex;

/// What stands for a secret.
const MASK: &str = "•••";

/// A value: quoted, or up to the next blank or separator.
const VALUE: &str = r#"(?:"[^"]*"?|'[^']*'?|[^\s&"',;)}\]]+)"#;

/// Expressions and what they leave. `None` when one does not compile, which a test rules out.
static RULES: LazyLock<Option<Vec<(Regex, String)>>> = LazyLock::new(|| {
    [
        // Header lines, to their end.
        (r#"(?i)\b((?:set-)?cookie["']?\s*[:=]\s*).+"#.to_owned(), "${1}•••"),
        (
            format!(
                r#"(?i)\b((?:proxy-)?authorization["']?\s*[:=]\s*["']?(?:(?:basic|bearer|digest|token)\s+)?){VALUE}"#
            ),
            "${1}•••",
        ),
        (r#"(?i)\b(bearer\s+)[^\s"',;]+"#.to_owned(), "${1}•••"),
        // Credentials hold commas between users.
        (
            r#"(?i)(--(?:api|gradio)-auth["']?\s*[,=\s]\s*)(?:"[^"]*"?|'[^']*'?|[^\s"']+)"#
                .to_owned(),
            "${1}•••",
        ),
        (
            format!(
                r#"(?i)((?:token|password|passwd|passphrase|secret|api[_-]?key|access[_-]?key)(?:_(?:b64|hash|value))?["']?\s*[=:]\s*){VALUE}"#
            ),
            "${1}•••",
        ),
        (
            format!(
                r#"(?i)(--[\w-]*(?:token|password|passwd|secret|api-key)["']?(?:\s*,\s*|\s+)){VALUE}"#
            ),
            "${1}•••",
        ),
        (r"(://)[^\s/@]+@".to_owned(), "${1}•••@"),
        (
            r"\b(?:hf_[A-Za-z0-9]{10,}|gh[pousr]_[A-Za-z0-9]{16,}|github_pat_\w{16,})".to_owned(),
            MASK,
        ),
    ]
    .into_iter()
    .map(|(pattern, left)| Some((Regex::new(&pattern).ok()?, left.to_owned())))
    .collect()
});

/// The text with its secrets masked.
pub(super) fn mask(mut text: String) -> String {
    let Some(rules) = RULES.as_ref() else {
        // Rather no text than a secret.
        return MASK.to_owned();
    };
    for (regex, left) in rules {
        if let Cow::Owned(masked) = regex.replace_all(&text, left.as_str()) {
            text = masked;
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn secrets_do_not_pass() {
        for (raw, expected) in [
            (
                "Launching Web UI with arguments: --api --api-auth fuse:s3cret,b:c --gradio-auth=me:pw --port 17860",
                "Launching Web UI with arguments: --api --api-auth ••• --gradio-auth=••• --port 17860",
            ),
            (
                "['--api-auth', 'u:p', '--listen']",
                "['--api-auth', •••, '--listen']",
            ),
            (r#"--gradio-auth "u:a b" --x"#, "--gradio-auth ••• --x"),
            (
                "--gradio-auth-path /etc/users",
                "--gradio-auth-path /etc/users",
            ),
            ("GET /?token=abc123&x=1 200", "GET /?token=•••&x=1 200"),
            (
                "Authorization: Bearer abc.def-g",
                "Authorization: Bearer •••",
            ),
            ("authorization: Basic dTpw", "authorization: Basic •••"),
            ("sent bearer abc.def to x", "sent bearer ••• to x"),
            ("HF_TOKEN=hf_abcdefghijklmnop", "HF_TOKEN=•••"),
            ("using hf_abcdefghijklmnop now", "using ••• now"),
            ("WEB_PASSWORD_B64=abc= next", "WEB_PASSWORD_B64=••• next"),
            (r#"{"password": "a\"#, r#"{"password": •••"#),
            (
                r#"{"password": "a b", "user": "x"}"#,
                r#"{"password": •••, "user": "x"}"#,
            ),
            ("password=hunter2", "password=•••"),
            ("Cookie: session=1; b=2", "Cookie: •••"),
            ("set-cookie: a=b; Path=/", "set-cookie: •••"),
            (
                "clone https://me:ghp_x@github.com/a",
                "clone https://•••@github.com/a",
            ),
            (
                "--civitai-api-key abc --hf-token=def",
                "--civitai-api-key ••• --hf-token=•••",
            ),
        ] {
            assert_eq!(mask(raw.to_owned()), expected);
        }
    }

    #[test]
    fn ordinary_words_stay() {
        for text in [
            "hf_transfer is enabled; hf_hub_download works",
            "Token merging ratio 0.5, max_tokens=77",
            "Token indices sequence length is longer than the specified maximum",
            "http://127.0.0.1:7860/a@b",
            "The password is wrong",
            "Running on local URL:  http://127.0.0.1:17860",
            "",
        ] {
            assert_eq!(mask(text.to_owned()), text);
        }
    }
}
