//! What a courier is given over its standard input. It holds credentials: it is never printed, and
//! never in a file.

use std::{
    io::{self, Read},
    path::PathBuf,
    time::Duration,
};

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::{
    super::http::{Ask, HttpError, Target},
    folder,
};
use crate::secrets::Credentials;

/// Of which form it is.
const FORM: u32 = 2;
/// Largest one; a request for a picture is words and numbers.
const MOST_BYTES: u64 = 16 * 1024 * 1024;

/// A request with all that is needed to send it.
#[derive(Serialize, Deserialize)]
pub(super) struct Parcel {
    form: u32,
    /// The courier's name.
    pub(super) name: String,
    base: String,
    pub(super) path: String,
    /// A JSON document.
    pub(super) body: String,
    /// As sealed for a keyring.
    credentials: Option<String>,
    /// Largest body of the answer.
    pub(super) limit: usize,
    patience_s: u64,
    /// What the server lends for it.
    pub(super) lent: Option<Lent>,
}

/// Options that hold for everybody until they are put back: by who sent the courier, or by the courier
/// itself when that program is no more.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(in crate::clients) struct Lent {
    /// Those set, and their former values.
    pub options: [Map<String, Value>; 2],
    /// The folder of the sender's presence.
    pub running: PathBuf,
    /// Its name there.
    pub sender: String,
}

impl Parcel {
    pub(super) fn of(
        name: &str,
        target: &Target,
        ask: &Ask<'_>,
        patience: Duration,
        lent: Option<Lent>,
    ) -> Self {
        let body = ask.body.as_deref().unwrap_or_default();
        Self {
            form: FORM,
            name: name.to_owned(),
            base: target.base.to_string(),
            path: ask.path().to_owned(),
            body: String::from_utf8_lossy(body).into_owned(),
            credentials: target.credentials.as_ref().map(Credentials::sealed),
            limit: ask.limit,
            patience_s: patience.as_secs(),
            lent,
        }
    }

    pub(super) fn packed(&self) -> io::Result<Vec<u8>> {
        Ok(serde_json::to_vec(self)?)
    }

    /// Reads one to its end: one whose sender ended in the middle is none.
    pub(super) fn unpack(input: impl Read) -> io::Result<Self> {
        let odd = |what: &str| io::Error::new(io::ErrorKind::InvalidData, what.to_owned());
        let mut bytes = Vec::new();
        input.take(MOST_BYTES + 1).read_to_end(&mut bytes)?;
        if u64::try_from(bytes.len()).unwrap_or(u64::MAX) > MOST_BYTES {
            return Err(odd("it is too large"));
        }
        // The error would repeat parts of it.
        let parcel: Self = serde_json::from_slice(&bytes).map_err(|_| odd("it cannot be read"))?;
        if parcel.form != FORM || !folder::is_name(&parcel.name) || !parcel.path.starts_with('/') {
            return Err(odd("it cannot be carried"));
        }
        Ok(parcel)
    }

    /// Where it goes.
    pub(super) fn target(&self) -> Result<Target, HttpError> {
        let credentials = match &self.credentials {
            None => None,
            Some(sealed) => Some(
                serde_json::from_str(sealed)
                    .map_err(|_| HttpError::Address("the credentials cannot be read".to_owned()))?,
            ),
        };
        Target::new(&self.base, credentials)
    }

    /// How long to wait for its answer.
    pub(super) fn patience(&self) -> Duration {
        Duration::from_secs(self.patience_s)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::secrets::Sensitive;

    #[test]
    fn it_holds_everything_and_half_of_it_is_nothing() {
        let credentials = Credentials::Basic {
            user: "anna".to_owned(),
            password: Sensitive::new("sesam \"é".to_owned()),
        };
        let target = Target::new("http://u:p@host:1/prefix", Some(credentials.clone())).unwrap();
        let ask = Ask::post("/a", &json!({"prompt": "ü"}), Duration::ZERO).limit(77);
        let packed = Parcel::of("abc", &target, &ask, Duration::from_secs(9), None)
            .packed()
            .unwrap();
        let parcel = Parcel::unpack(&*packed).unwrap();
        assert_eq!((parcel.name.as_str(), parcel.limit), ("abc", 77));
        assert_eq!(parcel.patience(), Duration::from_secs(9));
        assert_eq!(parcel.body, "{\"prompt\":\"ü\"}");
        let to = parcel.target().unwrap();
        assert_eq!(to.base, target.base);
        assert_eq!(to.credentials, Some(credentials));
        for length in 0..packed.len() {
            assert!(Parcel::unpack(&packed[..length]).is_err(), "{length}");
        }
        for (from, to) in [
            ("\"abc\"", "\"../abc\""),
            ("\"/a\"", "\"a\""),
            ("\"form\":2", "\"form\":3"),
        ] {
            let text = String::from_utf8(packed.clone()).unwrap().replace(from, to);
            assert!(Parcel::unpack(text.as_bytes()).is_err(), "{to}");
        }
        let long = vec![b' '; usize::try_from(MOST_BYTES).unwrap() + 2];
        assert!(Parcel::unpack(&*long).is_err());
    }
}
