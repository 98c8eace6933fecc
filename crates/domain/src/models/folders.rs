//! Where Forge keeps its models, and what ComfyUI calls those folders, as a table.

use serde::{Deserialize, Serialize};

use super::kind::Role;

/// A sort of folder, by ComfyUI's name for it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "specta", derive(specta::Type))]
#[serde(rename_all = "snake_case")]
pub enum FolderId {
    /// Whole models; Forge keeps models without encoders there, too.
    Checkpoints,
    /// Models without encoders.
    DiffusionModels,
    /// Small changes to models.
    Loras,
    /// VAEs.
    Vae,
    /// Text encoders.
    TextEncoders,
    /// Textual inversions.
    Embeddings,
    /// What enlarges.
    UpscaleModels,
    /// ControlNets.
    Controlnet,
    /// Hypernetworks.
    Hypernetworks,
    /// Readers of pictures.
    ClipVision,
}

/// How folders are named.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "specta", derive(specta::Type))]
#[serde(rename_all = "snake_case")]
pub enum Layout {
    /// As Forge and A1111 name them below `models`.
    Webui,
    /// As ai-dock's storage names them.
    Storage,
}

/// One row of [`FOLDERS`].
#[derive(Debug, Clone, Copy)]
pub struct FolderRow {
    /// Which.
    pub id: FolderId,
    /// ComfyUI's key in `extra_model_paths.yaml`, and its own folder's name.
    pub key: &'static str,
    /// Below Forge's `models`.
    pub webui: &'static [&'static str],
    /// Beside Forge's `models`.
    pub beside: &'static [&'static str],
    /// Below the storage's `models`.
    pub storage: &'static [&'static str],
    /// Forge's arguments that name one more.
    pub flags: &'static [&'static str],
    /// What its files do, by their own headers.
    pub roles: &'static [Role],
}

impl FolderRow {
    /// The folders below a `models` folder of this layout.
    pub fn names(&self, layout: Layout) -> &'static [&'static str] {
        match layout {
            Layout::Webui => self.webui,
            Layout::Storage => self.storage,
        }
    }
}

/// Every sort of folder.
pub const FOLDERS: &[FolderRow] = &[
    FolderRow {
        id: FolderId::Checkpoints,
        key: "checkpoints",
        webui: &["Stable-diffusion"],
        beside: &[],
        storage: &["ckpt"],
        flags: &["--ckpt-dir", "--ckpt-dirs"],
        roles: &[Role::Checkpoint, Role::DiffusionModel],
    },
    FolderRow {
        id: FolderId::DiffusionModels,
        key: "diffusion_models",
        webui: &["diffusion_models", "unet"],
        beside: &[],
        storage: &["unet", "diffusion_models"],
        flags: &[],
        roles: &[Role::DiffusionModel],
    },
    FolderRow {
        id: FolderId::Loras,
        key: "loras",
        webui: &["Lora", "LyCORIS"],
        beside: &[],
        storage: &["lora"],
        flags: &["--lora-dir", "--lora-dirs", "--lyco-dir"],
        roles: &[Role::Lora],
    },
    FolderRow {
        id: FolderId::Vae,
        key: "vae",
        webui: &["VAE"],
        beside: &[],
        storage: &["vae"],
        flags: &["--vae-dir", "--vae-dirs"],
        roles: &[Role::Vae],
    },
    FolderRow {
        id: FolderId::TextEncoders,
        key: "text_encoders",
        webui: &["text_encoder"],
        beside: &[],
        storage: &["clip", "text_encoders"],
        flags: &["--text-encoder-dir", "--text-encoder-dirs"],
        roles: &[Role::TextEncoder],
    },
    FolderRow {
        id: FolderId::Embeddings,
        key: "embeddings",
        webui: &["embeddings"],
        beside: &["embeddings"],
        storage: &["embeddings", "embedding"],
        flags: &["--embeddings-dir"],
        roles: &[Role::Embedding],
    },
    FolderRow {
        id: FolderId::UpscaleModels,
        key: "upscale_models",
        webui: &["ESRGAN", "RealESRGAN", "SwinIR", "DAT", "HAT"],
        beside: &[],
        storage: &["esrgan"],
        flags: &[
            "--esrgan-models-path",
            "--realesrgan-models-path",
            "--swinir-models-path",
            "--dat-models-path",
        ],
        roles: &[Role::Upscaler],
    },
    FolderRow {
        id: FolderId::Controlnet,
        key: "controlnet",
        webui: &["ControlNet"],
        beside: &[],
        storage: &["controlnet"],
        flags: &["--controlnet-dir"],
        roles: &[Role::Controlnet, Role::IpAdapter],
    },
    FolderRow {
        id: FolderId::Hypernetworks,
        key: "hypernetworks",
        webui: &["hypernetworks"],
        beside: &[],
        storage: &["hypernetworks"],
        flags: &["--hypernetwork-dir"],
        roles: &[],
    },
    FolderRow {
        id: FolderId::ClipVision,
        key: "clip_vision",
        webui: &["clip_vision"],
        beside: &[],
        storage: &["clip_vision"],
        flags: &[],
        roles: &[Role::ClipVision],
    },
];

/// The row of a sort.
pub fn folder_row(id: FolderId) -> &'static FolderRow {
    // A test finds a row for each.
    FOLDERS
        .iter()
        .find(|row| row.id == id)
        .unwrap_or(&FOLDERS[0])
}

/// The sort that a path belongs to, by the first of its folders that has a known name.
pub fn folder_of_path(path: &str) -> Option<FolderId> {
    let mut pieces = path.split(['/', '\\']).filter(|piece| !piece.is_empty());
    pieces.find_map(|piece| {
        let named = |name: &&str| name.eq_ignore_ascii_case(piece);
        let row = FOLDERS.iter().find(|row| {
            let names = row.webui.iter().chain(row.storage).chain(row.beside);
            row.key.eq_ignore_ascii_case(piece) || names.into_iter().any(named)
        });
        row.map(|row| row.id)
    })
}

/// The sort of a file's folder, and the file's name below it: that of the folder right below `models` where
/// there is one, else of the first folder with a known name.
pub fn below_folder(path: &str) -> Option<(FolderId, String)> {
    let path = path.replace('\\', "/");
    let pieces: Vec<&str> = path.split('/').filter(|piece| !piece.is_empty()).collect();
    let folders = pieces.len().saturating_sub(1);
    let sort = |number: &usize| folder_of_path(pieces[*number]);
    let below_models = (1..folders)
        .rev()
        .filter(|number| pieces[*number - 1].eq_ignore_ascii_case("models"))
        .find(|number| sort(number).is_some());
    let number = below_models.or_else(|| (0..folders).find(|number| sort(number).is_some()))?;
    Some((sort(&number)?, pieces[number + 1..].join("/")))
}
