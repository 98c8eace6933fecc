use jiff::SignedDuration;

use super::*;
use crate::Timestamp;

const DIGEST: &str = "sha256:0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef";

#[test]
fn the_table_is_read_and_names_each_image_once_in_both_languages() {
    let read = known::read().unwrap();
    assert_eq!(&read, known_images());
    assert!(!read.images.is_empty());
    let mut names: Vec<String> = read.images.iter().map(|i| i.image.to_string()).collect();
    names.sort();
    names.dedup();
    assert_eq!(names.len(), read.images.len());
    for known in &read.images {
        assert!(!known.note.en.is_empty() && !known.note.fr.is_empty());
        let source = known.source.as_deref().map(source_repository);
        assert!(source.is_none_or(|name| name.is_some()), "{known:?}");
        assert_eq!(
            known.layout.is_none(),
            known.verdict == KnownVerdict::Unproved
        );
    }
}

#[test]
fn names_are_read_as_docker_reads_them() {
    let own = &defaults().registry;
    let alias = &defaults().aliases[0];
    for (text, registry, repository, wanted, shown) in [
        (
            "ubuntu",
            own.as_str(),
            "library/ubuntu",
            "latest",
            "ubuntu:latest",
        ),
        ("owner/name:1.2", own, "owner/name", "1.2", "owner/name:1.2"),
        (
            " owner/name ",
            own,
            "owner/name",
            "latest",
            "owner/name:latest",
        ),
        (
            "localhost/name",
            "localhost",
            "name",
            "latest",
            "localhost/name:latest",
        ),
        (
            "registry.test:5000/a/b/c:x_1",
            "registry.test:5000",
            "a/b/c",
            "x_1",
            "registry.test:5000/a/b/c:x_1",
        ),
        (
            "127.0.0.1:5000/name",
            "127.0.0.1:5000",
            "name",
            "latest",
            "127.0.0.1:5000/name:latest",
        ),
        (
            "[::1]:5000/name:t",
            "[::1]:5000",
            "name",
            "t",
            "[::1]:5000/name:t",
        ),
        (
            "Registry.test/a",
            "registry.test",
            "a",
            "latest",
            "registry.test/a:latest",
        ),
        (
            "a-b__c/d.e--f",
            own,
            "a-b__c/d.e--f",
            "latest",
            "a-b__c/d.e--f:latest",
        ),
    ] {
        let read = ImageRef::read(text).unwrap_or_else(|e| panic!("{text}: {e}"));
        assert_eq!(
            (read.registry(), read.repository(), read.wanted()),
            (registry, repository, wanted),
            "{text}"
        );
        assert_eq!(read.to_string(), shown, "{text}");
        assert_eq!(ImageRef::read(shown).unwrap().to_string(), shown);
    }
    let aliased = ImageRef::read(&format!("{alias}/ubuntu")).unwrap();
    assert_eq!(aliased, ImageRef::read("ubuntu").unwrap());
    let pinned = ImageRef::read(&format!("owner/name:tag@{DIGEST}")).unwrap();
    assert_eq!((pinned.tag(), pinned.wanted()), (Some("tag"), DIGEST));
    assert_eq!(pinned.to_string(), format!("owner/name:tag@{DIGEST}"));
}

#[test]
fn what_is_no_name_is_refused_with_what_to_do() {
    use ImageRefProblem as P;
    let long = format!("a/{}", "b".repeat(260));
    let long_tag = format!("a/b:{}", "t".repeat(129));
    for (text, problem) in [
        ("", P::Empty),
        ("  ", P::Empty),
        ("https://registry.test/a", P::Address),
        (long.as_str(), P::TooLong),
        ("a//b", P::Name),
        ("/a", P::Name),
        ("a/", P::Name),
        ("a/B", P::Name),
        ("a/b..c", P::Name),
        ("a/b___c", P::Name),
        ("a/-b", P::Name),
        ("a/b c", P::Name),
        ("a/../b", P::Name),
        ("a/ü", P::Name),
        ("a/b:", P::Tag),
        ("a/b:-x", P::Tag),
        ("a/b:x y", P::Tag),
        (long_tag.as_str(), P::Tag),
        ("a/b@sha256:12", P::Digest),
        ("a/b@md5:0123", P::Digest),
        ("a/b@", P::Digest),
        ("host.test:0/a", P::Registry),
        ("host.test:99999/a", P::Registry),
        ("-host.test/a", P::Registry),
        ("host..test/a", P::Registry),
        ("[::zz]:1/a", P::Registry),
    ] {
        assert_eq!(ImageRef::read(text), Err(problem), "{text:?}");
        assert!(problem.to_string().contains("; "), "what to do: {problem}");
    }
}

fn at(text: &str) -> Timestamp {
    text.parse().unwrap()
}

fn found(days: Option<i64>, platforms: &[(&str, &str)]) -> RegistryAnswer {
    let platforms: Vec<Platform> = platforms
        .iter()
        .map(|(os, architecture)| Platform {
            os: (*os).to_owned(),
            architecture: (*architecture).to_owned(),
        })
        .collect();
    let build = platforms.iter().any(Platform::fits).then(|| BuiltImage {
        digest: DIGEST.to_owned(),
        created: days
            .map(|days| at("2026-06-01T00:00:00Z") - SignedDuration::from_hours(24 * days)),
        bytes: Some(7_000_000_000),
        source: None,
    });
    RegistryAnswer::Found { platforms, build }
}

