use super::*;
use crate::ids::GpuUuid;

fn beside() -> Beside {
    Beside {
        project: "comfyui-beside".to_owned(),
        service: "comfyui".to_owned(),
        container: "comfyui-beside".to_owned(),
        image: "owner/name:tag".to_owned(),
        address: "127.0.0.1".to_owned(),
        port: 8189,
        port_inside: 8188,
        gpu: GpuWish::Card(GpuUuid::new("GPU-1111".to_owned()).unwrap()),
        models: Some(r"D:\SD\models $x: 'a' # b".to_owned()),
        model_paths: Some((
            "/srv/paths.yaml".to_owned(),
            "/root/ComfyUI/extra.yaml".to_owned(),
        )),
        volumes: vec![Volume {
            name: "output".to_owned(),
            target: "/root/ComfyUI/output".to_owned(),
        }],
        environment: vec![("CLI_ARGS".to_owned(), "--a 'b' $c".to_owned())],
    }
}

#[test]
fn the_file_that_is_made_says_what_was_meant() {
    let wanted = beside();
    let text = wanted.to_yaml();
    assert!(is_ours(&text) && !is_ours("services: {}"));
    let read = read_compose(&text).unwrap();
    assert_eq!(read.name.as_deref(), Some("comfyui-beside"));
    let [service] = &read.services[..] else {
        panic!("{read:#?}");
    };
    assert_eq!(service.image.as_deref(), Some("owner/name:tag"));
    assert_eq!(service.container_name.as_deref(), Some("comfyui-beside"));
    let port = DeclaredPort {
        address: Some("127.0.0.1".to_owned()),
        host: Some((8189, 8189)),
        inside: 8188,
    };
    assert_eq!(service.ports, [port]);
    assert_eq!(service.cards, ["GPU-1111"]);
    assert!(
        !service.any_cards && service.unresolved.is_empty(),
        "{service:#?}"
    );
    let mounts: Vec<(&str, &str)> = service
        .mounts
        .iter()
        .map(|(source, target)| (source.as_str(), target.as_str()))
        .collect();
    assert_eq!(
        mounts,
        [
            (r"D:\SD\models $x: 'a' # b", MODELS_INSIDE),
            ("/srv/paths.yaml", "/root/ComfyUI/extra.yaml"),
            ("output", "/root/ComfyUI/output"),
        ]
    );
    // Without card, models and volumes it is a file all the same.
    let plain = Beside {
        gpu: GpuWish::None,
        models: None,
        model_paths: None,
        volumes: Vec::new(),
        environment: Vec::new(),
        ..wanted
    };
    let read = read_compose(&plain.to_yaml());
    // `volumes:` without any is null there, which compose takes.
    assert!(read.is_ok_and(|c| c.services[0].cards.is_empty() && c.services[0].mounts.is_empty()));
}

const FOUNDING: &str = r#"
x-common: &common
  restart: unless-stopped
  environment: &env
    A: "1"
services:
  supervisor:
    <<: *common
    image: ${REGISTRY:-registry.test}/owner/forge:${TAG-latest}
    container_name: myia-supervisor-1
    profiles: [gpu, "all"]
    ports:
      - "36525:17860"
      - 127.0.0.1:7000-7002:7000-7002/udp
      - target: 22
        published: 2222
        host_ip: "::1"
      - "${PORT}:80"
      - 9000
    volumes:
      - D:\SD\workspace:/workspace:rw
      - ./models:/models
      - named:/data
      - type: bind
        source: '\\wsl.localhost\Ubuntu\home\jesse'
        target: /home
    environment:
      <<: *env
      B: "$$HOME"
    deploy:
      resources:
        reservations:
          devices:
            - driver: nvidia
              device_ids: ['0', "GPU-2222"]
              capabilities: [gpu]
  other:
    extends: {file: base.yaml, service: base}
    gpus: all
  third:
    image: a
    deploy: {resources: {reservations: {devices: [{capabilities: [gpu], count: 1}]}}}
"#;

