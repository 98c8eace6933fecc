//! The key that seals what may hold secrets. It never leaves the keyring but into memory.

use std::fmt;

use base64::{Engine as _, engine::general_purpose::STANDARD};
use ring::{
    aead::{Aad, CHACHA20_POLY1305, LessSafeKey, NONCE_LEN, Nonce, UnboundKey},
    hmac,
    rand::{SecureRandom as _, SystemRandom},
};

use super::{
    Sensitive,
    vault::{Vault, VaultError},
};

const KEY_BYTES: usize = 32;

/// Seals, opens, and names what is sealed so that its name tells nothing of it.
#[derive(Clone)]
pub(crate) struct SealKey {
    sealing: [u8; KEY_BYTES],
    naming: [u8; KEY_BYTES],
    id: String,
}

impl fmt::Debug for SealKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SealKey({})", self.id)
    }
}

impl SealKey {
    fn of(master: &[u8; KEY_BYTES]) -> Self {
        let master = hmac::Key::new(hmac::HMAC_SHA256, master);
        let derived = |purpose: &str| -> [u8; KEY_BYTES] {
            let tag = hmac::sign(&master, purpose.as_bytes());
            let mut key = [0; KEY_BYTES];
            key.copy_from_slice(tag.as_ref());
            key
        };
        let id = derived("forgekeeper configuration: id");
        Self {
            sealing: derived("forgekeeper configuration: seal"),
            naming: derived("forgekeeper configuration: name"),
            id: hex::encode(&id[..4]),
        }
    }

    /// One that is kept nowhere; what it seals can be opened by nobody else.
    pub(crate) fn passing() -> Option<Self> {
        random().map(|master| Self::of(&master))
    }

    /// Tells keys apart, and nothing else.
    pub(crate) fn id(&self) -> &str {
        &self.id
    }

    /// A name for these bytes: always the same, and of no use to somebody who guesses them.
    pub(crate) fn name(&self, bytes: &[u8]) -> String {
        let key = hmac::Key::new(hmac::HMAC_SHA256, &self.naming);
        hex::encode(hmac::sign(&key, bytes).as_ref())
    }

    /// Seals bytes for this place; `None` when the system gives no random numbers.
    pub(crate) fn seal(&self, bytes: &[u8], place: &str) -> Option<Vec<u8>> {
        let mut nonce = [0; NONCE_LEN];
        SystemRandom::new().fill(&mut nonce).ok()?;
        let mut sealed = bytes.to_vec();
        self.cipher()?
            .seal_in_place_append_tag(
                Nonce::assume_unique_for_key(nonce),
                Aad::from(place.as_bytes()),
                &mut sealed,
            )
            .ok()?;
        Some([&nonce[..], &sealed].concat())
    }

    /// Opens what was sealed for this place; `None` when it is not what was sealed.
    pub(crate) fn open(&self, mut sealed: Vec<u8>, place: &str) -> Option<Vec<u8>> {
        if sealed.len() < NONCE_LEN {
            return None;
        }
        let mut text = sealed.split_off(NONCE_LEN);
        let nonce = Nonce::try_assume_unique_for_key(&sealed).ok()?;
        let aad = Aad::from(place.as_bytes());
        let length = self
            .cipher()?
            .open_in_place(nonce, aad, &mut text)
            .ok()?
            .len();
        text.truncate(length);
        Some(text)
    }

    fn cipher(&self) -> Option<LessSafeKey> {
        let key = UnboundKey::new(&CHACHA20_POLY1305, &self.sealing).ok()?;
        Some(LessSafeKey::new(key))
    }
}

fn random() -> Option<[u8; KEY_BYTES]> {
    let mut bytes = [0; KEY_BYTES];
    SystemRandom::new().fill(&mut bytes).ok()?;
    Some(bytes)
}

fn parsed(text: &str) -> Option<[u8; KEY_BYTES]> {
    STANDARD.decode(text.trim()).ok()?.try_into().ok()
}

/// The key of the keyring. One is made only where the keyring says that there is none: what an
/// earlier one sealed would be lost.
pub(super) fn read_or_make(vault: &dyn Vault) -> Result<SealKey, VaultError> {
    let odd = || VaultError::Refused("its entry is no key of ours".to_owned());
    let read = |text: &Sensitive<String>| parsed(text.expose()).map(|master| SealKey::of(&master));
    if let Some(text) = vault.read_seal()? {
        return read(&text).ok_or_else(odd);
    }
    let none = || VaultError::Unavailable("the system gives no random numbers".to_owned());
    let master = random().ok_or_else(none)?;
    vault.write_seal(&STANDARD.encode(master))?;
    // Another program may have made one at the same moment: what stands there now counts.
    let text = vault.read_seal()?.ok_or_else(odd)?;
    read(&text).ok_or_else(odd)
}
