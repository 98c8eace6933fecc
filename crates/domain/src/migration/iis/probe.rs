//! What looks through the public address and beside it prove: which service answers, whether it is the same,
//! how much the proxy costs, whether WebSockets come through, and who is let in.

use serde::{Deserialize, Serialize};

use super::super::{Evidence, Words};
use crate::service::KindId;

/// Where a request ended that got no answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "specta", derive(specta::Type))]
#[serde(rename_all = "snake_case")]
pub enum Layer {
    /// The name does not resolve.
    Dns,
    /// Nothing listens.
    Connect,
    /// The encryption failed.
    Tls,
    /// No answer in time.
    Timeout,
    /// The connection was closed.
    Closed,
}

/// Who answered a look.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "specta", derive(specta::Type))]
#[serde(rename_all = "snake_case", tag = "is")]
pub enum Answer {
    /// A service, known by what only its kind says.
    Service {
        /// Its kind.
        kind: KindId,
        /// What tells it from others of its kind.
        mark: String,
    },
    /// Something that wants to know who asks first.
    Asks {
        /// HTTP status.
        status: u16,
    },
    /// The proxy itself, which could not pass the request on or does not know it.
    Proxy {
        /// HTTP status, with IIS's own number behind it: `502.3`.
        status: String,
    },
    /// Something else.
    Other {
        /// HTTP status.
        status: u16,
    },
    /// Nobody.
    Nobody {
        /// Where it ended.
        layer: Layer,
        /// In the system's words.
        why: String,
    },
}

/// One answer and the time it took.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "specta", derive(specta::Type))]
pub struct Look {
    /// Who answered.
    pub answer: Answer,
    /// How long it took, where somebody did.
    pub ms: Option<u32>,
}

/// Two looks right after each other.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "specta", derive(specta::Type))]
pub struct Pair {
    /// Through the public address.
    pub public: Look,
    /// At the service's own address.
    pub direct: Look,
}

/// How the attempt to open a WebSocket ended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "specta", derive(specta::Type))]
#[serde(rename_all = "snake_case", tag = "is")]
pub enum SocketAnswer {
    /// 101 and a first message of the service.
    Speaks {
        /// Until the message.
        ms: u32,
    },
    /// 101, and then nothing.
    Mute,
    /// Another answer than 101.
    Refused {
        /// HTTP status.
        status: u16,
    },
    /// No answer.
    Nobody {
        /// In the system's words.
        why: String,
    },
    /// Not tried: this kind of service has none.
    NotTried,
}

/// Who is let in through the public address.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "specta", derive(specta::Type))]
#[serde(rename_all = "snake_case")]
pub enum Access {
    /// Everybody.
    Open,
    /// Who can say who they are.
    Asked,
    /// It could not be found out.
    Unknown,
}

/// What the looks say together.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "specta", derive(specta::Type))]
pub struct Comparison {
    /// Pairs of looks.
    pub pairs: u32,
    /// Those in which the same service answered both.
    pub same: u32,
    /// Who answers through the public address: the last that was not as wanted, else the last.
    pub public: Option<Answer>,
    /// Who answers beside it.
    pub direct: Option<Answer>,
    /// Half of the looks through the public address took no longer.
    pub public_ms: Option<u32>,
    /// The same beside it.
    pub direct_ms: Option<u32>,
    /// A WebSocket through the public address, opened as a browser does.
    pub socket: SocketAnswer,
    /// The same without saying which page it is for; tried when the other was refused.
    pub socket_plain: SocketAnswer,
    /// Who is let in.
    pub access: Access,
    /// Whether the public address is encrypted.
    pub encrypted: bool,
}

/// What is expected behind the public address.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Want {
    /// The kind of service.
    pub kind: KindId,
    /// Who was let in before.
    pub before: Access,
}

