//! The target image: a registry and a source that are asked for real, with everything odd that they do.

use forgekeeper_domain::migration::image::{
    ImageFault, ImageRef, ImageVerdict, RegistryAnswer, SourceAnswer, Unasked, judge,
};
use forgekeeper_keeper::{clients::Http, clients::registry::ask_about};
use forgekeeper_standin::{
    registry::{Oddity, Registry, Shelved, SourceRepository},
    tasks::Tasks,
};
use jiff::Timestamp;

use crate::rig::SECOND;

const PAGE: &str = "https://github.com/owner/source";

fn source(days: i64) -> SourceRepository {
    SourceRepository {
        name: "owner/source".to_owned(),
        pushed_days_ago: days,
        archived: false,
        rate_limited: false,
    }
}

fn shelved(tag: &str, change: impl FnOnce(&mut Shelved)) -> Shelved {
    let mut image = Shelved::plain("owner/name", tag, 12);
    image.source = Some(PAGE.to_owned());
    change(&mut image);
    image
}

fn only(image: &mut Shelved, os: &str, architecture: &str) {
    image.platforms = vec![(os.to_owned(), architecture.to_owned())];
}

async fn asked(registry: &Registry, name: &str) -> (ImageVerdict, RegistryAnswer, SourceAnswer) {
    let image = format!("{}/{name}", registry.name());
    let image = ImageRef::read(&image).expect("a name");
    let http = Http::new().expect("a client");
    let api = registry.source_api();
    let facts = ask_about(&http, &image, &api, 10 * SECOND, Timestamp::now()).await;
    (judge(&facts).verdict, facts.registry, facts.source)
}

#[tokio::test]
async fn a_registry_is_asked_with_a_token_and_its_store_without() {
    let tasks = Tasks::new();
    let shelf = vec![
        shelved("index", |_| {}),
        shelved("alone", |image| only(image, "linux", "amd64")),
    ];
    let registry = Registry::open(shelf, vec![source(3)], &tasks).await;
    let registry = registry.expect("a registry");
    for tag in ["index", "alone"] {
        let (verdict, answer, source) = asked(&registry, &format!("owner/name:{tag}")).await;
        assert_eq!(
            verdict,
            ImageVerdict::Good,
            "{tag}: {answer:#?} {source:#?}"
        );
        let RegistryAnswer::Found {
            platforms,
            build: Some(build),
        } = answer
        else {
            panic!("{tag}: {answer:#?}");
        };
        assert_eq!(platforms.len(), if tag == "index" { 2 } else { 1 });
        assert!(build.bytes > Some(5_000_000_000) && build.created.is_some());
        assert!(build.digest.starts_with("sha256:"));
        let SourceAnswer::Found(found) = source else {
            panic!("{source:#?}");
        };
        assert_eq!(
            (found.name.as_str(), found.archived),
            ("owner/source", false)
        );
        // By its digest it is the same build.
        let pinned = format!("owner/name@{}", build.digest);
        let (verdict, _, _) = asked(&registry, &pinned).await;
        assert_eq!(verdict, ImageVerdict::Good, "{pinned}");
    }
    assert_eq!(registry.leaked(), 0, "the token went to the registry alone");
    tasks.shutdown().await;
}

