use forgekeeper_domain::container::PortBinding;

use super::*;

fn container(name: &str, compose: Option<(&str, &str)>) -> ContainerSnapshot {
    ContainerSnapshot {
        id: format!("id-of-{name}"),
        name: name.to_owned(),
        image: "ghcr.io/ai-dock/stable-diffusion-webui-forge:latest-cuda".into(),
        image_id: String::new(),
        state: RunState::Running,
        exit_code: None,
        oom_killed: false,
        error: None,
        started_at: None,
        finished_at: None,
        created_at: None,
        restart_count: 0,
        health: None,
        memory_limit: None,
        tty: false,
        ports: Vec::new(),
        compose_project: compose.map(|(project, _)| project.to_owned()),
        compose_service: compose.map(|(_, service)| service.to_owned()),
        compose_file: None,
        image_title: None,
        image_source: None,
        gpu_device_ids: Vec::new(),
        gpu_count: None,
        command: Vec::new(),
        env_names: Vec::new(),
        gpu_env: Vec::new(),
        compose_hash: None,
    }
}

fn place(endpoint: &str, origin: &str, host: Option<&str>) -> Place {
    Place {
        host: host.map(|id| HostId::new(id).expect("an id")),
        resolved: ResolvedEndpoint {
            endpoint: Endpoint::parse(endpoint, &Env::default()).expect("an endpoint"),
            origin: origin.to_owned(),
        },
    }
}

#[test]
fn services_are_named_after_their_project_and_never_twice() {
    let taken = Known {
        id: ServiceId::new("taken").expect("an id"),
        host: HostId::new("local").expect("an id"),
        container: "x".to_owned(),
    };
    let mut names = Names::new(&[], &[taken]);
    for (name, compose, id) in [
        ("myia-supervisor-1", Some(("myia", "supervisor")), "myia"),
        (
            "myia-turbo-supervisor-1",
            Some(("myia-turbo", "supervisor")),
            "myia-turbo",
        ),
        ("myia-comfy-1", Some(("myia", "comfy")), "myia-comfy"),
        ("solo-supervisor-1", None, "solo"),
        ("comfy", None, "comfy"),
        ("box-1", None, "box"),
        ("taken-x-1", Some(("taken", "x")), "taken-x"),
        ("a-b-1", Some(("a", "b")), "a"),
        ("a-b-2", Some(("a", "b")), "a-b"),
        ("a-b-3", Some(("a", "b")), "a-b-3"),
        ("odd", Some(("<odd>/../project", "s")), "-odd--..-project"),
    ] {
        let found = names.service(&container(name, compose));
        assert_eq!(found.as_str(), id, "{name}");
    }
}

#[test]
fn hosts_keep_their_configured_id_and_others_get_a_fresh_one() {
    let configured = [(HostId::new("local").expect("an id"), "auto".to_owned())];
    let mut names = Names::new(&configured, &[]);
    for (endpoint, origin, host, id) in [
        (
            "tcp://localhost:2375",
            "DOCKER_HOST",
            Some("local"),
            "local",
        ),
        ("tcp://localhost:2376", "default", Some("local"), "local-2"),
        ("tcp://gpu-box:2375", "context work", None, "work"),
        ("ssh://ada@gpu-box", "context work", None, "work-2"),
        ("tcp://gpu-box:2377", "DOCKER_HOST", None, "gpu-box"),
    ] {
        assert_eq!(
            names.host(&place(endpoint, origin, host)).as_str(),
            id,
            "{endpoint}"
        );
    }
}

#[test]
fn the_api_is_addressed_where_its_port_is_published() {
    let local = "tcp://127.0.0.1:2375";
    let remote = "tcp://gpu-box:2375";
    for (endpoint, bindings, address) in [
        (
            local,
            vec![("0.0.0.0", 17861), ("::", 17861)],
            Some("http://localhost:17861"),
        ),
        (local, vec![("", 17861)], Some("http://localhost:17861")),
        (
            local,
            vec![("127.0.0.1", 17861)],
            Some("http://localhost:17861"),
        ),
        (local, vec![("::1", 17861)], Some("http://[::1]:17861")),
        (
            local,
            vec![("192.168.1.5", 17861)],
            Some("http://192.168.1.5:17861"),
        ),
        (local, vec![], None),
        (
            remote,
            vec![("0.0.0.0", 17861)],
            Some("http://gpu-box:17861"),
        ),
        (remote, vec![("127.0.0.1", 17861)], None),
        (
            remote,
            vec![("fd00::5", 17861)],
            Some("http://[fd00::5]:17861"),
        ),
        (
            "ssh://ada@gpu-box",
            vec![("", 17861)],
            Some("http://gpu-box:17861"),
        ),
        (local, vec![("<script>", 17861)], None),
    ] {
        let mut found = container("x", None);
        found.ports = bindings
            .iter()
            .map(|(host_ip, host_port)| PortBinding {
                container_port: 17860,
                host_ip: (*host_ip).to_owned(),
                host_port: *host_port,
            })
            .collect();
        let endpoint = Endpoint::parse(endpoint, &Env::default()).expect("an endpoint");
        assert_eq!(
            api_address(KindId::Forge, &found, &endpoint).as_deref(),
            address,
            "{bindings:?}"
        );
    }
}

#[test]
fn what_is_administered_already_is_told() {
    let host = HostId::new("local").expect("an id");
    let elsewhere = HostId::new("elsewhere").expect("an id");
    let known = [
        Known {
            id: ServiceId::new("theirs").expect("an id"),
            host: elsewhere,
            container: "myia-supervisor-1".to_owned(),
        },
        Known {
            id: ServiceId::new("mine").expect("an id"),
            host: host.clone(),
            container: "myia/supervisor".to_owned(),
        },
    ];
    let mut names = Names::new(&[], &known);
    let place = place("tcp://localhost:1", "default", None);
    let found = container("myia-supervisor-1", Some(("myia", "supervisor")));
    let found = candidate(&found, &place, &host, &known, &mut names).expect("a candidate");
    assert_eq!(found.known_as.as_ref().map(ServiceId::as_str), Some("mine"));
    assert_eq!(found.id.as_str(), "mine");
    let mut other = container("db", None);
    other.image = "postgres:16".into();
    assert_eq!(candidate(&other, &place, &host, &known, &mut names), None);
}

#[tokio::test]
async fn an_engine_that_is_not_there_is_reported_and_not_hidden() {
    let env = Env::default();
    let hosts = [
        (
            HostId::new("a").expect("an id"),
            "tcp://127.0.0.1:9".to_owned(),
        ),
        (HostId::new("b").expect("an id"), "wsl://Ubuntu".to_owned()),
    ];
    let report = discover_from(&hosts, &[], &env).await;
    let cause = |endpoint: &str| {
        report
            .engines
            .iter()
            .find(|e| e.endpoint == endpoint)
            .and_then(|e| e.cause)
    };
    assert_eq!(cause("tcp://127.0.0.1:9"), Some(Cause::EngineRefused));
    assert_eq!(cause("wsl://Ubuntu"), Some(Cause::EngineNotFound));
}
