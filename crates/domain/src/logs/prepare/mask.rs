//! Secrets are masked before a line is kept: a start line of Forge prints its passwords, and the
//! image writes its whole environment when asked to debug.

use std::sync::LazyLock;

use regex::{Captures, Regex};

/// What stands for a secret.
const MASK: &str = "•••";

/// A value: in quotes that are themselves quoted, in quotes, or up to the next blank or separator.
const VALUE: &str = r#"(?P<v>\\+["'][^"'\\]*(?:\\+["'])?|[bru]?"(?:\\.?|[^"\\])*"?|[bru]?'(?:\\.?|[^'\\])*'?|[^\s&"',;)}\]]+)"#;

/// Between a key and its value: the key's closing quote, a sign, blanks.
const IS: &str = r#"\\*["']?\s*[=:]\s*"#;

/// Words that name a secret, alone or at the end of a longer name, as in `HF_TOKEN`,
/// `AWS_SECRET_ACCESS_KEY` or `civitai_api_key`.
const SECRET: &str = r"(?i-u:token|password|passwd|passphrase|passcode|secret|credentials?|private[_-]?key|api[_-]?key|access[_-]?key)(?i-u:[_-](?:b64|hash|value|id))?";

/// Names of environment variables that the words above do not cover.
const VARIABLE: &str =
    r"(?-u:\b)[A-Z][A-Z0-9_]*(?:_PASS|_PWD|_KEY|_KEY_ID|API_AUTH|GRADIO_AUTH|NGROK_AUTH|_PAT)";

/// Expressions whose last group is the secret, in this order. `VALUE`, `IS`, `SECRET` and
/// `VARIABLE` stand for the expressions above.
const RULES: &[&str] = &[
    // A variable that begins a line has the rest of the line for its value, blanks included.
    r"^\s*(?:-\s+)?(?:(?:export|declare -x|ENV)\s+)?[A-Z][A-Z0-9_]*(?:TOKEN|PASSWORD|PASSWD|SECRET|API_KEY|ACCESS_KEY|_PASS)(?:_B64|_HASH)?\s*[=:]\s*(?P<v>\S.*)",
    // Header lines, to their end.
    r#"(?-u:\b)(?i-u:(?:set-)?cookies?)\\*["']?\s*[:=]\s*(?P<v>.+)"#,
    r#"(?-u:\b)(?i-u:(?:proxy-)?authorization)(?:\\*["']?\s*[:=]\s*|["']\s*,\s*)[bru]?\\*["']?(?:(?i-u:basic|bearer|digest|token)\s+)?VALUE"#,
    r#"(?-u:\b)(?i-u:bearer)\s+(?P<v>[^\s"',;\\]+)"#,
    // Credentials hold commas between users.
    r#"(?i-u:--(?:api|gradio)-auth)["']?\s*[,=\s]\s*(?P<v>"[^"]*"?|'[^']*'?|[^\s"']+)"#,
    r"(?-u:\b)(?i-u:(?:api|gradio|ngrok|basic)_auth)ISVALUE",
    // `auth=("user", "password")`, as in calls of Python.
    r#"(?-u:\b)(?i-u:auth)\\*["']?\s*[=:]\s*(?P<v>[(\[]+[^)\]]*[)\]]*)"#,
    r"SECRETISVALUE",
    r"VARIABLEISVALUE",
    r#"--(?i-u:[\w-]*(?:token|password|passwd|passphrase|secret|api-key))["']?(?:\s*,\s*|\s+)VALUE"#,
    r"://(?P<v>[^\s/@]+)@",
    // Signed addresses.
    r#"[?&](?i-u:key|auth|sig|signature|x-amz-(?:signature|credential|security-token))=(?P<v>[^\s&"'<>#]+)"#,
    // Secrets known by their own form.
    r"(?-u:\b)(?P<v>hf_[A-Za-z0-9]{10,}|gh[pousr]_[A-Za-z0-9]{16,}|github_pat_\w{16,}|glpat-[\w-]{16,}|sk-[A-Za-z0-9_-]{20,}|AKIA[0-9A-Z]{16}|xox[abprs]-[A-Za-z0-9-]{10,}|eyJ[\w-]{8,}\.eyJ[\w-]{8,}\.[\w-]*)",
];

/// `None` when one does not compile, which a test rules out.
static COMPILED: LazyLock<Option<Vec<Regex>>> =
    LazyLock::new(|| patterns().iter().map(|p| Regex::new(p).ok()).collect());

