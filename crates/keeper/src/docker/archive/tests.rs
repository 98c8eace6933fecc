use super::*;

fn header(kind: EntryType, name: &str, size: u64) -> tar::Header {
    let mut header = tar::Header::new_gnu();
    header.set_entry_type(kind);
    header.as_gnu_mut().unwrap().name[..name.len()].copy_from_slice(name.as_bytes());
    header.set_size(size);
    header.set_mode(0o640);
    header.set_mtime(1_700_000_000);
    header.set_cksum();
    header
}

fn one(kind: EntryType, name: &str, size: u64, bytes: &[u8]) -> Vec<u8> {
    let mut tar = header(kind, name, size).as_bytes().to_vec();
    tar.extend(bytes);
    tar.resize(tar.len().next_multiple_of(512) + 1024, 0);
    tar
}

fn words(found: First) -> String {
    match found {
        First::File { bytes, .. } => format!("file {}", bytes.len()),
        First::Link(target) => format!("link {target}"),
        First::Folder => "folder".to_owned(),
        First::Other(words) => words,
        First::TooLarge => "too large".to_owned(),
    }
}

#[test]
fn a_tar_is_believed_in_nothing() {
    let file = EntryType::Regular;
    for (tar, whole, expected) in [
        (one(file, "config.json", 2, b"{}"), true, "file 2"),
        (one(file, "a/b/config.json", 2, b"{}"), true, "file 2"),
        (
            one(EntryType::Directory, "config.json", 0, b""),
            true,
            "folder",
        ),
        (
            one(file, "../../etc/passwd", 2, b"{}"),
            true,
            "the archive holds something else than what was asked for",
        ),
        // Sizes that lie, in both directions.
        (
            one(file, "config.json", 90_000, b"{}"),
            true,
            "the archive ends before the file does",
        ),
        (one(file, "config.json", 200_000, b"{}"), true, "too large"),
        (one(file, "config.json", 1 << 40, b"{}"), true, "too large"),
        (
            one(EntryType::Link, "config.json", 0, b""),
            true,
            "it is neither a file nor a folder",
        ),
        (
            one(EntryType::Char, "config.json", 0, b""),
            true,
            "it is neither a file nor a folder",
        ),
        (Vec::new(), true, "the archive is empty"),
        (vec![0; 1024], true, "the archive is empty"),
    ] {
        assert_eq!(
            words(first(&tar, whole, "/x/config.json", 100_000)),
            expected
        );
    }
    let noise = words(first(&[0xa5; 700], true, "/x/config.json", 100));
    assert!(noise.starts_with("the archive cannot be read"), "{noise}");
}

#[test]
fn a_long_name_is_followed_and_an_endless_one_is_cut() {
    let long = format!("{}.json", "n".repeat(300));
    let mut builder = tar::Builder::new(Vec::new());
    let mut header = tar::Header::new_gnu();
    header.set_size(2);
    header.set_mode(0o600);
    header.set_cksum();
    builder.append_data(&mut header, &long, &b"{}"[..]).unwrap();
    let tar = builder.into_inner().unwrap();
    assert_eq!(
        words(first(&tar, true, &format!("/x/{long}"), 100)),
        "file 2"
    );
    // A name of a gigabyte, of which only the limit came.
    let mut endless = header_of_long_name(1 << 30);
    endless.resize(100_000, b'n');
    assert_eq!(
        words(first(&endless, false, "/x/config.json", 100)),
        "too large"
    );
}

fn header_of_long_name(size: u64) -> Vec<u8> {
    header(EntryType::GNULongName, "././@LongLink", size)
        .as_bytes()
        .to_vec()
}

#[test]
fn links_lead_where_the_container_would_go() {
    for (path, target, expected) in [
        (
            "/opt/forge/config.json",
            "/data/config.json",
            "/data/config.json",
        ),
        ("/opt/forge/config.json", "../x.json", "/opt/x.json"),
        ("/a", "../../../../etc/shadow", "/etc/shadow"),
        ("/opt/config.json", "./config.json", "/opt/config.json"),
        ("/opt/config.json", "", "/opt"),
    ] {
        assert_eq!(linked(path, target), expected);
    }
    let mut link = header(EntryType::Symlink, "config.json", 0);
    link.set_link_name("/data/config.json").unwrap();
    link.set_cksum();
    let mut tar = link.as_bytes().to_vec();
    tar.resize(2048, 0);
    assert_eq!(
        words(first(&tar, true, "/x/config.json", 100)),
        "link /data/config.json"
    );
}

#[test]
fn a_million_entries_cost_what_the_first_costs() {
    let entry = header(EntryType::Regular, "other.json", 0);
    let mut tar = entry.as_bytes().repeat(1_000_000);
    tar.truncate(FRAME + 100);
    let found = words(first(&tar, false, "/x/config.json", 100));
    assert_eq!(
        found,
        "the archive holds something else than what was asked for"
    );
}