/// Why the public address does not lead where it should.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "specta", derive(specta::Type))]
#[serde(rename_all = "snake_case")]
pub enum Trouble {
    /// The service itself does not answer as its kind.
    ServiceDown,
    /// Nobody answers through the public address.
    Nobody,
    /// The proxy answers for itself.
    ProxyFails,
    /// The configuration of the proxy is broken.
    ConfigBroken,
    /// Credentials are asked for that are not known here.
    AsksCredentials,
    /// Another service answers.
    OtherService,
    /// Not all looks found the same.
    Unsteady,
    /// The host name is not passed on, and browsers are refused for it.
    HostLost,
    /// WebSockets do not come through.
    SocketBlocked,
    /// Everybody is let in, who was not before.
    OpenNow,
}

impl Trouble {
    /// All of them.
    pub const ALL: &[Trouble] = &[
        Trouble::ServiceDown,
        Trouble::Nobody,
        Trouble::ProxyFails,
        Trouble::ConfigBroken,
        Trouble::AsksCredentials,
        Trouble::OtherService,
        Trouble::Unsteady,
        Trouble::HostLost,
        Trouble::SocketBlocked,
        Trouble::OpenNow,
    ];

    /// What is wrong and what to do.
    pub fn words(self) -> Words {
        let (en, fr) = match self {
            Self::ServiceDown => (
                "The service does not answer at its own address: start it first.",
                "Le service ne répond pas à sa propre adresse : démarrez-le d’abord.",
            ),
            Self::Nobody => (
                "Nobody answers at the public address: look at its name, its certificate and IIS itself.",
                "Personne ne répond à l’adresse publique : vérifiez son nom, son certificat et IIS lui-même.",
            ),
            Self::ProxyFails => (
                "The proxy answers for itself: it does not reach the service, or no rule applies.",
                "Le proxy répond pour lui-même : il n’atteint pas le service, ou aucune règle ne s’applique.",
            ),
            Self::ConfigBroken => (
                "IIS finds its configuration broken (500.19): put web.config back.",
                "IIS trouve sa configuration défectueuse (500.19) : remettez web.config.",
            ),
            Self::AsksCredentials => (
                "The public address asks for credentials that are not known here: store them for the service.",
                "L’adresse publique demande des identifiants inconnus ici : enregistrez-les pour le service.",
            ),
            Self::OtherService => (
                "Another service answers at the public address: look at the conditions and the order of the rules.",
                "Un autre service répond à l’adresse publique : vérifiez les conditions et l’ordre des règles.",
            ),
            Self::Unsteady => (
                "Not every look found the same service: IIS may still take up its configuration, or there are several servers.",
                "Les essais n’ont pas tous trouvé le même service : IIS relit peut-être encore sa configuration, ou il y a plusieurs serveurs.",
            ),
            Self::HostLost => (
                "Browsers are refused because the proxy does not pass the host name on: set preserveHostHeader for ARR, or run ComfyUI with --enable-cors-header.",
                "Les navigateurs sont refusés parce que le proxy ne transmet pas le nom d’hôte : activez preserveHostHeader pour ARR, ou lancez ComfyUI avec --enable-cors-header.",
            ),
            Self::SocketBlocked => (
                "WebSockets do not come through the proxy: install and enable the WebSocket feature of IIS, and allow it in web.config.",
                "Les WebSockets ne traversent pas le proxy : installez et activez la fonction WebSocket d’IIS, et autorisez-la dans web.config.",
            ),
            Self::OpenNow => (
                "Everybody is let in now, who was not before: ComfyUI has no access control of its own, so IIS has to ask for it.",
                "Tout le monde entre désormais, ce qui n’était pas le cas avant : ComfyUI n’a pas de contrôle d’accès, IIS doit donc s’en charger.",
            ),
        };
        Words {
            en: en.to_owned(),
            fr: fr.to_owned(),
        }
    }
}