/// The expressions, whole.
pub(super) fn patterns() -> Vec<String> {
    RULES
        .iter()
        .map(|rule| {
            rule.replace("SECRETIS", &format!("{SECRET}IS"))
                .replace("VARIABLEIS", &format!("{VARIABLE}IS"))
                .replace("ISVALUE", &format!("{IS}VALUE"))
                .replace("VALUE", VALUE)
        })
        .collect()
}

/// The text with its secrets masked, and whether there was one. `places` are the rules that can
/// match it at all, in their order.
pub(super) fn mask(mut text: String, places: impl Iterator<Item = usize>) -> (String, bool) {
    let mut masked = false;
    for place in places {
        let Some(regex) = COMPILED.as_ref().and_then(|all| all.get(place)) else {
            // Rather no text than a secret.
            return (MASK.to_owned(), true);
        };
        let mut found = false;
        let new = regex.replace_all(&text, |captures: &Captures<'_>| {
            let Some((whole, value)) = captures.get(0).zip(captures.name("v")) else {
                found = true;
                return MASK.to_owned();
            };
            if is_nothing(value.as_str()) {
                return whole.as_str().to_owned();
            }
            found = true;
            let (before, after) = (value.start() - whole.start(), value.end() - whole.start());
            let whole = whole.as_str();
            format!("{}{MASK}{}", &whole[..before], &whole[after..])
        });
        if found {
            text = new.into_owned();
            masked = true;
        }
    }
    (text, masked)
}

/// Says that there is no secret, which is good to know.
fn is_nothing(value: &str) -> bool {
    matches!(value, "None" | "null" | "''" | "\"\"" | MASK)
}

#[cfg(test)]
mod tests {
    use super::{super::scan::Scan, *};

    /// As a line is masked: by the rules that its scan leaves.
    fn scanned(text: &str) -> (String, bool) {
        mask(text.to_owned(), Scan::of(text).secrets())
    }

    fn masked(text: &str) -> String {
        scanned(text).0
    }

