//! What a knowing person would say before the address of a rule is changed.

use regex::RegexBuilder;
use serde::{Deserialize, Serialize};

use super::{Source, WebConfig, edit::address_of, read::Rule};
use crate::migration::Words;

/// Paths that ComfyUI is asked for, as a rule sees them.
const PATHS: &[&str] = &["", "ws", "prompt", "system_stats", "api/queue"];
/// Bytes that ComfyUI takes in one request.
const UPLOAD: u64 = 100 * 1024 * 1024;
/// What IIS takes unless it is told otherwise.
const UPLOAD_DEFAULT: u64 = 30_000_000;
/// The variable that keeps compression out of WebSockets, which ARR does not carry.
const EXTENSIONS: &str = "HTTP_SEC_WEBSOCKET_EXTENSIONS";

macro_rules! advices {
    ($($(#[$doc:meta])* $name:ident = $code:literal: $en:literal, $fr:literal;)+) => {
        /// What to know about a rule or its site.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[cfg_attr(feature = "specta", derive(specta::Type))]
        pub enum Advice {
            $($(#[$doc])* #[serde(rename = $code)] $name,)+
        }

        impl Advice {
            /// All of them.
            pub const ALL: &[Advice] = &[$(Advice::$name,)+];

            /// The stable code.
            pub fn code(self) -> &'static str {
                match self { $(Advice::$name => $code,)+ }
            }

            /// It in words.
            pub fn words(self) -> Words {
                let (en, fr) = match self { $(Advice::$name => ($en, $fr),)+ };
                Words { en: en.to_owned(), fr: fr.to_owned() }
            }
        }
    };
}

advices! {
    /// The rule does not apply.
    Disabled = "disabled":
        "The rule is disabled: its address has no effect until enabled=\"true\".",
        "La règle est désactivée : son adresse n’a aucun effet sans enabled=\"true\".";
    /// The rule redirects.
    Redirect = "redirect":
        "The rule redirects instead of rewriting: browsers are sent to the address themselves, and it has to be reachable for them.",
        "La règle redirige au lieu de réécrire : les navigateurs sont envoyés à l’adresse eux-mêmes, et elle doit leur être accessible.";
    /// WebSockets are off.
    WebsocketOff = "websocket_off":
        "WebSockets are switched off in this site (<webSocket enabled=\"false\">): ComfyUI shows no progress and no previews without them.",
        "Les WebSockets sont désactivés sur ce site (<webSocket enabled=\"false\">) : sans eux, ComfyUI n’affiche ni progression ni aperçus.";
    /// Compression of WebSockets is not kept out.
    WebsocketCompressed = "websocket_compressed":
        "The rule does not empty HTTP_SEC_WEBSOCKET_EXTENSIONS: ARR breaks compressed WebSockets of some browsers. The variable also has to be allowed for the server.",
        "La règle ne vide pas HTTP_SEC_WEBSOCKET_EXTENSIONS : ARR rompt les WebSockets compressés de certains navigateurs. La variable doit aussi être autorisée sur le serveur.";
    /// Whether the host name is passed on is set elsewhere.
    PreserveHost = "preserve_host":
        "Whether ARR passes the host name on (preserveHostHeader) is set in applicationHost.config and not seen here. Without it ComfyUI refuses browsers with 403, unless it runs with --enable-cors-header; the trial tells.",
        "Si ARR transmet le nom d’hôte (preserveHostHeader), c’est applicationHost.config qui le dit, et cela ne se voit pas ici. Sans cela, ComfyUI refuse les navigateurs avec 403, sauf avec --enable-cors-header ; l’essai le montre.";
    /// Buffering and timeout are set elsewhere.
    Buffering = "buffering":
        "The time limit of ARR (two minutes as installed) and its response buffer are set in applicationHost.config and not seen here: long answers may be cut or come late.",
        "Le délai d’ARR (deux minutes à l’installation) et son tampon de réponse sont réglés dans applicationHost.config et ne se voient pas ici : les longues réponses peuvent être coupées ou tarder.";
    /// The pattern leaves out what ComfyUI needs.
    PatternMisses = "pattern_misses":
        "The pattern of the rule does not take in every path of ComfyUI (such as ws, prompt and system_stats).",
        "Le motif de la règle ne couvre pas tous les chemins de ComfyUI (par exemple ws, prompt et system_stats).";
    /// The pattern cannot be judged.
    PatternUnknown = "pattern_unknown":
        "The pattern of the rule is written in a way that is not understood here: whether it takes in every path of ComfyUI is not known.",
        "Le motif de la règle est écrit d’une façon qui n’est pas comprise ici : on ne sait pas s’il couvre tous les chemins de ComfyUI.";
    /// A rule before this one takes everything.
    Shadowed = "shadowed":
        "A rule before this one takes every request and stops: this one is not reached.",
        "Une règle placée avant celle-ci prend toutes les requêtes et s’arrête : celle-ci n’est pas atteinte.";
    /// Others lead to the old address, too.
    OthersStay = "others_stay":
        "Other rules lead to the same address and stay as they are.",
        "D’autres règles mènent à la même adresse et restent telles quelles.";
    /// What goes out is rewritten with the old address.
    OutboundNamesOld = "outbound_names_old":
        "An outbound rule names the old address and stays as it is: links and redirections may lead back to it.",
        "Une règle sortante nomme l’ancienne adresse et reste telle quelle : des liens et redirections peuvent y ramener.";
    /// The address may be a farm.
    MaybeFarm = "maybe_farm":
        "The old address has no port and no dot: it may be a server farm, whose servers are in applicationHost.config.",
        "L’ancienne adresse n’a ni port ni point : ce peut être une batterie de serveurs, définie dans applicationHost.config.";
    /// The path in front of requests stays.
    PrefixStays = "prefix_stays":
        "The path in front of every request stays. Give the new address with a slash at its end to drop it.",
        "Le chemin placé devant chaque requête reste. Donnez la nouvelle adresse avec une barre oblique finale pour le retirer.";
    /// Pictures may be too large.
    SmallUploads = "small_uploads":
        "IIS refuses requests above its maxAllowedContentLength (30 MB unless said otherwise); ComfyUI takes pictures of up to 100 MB.",
        "IIS refuse les requêtes au-delà de maxAllowedContentLength (30 Mo sauf indication contraire) ; ComfyUI accepte des images jusqu’à 100 Mo.";
    /// Something is kept in another file.
    KeptElsewhere = "kept_elsewhere":
        "Parts of this file are kept in others, or encrypted; they are not read.",
        "Des parties de ce fichier sont conservées dans d’autres, ou chiffrées ; elles ne sont pas lues.";
    /// The rule applies below one path.
    InLocation = "in_location":
        "The rule stands in a <location> and applies only there.",
        "La règle se trouve dans un <location> et ne s’applique que là.";
}

/// What there is to say about changing the address of a rule; nothing where there is no such rule.
pub fn advice(source: &Source<'_>, config: &WebConfig, name: &str) -> Vec<Advice> {
    let Ok(rule) = config.rule(name) else {
        return Vec::new();
    };
    let old = address_of(config, &source.text, name).ok();
    let origin = old.as_ref().map(|old| old.origin.to_ascii_lowercase());
    let names_old = |text: &str| {
        let place = origin.as_deref().and_then(|o| o.split_once("://"));
        place.is_some_and(|(_, place)| text.to_ascii_lowercase().contains(place))
    };
    let kind = rule
        .action
        .as_ref()
        .map_or("", |action| action.kind.as_str());
    let others = config.rules.iter().filter(|other| other.name != name);
    let mut urls = others.filter_map(|other| other.action.as_ref()?.url.as_deref());
    let covers = covers(rule);
    let host = origin.as_deref().and_then(|o| o.split_once("://"));
    let limit = config.upload_limit.unwrap_or(UPLOAD_DEFAULT);
    let compressed = !rule.variables.iter().any(|(n, _)| n == EXTENSIONS);
    let said = [
        (Advice::Disabled, !rule.enabled),
        (Advice::Redirect, kind == "Redirect"),
        (Advice::WebsocketOff, config.websocket == Some(false)),
        (Advice::Shadowed, shadowed(config, rule)),
        (Advice::PatternMisses, covers == Some(false)),
        (Advice::PatternUnknown, covers.is_none()),
        (Advice::InLocation, rule.location.is_some()),
        (Advice::OthersStay, urls.any(names_old)),
        (
            Advice::OutboundNamesOld,
            config
                .outbound
                .iter()
                .any(|o| o.texts.iter().any(|t| names_old(&t.replace('\\', "")))),
        ),
        (
            Advice::MaybeFarm,
            host.is_some_and(|(_, host)| !host.contains(['.', ':']) && host != "localhost"),
        ),
        (
            Advice::PrefixStays,
            old.is_some_and(|old| old.prefix.is_some()),
        ),
        (Advice::KeptElsewhere, !config.elsewhere.is_empty()),
        (Advice::WebsocketCompressed, compressed),
        (Advice::PreserveHost, true),
        (Advice::Buffering, true),
        (Advice::SmallUploads, limit < UPLOAD),
    ];
    let said = said.into_iter().filter(|(_, applies)| *applies);
    said.map(|(advice, _)| advice).collect()
}

/// Whether the rule takes in the paths of ComfyUI; `None` where its pattern is not understood.
fn covers(rule: &Rule) -> Option<bool> {
    let pattern = &rule.pattern;
    let expression = if pattern.wildcard {
        format!("^{}$", regex::escape(&pattern.text).replace(r"\*", "(.*)"))
    } else {
        pattern.text.clone()
    };
    let mut builder = RegexBuilder::new(&expression);
    let compiled = builder
        .case_insensitive(true)
        .size_limit(1 << 20)
        .build()
        .ok()?;
    Some(
        PATHS
            .iter()
            .all(|path| compiled.is_match(path) != pattern.negate),
    )
}

/// Whether an enabled rule before this one takes everything there is.
fn shadowed(config: &WebConfig, rule: &Rule) -> bool {
    let same_place = config
        .rules
        .iter()
        .filter(|other| other.location == rule.location);
    let mut before = same_place.take_while(|other| other.name != rule.name);
    before.any(|other| {
        let acts = other
            .action
            .as_ref()
            .is_some_and(|action| action.kind != "None");
        let stops = other.stop_processing && other.enabled && acts;
        stops && other.conditions.is_empty() && covers(other) == Some(true)
    })
}