#[test]
fn files_of_others_are_read_with_anchors_merges_variables_profiles_and_paths_of_windows() {
    let compose = read_compose(FOUNDING).unwrap();
    let [forge, other, third] = &compose.services[..] else {
        panic!("{compose:#?}");
    };
    assert_eq!(
        forge.image.as_deref(),
        Some("registry.test/owner/forge:latest")
    );
    assert_eq!(forge.profiles, ["gpu", "all"]);
    let hosts: Vec<_> = forge.ports.iter().map(|p| (p.host, p.inside)).collect();
    assert_eq!(
        hosts,
        [
            (Some((36525, 36525)), 17860),
            (Some((7000, 7002)), 7000),
            (Some((2222, 2222)), 22),
            (None, 9000),
        ]
    );
    assert_eq!(forge.cards, ["0", "GPU-2222"]);
    assert_eq!(
        forge.mounts[0],
        (r"D:\SD\workspace".to_owned(), "/workspace".to_owned())
    );
    assert_eq!(
        forge.mounts[3],
        (
            r"\\wsl.localhost\Ubuntu\home\jesse".to_owned(),
            "/home".to_owned()
        )
    );
    let unresolved: Vec<&str> = forge.unresolved.iter().map(|u| u.what.as_str()).collect();
    assert_eq!(unresolved, ["$REGISTRY", "$TAG", "$PORT"]);
    assert_eq!(forge.unresolved[2].line, 18);
    assert_eq!(other.unresolved[0].what, "extends");
    assert!(other.any_cards && third.any_cards && !forge.any_cards);
    let included = read_compose("include: [a.yaml]\n").unwrap();
    assert_eq!(included.unresolved[0].what, "include");
    assert!(read_compose("\u{feff}services:\r\n  a:\r\n    image: x\r\n").is_ok());
}

fn laughs(levels: usize) -> String {
    let mut text = "a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n".to_owned();
    for level in 1..levels {
        let before = format!("*a{}", level - 1);
        let list = vec![before; 10].join(", ");
        text.push_str(&format!("a{level}: &a{level} [{list}]\n"));
    }
    text + "services: {a: {image: x}}\n"
}

#[test]
fn bad_files_are_refused_with_line_and_remedy() {
    use ComposeFault as F;
    let deep = format!("services: {}x{}", "[".repeat(100), "]".repeat(100));
    let deep_blocks: String = (0..200).map(|d| format!("{:1$}a:\n", "", d)).collect();
    let long = format!(
        "services:\n  a:\n    image: {}",
        "x".repeat(MAX_COMPOSE_BYTES)
    );
    let wide = format!("services: {{a: {{x: [{}]}}}}", "1,".repeat(60_000));
    let many: String = (0..120)
        .map(|n| format!("  s{n}: {{image: x}}\n"))
        .collect();
    let many = format!("services:\n{many}");
    let anchors: String = (0..300).map(|n| format!("k{n}: &n{n} x\n")).collect();
    let merges = format!("b: &b {{c: d}}\nservices:\n  a:\n{}", "    x: {<<: *b}\n");
    assert!(read_compose(&merges).is_ok(), "one merge is none too many");
    for (text, fault, line) in [
        ("", F::Shape, None),
        ("just words", F::Shape, Some(1)),
        ("- a\n- b\n", F::Shape, Some(1)),
        ("version: '3'\n", F::Shape, Some(1)),
        ("web:\n  image: x\n", F::Shape, Some(1)),
        ("services: [a]\n", F::Shape, Some(1)),
        ("services:\n  a: x\n", F::Shape, Some(2)),
        (
            "services:\n  a:\n    ports:\n      - 'x:y'\n",
            F::Shape,
            Some(4),
        ),
        (
            "services:\n  a:\n    ports: ['1:2:3:99999']\n",
            F::Shape,
            Some(3),
        ),
        (
            "services:\n  a: {image: x}\n  a: {image: y}\n",
            F::DoubleKey,
            Some(3),
        ),
        ("services:\n  a:\n  image: x\n   b: y\n", F::Syntax, None),
        ("services:\n\ta:\n", F::Syntax, Some(2)),
        ("services: {a: 'x}\n", F::Syntax, None),
        ("services: *nobody\n", F::Syntax, Some(1)),
        ("a: {<<: 3}\nservices: {}\n", F::Syntax, None),
        (deep.as_str(), F::TooLarge, None),
        (deep_blocks.as_str(), F::TooLarge, None),
        (long.as_str(), F::TooLarge, None),
        (wide.as_str(), F::TooLarge, None),
        (many.as_str(), F::TooLarge, Some(2)),
        (anchors.as_str(), F::Bomb, None),
        (laughs(9).as_str(), F::Bomb, None),
        ("a: &a [*a]\nservices: {}\n", F::Syntax, None),
    ] {
        let begun = std::time::Instant::now();
        let shown: String = text.chars().take(60).collect();
        let problem = read_compose(text).expect_err(&shown);
        assert_eq!(problem.fault, fault, "{shown}: {problem}");
        if let Some(line) = line {
            assert_eq!(problem.line, Some(line), "{shown}: {problem}");
        }
        assert!(!problem.remedy.is_empty() && !problem.reason.contains('\n'));
        assert!(
            begun.elapsed() < std::time::Duration::from_secs(2),
            "{shown}"
        );
    }
    // Enough repetition for any real file is none too much.
    assert!(read_compose(&laughs(3)).is_ok());
}

