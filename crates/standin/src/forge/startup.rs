//! Start of the program: its lines, in order, and the phases they go with.

use std::sync::Arc;
use std::time::Instant;

use super::{Forge, Phase};
use crate::faults::Fault;

/// Milliseconds to wait before a line, at speed 1, and the line.
fn lines(forge: &Forge) -> Vec<(f64, String)> {
    let card = forge.gpus.cards().get(forge.spec.card);
    let name = card.map_or("NVIDIA GeForce RTX 3080", |c| c.name.as_str());
    let vram = card.map_or(16_384, |c| c.total_mib);
    let first = forge
        .spec
        .checkpoints
        .first()
        .map_or("none", String::as_str);
    let python = "/opt/environments/python/forge/lib/python3.10/site-packages";
    let text = |t: &str| t.to_owned();
    vec![
        (
            250.0,
            text("Python 3.10.14 (main, Aug 14 2024, 05:11:29) [GCC 11.4.0]"),
        ),
        (10.0, format!("Version: {}", forge.version())),
        (
            5.0,
            text("Commit hash: 2d3903dbc1b6d4c9a8f7e6d5c4b3a29180706f5e"),
        ),
        (
            400.0,
            format!(
                "Launching Web UI with arguments: {} --port 17860",
                forge.spec.args
            ),
        ),
        (1_800.0, text("Using cudaMallocAsync backend.")),
        (60.0, format!("Total VRAM {vram} MB, total RAM 64000 MB")),
        (5.0, text("pytorch version: 2.4.1+cu121")),
        (900.0, text("xformers version: 0.0.28")),
        (20.0, text("Set vram state to: NORMAL_VRAM")),
        (15.0, format!("Device: cuda:0 {name} : native")),
        (
            10.0,
            text("VAE dtype preferences: [torch.bfloat16, torch.float32] -> torch.bfloat16"),
        ),
        (10.0, text("CUDA Using Stream: False")),
        (700.0, text("Using xformers cross attention")),
        (20.0, text("Using xformers attention for VAE")),
        (1_200.0, text("*** Error loading script: attention.py")),
        (2.0, text("    Traceback (most recent call last):")),
        (
            1.0,
            text(
                "      File \"/opt/stable-diffusion-webui-forge/modules/scripts.py\", line 525, in load_scripts",
            ),
        ),
        (
            1.0,
            text("        script_module = script_loading.load_module(scriptfile.path)"),
        ),
        (
            1.0,
            text(
                "      File \"/workspace/stable-diffusion-webui-forge/extensions/sd-webui-regional-prompter/scripts/attention.py\", line 6, in <module>",
            ),
        ),
        (1.0, text("        import ldm.modules.attention as atm")),
        (1.0, text("    ModuleNotFoundError: No module named 'ldm'")),
        (1.0, text("---")),
        (
            600.0,
            format!(
                "{python}/torch/serialization.py: /opt/stable-diffusion-webui-forge/modules_forge/patch_basic.py:38: FutureWarning: You are using `torch.load` with `weights_only=False` (the current default value), which uses the default pickle module implicitly."
            ),
        ),
        (1.0, text("  result = original_torch_load(*args, **kwargs)")),
        (
            500.0,
            text("[CivitAI-Browser+] - Basemodel fetch error extracting options: 'issues'"),
        ),
        (
            5.0,
            text("Couldn't fetch latest baseModel options, using default."),
        ),
        (
            700.0,
            text(
                "ControlNet preprocessor location: /opt/stable-diffusion-webui-forge/models/ControlNetPreprocessor",
            ),
        ),
        (
            1_500.0,
            format!(
                "Model selected: {{'checkpoint_info': {{'filename': '/opt/stable-diffusion-webui-forge/models/Stable-diffusion/{first}', 'hash': ''}}, 'additional_modules': [], 'unet_storage_dtype': None}}"
            ),
        ),
        (20.0, text("Using online LoRAs in FP16: False")),
    ]
}

impl Forge {
    /// Runs the start-up to its end.
    pub async fn launch(self: Arc<Self>) {
        let run = self.fresh();
        let work = async {
            // The program has not opened its port yet: the placeholder ended with the preparation.
            self.phase.send_replace(Phase::Down);
            self.load();
            for (wait, line) in lines(&self) {
                self.pause(wait).await;
                self.say(&line);
                // Once: what was put back since is not broken.
                if self.is(Fault::ConfigReset)
                    && line.starts_with("CUDA Using Stream")
                    && crate::lock::lock(&self.disk)
                        .get("tmp/config.json")
                        .is_none()
                {
                    self.lose_settings();
                }
            }
            self.pause(300.0).await;
            if self.flag("--nowebui") {
                self.say(
                    "INFO:     Uvicorn running on http://0.0.0.0:17860 (Press CTRL+C to quit)",
                );
            } else {
                self.say("Running on local URL:  http://0.0.0.0:17860");
                self.phase.send_replace(Phase::PageOnly);
                self.say("\nTo create a public link, set `share=True` in `launch()`.");
                self.pause(700.0).await;
            }
            self.say("Startup time: 11.4s (import torch: 4.6s, initialize shared: 0.2s, load scripts: 3.9s, create ui: 1.5s, app_started_callback: 0.7s).");
            self.phase.send_replace(Phase::Ready);
        };
        tokio::select! {
            () = work => {}
            () = run.cancelled() => {}
        }
    }

    /// What Forge does with a settings file it cannot read.
    pub(super) fn lose_settings(&self) {
        self.say(
            "*** \n*** Could not load settings\n\
             *** The config file \"/workspace/stable-diffusion-webui-forge/config.json\" is likely corrupted\n\
             *** It has been moved to the \"tmp/config.json\"\n\
             *** Reverting config to default\n\
             ***     json.decoder.JSONDecodeError: Unterminated string starting at: line 212 column 5 (char 8191)",
        );
        self.forget_options();
    }

    /// Waits, ten times as long under `program-starting`; the fault may come and go meanwhile.
    async fn pause(&self, millis: f64) {
        let mut left = millis;
        let mut faults = self.faults.changes();
        loop {
            faults.borrow_and_update();
            let stretch = if self.is(Fault::ProgramStarting) {
                10.0
            } else {
                1.0
            };
            let began = Instant::now();
            tokio::select! {
                () = self.pace.wait(left * stretch) => return,
                // The board outlives every program.
                _ = faults.changed() => {
                    let passed = began.elapsed().as_secs_f64() * 1_000.0 * self.pace.speed();
                    left = (left - passed / stretch).max(0.0);
                }
            }
        }
    }

    /// The start-up lines of a program that has been up for long, without any waiting.
    pub fn old_start(&self) -> Vec<String> {
        let mut out: Vec<String> = lines(self).into_iter().map(|(_, line)| line).collect();
        out.push("Running on local URL:  http://0.0.0.0:17860".to_owned());
        out.push(String::new());
        out.push("To create a public link, set `share=True` in `launch()`.".to_owned());
        out.push("Startup time: 34.7s (import torch: 11.9s, initialize shared: 0.3s, load scripts: 6.2s, create ui: 12.1s, app_started_callback: 3.5s).".to_owned());
        out
    }
}
