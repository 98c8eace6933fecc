//! What lies in Forge's folder, and how its settings come from there and go there.

use std::sync::Arc;

use serde::Serialize as _;
use serde_json::{Map, Value};

use super::{Forge, options};
use crate::disk::Disk;
use crate::lock::lock;

const CONFIG: &str = "config.json";

/// Beside the settings.
const FILES: &[(&str, &str)] = &[
    ("launch.py", "from modules import launch_utils\n"),
    (
        "ui-config.json",
        "{\n    \"txt2img/Prompt/visible\": true,\n    \"txt2img/Sampling steps/value\": 20,\n    \"txt2img/Width/value\": 512\n}",
    ),
    (
        "styles.csv",
        "\u{feff}name,prompt,negative_prompt\r\nphoto,\"{prompt}, 35mm photograph\",\"drawing, blurry\"\r\n",
    ),
    (
        "extensions/sd-webui-regional-prompter/.git/HEAD",
        "ref: refs/heads/main\n",
    ),
    (
        "extensions/sd-webui-regional-prompter/.git/refs/heads/main",
        "4802faca6bcc40c4d1033920e8ad9fd7542eca79\n",
    ),
    (
        "extensions/sd-civitai-browser-plus/.git/HEAD",
        "ref: refs/heads/main\n",
    ),
    (
        "extensions/sd-civitai-browser-plus/.git/packed-refs",
        "# pack-refs with: peeled fully-peeled sorted\n6bc3161c33bb33aa8d0f1f2e4f5a6b7c8d9e0f1a refs/heads/main\n",
    ),
    (
        "extensions/adetailer/.git/HEAD",
        "a7d961131e879ea8a930034a21a2dee21b173e8c\n",
    ),
    (
        "extensions/adetailer/.git/logs/HEAD",
        "0000000000000000000000000000000000000000 a7d961131e879ea8a930034a21a2dee21b173e8c root <root@localhost> 1716282000 +0000\tclone: from a page\n",
    ),
    ("extensions/my-scripts/scripts/note.py", "# no checkout\n"),
];

/// A folder as the first start of the program leaves it, with these settings.
pub(super) fn fresh(saved: &Map<String, Value>) -> Arc<Disk> {
    let disk = Disk::with(FILES);
    if let Some(old) = disk.get("launch.py") {
        disk.put_at(CONFIG, text(saved), 0o644, old.modified);
    }
    Arc::new(disk)
}

/// As Python writes it: four blanks of indentation.
fn text(saved: &Map<String, Value>) -> Vec<u8> {
    let mut out = Vec::new();
    let form = serde_json::ser::PrettyFormatter::with_indent(b"    ");
    let mut writer = serde_json::Serializer::with_formatter(&mut out, form);
    // Into memory, of what came from JSON.
    let _ = saved.serialize(&mut writer);
    out
}

impl Forge {
    /// The folder in use.
    pub fn disk(&self) -> Arc<Disk> {
        Arc::clone(&lock(&self.disk))
    }

    /// The folder of its own workspace, whether it is mounted or not.
    pub fn home(&self) -> Arc<Disk> {
        Arc::clone(&self.home)
    }

    /// Another folder is mounted, and holds other settings.
    pub fn mount(&self, disk: Arc<Disk>) {
        *lock(&self.disk) = disk;
        self.load();
    }

    /// Nothing is mounted: the image's own folder is used, and goes with the container.
    pub fn use_throw_away(&self) {
        let saved = options::defaults(None);
        *lock(&self.disk) = fresh(&saved);
        *lock(&self.saved) = saved;
    }

    /// Writes the whole of the settings, as the program does at every change.
    pub(super) fn save(&self) {
        let bytes = text(&lock(&self.saved));
        self.disk().put(CONFIG, bytes);
    }

    /// Reads the settings. What is not there has its default.
    pub(super) fn load(&self) {
        let mut saved = options::defaults(None);
        if let Some(file) = self.disk().get(CONFIG) {
            match serde_json::from_slice::<Map<String, Value>>(&file.bytes) {
                Ok(found) => saved.extend(found),
                Err(_) => return self.lose_settings(),
            }
        }
        *lock(&self.saved) = saved;
    }

    /// A kill cut the file while it was written; the program moves it away.
    pub(super) fn move_settings_away(&self) {
        let disk = self.disk();
        if let Some(mut file) = disk.remove(CONFIG) {
            if serde_json::from_slice::<Value>(&file.bytes).is_ok() {
                file.bytes.truncate(file.bytes.len() * 2 / 3);
            }
            disk.put_at("tmp/config.json", file.bytes, file.mode, file.modified);
        }
    }
}
