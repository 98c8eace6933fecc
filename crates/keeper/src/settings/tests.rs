#![expect(
    clippy::disallowed_methods,
    reason = "tests write damaged and half files on purpose"
)]

use std::{fs, path::Path, time::Duration};

use forgekeeper_domain::{backup::BackupMode, error::ErrorCode};

use super::*;
use crate::sys::tasks::Tasks;

const SITE: &str = r#"# The site of the founding document.

[[host]]
id = "local"
engine = "auto"        # auto | npipe://…

# The fast one.
[[service]]
id = "myia-turbo"
kind = "forge"         # a WebUI
host = "local"
container = "myia-turbo-supervisor-1"
api = "http://localhost:17861"
public_url = "https://turbo.myia.io"
declared_gpu = 1
compose_file = 'D:\Production\stable-diffusion-webui-forge\docker-compose.yaml'
workspace = '\\wsl.localhost\Ubuntu\home\jesse\SD\workspace'


[[service]]
container = "comfyui"
kind = "comfyui"
id = "comfy"           # a candidate

# The end.
"#;

fn service(id: &str) -> ServiceSettings {
    ServiceSettings {
        id: ServiceId::new(id).unwrap(),
        kind: KindId::Forge,
        host: HostId::new(LOCAL_HOST).unwrap(),
        container: format!("{id}-supervisor-1"),
        api: None,
        public_url: None,
        declared_gpu: None,
        compose_file: None,
        workspace: None,
    }
}

#[test]
fn reads_the_design_documents_example() {
    let settings = parse(SITE).unwrap();
    assert!(!settings.demo);
    assert_eq!(settings.hosts.len(), 1);
    assert_eq!(
        settings.services[0],
        ServiceSettings {
            container: "myia-turbo-supervisor-1".to_owned(),
            api: Some("http://localhost:17861".to_owned()),
            public_url: Some("https://turbo.myia.io".to_owned()),
            declared_gpu: Some(1),
            compose_file: Some(
                r"D:\Production\stable-diffusion-webui-forge\docker-compose.yaml".to_owned()
            ),
            workspace: Some(r"\\wsl.localhost\Ubuntu\home\jesse\SD\workspace".to_owned()),
            ..service("myia-turbo")
        }
    );
    assert_eq!(
        settings.services[1].host.as_str(),
        LOCAL_HOST,
        "the default"
    );
}

#[test]
fn a_container_may_be_named_by_its_compose_service() {
    let text = "[[service]]\nid='a'\nkind='forge'\ncontainer='myia-turbo/supervisor'\n";
    assert_eq!(
        parse(text).unwrap().services[0].container,
        "myia-turbo/supervisor"
    );
}

#[test]
fn local_is_implied_when_used_or_alone() {
    let hosts = |text: &str| -> Vec<String> {
        parse(text)
            .unwrap()
            .hosts
            .iter()
            .map(|h| format!("{}={}", h.id, h.engine))
            .collect()
    };
    assert_eq!(hosts(""), ["local=auto"]);
    assert_eq!(
        hosts("\u{feff}demo = true\n"),
        ["local=auto"],
        "a byte order mark is no error"
    );
    assert_eq!(
        hosts("[[host]]\nid = 'box'\nengine = 'ssh://box'\n"),
        ["box=ssh://box"]
    );
    let used = "[[host]]\nid='box'\nengine='ssh://box'\n[[service]]\nid='a'\nkind='forge'\ncontainer='c'\n";
    assert_eq!(hosts(used), ["local=auto", "box=ssh://box"]);
    assert!(parse("demo = true").unwrap().demo);
}

#[test]
fn every_bad_file_has_its_place_reason_and_remedy() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/fixtures/settings");
    let mut failures = Vec::new();
    let mut seen = 0;
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_none_or(|e| e != "toml") {
            continue;
        }
        seen += 1;
        let expected = fs::read_to_string(path.with_extension("expected")).unwrap();
        let [line, reason, remedy] = expected.lines().collect::<Vec<_>>()[..] else {
            panic!("{} needs three lines: line, reason, remedy", path.display());
        };
        let name = path.file_name().unwrap().to_string_lossy();
        match parse_bytes(&fs::read(&path).unwrap()) {
            Ok(_) => failures.push(format!("{name}: was accepted")),
            Err(found) => {
                let line: u32 = line.parse().unwrap();
                if found.line != Some(line)
                    || found.column.is_none()
                    || !found.reason.contains(reason)
                    || !found.remedy.contains(remedy)
                    || found.reason.contains('\n')
                {
                    failures.push(format!(
                        "{name}: expected {line}, `{reason}`, `{remedy}`; {found:?}"
                    ));
                }
            }
        }
    }
    assert!(failures.is_empty(), "{}", failures.join("\n"));
    assert!(seen >= 35, "only {seen} fixtures were found");
}

