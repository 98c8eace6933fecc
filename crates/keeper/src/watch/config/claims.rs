//! Which service writes which settings file. Two containers of one engine with one file each write
//! the whole of it: the last one wins.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, PoisonError},
};

use forgekeeper_domain::{
    Timestamp,
    facts::{SharedFile, Writer},
    ids::{HostId, ServiceId},
};

/// A service's settings file, by its path on its engine's machine.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Claim {
    /// Paths of different machines are not to be compared.
    pub(super) host: HostId,
    pub(super) file: String,
    /// Full id of the container: two services may be two names of one.
    pub(super) id: String,
    pub(super) container: String,
    pub(super) created_at: Option<Timestamp>,
}

/// What all services claim; clones share it.
#[derive(Debug, Clone, Default)]
pub(crate) struct Claims {
    all: Arc<Mutex<BTreeMap<ServiceId, Claim>>>,
}

impl Claims {
    /// A service writes this file, or none that is known.
    pub(super) fn set(&self, service: &ServiceId, claim: Option<Claim>) {
        let mut all = self.all.lock().unwrap_or_else(PoisonError::into_inner);
        match claim {
            Some(claim) => drop(all.insert(service.clone(), claim)),
            None => drop(all.remove(service)),
        }
    }

    /// The file of a service, when others write it, too.
    pub(super) fn shared(&self, service: &ServiceId) -> Option<SharedFile> {
        let all = self.all.lock().unwrap_or_else(PoisonError::into_inner);
        let own = all.get(service)?;
        let writes_too =
            |claim: &Claim| claim.host == own.host && claim.file == own.file && claim.id != own.id;
        let others: Vec<_> = all.iter().filter(|(_, claim)| writes_too(claim)).collect();
        let last = others
            .iter()
            .copied()
            .chain([(service, own)])
            .max_by_key(|(id, claim)| (claim.created_at, *id))?;
        (!others.is_empty()).then(|| SharedFile {
            file: own.file.clone(),
            told_on: (last.0 != service).then(|| last.0.clone()),
            others: others
                .iter()
                .map(|(id, claim)| Writer {
                    service: (*id).clone(),
                    container: claim.container.clone(),
                })
                .collect(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn id(text: &str) -> ServiceId {
        ServiceId::new(text).expect("an id")
    }

    fn claim(host: &str, file: &str, container: &str, second: i64) -> Claim {
        Claim {
            host: HostId::new(host).expect("an id"),
            file: file.to_owned(),
            id: container.to_owned(),
            container: format!("{container}-1"),
            created_at: Timestamp::from_second(second).ok(),
        }
    }

    #[test]
    fn one_file_of_two_containers_is_told_to_both_and_opens_on_the_younger() {
        let claims = Claims::default();
        let (a, b) = (id("a"), id("b"));
        claims.set(&a, Some(claim("here", "/srv/config.json", "one", 10)));
        claims.set(&b, Some(claim("here", "/srv/config.json", "two", 20)));
        claims.set(
            &id("c"),
            Some(claim("there", "/srv/config.json", "three", 30)),
        );
        claims.set(
            &id("d"),
            Some(claim("here", "/srv/d/config.json", "four", 30)),
        );
        let told = |of: &ServiceId| {
            claims.shared(of).map(|shared| {
                let others = shared.others.iter().map(|o| o.service.to_string());
                let told_on = shared.told_on.map(|id| id.to_string());
                (others.collect::<Vec<_>>().join(" "), told_on)
            })
        };
        assert_eq!(told(&a), Some(("b".to_owned(), Some("b".to_owned()))));
        assert_eq!(told(&b), Some(("a".to_owned(), None)));
        assert_eq!(told(&id("c")), None, "on another machine");
        assert_eq!(told(&id("d")), None, "another file");
        // Two names of one container.
        claims.set(&b, Some(claim("here", "/srv/config.json", "one", 10)));
        assert_eq!(told(&a), None);
        claims.set(&b, None);
        assert_eq!((told(&a), told(&b)), (None, None));
    }
}
