//! Newtype identifiers. Each is checked once, where it enters, and trusted afterwards.

use std::fmt;

use serde::{Deserialize, Serialize};

/// Longest accepted identifier in bytes; Docker names and TOML ids stay far below.
const MAX_ID_BYTES: usize = 128;

/// Why a text is no identifier.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum IdError {
    /// Nothing was written.
    #[error("an identifier must not be empty")]
    Empty,
    /// Longer than 128 bytes.
    #[error("an identifier must not be longer than {MAX_ID_BYTES} bytes")]
    TooLong,
    /// Something else than letters, digits, `.`, `_`, `-`.
    #[error("`{0}` is not allowed in an identifier; use letters, digits, `.`, `_` and `-`")]
    Character(char),
}

fn check(text: &str) -> Result<(), IdError> {
    if text.is_empty() {
        return Err(IdError::Empty);
    }
    if text.len() > MAX_ID_BYTES {
        return Err(IdError::TooLong);
    }
    match text
        .chars()
        .find(|c| !(c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-')))
    {
        Some(c) => Err(IdError::Character(c)),
        None => Ok(()),
    }
}

macro_rules! id {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[cfg_attr(feature = "specta", derive(specta::Type))]
        #[serde(try_from = "String", into = "String")]
        #[cfg_attr(feature = "specta", specta(type = String))]
        pub struct $name(String);

        impl $name {
            /// Checks and wraps a text.
            pub fn new(text: impl Into<String>) -> Result<Self, IdError> {
                let text = text.into();
                check(&text)?;
                Ok(Self(text))
            }

            /// The identifier as text.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl TryFrom<String> for $name {
            type Error = IdError;
            fn try_from(text: String) -> Result<Self, IdError> {
                Self::new(text)
            }
        }

        impl std::str::FromStr for $name {
            type Err = IdError;
            fn from_str(text: &str) -> Result<Self, IdError> {
                Self::new(text)
            }
        }

        impl From<$name> for String {
            fn from(id: $name) -> String {
                id.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                // With the width that a table asks for.
                f.pad(&self.0)
            }
        }
    };
}

id! {
    /// An administered service, as written in `forgekeeper.toml`.
    ServiceId
}
id! {
    /// A machine with a container engine.
    HostId
}
id! {
    /// One long operation.
    JobId
}
id! {
    /// A snapshot of a configuration: when it was taken, and the beginning of its hash.
    SnapshotId
}
id! {
    /// A step of the migration plan.
    StepId
}
id! {
    /// NVML's UUID of a card, `GPU-…`; the only key that survives reordering.
    GpuUuid
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn identifiers_refuse_what_could_travel_into_a_path_or_a_page() {
        for (text, expected) in [
            ("", Err(IdError::Empty)),
            ("../x", Err(IdError::Character('/'))),
            ("a b", Err(IdError::Character(' '))),
            ("<b>", Err(IdError::Character('<'))),
            ("myia-turbo_1.2", Ok(())),
        ] {
            assert_eq!(ServiceId::new(text).map(|_| ()), expected, "{text:?}");
        }
        assert_eq!(
            HostId::new("a".repeat(129)).map(|_| ()),
            Err(IdError::TooLong)
        );
    }
}
