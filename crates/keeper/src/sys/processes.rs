//! What the system tells of other processes: their program, and the container they run in.

/// A process as the system names it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Program {
    /// Its program's name, as far as this user may see it.
    pub name: Option<String>,
    /// Full id of the container that it runs in, by its control group.
    pub container: Option<String>,
}

/// Looks a process up.
#[cfg(target_os = "linux")]
pub(crate) fn program(pid: u32) -> Program {
    /// No control group path and no name is longer.
    const MOST_BYTES: u64 = 16 * 1024;
    let read = |file: &str| {
        use std::io::Read as _;
        let mut text = String::new();
        let file = std::fs::File::open(format!("/proc/{pid}/{file}")).ok()?;
        file.take(MOST_BYTES).read_to_string(&mut text).ok()?;
        Some(text)
    };
    let name = read("comm").map(|name| name.trim().to_owned());
    Program {
        name: name.filter(|name| !name.is_empty()),
        container: read("cgroup").as_deref().and_then(container_in),
    }
}

/// Elsewhere the driver names no process of a container, and names are not looked up.
#[cfg(not(target_os = "linux"))]
pub(crate) fn program(_pid: u32) -> Program {
    Program::default()
}

/// The container id in a `/proc/PID/cgroup`: the last part of a path that is, or holds, 64
/// hexadecimal digits (`docker-ID.scope`, `/docker/ID`, `cri-containerd-ID.scope`).
#[cfg_attr(
    not(target_os = "linux"),
    expect(dead_code, reason = "control groups are Linux'")
)]
fn container_in(cgroup: &str) -> Option<String> {
    const DIGITS: usize = 64;
    let in_part = |part: &str| {
        let word = part.strip_suffix(".scope").unwrap_or(part);
        let id = word.rsplit('-').next().unwrap_or(word);
        let is_id = id.len() == DIGITS && id.bytes().all(|byte| byte.is_ascii_hexdigit());
        is_id.then(|| id.to_ascii_lowercase())
    };
    cgroup
        .lines()
        .filter_map(|line| line.splitn(3, ':').nth(2))
        .find_map(|path| path.split('/').rev().find_map(in_part))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_container_is_found_in_every_form_of_a_control_group() {
        let id = "0123456789abcdef".repeat(4);
        for (text, found) in [
            (format!("0::/system.slice/docker-{id}.scope\n"), true),
            (
                format!("12:pids:/docker/{id}\n1:name=systemd:/docker/{id}\n"),
                true,
            ),
            (
                format!("0::/kubepods.slice/kubepods-pod1.slice/cri-containerd-{id}.scope\n"),
                true,
            ),
            (format!("0::/docker/{id}/init\n"), true),
            (
                "0::/user.slice/user-1000.slice/session-2.scope\n".to_owned(),
                false,
            ),
            (format!("0::/docker/{}\n", &id[1..]), false),
            (format!("0::/docker/{}g\n", &id[1..]), false),
            ("0::/\n".to_owned(), false),
            (String::new(), false),
            ("nonsense".to_owned(), false),
        ] {
            let expected = found.then(|| id.clone());
            assert_eq!(container_in(&text), expected, "{text:?}");
        }
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn this_process_has_a_name_and_one_that_is_gone_has_none() {
        assert!(program(std::process::id()).name.is_some());
        assert_eq!(program(u32::MAX), Program::default());
    }
}