#[test]
fn a_problem_shows_nothing_of_the_file_that_may_be_secret() {
    let text = "services:\n  a:\n    environment:\n      PASSWORD: 'geheim\n";
    let problem = read_compose(text).unwrap_err();
    assert!(!problem.to_string().contains("geheim"), "{problem}");
}

#[test]
fn folders_are_named_as_the_engine_names_them() {
    for (path, here, wsl) in [
        ("/srv/x", Some("/srv/x"), Some("/srv/x")),
        (
            r"D:\SD\models\",
            Some(r"D:\SD\models\"),
            Some("/mnt/d/SD/models"),
        ),
        ("c:/x", Some("c:/x"), Some("/mnt/c/x")),
        (
            r"\\wsl.localhost\Ubuntu\home\j",
            Some(r"\\wsl.localhost\Ubuntu\home\j"),
            Some("/home/j"),
        ),
        (
            r"\\wsl$\Ubuntu\home\j",
            Some(r"\\wsl$\Ubuntu\home\j"),
            Some("/home/j"),
        ),
        (r"\\server\share", Some(r"\\server\share"), None),
        ("relative", Some("relative"), None),
    ] {
        assert_eq!(
            engine_path(path, EngineSide::Here).as_deref(),
            here,
            "{path}"
        );
        assert_eq!(engine_path(path, EngineSide::Wsl).as_deref(), wsl, "{path}");
    }
}

#[test]
fn collisions_are_found_before_anything_is_made() {
    let card = GpuUuid::new("GPU-1111".to_owned()).unwrap();
    let other = GpuUuid::new("GPU-2222".to_owned()).unwrap();
    let base = Neighbour {
        name: "myia".to_owned(),
        names: vec!["myia-supervisor-1".to_owned()],
        ports: vec![(36525, 36525)],
        compose: Some(("myia".to_owned(), "supervisor".to_owned())),
        cards: vec![other.clone()],
        ours: false,
    };
    let wanted = beside();
    let cards = [card.clone(), other.clone()];
    let with = |change: &dyn Fn(&mut Neighbour)| {
        let mut neighbour = base.clone();
        change(&mut neighbour);
        conflicts(&wanted, &[neighbour], Some(&cards))
    };
    assert_eq!(with(&|_| {}), []);
    assert_eq!(
        with(&|n| n.names.push("comfyui-beside".to_owned())),
        [Conflict::Name {
            name: "comfyui-beside".to_owned()
        }]
    );
    assert_eq!(
        with(&|n| n.ports.push((8180, 8190))),
        [Conflict::Port {
            port: 8189,
            by: "myia".to_owned()
        }]
    );
    assert_eq!(
        with(&|n| n.compose = Some(("comfyui-beside".to_owned(), "x".to_owned()))),
        [Conflict::Project {
            project: "comfyui-beside".to_owned()
        }]
    );
    let shared = with(&|n| n.cards.push(card.clone()));
    assert!(matches!(&shared[..], [one @ Conflict::SharedCard { .. }] if !one.refuses()));
    // What the step itself made is no obstacle to doing it again.
    let ours = with(&|n| {
        n.ours = true;
        n.names.push("comfyui-beside".to_owned());
        n.ports.push((8189, 8189));
    });
    assert_eq!(ours, []);
    let gone = conflicts(&wanted, &[], Some(&[other]));
    assert!(matches!(&gone[..], [one @ Conflict::NoSuchCard { .. }] if one.refuses()));
    assert_eq!(
        conflicts(&wanted, &[], None),
        [],
        "unknown cards refuse nothing"
    );
}

#[test]
fn a_project_has_a_name_that_compose_takes() {
    assert_eq!(project_of("comfyui"), "comfyui-beside");
    assert_eq!(project_of("My.Comfy UI"), "my-comfy-ui-beside");
    assert_eq!(project_of("_a"), "x_a-beside");
}