    #[test]
    fn every_rule_compiles() {
        assert!(COMPILED.is_some());
    }

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
                "Namespace(api_auth='u:p', gradio_auth=None, gradio_auth_path='/etc/users', port=7860)",
                "Namespace(api_auth=•••, gradio_auth=None, gradio_auth_path='/etc/users', port=7860)",
            ),
            ("GET /?token=abc123&x=1 200", "GET /?token=•••&x=1 200"),
            (
                "GET /f?X-Amz-Credential=AK%2F2&X-Amz-Date=1&X-Amz-Signature=abc HTTP/1.1",
                "GET /f?X-Amz-Credential=•••&X-Amz-Date=1&X-Amz-Signature=••• HTTP/1.1",
            ),
            (
                "https://x/y?key=AIza&alt=sse",
                "https://x/y?key=•••&alt=sse",
            ),
            (
                "Authorization: Bearer abc.def-g",
                "Authorization: Bearer •••",
            ),
            ("authorization: Basic dTpw", "authorization: Basic •••"),
            (
                "(b'authorization', b'Basic dTpw'), (b'host', b'x')",
                "(b'authorization', b'Basic •••'), (b'host', b'x')",
            ),
            (
                r#"{"Authorization": "Bearer abc", "a": 1}"#,
                r#"{"Authorization": "Bearer •••", "a": 1}"#,
            ),
            ("sent bearer abc.def to x", "sent bearer ••• to x"),
            ("using hf_abcdefghijklmnop now", "using ••• now"),
            ("key sk-abcdefghijklmnopqrstuv!", "key •••!"),
            ("id AKIAABCDEFGHIJKLMNOP ok", "id ••• ok"),
            ("jwt eyJhbGciOiJI.eyJzdWIiOiIx.abc-_ end", "jwt ••• end"),
            (
                "x WEB_PASSWORD_B64=abc= next",
                "x WEB_PASSWORD_B64=••• next",
            ),
            // At the start of a line a variable's value may hold blanks.
            ("WEB_PASSWORD=my long phrase", "WEB_PASSWORD=•••"),
            ("      - WEB_TOKEN=a b", "      - WEB_TOKEN=•••"),
            ("  WEB_PASSWORD: my long phrase", "  WEB_PASSWORD: •••"),
            (
                r#"RCLONE_CONFIG_X_TOKEN={"access_token":"abc"}"#,
                "RCLONE_CONFIG_X_TOKEN=•••",
            ),
            (r#"{"password": "a\"#, r#"{"password": •••"#),
            (
                r#"{"password": "a\"b", "c": 1}"#,
                r#"{"password": •••, "c": 1}"#,
            ),
            (
                r#"body: "{\"password\": \"hunter2\", \"user\": 1}""#,
                r#"body: "{\"password\": •••, \"user\": 1}""#,
            ),
            (
                r#"{"password": "a b", "user": "x"}"#,
                r#"{"password": •••, "user": "x"}"#,
            ),
            ("password=hunter2", "password=•••"),
            ("Cookie: session=1; b=2", "Cookie: •••"),
            ("set-cookie: a=b; Path=/", "set-cookie: •••"),
            ("{'cookies': {'session': '1'}}", "{'cookies': •••"),
            (
                "requests.get(u, auth=('me', 'pw'), timeout=3)",
                "requests.get(u, auth=•••, timeout=3)",
            ),
            (
                "clone https://me:ghp_x@github.com/a",
                "clone https://•••@github.com/a",
            ),
            (
                "--civitai-api-key abc --hf-token=def",
                "--civitai-api-key ••• --hf-token=•••",
            ),
        ] {
            let (text, masked) = scanned(raw);
            assert_eq!(text, expected);
            assert!(masked, "{raw}");
        }
    }

    /// Each known name of a secret in each form in which a log can show it.
    #[test]
    fn every_name_is_known_in_every_form() {
        let value = "V4lue.x-9_z";
        for name in [
            // Variables of the image, then of what it runs and uses.
            "WEB_PASSWORD",
            "WEB_PASSWORD_B64",
            "WEB_TOKEN",
            "USER_PASSWORD",
            "CF_TUNNEL_TOKEN",
            "HF_TOKEN",
            "CIVITAI_TOKEN",
            "HUGGING_FACE_HUB_TOKEN",
            "OPENAI_API_KEY",
            "WANDB_API_KEY",
            "NGROK_AUTH_TOKEN",
            "NGROK_AUTHTOKEN",
            "AWS_ACCESS_KEY_ID",
            "AWS_SECRET_ACCESS_KEY",
            "AWS_SESSION_TOKEN",
            "RCLONE_CONFIG_PASS",
            "RCLONE_CONFIG_S3_SECRET_ACCESS_KEY",
            "RCLONE_CONFIG_DRIVE_CLIENT_SECRET",
            "GITHUB_TOKEN",
            "B2_APPLICATION_KEY",
            "GOOGLE_APPLICATION_CREDENTIALS",
            "GRADIO_AUTH",
            "password",
            "api_key",
            "apiKey",
            "x-api-key",
            "access_token",
            "refresh_token",
            "client_secret",
            "api_auth",
            "gradio_auth",
            "passphrase",
            "private_key",
        ] {
            for text in [
                format!("{name}={value}"),
                format!("note: {name}={value} end"),
                format!("export {name}=\"{value}\""),
                format!("  - {name}={value}"),
                format!("  {name}: {value}"),
                format!("{name}: '{value}'"),
                format!("{{\"{name}\": \"{value}\"}}"),
                format!("{{\"a\":1,\"{name}\":\"{value}\",\"b\":2}}"),
                format!("{{'a': 1, '{name}': '{value}', 'b': 2}}"),
                format!("environ({{'{name}': '{value}'}})"),
                format!("Namespace(x=1, {name}='{value}', y=None)"),
                format!("{{\\\"{name}\\\": \\\"{value}\\\"}}"),
                format!("GET /a?x=1&{name}={value}&y=2 HTTP/1.1"),
            ] {
                let shown = masked(&text);
                assert!(!shown.contains(value), "{text} shows as {shown}");
                assert!(shown.contains(MASK), "{text} shows as {shown}");
            }
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
            "--gradio-auth-path /etc/users",
            "WEB_ENABLE_AUTH=true",
            "CADDY_AUTH_COOKIE_NAME=ai_dock_1_token",
            "WEB_USER=admin",
            "Namespace(api_auth=None, gradio_auth=None, hf_token=None)",
            "password: null",
            "tokenizer: clip, tokens: 75, 150 tokens",
            "second_pass=0.4, hires pass: 2",
            "author: me, authors=['a', 'b'], authentic: yes",
            "keyframes: 5, monkey: 1, key: 3",
            "secretary=bob; passing: 3",
            "cookiecutter is not installed",
            "bearers of bad news",
            "task-abcdefghijklmnopqrstuvw",
            "",
        ] {
            assert_eq!(scanned(text), (text.to_owned(), false));
        }
    }
}