#[test]
fn too_large_is_not_read() {
    let problem = parse_bytes(&vec![b'#'; 1024 * 1024 + 1]).unwrap_err();
    assert!(problem.reason.contains("larger"), "{problem:?}");
    assert!(parse_bytes(&vec![b'#'; 1024 * 1024]).is_ok());
}

#[test]
fn no_prefix_of_a_good_file_is_a_crash() {
    for end in (0..SITE.len()).filter(|end| SITE.is_char_boundary(*end)) {
        if let Err(problem) = parse(&SITE[..end]) {
            assert!(
                problem.line.is_some() && !problem.remedy.is_empty(),
                "{end}: {problem:?}"
            );
        }
    }
}

#[test]
fn edits_change_what_differs_and_nothing_else() {
    let settings = parse(SITE).unwrap();
    let same = SettingsEdit::UpsertService(settings.services[0].clone());
    assert_eq!(
        edit::edit(SITE, &same).unwrap(),
        SITE,
        "an edit without a change"
    );
    let changed = SettingsEdit::UpsertService(ServiceSettings {
        kind: KindId::Comfyui,
        public_url: None,
        compose_file: Some(r"E:\new\compose.yaml".to_owned()),
        ..settings.services[0].clone()
    });
    let expected = SITE
        .replace(
            "kind = \"forge\"         # a WebUI",
            "kind = \"comfyui\"         # a WebUI",
        )
        .replace("public_url = \"https://turbo.myia.io\"\n", "")
        .replace(
            r"D:\Production\stable-diffusion-webui-forge\docker-compose.yaml",
            r"E:\new\compose.yaml",
        );
    assert_eq!(edit::edit(SITE, &changed).unwrap(), expected);
}

#[test]
fn a_new_section_goes_to_the_end() {
    let added = edit::edit(SITE, &SettingsEdit::UpsertService(service("myia"))).unwrap();
    let section = "\n[[service]]\nid = \"myia\"\nkind = \"forge\"\nhost = \"local\"\n\
                   container = \"myia-supervisor-1\"\n";
    assert_eq!(added, format!("{SITE}{section}"));
    let host = HostSettings {
        id: HostId::new("box").unwrap(),
        engine: "ssh://me@box".to_owned(),
    };
    let both = edit::edit(&added, &SettingsEdit::UpsertHost(host.clone())).unwrap();
    assert_eq!(
        both,
        format!("{added}\n[[host]]\nid = \"box\"\nengine = \"ssh://me@box\"\n")
    );
    let three = edit::edit(&both, &SettingsEdit::UpsertService(service("third"))).unwrap();
    let read = parse(&three).unwrap();
    assert_eq!(read.hosts[1], host);
    let ids: Vec<_> = read.services.iter().map(|s| s.id.as_str()).collect();
    assert_eq!(ids, ["myia-turbo", "comfy", "myia", "third"]);
    assert!(
        three.starts_with(&both),
        "what stood there stands there: {three}"
    );
}

#[test]
fn removal_takes_the_comment_above_and_keeps_the_header() {
    let remove = |text: &str, id: &str| {
        edit::edit(
            text,
            &SettingsEdit::RemoveService(ServiceId::new(id).unwrap()),
        )
    };
    let without_first = remove(SITE, "myia-turbo").unwrap();
    assert!(!without_first.contains("The fast one"), "{without_first}");
    assert!(without_first.contains("# The site of the founding document.\n\n[[host]]"));
    assert!(without_first.contains("id = \"comfy\"           # a candidate\n\n# The end.\n"));
    let header = "# Header.\n\n# About a.\n[[service]]\nid='a'\nkind='forge'\ncontainer='c'\n";
    assert_eq!(remove(header, "a").unwrap(), "# Header.\n\n");
    let two = format!("{header}\n# About b.\n[[service]]\nid='b'\nkind='forge'\ncontainer='d'\n");
    assert_eq!(
        remove(&two, "a").unwrap(),
        "# Header.\n\n# About b.\n[[service]]\nid='b'\nkind='forge'\ncontainer='d'\n"
    );
    assert_eq!(
        remove(&two, "x").unwrap_err().code,
        ErrorCode::UnknownService
    );
}

