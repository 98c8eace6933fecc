use crate::{
    config::Mount,
    models::{
        FOLDERS, FolderId, SharedFolder, engine_path, folder_of_path, folder_row,
        folders_of_command, seen_at, sharing,
    },
};

fn mount(source: &str, target: &str, writable: bool) -> Mount {
    Mount {
        kind: "bind".to_owned(),
        source: source.to_owned(),
        target: target.to_owned(),
        writable,
    }
}

#[test]
fn every_sort_of_folder_has_its_row() {
    for row in FOLDERS {
        assert_eq!(folder_row(row.id).key, row.key);
        assert_eq!(folder_of_path(row.key), Some(row.id));
    }
}

#[test]
fn folders_by_their_names() {
    let cases = [
        (
            "Stable-diffusion/xl/a.safetensors",
            Some(FolderId::Checkpoints),
        ),
        (r"models\LORA\a.safetensors", Some(FolderId::Loras)),
        (
            "stable_diffusion/models/ckpt/a.ckpt",
            Some(FolderId::Checkpoints),
        ),
        ("RealESRGAN/a.pth", Some(FolderId::UpscaleModels)),
        ("text_encoder/t5.safetensors", Some(FolderId::TextEncoders)),
        ("deepbooru/a.pt", None),
    ];
    for (path, id) in cases {
        assert_eq!(folder_of_path(path), id, "{path}");
    }
}

#[test]
fn forges_command_line_names_folders() {
    let found = folders_of_command(
        r#"--api --ckpt-dir /models/a --lora-dir="/my loras" --vae-dir '/v' --embeddings-dir --listen --ckpt-dir /b"#,
    );
    let path = |id, path: &str| (id, path.to_owned());
    assert_eq!(
        found,
        [
            path(FolderId::Checkpoints, "/models/a"),
            path(FolderId::Loras, "/my loras"),
            path(FolderId::Vae, "/v"),
            path(FolderId::Checkpoints, "/b"),
        ]
    );
    assert!(folders_of_command(&"--x ".repeat(100_000)).is_empty());
}

#[test]
fn a_path_of_windows_has_other_names_for_the_engine() {
    assert_eq!(
        engine_path(r"\\wsl.localhost\Ubuntu\home\jesse\SD"),
        ["/home/jesse/SD"]
    );
    assert_eq!(engine_path(r"\\wsl$\Ubuntu\home\jesse\"), ["/home/jesse"]);
    assert!(
        engine_path(r"D:\forge\models")
            .contains(&"/run/desktop/mnt/host/d/forge/models".to_owned())
    );
    assert_eq!(engine_path("/srv/models/"), ["/srv/models"]);
    assert_eq!(engine_path("/"), ["/"]);
}

#[test]
fn what_a_container_sees() {
    let mounts = [
        mount("/home/jesse/SD", "/all", true),
        mount("/home/jesse/SD/models", "/forge-models", false),
        mount(r"D:\Models", "/d", false),
        mount("/run/desktop/mnt/host/e/stuff", "/e", false),
        mount("/", "/host", false),
    ];
    let cases = [
        ("/home/jesse/SD/models/Lora", "/forge-models/Lora"),
        (
            r"\\wsl.localhost\Ubuntu\home\jesse\SD\models",
            "/forge-models",
        ),
        ("/home/jesse/SDx/models", "/host/home/jesse/SDx/models"),
        (r"d:\models\Lora", "/d/Lora"),
        (r"E:\stuff\x", "/e/x"),
    ];
    for (path, inside) in cases {
        let (_, found) = seen_at(&mounts, path).unwrap_or_else(|| panic!("{path}"));
        assert_eq!(found, inside, "{path}");
    }
    assert!(seen_at(&mounts[..2], "/srv").is_none());
}

#[test]
fn a_section_names_what_the_container_sees() {
    let folder = |id, path: &str| SharedFolder {
        id,
        path: path.to_owned(),
    };
    let folders = [
        folder(FolderId::Checkpoints, "/m/Stable-diffusion"),
        folder(FolderId::Loras, "/m/Lora"),
        folder(FolderId::Loras, "/m/LyCORIS"),
        folder(FolderId::Embeddings, "/elsewhere/embeddings"),
    ];
    let found = sharing(&folders, &[mount("/m", "/forge/models", false)]);
    let section = found.section.expect("a section");
    assert_eq!(section.base_path, "/forge/models");
    let entries: Vec<_> = section
        .entries
        .iter()
        .map(|e| (e.key.as_str(), e.paths.join(",")))
        .collect();
    let entries: Vec<_> = entries
        .iter()
        .map(|(key, paths)| (*key, paths.as_str()))
        .collect();
    assert_eq!(
        entries,
        [
            ("checkpoints", "Stable-diffusion"),
            ("configs", "Stable-diffusion"),
            ("diffusion_models", "Stable-diffusion"),
            ("loras", "Lora,LyCORIS"),
        ]
    );
    assert_eq!(found.not_shared.len(), 1);
    assert_eq!(found.writable, [""; 0]);
    let found = sharing(&folders, &[mount("/m/Lora", "/loras", true)]);
    let section = found.section.expect("a section");
    assert_eq!(
        (
            section.base_path.as_str(),
            section.entries[0].paths[0].as_str()
        ),
        ("/", "loras")
    );
    assert_eq!(found.writable, ["/loras"]);
    assert!(sharing(&folders, &[]).section.is_none());
}
