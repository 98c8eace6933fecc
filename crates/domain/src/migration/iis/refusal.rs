//! Why nothing is changed, and what to do about it, in both languages.

use serde::{Deserialize, Serialize};

use super::super::Words;

macro_rules! whys {
    ($($(#[$doc:meta])* $name:ident = $code:literal: $en:literal, $fr:literal; $do_en:literal, $do_fr:literal;)+) => {
        /// Why a `web.config` is not changed.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
        #[cfg_attr(feature = "specta", derive(specta::Type))]
        pub enum Why {
            $($(#[$doc])* #[serde(rename = $code)] $name,)+
        }

        impl Why {
            /// All of them.
            pub const ALL: &[Why] = &[$(Why::$name,)+];

            /// The stable code.
            pub fn code(self) -> &'static str {
                match self { $(Why::$name => $code,)+ }
            }

            fn texts(self) -> [&'static str; 4] {
                match self { $(Why::$name => [$en, $fr, $do_en, $do_fr],)+ }
            }
        }
    };
}

whys! {
    /// More bytes, elements or levels than a `web.config` has.
    TooLarge = "too_large":
        "The file is larger than any web.config", "Le fichier dépasse la taille d’un web.config";
        "name the web.config of the site in migration.toml", "indiquez dans migration.toml le web.config du site";
    /// The bytes spell no text in the encoding that they claim.
    Encoding = "encoding":
        "The encoding of the file is not UTF-8, nor UTF-16 with its mark", "Le fichier n’est encodé ni en UTF-8, ni en UTF-16 avec sa marque";
        "save it as UTF-8 in an editor, and let its first line say encoding=\"utf-8\"", "enregistrez-le en UTF-8 dans un éditeur, avec encoding=\"utf-8\" dans sa première ligne";
    /// It is no XML.
    NoXml = "no_xml":
        "The file is not well-formed XML, and IIS answers 500.19 with it", "Le fichier n’est pas du XML bien formé, et IIS répond 500.19";
        "correct the line that is named, or put back a copy that worked", "corrigez la ligne indiquée, ou remettez une copie qui fonctionnait";
    /// It defines entities, which no `web.config` needs.
    Doctype = "doctype":
        "The file has a DOCTYPE, which no web.config needs and which can stand for anything", "Le fichier contient un DOCTYPE, dont aucun web.config n’a besoin et qui peut tout représenter";
        "remove the DOCTYPE and what uses its entities", "retirez le DOCTYPE et ce qui emploie ses entités";
    /// It is XML of another kind.
    NoConfiguration = "no_configuration":
        "The file is XML, but no IIS configuration", "Le fichier est du XML, mais pas une configuration IIS";
        "name the web.config of the site in migration.toml", "indiquez dans migration.toml le web.config du site";
    /// It has no rule.
    NoRules = "no_rules":
        "The file has no rewrite rule", "Le fichier ne contient aucune règle de réécriture";
        "name the web.config of the site that carries the reverse proxy; rules of the whole server are in applicationHost.config, which is not changed", "indiquez le web.config du site qui porte le proxy inverse ; les règles du serveur entier sont dans applicationHost.config, qui n’est pas modifié";
    /// The rules are in another file, or encrypted.
    Elsewhere = "elsewhere":
        "The rules are not in this file: it points to another one, or they are encrypted", "Les règles ne sont pas dans ce fichier : il renvoie à un autre, ou elles sont chiffrées";
        "name the file that holds them in migration.toml", "indiquez dans migration.toml le fichier qui les contient";
    /// No rule has this name.
    UnknownRule = "unknown_rule":
        "No rewrite rule has this name", "Aucune règle de réécriture ne porte ce nom";
        "write the name as it is in the file", "écrivez le nom tel qu’il est dans le fichier";
    /// Two rules have this name.
    DoubleRule = "double_rule":
        "Several rules have this name, and it is not known which is meant", "Plusieurs règles portent ce nom, et on ne sait pas laquelle est visée";
        "give one of them another name", "donnez un autre nom à l’une d’elles";
    /// The rule does nothing that has an address.
    NoAction = "no_action":
        "The rule sends requests nowhere: its action has no address", "La règle n’envoie les requêtes nulle part : son action n’a pas d’adresse";
        "name the rule that rewrites to the service", "indiquez la règle qui réécrit vers le service";
    /// The `url` is no `http://host:port/…`.
    NoAddress = "no_address":
        "The rule rewrites within the site, and not to the address of a server", "La règle réécrit à l’intérieur du site, et non vers l’adresse d’un serveur";
        "name the rule whose action begins with http:// or https://", "indiquez la règle dont l’action commence par http:// ou https://";
    /// The address depends on the request.
    ComputedAddress = "computed_address":
        "The address of the rule is computed from the request or from a map, so there is none to change", "L’adresse de la règle est calculée à partir de la requête ou d’une table : il n’y en a aucune à changer";
        "write the address into the rule, or change the map by hand", "écrivez l’adresse dans la règle, ou modifiez la table à la main";
    /// The address that is to be written is none.
    BadAddress = "bad_address":
        "The new address cannot be written into a rule", "La nouvelle adresse ne peut pas être écrite dans une règle";
        "write it like http://127.0.0.1:8188", "écrivez-la comme http://127.0.0.1:8188";
    /// The rule has this address already.
    Nothing = "nothing":
        "The rule leads to this address already", "La règle mène déjà à cette adresse";
        "nothing has to be done", "il n’y a rien à faire";
    /// The change was made in memory and did not read back as it should.
    NotVerified = "not_verified":
        "The changed file does not read back as it should, so it is not written", "Le fichier modifié ne se relit pas comme prévu : il n’est donc pas écrit";
        "change the address by hand, and report this file", "changez l’adresse à la main, et signalez ce fichier";
}

/// Why nothing is changed, and where.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
#[cfg_attr(feature = "specta", derive(specta::Type))]
#[error("{}", self.reason().en)]
pub struct Refusal {
    /// Why.
    pub why: Why,
    /// The line of the file, where there is one.
    pub line: Option<u32>,
    /// The word or name it is about; hostile until escaped.
    pub what: Option<String>,
}

impl Refusal {
    pub(super) fn of(why: Why) -> Self {
        Self {
            why,
            line: None,
            what: None,
        }
    }

    /// Says where in a text.
    pub(super) fn line(mut self, text: &str, at: usize) -> Self {
        self.line = Some(line_of(text, at));
        self
    }

    /// Says what it is about.
    pub(super) fn what(mut self, what: impl AsRef<str>) -> Self {
        let what = super::address::excerpt(what.as_ref());
        self.what = (!what.is_empty()).then_some(what);
        self
    }

    /// What is wrong, as a sentence.
    pub fn reason(&self) -> Words {
        let [en, fr, ..] = self.why.texts();
        let what_en = self.what.as_ref().map(|what| format!(" (`{what}`)"));
        let what_fr = self.what.as_ref().map(|what| format!(" (« {what} »)"));
        let line_en = self.line.map(|line| format!(", line {line}"));
        let line_fr = self.line.map(|line| format!(", ligne {line}"));
        Words {
            en: [
                en,
                &what_en.unwrap_or_default(),
                &line_en.unwrap_or_default(),
                ".",
            ]
            .concat(),
            fr: [
                fr,
                &what_fr.unwrap_or_default(),
                &line_fr.unwrap_or_default(),
                ".",
            ]
            .concat(),
        }
    }

    /// What to do about it.
    pub fn remedy(&self) -> Words {
        let [.., en, fr] = self.why.texts();
        Words {
            en: en.to_owned(),
            fr: fr.to_owned(),
        }
    }
}

/// The line of a place, counted from one.
pub(super) fn line_of(text: &str, at: usize) -> u32 {
    let before = text.as_bytes().get(..at).unwrap_or_default();
    let lines = memchr::memchr_iter(b'\n', before).count();
    u32::try_from(lines + 1).unwrap_or(u32::MAX)
}
