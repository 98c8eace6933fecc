//! Two services that write one settings file are one problem.

use super::*;
use crate::{
    checks::tests::{now, refused_api, shared},
    facts::{ConfigTrouble, SharedFile, Writer},
};

/// `myia-turbo` came last.
fn both() -> Site {
    let mut site = Site::new();
    let theirs = SharedFile {
        others: vec![Writer {
            service: ServiceId::new("myia").expect("id"),
            container: "myia-supervisor-1".into(),
        }],
        ..shared(None)
    };
    site.facts(0).configuration = now(vec![ConfigTrouble::SecondWriter(shared(Some(
        "myia-turbo",
    )))]);
    site.facts(1).configuration = now(vec![ConfigTrouble::SecondWriter(theirs)]);
    site
}

fn open(site: &Site) -> Vec<(String, &'static str)> {
    let open = site.book.open().into_iter();
    open.map(|incident| match incident.subject {
        Subject::Service(id) => (id.to_string(), incident.cause.code()),
        other => panic!("{other:?}"),
    })
    .collect()
}

#[test]
fn one_incident_opens_on_the_one_that_came_last_and_ends_with_it() {
    let mut site = both();
    let changes = site.observe(0);
    assert_eq!(changes.opened.len(), 1);
    let second = || ("myia-turbo".to_owned(), "config.second_writer");
    assert_eq!(open(&site), [second()]);
    let named = site.book.open()[0].evidence.clone();
    assert!(named.iter().any(|e| e.value == "myia"), "{named:?}");
    // Each ladder says it all the same, and nothing more opens.
    assert_eq!(site.observe(10).opened, []);
    for service in 0..2 {
        site.facts(service).configuration = now(Vec::new());
    }
    assert_eq!(site.observe(20).closed.len(), 1);
    assert_eq!(open(&site), []);
}

#[test]
fn it_moves_to_the_other_when_that_was_made_anew() {
    let mut site = both();
    site.observe(0);
    site.facts(0).configuration = now(vec![ConfigTrouble::SecondWriter(shared(None))]);
    let mut told = shared(Some("myia"));
    told.others[0].service = ServiceId::new("myia").expect("id");
    site.facts(1).configuration = now(vec![ConfigTrouble::SecondWriter(told)]);
    site.observe(10);
    assert_eq!(open(&site), [("myia".to_owned(), "config.second_writer")]);
}

#[test]
fn it_is_told_on_the_first_while_the_last_has_something_worse() {
    let mut site = both();
    let configuration = site.facts(1).configuration.clone();
    *site.facts(1) = Facts {
        configuration,
        ..refused_api()
    };
    site.observe(0);
    let mut open = open(&site);
    open.sort();
    assert_eq!(
        open,
        [
            ("myia".to_owned(), "config.second_writer"),
            ("myia-turbo".to_owned(), "api.refused"),
        ]
    );
}