#[test]
fn sections_written_as_one_list_can_be_edited_too() {
    let text = "service = [ { id = 'a', kind = 'forge', container = 'c' } ] # mine\n";
    let added = edit::edit(text, &SettingsEdit::UpsertService(service("b"))).unwrap();
    assert_eq!(parse(&added).unwrap().services.len(), 2, "{added}");
    let a = ServiceId::new("a").unwrap();
    let removed = edit::edit(&added, &SettingsEdit::RemoveService(a)).unwrap();
    assert_eq!(parse(&removed).unwrap().services, [service("b")]);
    assert!(removed.ends_with("# mine\n"));
}

#[test]
fn the_first_write_explains_the_file() {
    let dir = tempfile::tempdir().unwrap();
    let file = SettingsFile::new(dir.path().join("new/forgekeeper.toml"));
    let before = file.load();
    assert!(!before.exists && before.problem.is_none());
    let text = file.upsert_service(&service("myia")).unwrap();
    assert!(text.starts_with("# Forgekeeper's settings."), "{text}");
    assert!(text.ends_with("\n\n[[service]]\nid = \"myia\"\nkind = \"forge\"\nhost = \"local\"\ncontainer = \"myia-supervisor-1\"\n"));
    assert_eq!(fs::read_to_string(file.path()).unwrap(), text);
    let after = file.load();
    assert!(after.exists);
    assert_eq!(after.settings.services, [service("myia")]);
    let view = file.view();
    assert_eq!(
        (view.text.as_str(), &view.settings),
        (text.as_str(), &*after.settings)
    );
    // What the template shows commented out is right when the marks are taken away.
    let template = include_str!("template.toml");
    let lines: Vec<_> = template
        .lines()
        .filter_map(|line| line.strip_prefix("# "))
        .filter(|line| line.starts_with('[') || line.contains(" = "))
        .collect();
    let example = lines.join("\n");
    assert_eq!(parse(&example).unwrap().services.len(), 1);
}

#[test]
fn a_broken_file_keeps_the_last_good_settings_and_is_not_edited() {
    let dir = tempfile::tempdir().unwrap();
    let file = SettingsFile::new(dir.path().join("forgekeeper.toml"));
    file.upsert_service(&service("myia")).unwrap();
    let broken = "[[service]]\nid = \"my";
    for text in [
        broken.as_bytes(),
        b"\xff\xfe\0",
        b"nonsense",
        &vec![b' '; 2 * 1024 * 1024],
    ] {
        crate::sys::files::write_atomic(file.path(), text).unwrap();
        let snapshot = file.load();
        assert_eq!(snapshot.settings.services, [service("myia")]);
        assert!(snapshot.problem.is_some() && snapshot.exists);
        let refused = file.upsert_service(&service("other")).unwrap_err();
        assert_eq!(refused.code, ErrorCode::Settings);
        assert!(refused.message.contains("fix it first"), "{refused}");
        assert_eq!(fs::read(file.path()).unwrap(), text, "nothing was written");
    }
    fs::remove_file(file.path()).unwrap();
    fs::create_dir(file.path()).unwrap();
    let folder = file.load();
    assert_eq!(folder.settings.services.len(), 1);
    assert!(folder.problem.unwrap().reason.contains("cannot be read"));
}

#[test]
fn a_file_that_is_gone_is_written_anew_with_what_is_in_force() {
    let dir = tempfile::tempdir().unwrap();
    let file = SettingsFile::new(dir.path().join("forgekeeper.toml"));
    file.upsert_service(&service("myia")).unwrap();
    fs::remove_file(file.path()).unwrap();
    let gone = file.load();
    assert_eq!(gone.settings.services.len(), 1);
    assert!(!gone.exists && gone.problem.unwrap().reason.contains("gone"));
    file.upsert_service(&service("other")).unwrap();
    assert_eq!(
        file.load().settings.services,
        [service("myia"), service("other")]
    );
}

