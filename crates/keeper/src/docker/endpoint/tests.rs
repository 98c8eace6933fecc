use super::*;

fn env() -> Env {
    Env {
        home: Some("/home/a".into()),
        ..Env::default()
    }
}

fn parse(text: &str) -> Result<String, String> {
    Endpoint::parse(text, &env())
        .map(|e| e.to_string())
        .map_err(|e| e.to_string())
}

#[cfg(unix)]
#[test]
fn addresses_are_read_and_shown_again() {
    for (text, shown) in [
        ("unix:///var/run/docker.sock", "unix:///var/run/docker.sock"),
        ("unix:///tmp/a b/docker.sock", "unix:///tmp/a b/docker.sock"),
        (
            "npipe:////./pipe/docker_engine",
            "npipe:////./pipe/docker_engine",
        ),
        (
            r"npipe://\\.\pipe\docker_engine",
            "npipe:////./pipe/docker_engine",
        ),
        ("tcp://gpu-box", "tcp://gpu-box:2375"),
        ("tcp://10.0.0.4:2400/", "tcp://10.0.0.4:2400"),
        ("http://localhost:2375", "tcp://localhost:2375"),
        ("tcp://[::1]:2375", "tcp://[::1]:2375"),
        ("tcp://fe80::1", "tcp://[fe80::1]:2375"),
        ("https://gpu-box", "https://gpu-box:2376"),
        ("ssh://ada@gpu-box:2222", "ssh://ada@gpu-box:2222"),
        (" ssh://gpu-box ", "ssh://gpu-box"),
    ] {
        assert_eq!(parse(text).as_deref(), Ok(shown), "{text}");
    }
}

#[test]
fn what_is_no_address_is_refused_with_a_reason() {
    for (text, word) in [
        ("", "auto"),
        ("docker", "no engine address"),
        ("ftp://x", "no engine address"),
        ("unix://docker.sock", "three slashes"),
        ("npipe:////./pipe/", "docker_engine"),
        ("npipe:////./pipe/a/b", "docker_engine"),
        ("tcp://", "host name"),
        ("tcp://box:0", "port"),
        ("tcp://box:70000", "port"),
        ("tcp://box:2375/../x", "port"),
        ("tcp://a b:1", "blanks"),
        ("tcp://[::1", "bracket"),
        ("ssh://-oProxyCommand=x", "not usable"),
        ("ssh://-a@box", "not usable"),
        ("ssh://a$(x)@box", "not usable"),
        ("wsl://Ubuntu", "not supported yet"),
    ] {
        let error = parse(text).expect_err(text);
        assert!(error.contains(word), "{text}: {error}");
    }
}

#[test]
fn tls_follows_the_environment_as_in_dockers_own_tools() {
    let env = Env {
        docker_tls: true,
        docker_cert_path: Some("/certs".into()),
        ..env()
    };
    let Ok(Endpoint::Tls { port, files, .. }) = Endpoint::parse("tcp://box", &env) else {
        panic!("not TLS");
    };
    assert_eq!(port, 2376);
    assert_eq!(files, TlsFiles::in_folder(Path::new("/certs")));
}

#[cfg(unix)]
#[test]
fn auto_asks_docker_host_then_the_context_then_the_defaults() {
    let env = Env {
        docker_host: Some("tcp://box:2375".into()),
        runtime_dir: Some("/run/user/1".into()),
        ..env()
    };
    let found = resolve("auto", &env);
    let shown: Vec<_> = found
        .candidates
        .iter()
        .map(|c| format!("{} {}", c.origin, c.endpoint))
        .collect();
    assert_eq!(
        shown,
        [
            "DOCKER_HOST tcp://box:2375",
            "default unix:///var/run/docker.sock",
            "default unix:///run/user/1/docker.sock",
            "default unix:///home/a/.docker/run/docker.sock",
            "default unix:///home/a/.docker/desktop/docker.sock",
        ]
    );
    assert_eq!(found.unusable, []);
}

#[test]
fn an_unusable_docker_host_is_told_and_not_swallowed() {
    let env = Env {
        docker_host: Some("fd://".into()),
        ..env()
    };
    let found = resolve("auto", &env);
    assert_eq!(found.unusable.len(), 1);
    assert_eq!(found.unusable[0].origin, "DOCKER_HOST");
}

#[test]
fn published_ports_are_reached_where_the_engine_is() {
    for (text, host) in [
        ("tcp://127.0.0.1:1", "localhost"),
        ("tcp://localhost:1", "localhost"),
        ("tcp://[::1]:1", "localhost"),
        ("tcp://gpu-box:1", "gpu-box"),
        ("ssh://ada@gpu-box:2222", "gpu-box"),
        ("npipe:////./pipe/docker_engine", "localhost"),
    ] {
        let endpoint = Endpoint::parse(text, &env()).expect(text);
        assert_eq!(endpoint.published_host(), host, "{text}");
    }
}
