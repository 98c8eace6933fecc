//! Index, manifests and configuration of an image, as a registry keeps them: by their digests.

use serde_json::{Value, json};

use super::{Oddity, Registry, Shelved};
use crate::docker::hex_id;
use crate::lock::lock;

pub(super) const INDEX: &str = "application/vnd.oci.image.index.v1+json";
pub(super) const MANIFEST: &str = "application/vnd.oci.image.manifest.v1+json";
const CONFIG: &str = "application/vnd.oci.image.config.v1+json";

fn digest(bytes: &[u8]) -> String {
    format!("sha256:{}", hex_id(bytes))
}

impl Registry {
    fn keep(&self, document: &Value) -> (String, usize) {
        let bytes = document.to_string().into_bytes();
        let (digest, length) = (digest(&bytes), bytes.len());
        lock(&self.blobs).insert(digest.clone(), bytes);
        (digest, length)
    }

    fn manifest(&self, image: &Shelved, platform: &(String, String)) -> (String, usize) {
        let labels = image
            .source
            .as_ref()
            .map(|source| json!({"org.opencontainers.image.source": source}));
        let (config, length) = self.keep(&json!({
            "os": platform.0, "architecture": platform.1,
            "created": image.created.map(|at| at.to_string()),
            "config": {"Labels": labels, "Env": ["CLI_ARGS="], "Cmd": ["bash", "/runner-scripts/entrypoint.sh"]},
            "rootfs": {"type": "layers", "diff_ids": []},
        }));
        let layers: Vec<Value> = image
            .layers
            .iter()
            .enumerate()
            .map(|(at, size)| {
                json!({"mediaType": "application/vnd.oci.image.layer.v1.tar+gzip", "size": size,
                       "digest": digest(format!("{} {at}", image.repository).as_bytes())})
            })
            .collect();
        self.keep(&json!({
            "schemaVersion": 2, "mediaType": MANIFEST,
            "config": {"mediaType": CONFIG, "digest": config, "size": length}, "layers": layers,
        }))
    }

    /// What a tag leads to: type and bytes.
    pub(super) fn top(&self, image: &Shelved) -> (&'static str, Vec<u8>) {
        if image.oddity == Oddity::FirstForm {
            let first = json!({"schemaVersion": 1, "name": image.repository, "fsLayers": []});
            return (
                "application/vnd.docker.distribution.manifest.v1+prettyjws",
                first.to_string().into_bytes(),
            );
        }
        if let [only] = &image.platforms[..] {
            let (digest, _) = self.manifest(image, only);
            let bytes = lock(&self.blobs).get(&digest).cloned();
            return (MANIFEST, bytes.unwrap_or_default());
        }
        let mut entries: Vec<Value> = image
            .platforms
            .iter()
            .map(|platform| {
                let (digest, size) = self.manifest(image, platform);
                json!({"mediaType": MANIFEST, "digest": digest, "size": size,
                       "platform": {"os": platform.0, "architecture": platform.1}})
            })
            .collect();
        // As builders add it: how it was built, for a platform that is none.
        entries.push(
            json!({"mediaType": MANIFEST, "size": 841, "digest": digest(b"attestation"),
            "platform": {"os": "unknown", "architecture": "unknown"},
            "annotations": {"vnd.docker.reference.type": "attestation-manifest"}}),
        );
        let index = json!({"schemaVersion": 2, "mediaType": INDEX, "manifests": entries});
        (INDEX, index.to_string().into_bytes())
    }
}