#[test]
fn an_emptied_file_keeps_what_it_said_and_is_written_anew() {
    let dir = tempfile::tempdir().unwrap();
    let file = SettingsFile::new(dir.path().join("forgekeeper.toml"));
    fs::write(file.path(), "").unwrap();
    let first = file.load();
    assert!(first.exists && first.problem.is_none(), "{first:?}");
    file.upsert_service(&service("myia")).unwrap();
    for emptied in ["", "\n", " \r\n\t"] {
        fs::write(file.path(), emptied).unwrap();
        // Every way of reading it, in the order in which the window may take them.
        assert_eq!(file.load_unless_emptied(), None);
        let view = file.view();
        assert_eq!(view.settings.services, [service("myia")]);
        let snapshot = file.load();
        assert_eq!(snapshot.settings.services, [service("myia")]);
        let problem = snapshot.problem.unwrap();
        assert!(problem.reason.contains("empty") && snapshot.exists);
        assert_eq!(view.problem.as_ref(), Some(&problem));
    }
    file.upsert_service(&service("other")).unwrap();
    let both = [service("myia"), service("other")];
    assert_eq!(file.load().settings.services, both);
    // Taken out on purpose, here or in an editor, they are gone.
    fs::write(file.path(), "# nothing to watch\n").unwrap();
    let meant = file.load();
    assert!(meant.problem.is_none() && meant.settings.services.is_empty());
    file.upsert_service(&service("myia")).unwrap();
    file.remove_service(&service("myia").id).unwrap();
    let taken_out = file.load();
    assert!(taken_out.problem.is_none() && taken_out.settings.services.is_empty());
}

#[test]
fn line_ends_of_windows_stay_as_they_are() {
    let crlf = SITE.replace('\n', "\r\n");
    let changed = ServiceSettings {
        declared_gpu: Some(7),
        ..parse(SITE).unwrap().services[0].clone()
    };
    for change in [
        SettingsEdit::UpsertService(service("third")),
        SettingsEdit::UpsertService(changed),
        SettingsEdit::RemoveService(ServiceId::new("comfy").unwrap()),
        SettingsEdit::UpsertHost(HostSettings {
            id: HostId::new("box").unwrap(),
            engine: "ssh://box".to_owned(),
        }),
    ] {
        let edited = edit::edit(&crlf, &change).unwrap();
        assert!(
            !edited.replace("\r\n", "").contains(['\r', '\n']),
            "{edited:?}"
        );
        let as_elsewhere = edit::edit(SITE, &change).unwrap();
        assert_eq!(edited.replace("\r\n", "\n"), as_elsewhere);
        assert!(!as_elsewhere.contains('\r'));
    }
}

#[test]
fn values_from_the_window_are_checked_like_the_file() {
    let dir = tempfile::tempdir().unwrap();
    let file = SettingsFile::new(dir.path().join("forgekeeper.toml"));
    let bad = ServiceSettings {
        api: Some("localhost".to_owned()),
        ..service("a")
    };
    assert_eq!(
        file.upsert_service(&bad).unwrap_err().code,
        ErrorCode::BadRequest
    );
    let stray = ServiceSettings {
        host: HostId::new("nowhere").unwrap(),
        ..service("a")
    };
    assert!(
        file.upsert_service(&stray)
            .unwrap_err()
            .message
            .contains("nowhere")
    );
    assert!(!file.path().exists(), "nothing was written");
    let injected = ServiceSettings {
        compose_file: Some("'''\n[[host]]".to_owned()),
        ..service("a")
    };
    assert_eq!(
        file.upsert_service(&injected).unwrap_err().code,
        ErrorCode::BadRequest
    );
}

