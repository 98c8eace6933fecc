//! For `cargo xtask bench inventory`: `make FOLDER COUNT` writes sparse model files of 2 GB with the header of a
//! real SDXL checkpoint, `scan FOLDER MEMORY` looks through them as the keeper does.

use std::{
    error::Error,
    fmt::Write as _,
    fs::{self, File},
    io::Write as _,
    path::Path,
    time::Instant,
};

use forgekeeper_domain::models::{Family, Role};
use forgekeeper_keeper::inventory::look_through;

type Failure = Box<dyn Error + Send + Sync>;

/// Of one file.
const BYTES: u64 = 2_000_000_000;
/// Tensors of a real SDXL checkpoint.
const TENSORS: u64 = 2_515;

fn main() -> Result<(), Failure> {
    let args: Vec<String> = std::env::args().skip(1).collect();
    match &args.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        ["make", folder, count] => make(Path::new(folder), count.parse()?),
        ["scan", folder, memory] => {
            scan(Path::new(folder), Path::new(memory));
            Ok(())
        }
        _ => Err("make FOLDER COUNT | scan FOLDER MEMORY".into()),
    }
}

fn make(folder: &Path, count: u32) -> Result<(), Failure> {
    let header = header();
    for number in 0..count {
        let sub = folder.join(format!("Stable-diffusion/{:02}", number % 20));
        fs::create_dir_all(&sub)?;
        let mut file = File::create(sub.join(format!("model-{number:04}.safetensors")))?;
        file.write_all(&(header.len() as u64).to_le_bytes())?;
        file.write_all(header.as_bytes())?;
        file.set_len(BYTES)?;
    }
    Ok(())
}

/// Names and shapes as the real file has them; the last tensor is as long as the rest.
fn header() -> String {
    let mut text = String::from(
        "{\"__metadata__\":{\"modelspec.architecture\":\"stable-diffusion-xl-v1-base\"}",
    );
    let mut at = 0_u64;
    let put = |text: &mut String, at: &mut u64, name: &str, shape: &str, bytes: u64| {
        let end = *at + bytes;
        // Writing into a text never fails.
        let _ = write!(
            text,
            ",\"{name}\":{{\"dtype\":\"F16\",\"shape\":{shape},\"data_offsets\":[{at},{end}]}}"
        );
        *at = end;
    };
    put(
        &mut text,
        &mut at,
        "conditioner.embedders.0.transformer.text_model.encoder.layers.0.self_attn.k_proj.weight",
        "[768,768]",
        768 * 768 * 2,
    );
    put(
        &mut text,
        &mut at,
        "first_stage_model.decoder.conv_in.weight",
        "[512,4,3,3]",
        512 * 4 * 9 * 2,
    );
    for number in 0..TENSORS - 3 {
        let (block, layer) = (number % 9, number / 9 % 10);
        let name = format!(
            "model.diffusion_model.input_blocks.{block}.1.transformer_blocks.{layer}.attn2.to_{}.{number}.weight",
            ["q", "v", "out"][usize::try_from(number % 3).unwrap_or_default()]
        );
        put(&mut text, &mut at, &name, "[64,64]", 64 * 64 * 2);
    }
    put(
        &mut text,
        &mut at,
        "model.diffusion_model.input_blocks.4.1.transformer_blocks.0.attn2.to_k.weight",
        "[640,2048]",
        640 * 2048 * 2,
    );
    let name = "model.diffusion_model.rest.weight";
    // The header says how long it is itself: its last numbers have the same count of digits in any case.
    let room = 8 + text.len() as u64 + 256;
    let rest = (BYTES - room - at) / 2 * 2;
    put(&mut text, &mut at, name, &format!("[{}]", rest / 2), rest);
    text.push('}');
    let wanted = usize::try_from(BYTES - at - 8).unwrap_or_default();
    while text.len() < wanted {
        text.push(' ');
    }
    text
}

fn scan(folder: &Path, memory: &Path) {
    let started = Instant::now();
    let inventory = look_through(folder, memory);
    let ms = started.elapsed().as_secs_f64() * 1_000.0;
    let known = inventory.files.iter().filter(|file| {
        file.fault.is_none()
            && file.kind.role == Some(Role::Checkpoint)
            && file.kind.family == Some(Family::Sdxl)
    });
    println!(
        "{{\"ms\": {ms}, \"files\": {}, \"known\": {}}}",
        inventory.files.len(),
        known.count()
    );
}
