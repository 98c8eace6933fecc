use LogLevel::{Debug, Error, Fatal, Info, Unknown, Warning};

use super::*;
use crate::logs::prefilter::Prefilter;

#[test]
fn all_rules_compile() {
    for (regex, (_, pattern)) in COMPILED.iter().zip(RULES) {
        assert!(regex.is_some(), "{pattern}");
    }
}

#[test]
fn few_rules_are_tried_on_every_line() {
    let patterns = patterns();
    let tried = Prefilter::new(patterns.iter().map(String::as_str)).without_literal();
    for place in &tried {
        let pattern = &patterns[*place];
        assert!(pattern.starts_with('^'), "{pattern} has no literal");
    }
    assert!(tried.len() <= 3);
}

#[test]
fn real_lines_get_the_level_their_words_tell() {
    let mut wrong = Vec::new();
    for (expected, text) in [
        // Forge, as of the diagnostic.
        (Error, "    ModuleNotFoundError: No module named 'ldm'"),
        (Error, "*** Error loading script: attention.py"),
        (
            Warning,
            "patch_basic.py:38: FutureWarning: You are using `torch.load` with `weights_only=False`",
        ),
        (
            Error,
            "[CivitAI-Browser+] - Basemodel fetch error extracting options: 'issues'",
        ),
        (
            Unknown,
            "Couldn't fetch latest baseModel options, using default.",
        ),
        (Error, "[CivitAI-Browser+] - HTTP Error 500"),
        (
            Info,
            "Launching Web UI with arguments: --api --listen --port 17860",
        ),
        (Info, "Running on local URL:  http://127.0.0.1:17860"),
        (
            Warning,
            "Running on public URL: https://0a1b2c3d4e5f.gradio.live",
        ),
        (
            Info,
            "Startup time: 52.3s (import torch: 27.8s, load scripts: 8.9s).",
        ),
        (Info, "To see the GUI go to: http://127.0.0.1:8188"),
        (Info, "Device: cuda:0 NVIDIA GeForce RTX 3090 : native"),
        (Warning, "Failed to use cudaMallocAsync backend."),
        (Warning, "Arg --medvram is removed in Forge."),
        (Warning, "INCOMPATIBLE PYTHON VERSION"),
        (Fatal, "RuntimeError: Couldn't install torch."),
        (
            Error,
            "*** Error running install.py for extension /opt/x/extensions/foo",
        ),
        (
            Error,
            "*** The config file \"config.json\" is likely corrupted",
        ),
        (
            Warning,
            "Warning: bad setting value: samples_save: yes (str; expected bool)",
        ),
        (
            Error,
            "fatal: not a git repository (or any of the parent directories): .git",
        ),
        (
            Info,
            "2025-10-11 10:11:12,345 - ControlNet - INFO - ControlNet UI callback registered.",
        ),
        (
            Error,
            "2025-10-11 10:11:12,345 - ControlNet - ERROR - unit failed",
        ),
        (
            Warning,
            "Warning: BLIP not found at path repositories/BLIP/models/blip.py",
        ),
        (
            Error,
            "AssertionError: extension access disabled because of command line flags",
        ),
        (
            Info,
            "Model loaded in 12.3s (unload existing model: 0.2s, forge model load: 12.1s).",
        ),
        (
            Unknown,
            "[Unload] Trying to free 4563.84 MB for cuda:0 with 0 models keep loaded ... Done.",
        ),
        (
            Warning,
            "[Low VRAM Warning] In many cases, image generation will be 10x slower.",
        ),
        (Error, "ValueError: Failed to recognize model type!"),
        (
            Error,
            "safetensors_rust.SafetensorError: Error while deserializing header",
        ),
        (Error, "_pickle.UnpicklingError: invalid load key, '<'."),
        (Error, "File corrupted: models/VAE/a.pt"),
        (Fatal, "Stable diffusion model failed to load, exiting"),
        (
            Error,
            "*** API error: POST: http://127.0.0.1:7860/sdapi/v1/txt2img {'error': 'RuntimeError'}",
        ),
        (Error, "ERROR:    Exception in ASGI application"),
        // Memory and CUDA.
        (Error, "Got an OOM, unloading all loaded models."),
        (
            Error,
            "torch.OutOfMemoryError: CUDA out of memory. Tried to allocate 4.00 GiB.",
        ),
        (Error, "RuntimeError: CUDA error: out of memory"),
        (Error, "torch.AcceleratorError: CUDA error: unknown error"),
        (
            Error,
            "worker died: CUDA error: device-side assert triggered",
        ),
        (
            Warning,
            "Warning: Ran out of memory when regular VAE decoding, retrying with tiled VAE decoding.",
        ),
        (
            Warning,
            "out of memory error, increasing steps and trying again 2",
        ),
        (
            Warning,
            "Patching LoRA weights out of memory. Retrying by offloading models.",
        ),
        (
            Unknown,
            "CUDA kernel errors might be asynchronously reported at some other API call",
        ),
        (
            Warning,
            "Warning: caught exception 'Found no NVIDIA driver on your system.', memory monitor disabled",
        ),
        (
            Warning,
            "WARNING[XFORMERS]: xFormers can't load C++/CUDA extensions.",
        ),
        (
            Warning,
            "processing.py:924: RuntimeWarning: invalid value encountered in cast",
        ),
        (
            Error,
            "modules.devices.NansException: A tensor with all NaNs was produced in VAE.",
        ),
        (
            Error,
            "Failed to initialize NVML: Driver/library version mismatch",
        ),
        (Error, "NVRM: Xid (PCI:0000:01:00): 62, 323f0f30 0000c3d8"),
        // Container and supervisor.
        (
            Error,
            "nvidia-container-cli: initialization error: nvml error: driver/library version mismatch: unknown",
        ),
        (
            Error,
            "Error response from daemon: error gathering device information",
        ),
        (Error, "OSError: [Errno 28] No space left on device"),
        (Fatal, "auto-1 exited with code 137"),
        (Unknown, "auto-1 exited with code 0"),
        (Fatal, "Killed"),
        (
            Fatal,
            "/opt/x/webui.sh: line 262:   812 Killed                  python launch.py",
        ),
        (
            Info,
            "2025-10-11 10:11:12,131 INFO success: forge entered RUNNING state, process has stayed up",
        ),
        (
            Fatal,
            "2025-10-11 10:12:12,131 INFO gave up: forge entered FATAL state, too many start retries too quickly",
        ),
        (
            Error,
            "2025-10-11 10:12:12,131 WARN exited: forge (exit status 1; not expected)",
        ),
        (
            Info,
            "2025-10-11 10:12:12,131 INFO exited: forge (exit status 0; expected)",
        ),
        (
            Fatal,
            "OSError: Cannot find empty port in range: 17860-17860. You can specify a different port",
        ),
        (
            Warning,
            "WARNING: Low disk space allocation - Only the first model will be downloaded!",
        ),
        (Error, "/workspace/ is not a mounted volume."),
        // ComfyUI and others.
        (Error, "!!! Exception during processing !!! probe failure"),
        (
            Error,
            "   0.0 seconds (IMPORT FAILED): /root/ComfyUI/custom_nodes/foo",
        ),
        (
            Warning,
            "Failed to initialize database. Please ensure you have installed the latest requirements.",
        ),
        (
            Warning,
            "WARNING path /models/checkpoints/a.safetensors exists but doesn't link anywhere, skipping.",
        ),
        (Info, "got prompt"),
        (
            Info,
            r#"{"level":"info","ts":1760177472.1,"logger":"http","msg":"error handling"}"#,
        ),
        (
            Error,
            r#"{"level":"error","ts":1760177472.1,"msg":"dial tcp: connection refused"}"#,
        ),
        (
            Warning,
            "time=\"2025-10-11T10:11:12Z\" level=warning msg=\"x\"",
        ),
        (
            Warning,
            "[W 2025-10-11 10:11:12.123 ServerApp] ServerApp.token config is deprecated",
        ),
        (
            Info,
            "[2025-10-11 10:11:12 +0000] [812] [INFO] Starting gunicorn 20.1.0",
        ),
        (
            Error,
            "2024-09-28 10:11:12.345678: E tensorflow/stream_executor/cuda.cc:1] Unable to register",
        ),
        (
            Debug,
            "DEBUG:urllib3.connectionpool:Starting new HTTPS connection",
        ),
        (Warning, "WARNING:root:careful"),
        (Error, "Traceback (most recent call last):"),
        (Error, "KeyError"),
        // Not fooled.
        (Unknown, ""),
        (Unknown, "Loaded /models/error/warning-fatal.safetensors"),
        (Unknown, "scripts/error.py loaded"),
        (Unknown, "0 errors, 0 warnings"),
        (Unknown, "Checked 12 files: no error found"),
        (
            Unknown,
            "prompt: a WARNING sign, ERROR 404, CUDA error: neon",
        ),
        (
            Unknown,
            "Negative prompt: bad, error, FutureWarning: blurry",
        ),
        (Unknown, "'prompt': 'ERROR: a stop sign'"),
        (Unknown, "a big ERROR on a wall, oil painting"),
        (
            Unknown,
            "  File \"/opt/x/errors.py\", line 12, in CUDA error: report",
        ),
        (
            Unknown,
            "    raise RuntimeError(\"CUDA error: out of memory\")",
        ),
        (
            Unknown,
            "Total progress:  50%|█████     | 10/20 [00:06<00:06,  1.57it/s]",
        ),
        (Unknown, "Information about errors is in the INFO panel"),
        (Unknown, "starlette.websockets.WebSocketDisconnect: 1006"),
    ] {
        let got = guess(text);
        if got != expected {
            wrong.push(format!("{text}: {got:?}, not {expected:?}"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn a_long_line_is_cut_between_characters() {
    assert_eq!(guess(&"é".repeat(LOOKED_AT)), Unknown);
    assert_eq!(guess(&format!("ERROR: {}", "█".repeat(LOOKED_AT))), Error);
}