fn pushed(days: i64, archived: bool) -> SourceAnswer {
    SourceAnswer::Found(RepositoryFacts {
        name: "owner/name".to_owned(),
        pushed_at: Some(at("2026-06-01T00:00:00Z") - SignedDuration::from_hours(24 * days)),
        archived,
    })
}

#[test]
fn verdicts_follow_from_facts() {
    let amd = &[("linux", "amd64"), ("linux", "arm64")][..];
    let arm = &[("linux", "arm64"), ("unknown", "unknown")][..];
    let bad = |fault| ImageVerdict::Bad { fault };
    let unasked = |why| RegistryAnswer::Unknown {
        why,
        words: "offline".to_owned(),
    };
    let no_source = |why| SourceAnswer::Unknown {
        why,
        words: "429".to_owned(),
    };
    for (registry, source, verdict) in [
        (found(Some(3), amd), pushed(2, false), ImageVerdict::Good),
        (
            found(Some(180), amd),
            pushed(365, false),
            ImageVerdict::Good,
        ),
        // A build of lately is maintenance enough where no source is named.
        (
            found(Some(3), amd),
            SourceAnswer::NotNamed,
            ImageVerdict::Good,
        ),
        (
            found(Some(181), amd),
            pushed(2, false),
            bad(ImageFault::Old),
        ),
        (
            found(Some(3), amd),
            pushed(366, false),
            bad(ImageFault::Abandoned),
        ),
        (
            found(Some(3), amd),
            pushed(2, true),
            bad(ImageFault::Archived),
        ),
        (
            found(Some(3), amd),
            SourceAnswer::NotThere,
            bad(ImageFault::SourceGone),
        ),
        (
            found(Some(3), arm),
            pushed(2, false),
            bad(ImageFault::NoBuild),
        ),
        (
            found(Some(3), &[]),
            pushed(2, false),
            bad(ImageFault::NoBuild),
        ),
        (
            RegistryAnswer::NotThere,
            pushed(2, false),
            bad(ImageFault::NotThere),
        ),
        (
            RegistryAnswer::Denied,
            SourceAnswer::NotNamed,
            bad(ImageFault::Denied),
        ),
        (
            unasked(Unasked::Unreachable),
            no_source(Unasked::RateLimited),
            ImageVerdict::Unknown {
                why: Unasked::Unreachable,
                source: false,
            },
        ),
        (
            found(Some(3), amd),
            no_source(Unasked::RateLimited),
            ImageVerdict::Unknown {
                why: Unasked::RateLimited,
                source: true,
            },
        ),
        // What was measured counts, whatever else was not.
        (
            unasked(Unasked::Unreachable),
            pushed(2, true),
            bad(ImageFault::Archived),
        ),
        (
            found(Some(400), amd),
            no_source(Unasked::RateLimited),
            bad(ImageFault::Old),
        ),
        // Builds that say 1970 say nothing of their age, and neither does one from next year.
        (
            found(Some(20_000), amd),
            pushed(2, false),
            ImageVerdict::Good,
        ),
        (
            found(Some(20_000), amd),
            SourceAnswer::NotNamed,
            ImageVerdict::AgeNotTold,
        ),
        (
            found(Some(-400), amd),
            SourceAnswer::NotNamed,
            ImageVerdict::AgeNotTold,
        ),
        (
            found(None, amd),
            SourceAnswer::NotNamed,
            ImageVerdict::AgeNotTold,
        ),
    ] {
        let facts = ImageFacts {
            image: ImageRef::read("owner/name:tag").unwrap(),
            registry,
            source,
            at: at("2026-06-01T00:00:00Z"),
        };
        let report = judge(&facts);
        assert_eq!(report.verdict, verdict, "{facts:#?}");
        assert_eq!(report.findings[0].evidence.value, "owner/name:tag");
        let against = report.findings.iter().any(|f| f.good == Some(false));
        assert_eq!(
            against,
            matches!(verdict, ImageVerdict::Bad { .. }),
            "{report:#?}"
        );
    }
}

#[test]
fn a_source_is_an_owner_and_a_name_of_the_page_that_is_known() {
    let page = &defaults().source_page;
    let at = |path: &str| source_repository(&format!("https://{page}{path}"));
    assert_eq!(at("/owner/name.git").as_deref(), Some("owner/name"));
    assert_eq!(
        at("/owner/name/tree/main?x#y").as_deref(),
        Some("owner/name")
    );
    assert_eq!(at("/owner").as_deref(), None);
    assert_eq!(at("/owner/.."), None);
    assert_eq!(at("/own%2fer/name"), None);
    assert_eq!(source_repository("https://elsewhere.test/owner/name"), None);
    assert_eq!(source_repository(&format!("git@{page}:owner/name")), None);
}

#[test]
fn a_mirror_is_known_by_its_name_and_the_report_is_no_alternative() {
    let known = known_images();
    let first = &known.images[0];
    let mirror = ImageRef::read(&format!("127.0.0.1:5000/{}:x", first.image.repository())).unwrap();
    assert_eq!(known.of(&mirror), Some(first));
    assert!(layout_of(&mirror).1);
    let others: Vec<_> = known.others(&mirror).collect();
    assert!(!others.contains(&first) && !others.is_empty());
    assert!(others.iter().all(|k| k.verdict != KnownVerdict::Unproved));
    assert!(!layout_of(&ImageRef::read("nobody/knows").unwrap()).1);
}
