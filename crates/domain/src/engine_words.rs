//! What the engine's own words about a refused start mean. Engines tell it in no other way.

/// A start that failed because the host port is taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PortClash {
    /// The port, when the engine named it.
    pub port: Option<u16>,
}

/// Whether these words of the engine say that a host port is taken, and which.
pub fn port_clash(message: &str) -> Option<PortClash> {
    let lower = message.to_ascii_lowercase();
    let taken = [
        "port is already allocated",
        "address already in use",
        "ports are not available",
        "only one usage of each socket address",
        "eaddrinuse",
    ];
    if !taken.iter().any(|words| lower.contains(words)) {
        return None;
    }
    // The address follows one of these; the last of them stands nearest to the system call.
    let port = [
        "listen tcp4 ",
        "listen tcp6 ",
        "listen tcp ",
        "listen udp4 ",
        "listen udp ",
        "bind host port for ",
        "bind host port ",
        "bind port ",
        "bind for ",
        "exposing port tcp ",
        "exposing port udp ",
        "expose port ",
    ]
    .iter()
    .find_map(|words| {
        let at = lower.rfind(words)? + words.len();
        port_of_address(lower[at..].split_whitespace().next()?)
    });
    Some(PortClash { port })
}

/// `0.0.0.0:80`, `[::]:80/tcp`, `:::80:`, `0.0.0.0:80:172.17.0.2:8080/tcp`.
fn port_of_address(address: &str) -> Option<u16> {
    let rest = if let Some(bracketed) = address.strip_prefix('[') {
        bracketed.split_once("]:")?.1
    } else if let Some(any) = address.strip_prefix(":::") {
        any
    } else {
        address.split_once(':')?.1
    };
    let digits = rest.split(|c: char| !c.is_ascii_digit()).next()?;
    digits.parse().ok().filter(|port| *port != 0)
}

/// Whether these words of the engine come from the NVIDIA container runtime or its absence.
pub fn is_gpu_runtime(message: &str) -> bool {
    let lower = message.to_ascii_lowercase();
    [
        "nvidia-container-cli",
        "nvidia-container-runtime",
        "nvidia.com/gpu",
        "gpu vendor from cdi",
    ]
    .iter()
    .any(|words| lower.contains(words))
        || (lower.contains("could not select device driver")
            && ["gpu", "nvidia", "compute", "utility"]
                .iter()
                .any(|word| lower.contains(word)))
        || (lower.contains("runtime") && lower.contains("nvidia") && lower.contains("unknown"))
}

/// Whether these words of the engine say that a disk of its machine is full.
pub fn is_disk_full(message: &str) -> bool {
    let lower = message.to_ascii_lowercase();
    ["no space left on device", "not enough space on the disk"]
        .iter()
        .any(|words| lower.contains(words))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn taken_ports_are_recognised_in_the_words_of_many_engines() {
        for (words, port) in [
            // 20.10 to 27, port held by another container
            (
                "driver failed programming external connectivity on endpoint web (1f): Bind for 0.0.0.0:17860 failed: port is already allocated",
                Some(17860),
            ),
            // port held by a process
            (
                "driver failed programming external connectivity on endpoint web (1f): Error starting userland proxy: listen tcp4 0.0.0.0:8080: bind: address already in use",
                Some(8080),
            ),
            (
                "driver failed programming external connectivity on endpoint web (1f): Error starting userland proxy: listen tcp6 [::]:8080: bind: address already in use",
                Some(8080),
            ),
            // 28
            (
                "failed to set up container networking: driver failed programming external connectivity on endpoint web (1f): failed to bind host port for 0.0.0.0:8188:172.17.0.2:8188/tcp: address already in use",
                Some(8188),
            ),
            (
                "failed to set up container networking: driver failed programming external connectivity on endpoint web (1f): failed to bind host port 0.0.0.0:8188/tcp: address already in use",
                Some(8188),
            ),
            // Docker Desktop
            (
                "Ports are not available: exposing port TCP 0.0.0.0:7860 -> 127.0.0.1:0: listen tcp 0.0.0.0:7860: bind: Only one usage of each socket address (protocol/network address/port) is normally permitted.",
                Some(7860),
            ),
            (
                "Ports are not available: exposing port TCP 0.0.0.0:7860 -> 0.0.0.0:0: listen tcp 0.0.0.0:7860: bind: An attempt was made to access a socket in a way forbidden by its access permissions.",
                Some(7860),
            ),
            (
                "Error starting userland proxy: Bind for 0.0.0.0:80: unexpected error (Failure EADDRINUSE)",
                Some(80),
            ),
            ("port is already allocated", None),
        ] {
            assert_eq!(port_clash(words), Some(PortClash { port }), "{words}");
        }
        assert_eq!(port_clash("No such container: web"), None);
        assert_eq!(port_clash("cannot assign requested address"), None);
    }

    #[test]
    fn the_nvidia_runtime_is_recognised_in_its_many_words() {
        for words in [
            "could not select device driver \"\" with capabilities: [[gpu]]",
            "could not select device driver \"nvidia\" with capabilities: [[compute utility]]",
            "OCI runtime create failed: container_linux.go:345: starting container process caused \"process_linux.go:430: container init caused \\\"error running hook: exit status 1, stdout: , stderr: nvidia-container-cli: initialization error: driver error: failed to process request\\\"\": unknown.",
            "failed to create task for container: failed to create shim task: OCI runtime create failed: runc create failed: unable to start container process: error during container init: error running prestart hook #0: exit status 1, stdout: , stderr: Auto-detected mode as 'legacy'\nnvidia-container-cli: initialization error: nvml error: driver not loaded: unknown",
            "CDI device injection failed: unresolvable CDI devices nvidia.com/gpu=0",
            "failed to discover GPU vendor from CDI: no known GPU vendor found",
            "unknown or invalid runtime name: nvidia",
        ] {
            assert!(is_gpu_runtime(words), "{words}");
        }
        for words in [
            "could not select device driver \"\" with capabilities: [[tpu]]",
            "OCI runtime create failed: exec: \"init.sh\": executable file not found in $PATH: unknown",
        ] {
            assert!(!is_gpu_runtime(words), "{words}");
        }
    }

    #[test]
    fn a_full_disk_is_recognised() {
        assert!(is_disk_full(
            "failed to create task for container: mkdir /run/x: No space left on device: unknown"
        ));
        assert!(!is_disk_full("no such device"));
    }
}