#[test]
fn the_gallerys_budget_is_an_amount_of_disk() {
    let of = |budget: &str| parse(&format!("[gallery]\nbudget = {budget}\n"));
    assert_eq!(parse("").unwrap().gallery.budget_mib, 5 * 1024);
    assert_eq!(parse("[gallery]\n").unwrap().gallery.budget_mib, 5 * 1024);
    for (text, mib) in [
        ("\"5 GiB\"", 5 * 1024),
        ("\" 64mib \"", 64),
        ("\"1.5 TiB\"", 1_572_864),
        ("\"100 MB\"", 95),
    ] {
        assert_eq!(of(text).unwrap().gallery.budget_mib, mib, "{text}");
    }
    for (text, words) in [
        ("\"5\"", "`5` is no amount of disk"),
        ("\"many GiB\"", "no amount of disk"),
        ("\"5 PiB\"", "no amount of disk"),
        ("\"1.2.3 GiB\"", "no amount of disk"),
        ("\"-5 GiB\"", "no amount of disk"),
        ("\"\"", "no amount of disk"),
        ("\"inf GiB\"", "no amount of disk"),
        ("\"1 MiB\"", "from 64 MiB to 64 TiB"),
        ("\"999999999999999999999999 TiB\"", "from 64 MiB to 64 TiB"),
        ("5", "must be a text between quotes"),
    ] {
        let problem = of(text).unwrap_err();
        assert!(problem.reason.contains(words), "{text}: {problem}");
        assert_eq!(problem.line, Some(2), "{text}");
        assert!(problem.remedy.contains("budget = "), "{text}: {problem}");
    }
    let unknown = parse("[gallery]\nbudgt = \"5 GiB\"\n").unwrap_err();
    assert!(unknown.remedy.contains("`budget`"), "{unknown}");
    assert!(
        parse("gallery = 5")
            .unwrap_err()
            .remedy
            .contains("[gallery]")
    );
}

#[test]
fn the_budget_survives_a_file_that_is_lost() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("forgekeeper.toml");
    fs::write(&path, format!("{SITE}\n[gallery]\nbudget = \"7 GiB\"\n")).unwrap();
    let file = SettingsFile::new(&path);
    file.load();
    fs::remove_file(&path).unwrap();
    let written = file.upsert_service(&service("a")).unwrap();
    assert_eq!(parse(&written).unwrap().gallery.budget_mib, 7 * 1024);
}

#[tokio::test]
async fn changes_are_noticed_however_they_are_written() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("made/forgekeeper.toml");
    let file = SettingsFile::new(&path);
    let tasks = Tasks::new();
    let mut watch = file.watch(&tasks);
    assert!(!watch.borrow_and_update().exists);
    let next = async |watch: &mut tokio::sync::watch::Receiver<SettingsSnapshot>| {
        let deadline = Duration::from_secs(4); // less than the slow look: the notices are tested
        tokio::time::timeout(deadline, watch.changed())
            .await
            .unwrap()
            .unwrap();
        watch.borrow_and_update().clone()
    };
    file.upsert_service(&service("a")).unwrap();
    assert_eq!(next(&mut watch).await.settings.services.len(), 1);
    // In place, as the simplest editors do.
    let two = SITE.replace("auto\"", "ssh://box\"");
    fs::write(&path, &two).unwrap();
    let in_place = next(&mut watch).await;
    assert_eq!(
        in_place.settings.hosts[0].engine, "ssh://box",
        "{in_place:?}"
    );
    // A new file moved over the old one, as the careful ones do.
    fs::write(dir.path().join("made/x~"), "[[serv").unwrap();
    fs::rename(dir.path().join("made/x~"), &path).unwrap();
    let broken = next(&mut watch).await;
    assert!(broken.problem.is_some());
    assert_eq!(broken.settings.services.len(), 2);
    fs::rename(&path, dir.path().join("made/aside")).unwrap();
    fs::write(&path, SITE).unwrap();
    let healed = next(&mut watch).await;
    assert_eq!(
        (healed.problem, healed.settings.hosts[0].engine.as_str()),
        (None, "auto")
    );
    // A write that changes nothing is no news.
    fs::write(&path, SITE).unwrap();
    tokio::time::sleep(Duration::from_millis(600)).await;
    assert!(!watch.has_changed().unwrap());
    assert!(tasks.shutdown(Duration::from_secs(2)).await.is_empty());
}

