//! What is told of a container, and what the engine holds.

use super::*;

#[test]
fn a_container_is_told_so_that_it_can_be_made_again_and_without_secrets() {
    let told = json!({
        "Id": "0123456789abcdef0123", "Name": "/myia-supervisor-1", "Image": "sha256:aa",
        "SizeRw": 7,
        "HostConfig": {"Binds": ["/srv/w:/workspace:rw"], "NetworkMode": "myia_default",
            "RestartPolicy": {"Name": "unless-stopped", "MaximumRetryCount": 0}},
        "Mounts": [
            {"Type": "bind", "Source": "/srv/w", "Destination": "/workspace"},
            {"Type": "volume", "Name": "deadbeef", "Destination": "/opt/cache"}],
        "Config": {"Hostname": "0123456789ab", "Image": "forge:1", "Cmd": ["init.sh"],
            "Env": ["A=1", "WEB_PASSWORD=x", "FORGE_ARGS=--api-auth me:secret"]},
        "NetworkSettings": {"Networks": {
            "myia_default": {"Aliases": ["supervisor", "0123456789ab"], "IPAddress": "172.18.0.2"},
            "proxy": {"Aliases": null}}},
    });
    let made = recreation(serde_json::from_value(told).unwrap()).unwrap();
    let kept = serde_json::to_string(&made).unwrap();
    assert!(
        !kept.contains("me:secret") && !kept.contains("PASSWORD=x"),
        "{kept}"
    );
    assert_eq!(made.withheld, ["WEB_PASSWORD", "FORGE_ARGS"]);
    assert_eq!(
        (made.name.as_str(), made.written),
        ("myia-supervisor-1", Some(7))
    );
    let body = &made.body;
    assert_eq!(body["Env"], json!(["A=1"]));
    assert!(body.get("Hostname").is_none_or(Value::is_null));
    assert_eq!(
        body["HostConfig"]["Binds"],
        json!(["/srv/w:/workspace:rw", "deadbeef:/opt/cache"]),
        "what a nameless volume holds is not lost"
    );
    let own = &body["NetworkingConfig"]["EndpointsConfig"]["myia_default"];
    assert_eq!(own["Aliases"], json!(["supervisor"]));
    assert_eq!(made.more_networks.len(), 1);
}

#[test]
fn space_is_read_from_old_and_new_engines_and_unknown_from_others() {
    let old = json!({"LayersSize": 100, "Containers": [{"SizeRw": 5}, {}]});
    assert_eq!(space(&old), Some(105));
    let new = json!({"ImageUsage": {"TotalSize": 90}, "ContainerUsage": {"TotalSize": 4}});
    assert_eq!(space(&new), Some(94));
    assert_eq!(space(&json!({"message": "no"})), None);
}
