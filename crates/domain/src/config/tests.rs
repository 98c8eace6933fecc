use std::collections::BTreeMap;

use super::*;
use Certainty::{Likely, Proved, Unknown};

use crate::{
    Timestamp,
    ids::{ServiceId, SnapshotId},
    service::KindId,
};

mod restore;
mod retention;
mod shown;
mod trouble;

fn at(second: i64) -> Timestamp {
    Timestamp::from_second(1_790_000_000 + second).unwrap()
}

fn id(text: &str) -> SnapshotId {
    SnapshotId::new(text).unwrap()
}

fn container() -> ContainerRef {
    ContainerRef {
        id: "c1".to_owned(),
        created_at: Some(at(-9000)),
        started_at: Some(at(-9000)),
        image_id: "sha256:1".to_owned(),
        workspace: Some("/srv/a".to_owned()),
        shared_with: Vec::new(),
    }
}

fn snapshot(second: i64) -> Snapshot {
    Snapshot {
        format: FORMAT,
        service: ServiceId::new("myia").unwrap(),
        kind: KindId::Forge,
        taken_at: at(second),
        reason: Reason::OnDemand,
        note: None,
        healthy: Some(true),
        container: Some(container()),
        items: Vec::new(),
    }
}

fn content(address: &str) -> Content {
    Content {
        address: address.to_owned(),
        bytes: 1,
        mode: None,
        modified_at: None,
        via: Via::Container,
        key: None,
    }
}

/// Both with one part that holds these bytes; `None` is absent.
struct Both {
    before: Snapshot,
    after: Snapshot,
    facts: OriginFacts,
    bytes: BTreeMap<String, Bytes>,
}

impl Both {
    fn new() -> Self {
        Self {
            before: snapshot(0),
            after: snapshot(100),
            facts: OriginFacts::default(),
            bytes: BTreeMap::new(),
        }
    }

    fn of(part: PartId, old: &[u8], new: &[u8]) -> Self {
        Self::new().with(part, Some(old), Some(new))
    }

    fn with(mut self, part: PartId, old: Option<&[u8]>, new: Option<&[u8]>) -> Self {
        for (snapshot, bytes) in [(&mut self.before, old), (&mut self.after, new)] {
            let state = match bytes {
                None => ItemState::Absent,
                Some(bytes) => {
                    let address = format!("{part:?} {bytes:?}");
                    self.bytes.insert(address.clone(), Ok(bytes.to_vec()));
                    ItemState::Kept(content(&address))
                }
            };
            let path = part.as_str().to_owned();
            snapshot.items.push(Item { part, path, state });
        }
        self
    }

    fn drift(&self) -> Drift {
        let (before, after) = (id("before"), id("after"));
        let both = [&self.before, &self.after];
        drift([&before, &after], both, &self.facts, &self.bytes)
    }

    /// Key, old, new of everything that changed.
    fn changes(&self) -> Vec<(String, Option<String>, Option<String>)> {
        let parts = self.drift().parts;
        let changes = parts.into_iter().flat_map(|part| part.changes);
        changes.map(|c| (c.key.join("/"), c.old, c.new)).collect()
    }

    fn finding(&self) -> Option<PartFinding> {
        self.drift()
            .parts
            .into_iter()
            .next()
            .map(|part| part.finding)
    }

    /// Whom the first change, or the part itself, is attributed to.
    fn origin(&self) -> (Origin, Certainty) {
        let drift = self.drift();
        let part = &drift.parts[0];
        let origin = part.changes.first().map(|change| &change.origin);
        let origin = origin.or(part.origin.as_ref()).expect("an origin");
        (origin.by, origin.certainty)
    }
}

fn triple(
    key: &str,
    old: Option<&str>,
    new: Option<&str>,
) -> (String, Option<String>, Option<String>) {
    (
        key.to_owned(),
        old.map(str::to_owned),
        new.map(str::to_owned),
    )
}

