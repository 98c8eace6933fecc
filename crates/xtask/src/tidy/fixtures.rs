//! Every kind of service brings what its container looks like and what it writes at start-up.

use forgekeeper_domain::{
    container::ContainerSnapshot,
    service::{KINDS, ServiceKind, recognise},
};
use serde_json::{Value, json};

use super::{Finding, Rule};
use crate::repo::Repo;

pub(super) const RULE: Rule = Rule {
    id: "fixtures",
    what: "every row of KINDS has tests/fixtures/<kind>/: an inspect answer by which it is recognised, a start-up log with its ready line, and a note of their origin",
    check,
};

fn check(repo: &Repo) -> Result<Vec<Finding>, String> {
    let mut findings = Vec::new();
    for kind in KINDS {
        findings.extend(of_kind(repo, *kind)?);
    }
    Ok(findings)
}

fn of_kind(repo: &Repo, kind: &dyn ServiceKind) -> Result<Vec<Finding>, String> {
    let folder = format!("tests/fixtures/{}", kind.id());
    let mut findings = Vec::new();
    let mut need = |name: &str, good: &dyn Fn(&str) -> bool, why: &str| -> Result<(), String> {
        let path = format!("{folder}/{name}");
        if !repo.root.join(&path).is_file() {
            findings.push(Finding::new(path, "is missing"));
        } else if !good(&repo.read(&path)?) {
            findings.push(Finding::new(path, why));
        }
        Ok(())
    };
    need(
        "inspect.json",
        &|text| {
            snapshot(text)
                .and_then(|container| recognise(&container))
                .is_some_and(|(id, _)| id == kind.id())
        },
        "is no inspect answer by which this kind is recognised",
    )?;
    need(
        "start.log",
        &|text| text.contains(kind.ready_log_line()),
        "lacks the line after which the API answers",
    )?;
    need(
        "README.md",
        &|text| text.trim().len() > 40,
        "does not say where the files came from",
    )?;
    Ok(findings)
}

/// The fields by which kinds are recognised, from `docker inspect` or the Engine API.
fn snapshot(text: &str) -> Option<ContainerSnapshot> {
    let all: Value = serde_json::from_str(text).ok()?;
    // The command line answers with a list, the API with one object.
    let one = all.get(0).unwrap_or(&all);
    let config = &one["Config"];
    let words = |value: &Value| -> Vec<String> {
        let list = value.as_array().into_iter().flatten();
        list.filter_map(|word| word.as_str().map(str::to_owned))
            .collect()
    };
    let ports: Vec<Value> = one["NetworkSettings"]["Ports"]
        .as_object()
        .into_iter()
        .flatten()
        .filter_map(|(port, _)| port.split('/').next()?.parse::<u16>().ok())
        .map(|port| json!({ "container_port": port, "host_ip": "", "host_port": port }))
        .collect();
    let names: Vec<String> = words(&config["Env"])
        .iter()
        .filter_map(|line| line.split('=').next().map(str::to_owned))
        .collect();
    let command = [words(&config["Entrypoint"]), words(&config["Cmd"])].concat();
    let value = json!({
        "id": one["Id"], "name": one["Name"], "image": config["Image"], "image_id": one["Image"],
        "state": "running", "oom_killed": false, "restart_count": 0, "tty": false, "ports": ports,
        "gpu_device_ids": [], "env_names": names, "gpu_env": [], "compose_hash": null,
        "command": command,
    });
    serde_json::from_value(value).ok()
}

#[cfg(test)]
mod tests {
    use forgekeeper_domain::service::{KindId, kind};

    use super::*;
    use crate::repo::testing::scratch;

    const INSPECT: &str = r#"[{ "Id": "1", "Name": "/a", "Image": "sha256:2", "Config": {
        "Image": "example/stable-diffusion-webui-forge:latest", "Cmd": ["x"], "Env": ["A=b"] } }]"#;
    const NOTE: &str = "Captured with docker inspect and docker logs, names replaced.";

    fn places(files: &[(&str, &str)]) -> Vec<String> {
        let found = of_kind(&scratch(files).repo, kind(KindId::Forge)).unwrap();
        found.into_iter().map(|finding| finding.place).collect()
    }

    #[test]
    fn complete_fixtures_have_no_finding() {
        let none: [&str; 0] = [];
        assert_eq!(
            places(&[
                ("tests/fixtures/forge/inspect.json", INSPECT),
                ("tests/fixtures/forge/start.log", "Startup time: 12.3s"),
                ("tests/fixtures/forge/README.md", NOTE),
            ]),
            none
        );
    }

    #[test]
    fn what_is_missing_and_what_is_of_another_kind_is_found() {
        assert_eq!(places(&[]).len(), 3);
        let other = INSPECT.replace("stable-diffusion-webui-forge", "comfyui");
        assert_eq!(
            places(&[
                ("tests/fixtures/forge/inspect.json", &other),
                ("tests/fixtures/forge/start.log", "nothing of the kind"),
                ("tests/fixtures/forge/README.md", ""),
            ])
            .len(),
            3
        );
        assert_eq!(
            places(&[("tests/fixtures/forge/inspect.json", "{")]).len(),
            3
        );
    }
}
