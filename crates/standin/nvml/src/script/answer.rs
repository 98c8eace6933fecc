//! A value, or the error that is answered in its place.

use serde::{
    Deserialize, Deserializer, Serialize,
    de::{DeserializeOwned, Error as _},
};

use crate::codes::NvmlCode;

/// What the library answers to one question. In JSON the value itself, or the name of an error
/// as a string; a text that is the name of an error is that error.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(untagged)]
pub enum Answer<T> {
    /// The value.
    Value(T),
    /// The error.
    Error(NvmlCode),
}

impl<T> Answer<T> {
    /// The value or the error.
    pub fn get(&self) -> Result<&T, NvmlCode> {
        match self {
            Self::Value(value) => Ok(value),
            Self::Error(code) => Err(*code),
        }
    }
}

impl<T> From<T> for Answer<T> {
    fn from(value: T) -> Self {
        Self::Value(value)
    }
}

/// One for each kind of value: for all at once it would compete with the conversion of a value.
macro_rules! from_code {
    ($($kind:ty),*) => {$(
        impl From<NvmlCode> for Answer<$kind> {
            fn from(code: NvmlCode) -> Self {
                Self::Error(code)
            }
        }
    )*};
}

from_code!(
    u32,
    i32,
    String,
    super::Memory,
    super::Utilization,
    super::Throttle,
    Vec<super::Process>
);

impl<'de, T: DeserializeOwned> Deserialize<'de> for Answer<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let said = serde_json::Value::deserialize(deserializer)?;
        if let Some(code) = said.as_str().and_then(NvmlCode::from_name) {
            return Ok(Self::Error(code));
        }
        let value = serde_json::from_value(said).map_err(D::Error::custom)?;
        Ok(Self::Value(value))
    }
}