#[test]
fn every_part_has_a_row_and_a_word() {
    for part in PARTS {
        assert_eq!(part.id.part(), part);
        let word = serde_json::to_value(part.id).unwrap();
        assert_eq!(word, part.id.as_str());
    }
    let mut ids: Vec<PartId> = PARTS.iter().map(|part| part.id).collect();
    ids.dedup();
    assert_eq!(ids.len(), PARTS.len());
    assert_eq!(ids.last(), Some(&PartId::ComfyNodes), "one row for each");
    assert!(parts_of(KindId::Comfyui).all(|part| part.id != PartId::ForgeConfig));
}

#[test]
fn json_is_compared_key_by_key() {
    let old = br#"{"a":1,"steps":80.0,"nested":{"x":{"y":"1"},"gone":true},"list":[1,2],
        "rows":[{"n":1},{"n":2}],"empty":{}}"#;
    let new = "\u{feff}{\r\n\"steps\": 80, \"a\": null, \"nested\": {\"x\": {\"y\": \"2\"}},
        \"list\": [1, 3], \"rows\": [{\"n\": 1}, {\"n\": 9}], \"empty\": {}, \"fresh\": \"é\"}";
    let both = Both::of(PartId::ForgeConfig, old, new.as_bytes());
    assert_eq!(
        both.changes(),
        [
            triple("a", Some("1"), Some("null")),
            triple("fresh", None, Some("\"é\"")),
            triple("list", Some("[1,2]"), Some("[1,3]")),
            triple("nested/gone", Some("true"), None),
            triple("nested/x/y", Some("\"1\""), Some("\"2\"")),
            triple("rows/1/n", Some("2"), Some("9")),
        ]
    );
    // Big seeds do not become equal by rounding.
    let seeds = Both::of(
        PartId::ForgeConfig,
        br#"{"s":9007199254740993}"#,
        br#"{"s":9007199254740992}"#,
    );
    assert_eq!(seeds.changes().len(), 1);
}

#[test]
fn other_bytes_with_the_same_values_are_no_change() {
    for (part, old, new) in [
        (
            PartId::ForgeConfig,
            &br#"{"a":1,"b":2}"#[..],
            &b"\xef\xbb\xbf{\r\n\"b\":2,\"a\":1.0}\r\n"[..],
        ),
        (
            PartId::ForgeStyles,
            b"name,prompt\na,b\n",
            b"\xef\xbb\xbfname,prompt\r\na,b\r\n",
        ),
        (PartId::EnvFile, b"A=1\nB=2\n", b"# why\r\nB=2\r\nA=1\r\n"),
    ] {
        let both = Both::of(part, old, new);
        assert_eq!(both.finding(), Some(PartFinding::SameValues), "{part:?}");
        assert!(!both.drift().changed(), "{part:?}");
    }
    let moved = Both::of(PartId::ComfyPaths, b"a: 1\nb: 2\n", b"b: 2\na: 1\n");
    assert_eq!(moved.finding(), Some(PartFinding::Moved));
    assert!(moved.drift().changed());
}

