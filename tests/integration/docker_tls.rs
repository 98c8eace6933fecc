//! An engine behind TLS with client certificates, reached through a Docker context.

use std::{
    fs,
    path::Path,
    process::{Command, Stdio},
    time::Duration,
};

use forgekeeper_domain::facts::EngineFact;
use forgekeeper_keeper::docker::{Engine, Env, ResolvedEndpoint, endpoint, engine::Deadlines};
use tokio::net::TcpListener;

use crate::docker_lab::Lab;

/// In a network of its own, any port is free.
const INNER_PORT: u16 = 2376;

fn openssl(folder: &Path, arguments: &str) {
    let output = Command::new("openssl")
        .args(arguments.split_whitespace())
        .current_dir(folder)
        .stdin(Stdio::null())
        .output()
        .expect("openssl is installed");
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
}

/// An authority, and a certificate of it for the engine and one for us.
fn certificates(folder: &Path) {
    let key = "-newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes";
    openssl(
        folder,
        &format!("req -x509 {key} -keyout ca-key.pem -out ca.pem -subj /CN=test-ca"),
    );
    for (name, usage) in [("server", "serverAuth"), ("client", "clientAuth")] {
        let extensions =
            format!("subjectAltName=IP:127.0.0.1,DNS:localhost\nextendedKeyUsage={usage}\n");
        fs::write(folder.join("ext.cnf"), extensions).expect("written");
        openssl(
            folder,
            &format!("req -new {key} -keyout {name}-key.pem -out {name}.csr -subj /CN={name}"),
        );
        openssl(
            folder,
            &format!(
                "x509 -req -in {name}.csr -CA ca.pem -CAkey ca-key.pem -CAcreateserial -out {name}.pem -extfile ext.cnf -days 2"
            ),
        );
    }
}

/// Carries connections from here into the separate network of our own daemon.
async fn tunnel(daemon: u32, inner: u16) -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let port = listener.local_addr().expect("an address").port();
    tokio::spawn(async move {
        while let Ok((mut outside, _)) = listener.accept().await {
            tokio::spawn(async move {
                let mut inside = tokio::process::Command::new("nsenter")
                    .args([
                        "-t",
                        &daemon.to_string(),
                        "-n",
                        "busybox",
                        "nc",
                        "127.0.0.1",
                    ])
                    .arg(inner.to_string())
                    .stdin(Stdio::piped())
                    .stdout(Stdio::piped())
                    .kill_on_drop(true)
                    .spawn()
                    .expect("nsenter");
                let (to, from) = (inside.stdin.take(), inside.stdout.take());
                let mut pipes = tokio::io::join(from.expect("piped"), to.expect("piped"));
                // Either side may hang up at any time; that is the end of this connection.
                drop(tokio::io::copy_bidirectional(&mut outside, &mut pipes).await);
            });
        }
    });
    port
}

#[tokio::test]
#[ignore = "needs root, dockerd and openssl: an engine of our own behind TLS"]
async fn a_context_with_certificates_leads_to_its_engine() {
    let folder = tempfile::tempdir().expect("a folder");
    let at = folder.path();
    certificates(at);
    let option = |name: &str, file: &str| format!("--{name}={}", at.join(file).display());
    let lab = Lab::own_with(&[
        format!("--host=tcp://127.0.0.1:{INNER_PORT}"),
        "--tlsverify".to_owned(),
        option("tlscacert", "ca.pem"),
        option("tlscert", "server.pem"),
        option("tlskey", "server-key.pem"),
    ]);
    let port = tunnel(lab.daemon_id(), INNER_PORT).await;

    // Docker's own command line writes the context that is read here.
    let config = at.join("docker");
    fs::create_dir_all(&config).expect("a folder");
    let description = format!(
        "host=tcp://127.0.0.1:{port},ca={},cert={},key={}",
        at.join("ca.pem").display(),
        at.join("client.pem").display(),
        at.join("client-key.pem").display()
    );
    let made = Command::new("docker")
        .args(["context", "create", "safe", "--docker", &description])
        .env("DOCKER_CONFIG", &config)
        .output()
        .expect("docker");
    assert!(
        made.status.success(),
        "{}",
        String::from_utf8_lossy(&made.stderr)
    );

    let env = Env {
        docker_config: Some(config.clone()),
        ..Env::default()
    };
    let found = endpoint::resolve("context:safe", &env);
    assert_eq!(found.unusable, []);
    assert_eq!(
        found.candidates[0].endpoint.to_string(),
        format!("https://127.0.0.1:{port}")
    );
    let engine = Engine::connect(&found.candidates[0], Deadlines::default())
        .await
        .expect("an engine");
    assert!(engine.ping(Duration::from_secs(3)).await.is_ok());
    let name = lab.start("tls", &[], "sleep 600");
    assert!(engine.inspect(&name).await.expect("an answer").is_some());

    // Without TLS the same port is no engine, and says why.
    let plain = ResolvedEndpoint {
        endpoint: forgekeeper_keeper::docker::Endpoint::parse(
            &format!("tcp://127.0.0.1:{port}"),
            &Env::default(),
        )
        .expect("an endpoint"),
        origin: "test".to_owned(),
    };
    let failed = Engine::connect(&plain, Deadlines::default())
        .await
        .expect_err("no engine");
    assert!(
        matches!(&failed.engine, EngineFact::NotDocker { answer, .. } if answer.contains("HTTPS")),
        "{failed:?}"
    );
}