/// Puts the looks together.
pub fn compare(
    pairs: &[Pair],
    sockets: (SocketAnswer, SocketAnswer),
    access: Access,
    encrypted: bool,
) -> Comparison {
    let same = |pair: &&Pair| {
        matches!(pair.public.answer, Answer::Service { .. })
            && pair.public.answer == pair.direct.answer
    };
    let odd = pairs.iter().rev().find(|pair| !same(pair));
    let told = odd.or(pairs.last());
    let median = |look: fn(&Pair) -> &Look| {
        let mut times: Vec<u32> = pairs.iter().filter_map(|pair| look(pair).ms).collect();
        times.sort_unstable();
        // Of an even number the slower of the two: never better than it was.
        times.get(times.len() / 2).copied()
    };
    let count = |n: usize| u32::try_from(n).unwrap_or(u32::MAX);
    Comparison {
        pairs: count(pairs.len()),
        same: count(pairs.iter().filter(same).count()),
        public: told.map(|pair| pair.public.answer.clone()),
        direct: told.map(|pair| pair.direct.answer.clone()),
        public_ms: median(|pair| &pair.public),
        direct_ms: median(|pair| &pair.direct),
        socket: sockets.0,
        socket_plain: sockets.1,
        access,
        encrypted,
    }
}

/// Whether the public address leads to the service that is wanted, and if not, why.
pub fn judge(found: &Comparison, want: Want) -> Result<(), Trouble> {
    let is_wanted = |answer: &Option<Answer>| matches!(answer, Some(Answer::Service { kind, .. }) if *kind == want.kind);
    if !is_wanted(&found.direct) {
        return Err(Trouble::ServiceDown);
    }
    match &found.public {
        None | Some(Answer::Nobody { .. }) => return Err(Trouble::Nobody),
        Some(Answer::Proxy { status }) if status == "500.19" => return Err(Trouble::ConfigBroken),
        Some(Answer::Proxy { .. }) => return Err(Trouble::ProxyFails),
        Some(Answer::Asks { .. }) => return Err(Trouble::AsksCredentials),
        Some(Answer::Other { .. }) => return Err(Trouble::OtherService),
        Some(Answer::Service { .. }) if found.same == 0 => return Err(Trouble::OtherService),
        Some(Answer::Service { .. }) if found.same < found.pairs => return Err(Trouble::Unsteady),
        Some(Answer::Service { .. }) => {}
    }
    match (&found.socket, &found.socket_plain) {
        (SocketAnswer::Speaks { .. } | SocketAnswer::NotTried, _) => {}
        (SocketAnswer::Refused { status: 403 }, SocketAnswer::Speaks { .. }) => {
            return Err(Trouble::HostLost);
        }
        _ => return Err(Trouble::SocketBlocked),
    }
    if want.before == Access::Asked && found.access != Access::Asked {
        return Err(Trouble::OpenNow);
    }
    Ok(())
}

impl Answer {
    /// In a few words, for evidence.
    pub fn told(&self) -> String {
        match self {
            Self::Service { kind, mark } => format!("{kind} {mark}"),
            Self::Asks { status } | Self::Other { status } => format!("HTTP {status}"),
            Self::Proxy { status } => format!("proxy HTTP {status}"),
            Self::Nobody { why, .. } => why.clone(),
        }
    }
}

impl SocketAnswer {
    fn told(&self) -> Option<String> {
        Some(match self {
            Self::Speaks { ms } => format!("101, {ms} ms"),
            Self::Mute => "101, silent".to_owned(),
            Self::Refused { status } => format!("HTTP {status}"),
            Self::Nobody { why } => why.clone(),
            Self::NotTried => return None,
        })
    }
}

impl Comparison {
    /// What was measured, by names that the window translates; what was not measured is left out.
    pub fn evidence(&self) -> Vec<Evidence> {
        let ms = |ms: Option<u32>| ms.map(|ms| ms.to_string());
        let access = match self.access {
            Access::Open => Some("open"),
            Access::Asked => Some("asked"),
            Access::Unknown => None,
        };
        let told = [
            ("public_answer", self.public.as_ref().map(Answer::told)),
            ("direct_answer", self.direct.as_ref().map(Answer::told)),
            (
                "same_service",
                Some(format!("{}/{}", self.same, self.pairs)),
            ),
            ("public_ms", ms(self.public_ms)),
            ("direct_ms", ms(self.direct_ms)),
            ("websocket", self.socket.told()),
            ("public_access", access.map(str::to_owned)),
            ("encrypted", Some(self.encrypted.to_string())),
        ];
        let told = told.into_iter();
        told.filter_map(|(name, value)| value.map(|value| Evidence::new(name, value)))
            .collect()
    }
}