#[tokio::test]
async fn everything_odd_has_its_verdict_and_none_is_taken_for_good() {
    let tasks = Tasks::new();
    let registry = Registry::open(Vec::new(), vec![source(3)], &tasks).await;
    let registry = registry.expect("a registry");
    let bad = |fault| ImageVerdict::Bad { fault };
    let unknown = |why| ImageVerdict::Unknown { why, source: false };
    let odd = |oddity| move |image: &mut Shelved| image.oddity = oddity;
    let boxed = |change: Box<dyn FnOnce(&mut Shelved)>| change;
    for (tag, change, verdict) in [
        (
            "old",
            boxed(Box::new(|image| {
                *image = shelved("old", |i| i.created = None);
            })),
            ImageVerdict::Good,
        ),
        (
            "arm",
            Box::new(|image| only(image, "linux", "arm64")),
            bad(ImageFault::NoBuild),
        ),
        (
            "windows",
            Box::new(|image| only(image, "windows", "amd64")),
            bad(ImageFault::NoBuild),
        ),
        (
            "none",
            Box::new(|image| {
                image.platforms.retain(|platform| platform.1 != "amd64");
                image
                    .platforms
                    .push(("linux".to_owned(), "riscv64".to_owned()));
            }),
            bad(ImageFault::NoBuild),
        ),
        (
            "empty",
            Box::new(|image| image.platforms.clear()),
            bad(ImageFault::NoBuild),
        ),
        (
            "denied",
            Box::new(odd(Oddity::Denied)),
            bad(ImageFault::Denied),
        ),
        (
            "often",
            Box::new(odd(Oddity::RateLimited)),
            unknown(Unasked::RateLimited),
        ),
        (
            "huge",
            Box::new(odd(Oddity::Huge)),
            unknown(Unasked::Unexpected),
        ),
        (
            "page",
            Box::new(odd(Oddity::Page)),
            unknown(Unasked::Unexpected),
        ),
        (
            "fails",
            Box::new(odd(Oddity::Fails)),
            unknown(Unasked::ServerFault),
        ),
        (
            "first",
            Box::new(odd(Oddity::FirstForm)),
            unknown(Unasked::Unexpected),
        ),
        (
            "swapped",
            Box::new(odd(Oddity::Swapped)),
            unknown(Unasked::Unexpected),
        ),
        (
            "circle",
            Box::new(odd(Oddity::Circle)),
            unknown(Unasked::Redirected),
        ),
        (
            "stale",
            Box::new(|image| {
                *image = Shelved {
                    source: image.source.clone(),
                    ..Shelved::plain("owner/stale", "stale", 400)
                }
            }),
            bad(ImageFault::Old),
        ),
    ] {
        let mut image = shelved(tag, |_| {});
        image.repository = format!("owner/{tag}");
        change(&mut image);
        image.repository = format!("owner/{tag}");
        registry.put(image);
        let begun = std::time::Instant::now();
        let (found, answer, source) = asked(&registry, &format!("owner/{tag}:{tag}")).await;
        assert_eq!(found, verdict, "{tag}: {answer:#?} {source:#?}");
        assert!(begun.elapsed() < 9 * SECOND, "{tag}: it was not waited for");
    }
    // No such tag, and a repository of which nobody learns whether it exists.
    let (found, ..) = asked(&registry, "owner/old:nothing").await;
    assert_eq!(found, bad(ImageFault::NotThere));
    let (found, ..) = asked(&registry, "nobody/nothing:latest").await;
    assert_eq!(found, bad(ImageFault::Denied));
    assert_eq!(registry.leaked(), 0);
    tasks.shutdown().await;
}

#[tokio::test]
async fn a_source_that_is_archived_gone_or_silent_is_told_apart() {
    let tasks = Tasks::new();
    let shelf = vec![shelved("tag", |_| {})];
    let registry = Registry::open(shelf, Vec::new(), &tasks).await;
    let registry = registry.expect("a registry");
    let bad = |fault| ImageVerdict::Bad { fault };
    let (found, ..) = asked(&registry, "owner/name:tag").await;
    assert_eq!(found, bad(ImageFault::SourceGone));
    for (change, verdict) in [
        (source(3), ImageVerdict::Good),
        (source(500), bad(ImageFault::Abandoned)),
        (
            SourceRepository {
                archived: true,
                ..source(3)
            },
            bad(ImageFault::Archived),
        ),
        (
            SourceRepository {
                rate_limited: true,
                ..source(3)
            },
            ImageVerdict::Unknown {
                why: Unasked::RateLimited,
                source: true,
            },
        ),
    ] {
        registry.put_source(change);
        let (found, _, source) = asked(&registry, "owner/name:tag").await;
        assert_eq!(found, verdict, "{source:#?}");
    }
    let name = registry.name();
    tasks.shutdown().await;
    drop(registry);
    // Nobody is there any more: that says nothing about the image.
    let image = ImageRef::read(&format!("{name}/owner/name:tag")).expect("a name");
    let http = Http::new().expect("a client");
    let asked = ask_about(
        &http,
        &image,
        "http://127.0.0.1:9",
        5 * SECOND,
        Timestamp::now(),
    );
    let facts = asked.await;
    assert_eq!(
        judge(&facts).verdict,
        ImageVerdict::Unknown {
            why: Unasked::Unreachable,
            source: false
        },
        "{facts:#?}"
    );
}