#[cfg(unix)]
#[tokio::test]
async fn a_link_to_elsewhere_is_looked_at() {
    let dir = tempfile::tempdir().unwrap();
    fs::create_dir_all(dir.path().join("dotfiles")).unwrap();
    let real = dir.path().join("dotfiles/real.toml");
    fs::write(&real, "").unwrap();
    let link = dir.path().join("config/forgekeeper.toml");
    fs::create_dir_all(link.parent().unwrap()).unwrap();
    std::os::unix::fs::symlink(&real, &link).unwrap();
    let tasks = Tasks::new();
    let mut watch = SettingsFile::new(&link).watch(&tasks);
    tokio::time::sleep(Duration::from_millis(100)).await;
    fs::write(&real, SITE).unwrap();
    tokio::time::timeout(Duration::from_secs(12), watch.changed())
        .await
        .unwrap()
        .unwrap();
    assert_eq!(watch.borrow().settings.services.len(), 2);
    tasks.shutdown(Duration::from_secs(2)).await;
}

#[test]
fn the_backup_is_read_and_each_mistake_has_its_place_and_remedy() {
    const GOOD: &str = "[backup]\nsource = 'D:\\forge'\ntarget = '/mnt/backup'\n";
    let backup = parse(GOOD).unwrap().backup.unwrap();
    assert_eq!(
        (backup.mode, backup.exclude.len(), backup.keep),
        (BackupMode::Mirror, 0, 7)
    );
    let dated =
        format!("{GOOD}mode = \"dated\"\nexclude = [\"outputs\", \"**/*.log\"]\nkeep = 3\n");
    let backup = parse(&dated).unwrap().backup.unwrap();
    assert_eq!(
        (backup.mode, backup.exclude.len(), backup.keep),
        (BackupMode::Dated, 2, 3)
    );
    assert_eq!(parse("").unwrap().backup, None);
    for (text, line, reason) in [
        ("backup = 5\n", 1, "no section"),
        ("[backup]\ntarget = '/b'\n", 1, "no `source`"),
        ("[backup]\nsource = '/a'\n", 1, "no `target`"),
        (
            "[backup]\nsource = 'a'\ntarget = '/b'\n",
            2,
            "no whole path",
        ),
        ("[backup]\nsource = '/a'\ntarget = ''\n", 3, "empty"),
        (
            "[backup]\nsource = \"D:\\temp\"\ntarget = '/b'\n",
            2,
            "control",
        ),
    ] {
        let problem = parse(text).unwrap_err();
        assert_eq!(problem.line, Some(line), "{text}: {problem:?}");
        assert!(problem.reason.contains(reason), "{text}: {problem:?}");
        assert!(!problem.remedy.is_empty());
    }
    for (more, reason) in [
        ("mode = \"miror\"", "no mode"),
        ("mode = 1", "text"),
        ("exclude = \"x\"", "list"),
        ("exclude = [1]", "list"),
        ("exclude = [\"[\"]", "no pattern"),
        ("exclude = ['a\\b']", "no pattern"),
        ("keep = 7", "mirror"),
        ("mode = \"dated\"\nkeep = 0", "from 1 to 1000"),
        ("mod = \"dated\"", "mod"),
    ] {
        let problem = parse(&format!("{GOOD}{more}\n")).unwrap_err();
        assert!(problem.reason.contains(reason), "{more}: {problem:?}");
        assert!(problem.line >= Some(4), "{more}: {problem:?}");
    }
}

#[test]
fn the_backup_survives_a_file_that_is_lost_and_edits_keep_its_comments() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("forgekeeper.toml");
    let section = "\n[backup] # weekly\nsource = 'D:\\forge' # compose\ntarget = '/b'\nmode = \"dated\"\nexclude = [\"x\"]\nkeep = 9\n";
    fs::write(&path, format!("{SITE}{section}")).unwrap();
    let file = SettingsFile::new(&path);
    let before = file.load().settings.backup.clone();
    let service = file.load().settings.services[0].clone();
    let changed = ServiceSettings {
        declared_gpu: Some(3),
        ..service
    };
    let text = file.upsert_service(&changed).unwrap();
    assert!(text.contains(section.trim_start()), "{text}");
    fs::remove_file(&path).unwrap();
    let written = file.upsert_service(&changed).unwrap();
    assert_eq!(parse(&written).unwrap().backup, before, "{written}");
}