#[test]
fn what_is_no_json_is_compared_by_its_bytes_and_that_is_said() {
    let half = &br#"{"sd_model_checkpoint": "a", "outdir_gr"#[..];
    let both = Both::of(PartId::ForgeConfig, br#"{"a":1}"#, half);
    let Some(PartFinding::Bytes { before, after }) = both.finding() else {
        panic!("{:?}", both.finding());
    };
    assert_eq!(before, None);
    assert!(after.unwrap().starts_with("not readable as JSON"));
    assert!(both.drift().changed());
    assert!(describe(&both.drift().parts[0])[0].contains("byte for byte"));
    let no_text = Both::of(PartId::ForgeConfig, b"\xff\xfe{", half);
    assert!(matches!(
        no_text.finding(),
        Some(PartFinding::Bytes {
            before: Some(_),
            after: Some(_)
        })
    ));
    let same = Both::of(PartId::ForgeConfig, half, half);
    assert_eq!(same.drift().parts, []);
    assert_eq!(same.drift().unchanged, 1);
}

#[test]
fn lines_are_paired_by_their_beginning() {
    let both = Both::of(
        PartId::ComfyPaths,
        b"forge:\n    base_path: /a\n    loras: Lora\n",
        b"forge:\n    base_path: /b\n    vae: VAE\n",
    );
    assert_eq!(
        both.changes(),
        [
            triple(
                "base_path",
                Some("    base_path: /a"),
                Some("    base_path: /b")
            ),
            triple("vae", None, Some("    vae: VAE")),
            triple("loras", Some("    loras: Lora"), None),
        ]
    );
}

#[test]
fn absent_and_not_readable_are_two_things() {
    let appeared = Both::new().with(PartId::ForgeUiConfig, None, Some(b"{}"));
    assert_eq!(appeared.finding(), Some(PartFinding::Appeared));
    let vanished = Both::new().with(PartId::ForgeUiConfig, Some(b"{}"), None);
    assert_eq!(vanished.finding(), Some(PartFinding::Vanished));
    let neither = Both::new().with(PartId::ForgeUiConfig, None, None);
    assert_eq!(
        (neither.drift().parts.len(), neither.drift().unchanged),
        (0, 1)
    );

    let mut unread = Both::of(PartId::ForgeConfig, b"{}", b"{}");
    unread.after.items[0].state = ItemState::NotReadable {
        why: Unread::NotInTime,
        words: "late".to_owned(),
    };
    let drift = unread.drift();
    assert!(drift.unknown() && !drift.changed());
    assert_eq!(drift.unchanged, 0, "unknown is not unchanged");

    let mut damaged = Both::of(PartId::ForgeConfig, b"{}", b"{\"a\":1}");
    let address = damaged.after.items[0]
        .state
        .content()
        .unwrap()
        .address
        .clone();
    damaged.bytes.insert(address, Err(Uncomparable::Damaged));
    assert_eq!(
        damaged.finding(),
        Some(PartFinding::NotComparable {
            side: Side::After,
            why: Uncomparable::Damaged
        })
    );
}

#[test]
fn secrets_are_masked_and_still_differ() {
    let secrets = ["geheim", "anders"];
    for (part, old, new) in [
        (
            PartId::Environment,
            r#"{"env":{"WEB_PASSWORD":"geheim","FORGE_ARGS":"--api --api-auth me:geheim"}}"#,
            r#"{"env":{"WEB_PASSWORD":"anders","FORGE_ARGS":"--api --api-auth me:anders"}}"#,
        ),
        (
            PartId::EnvFile,
            "CIVITAI_TOKEN=geheim\n",
            "CIVITAI_TOKEN=anders\n",
        ),
        (
            PartId::Compose,
            "    environment:\n      - WEB_PASSWORD=geheim\n",
            "    environment:\n      - WEB_PASSWORD=anders\n",
        ),
        (
            PartId::ForgeConfig,
            r#"{"custom_api_key":"geheim"}"#,
            r#"{"custom_api_key":"anders"}"#,
        ),
    ] {
        let drift = Both::of(part, old.as_bytes(), new.as_bytes()).drift();
        let text = serde_json::to_string(&drift).unwrap();
        let words = describe(&drift.parts[0]).join("\n");
        for secret in secrets {
            assert!(!text.contains(secret), "{part:?}: {text}");
            assert!(!words.contains(secret), "{part:?}: {words}");
        }
        assert!(drift.parts[0].changes.iter().all(|c| c.masked), "{text}");
        assert!(holds_secret(part.part().format, old.as_bytes()), "{part:?}");
    }
    assert!(!holds_secret(
        Format::Json,
        br#"{"show_token_counter":true,"api_key":"","token_merging_ratio":0.5}"#
    ));
}

#[test]
fn an_endless_change_is_counted_and_a_long_value_cut() {
    let rows: BTreeMap<String, u32> = (0..5000).map(|n| (format!("k{n}"), n)).collect();
    let many = Both::of(
        PartId::ForgeConfig,
        b"{}",
        &serde_json::to_vec(&rows).unwrap(),
    );
    let part = many.drift().parts.remove(0);
    assert_eq!(part.changes.len(), MAX_CHANGES);
    // The empty object's own place is gone, too.
    assert_eq!(part.more as usize, 5001 - MAX_CHANGES);
    let long = format!("{{\"a\":\"{}\"}}", "x".repeat(10_000));
    let cut = Both::of(PartId::ForgeConfig, b"{\"a\":1}", long.as_bytes()).changes();
    assert!(cut[0].2.as_ref().unwrap().chars().count() == MAX_VALUE_CHARS + 1);
}

#[test]
fn each_origin_is_told_from_its_facts() {
    let config =
        |old: &str, new: &str| Both::of(PartId::ForgeConfig, old.as_bytes(), new.as_bytes());
    let any = || config(r#"{"a":1}"#, r#"{"a":2}"#);
    let part = |part| Both::of(part, br#"{"a":1}"#, br#"{"a":2}"#);
    let after = |mut both: Both, change: fn(&mut ContainerRef)| {
        change(both.after.container.as_mut().unwrap());
        both
    };
    let marked = |mut both: Both, kind, second| {
        let line = "a line".to_owned();
        both.facts.marks.push(LogMark {
            at: at(second),
            kind,
            line,
        });
        both
    };
    let ours = |mut both: Both| {
        both.facts.ours = true;
        both
    };
    let table = [
        ("the page or the API", any(), Origin::UiOrApi, Likely),
        (
            "a checkpoint emptied",
            config(
                r#"{"sd_model_checkpoint":"a"}"#,
                r#"{"sd_model_checkpoint":null}"#,
            ),
            Origin::ApiCall,
            Likely,
        ),
        (
            "a checkpoint chosen",
            config(
                r#"{"sd_model_checkpoint":null}"#,
                r#"{"sd_model_checkpoint":"a"}"#,
            ),
            Origin::UiOrApi,
            Likely,
        ),
        (
            "a request in the log",
            marked(any(), LogMarkKind::OptionsPosted, 50),
            Origin::ApiCall,
            Likely,
        ),
        (
            "a request before",
            marked(any(), LogMarkKind::OptionsPosted, -50),
            Origin::UiOrApi,
            Likely,
        ),
        ("options lent", ours(any()), Origin::Us, Likely),
        (
            "a reset in the log",
            marked(any(), LogMarkKind::ConfigReset, 50),
            Origin::CrashReset,
            Proved,
        ),
        (
            "settings moved away",
            any().with(PartId::ForgeConfigMoved, None, Some(b"{")),
            Origin::CrashReset,
            Proved,
        ),
        (
            "moved away long ago",
            any().with(PartId::ForgeConfigMoved, Some(b"{"), Some(b"{")),
            Origin::UiOrApi,
            Likely,
        ),
        (
            "no workspace",
            after(any(), |c| c.workspace = None),
            Origin::WorkspaceNotMounted,
            Proved,
        ),
        (
            "another workspace",
            after(any(), |c| c.workspace = Some("/srv/b".to_owned())),
            Origin::WorkspaceMoved,
            Proved,
        ),
        (
            "another service's workspace",
            after(any(), |c| {
                c.workspace = Some("/srv/b".to_owned());
                c.shared_with = vec!["myia-turbo".to_owned()];
            }),
            Origin::SecondWriter,
            Likely,
        ),
        (
            "another image",
            after(any(), |c| c.image_id = "sha256:2".to_owned()),
            Origin::ImageChanged,
            Likely,
        ),
        (
            "the image itself",
            Both::of(
                PartId::Container,
                br#"{"image_id":"1"}"#,
                br#"{"image_id":"2"}"#,
            ),
            Origin::ImageChanged,
            Proved,
        ),
        (
            "the environment",
            part(PartId::Environment),
            Origin::EnvironmentChanged,
            Proved,
        ),
        (
            "made anew",
            after(part(PartId::Container), |c| c.id = "c2".to_owned()),
            Origin::ContainerRecreated,
            Proved,
        ),
        (
            "changed in place",
            part(PartId::Container),
            Origin::Unknown,
            Unknown,
        ),
        ("compose", part(PartId::Compose), Origin::FileEdited, Proved),
        (
            "paths",
            part(PartId::ComfyPaths),
            Origin::FileEdited,
            Likely,
        ),
        (
            "the page's defaults",
            part(PartId::ForgeUiConfig),
            Origin::Ui,
            Likely,
        ),
        (
            "extensions",
            part(PartId::ForgeExtensions),
            Origin::Updated,
            Likely,
        ),
    ];
    for (what, both, by, certainty) in &table {
        assert_eq!(both.origin(), (*by, *certainty), "{what}");
    }
    for row in ROWS {
        let told = table.iter().any(|(_, _, by, _)| *by == row.origin);
        assert!(told, "no case for {:?}", row.origin);
    }
}

#[test]
fn what_changed_with_the_checkpoint_came_by_the_same_request() {
    let both = Both::of(
        PartId::ForgeConfig,
        br#"{"sd_model_checkpoint":"a","jpeg_quality":80}"#,
        br#"{"sd_model_checkpoint":null,"jpeg_quality":90}"#,
    );
    let drift = both.drift();
    let by: Vec<Origin> = drift.parts[0].changes.iter().map(|c| c.origin.by).collect();
    assert_eq!(by, [Origin::ApiCall, Origin::ApiCall]);
}

#[test]
fn commits_are_read_from_files() {
    let hash = "4802faca6bcc40c4d1033920e8ad9fd7542eca79";
    assert_eq!(head(hash.as_bytes()), Some(Head::Commit(hash.to_owned())));
    assert_eq!(
        head(b"ref: refs/heads/feature/x\n"),
        Some(Head::Ref("refs/heads/feature/x".to_owned()))
    );
    for odd in [
        "",
        "ref: ",
        "ref: ../../config",
        "ref: refs/../../x",
        "ref: refs/heads/..",
        "ref: /etc/passwd",
        "ref: refs//x",
        "ref: refs/heads/a b",
        "zz02faca6bcc40c4d1033920e8ad9fd7542eca79",
        "gitdir: ../x",
    ] {
        assert_eq!(head(odd.as_bytes()), None, "{odd}");
    }
    assert_eq!(
        head(format!("ref: refs/{}", "x".repeat(300)).as_bytes()),
        None
    );
    let packed = format!("# pack-refs\n{hash} refs/heads/main\n^{hash}\n");
    assert_eq!(
        packed_commit(packed.as_bytes(), "refs/heads/main").as_deref(),
        Some(hash)
    );
    assert_eq!(packed_commit(packed.as_bytes(), "refs/heads/mai"), None);
}

#[test]
fn env_files_are_found_by_their_lines() {
    let compose = "services:\n  a:\n    env_file: myia.env # mine\n  b:\n    env_file:\n      - './b.env'\n      - path: c.env\n        required: false\n    image: x\n  c:\n    env_file: [d.env, \"e.env\"]\n  d:\n    env_file:\n    - f.env\n    environment:\n      - NOT=this\n  # env_file: commented\n  e:\n    env_file: ${UNKNOWN}\n";
    assert_eq!(
        env_files(compose),
        [
            ".env", "myia.env", "b.env", "c.env", "d.env", "e.env", "f.env"
        ]
    );
    let names: Vec<String> = (0..100).map(|n| format!("    env_file: {n}.env")).collect();
    let endless = names.join("\n");
    assert_eq!(env_files(&endless).len(), 16);
}

#[test]
fn folders_are_the_same_under_both_names() {
    for (here, source, expected) in [
        (
            "/home/jesse/SD/workspace",
            "/home/jesse/SD/workspace/",
            true,
        ),
        (
            r"\\wsl.localhost\Ubuntu\home\jesse\SD\workspace",
            "/home/jesse/SD/workspace",
            true,
        ),
        (
            r"\\wsl$\Ubuntu\home\jesse\SD\workspace",
            "/home/jesse/SD/workspace",
            true,
        ),
        (
            r"\\wsl.localhost\Ubuntu\home\jesse\SD\workspace",
            "/home/jesse/SD/other",
            false,
        ),
        ("/home/jesse", "/home/jesse/SD/workspace", false),
        (r"D:\SD\workspace", "/home/jesse/SD/workspace", false),
    ] {
        assert_eq!(same_folder(here, source), expected, "{here}");
    }
    let mount = |target: &str| Mount {
        kind: "bind".to_owned(),
        source: format!("/host{target}"),
        target: target.to_owned(),
        writable: true,
    };
    let mounts = [
        mount("/workspace"),
        mount("/workspace/storage"),
        mount("/work"),
    ];
    let (found, rest) = through_mounts(&mounts, "/workspace/storage/x").unwrap();
    assert_eq!(
        (found.target.as_str(), rest.as_str()),
        ("/workspace/storage", "x")
    );
    assert_eq!(through_mounts(&mounts, "/workspaces/x"), None);
}

#[test]
fn the_open_part_of_a_container_has_no_value_of_its_environment() {
    let recipe = Recipe {
        env: vec!["WEB_TOKEN=s3cret".to_owned(), "WORKSPACE=/data/".to_owned()],
        env_names: vec!["WEB_TOKEN".to_owned(), "WORKSPACE".to_owned()],
        command: vec!["init.sh".to_owned(), "WEB_PASSWORD=s3cret".to_owned()],
        ..Recipe::default()
    };
    let open = String::from_utf8(recipe.open_json()).unwrap();
    assert!(
        open.contains("WEB_TOKEN") && !open.contains("s3cret"),
        "{open}"
    );
    assert!(
        String::from_utf8(recipe.secret_json())
            .unwrap()
            .contains("s3cret")
    );
    assert_eq!(
        program_folders(KindId::Forge, &recipe)[0],
        "/data/stable-diffusion-webui-forge"
    );
}

#[test]
fn the_log_of_a_checkout_tells_since_when_a_commit_is_in_use() {
    let commit = "4802faca6bcc40c4d1033920e8ad9fd7542eca79";
    let old = "0000000000000000000000000000000000000000";
    let line = |new: &str, at: &str| {
        format!("{old} {new} J. Doe <j@doe.test> {at} +0200\tclone: from somewhere\n")
    };
    let cloned = line(commit, "1714557600");
    let at = "2024-05-01T10:00:00Z".parse().ok();
    assert_eq!(checked_out_at(cloned.as_bytes(), commit), at);
    let pulled = line(old, "1700000000") + &cloned + "\n";
    assert_eq!(checked_out_at(pulled.as_bytes(), commit), at);
    for (log, why) in [
        (line(old, "1714557600"), "another commit"),
        (line(commit, "never"), "no time"),
        (line(commit, "0"), "1970"),
        (line(commit, "99999999999999999"), "past the end of time"),
        ("one two".to_owned(), "cut off"),
        (String::new(), "empty"),
        ("\u{fffd} \t".to_owned(), "no log"),
    ] {
        assert_eq!(checked_out_at(log.as_bytes(), commit), None, "{why}");
    }
}
