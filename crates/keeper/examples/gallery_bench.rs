//! Fills a data folder with so many generations, each with a picture of its own, for
//! `cargo xtask bench generate`: `FOLDER COUNT`.

use std::{error::Error, io::Cursor, path::Path};

use bytes::Bytes;
use forgekeeper_domain::{
    generation::{GenerationRecord, GenerationRequest, GenerationVerdict, Seed},
    ids::{JobId, ServiceId},
};
use forgekeeper_keeper::{media::pictures::PictureStore, store::Store, sys::clock};
use image::{ImageFormat, Rgb, RgbImage};

type Failure = Box<dyn Error + Send + Sync>;

/// Of the pictures, pixels.
const SIDE: u32 = 512;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Failure> {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let [folder, count] = &args[..] else {
        return Err("FOLDER COUNT".into());
    };
    fill(Path::new(folder), count.parse()?).await
}

async fn fill(folder: &Path, count: u32) -> Result<(), Failure> {
    let (store, _) = Store::open(folder).await?;
    let pictures = PictureStore::open(folder.join("pictures"))
        .await
        .map_err(|error| error.message)?;
    let now = clock::now();
    for number in 0..count {
        let seed = Seed(u64::from(number));
        let kept = pictures.keep(drawn(number)?, None, Some(seed)).await;
        let picture = kept.map_err(|error| error.message)?;
        let ago = jiff::SignedDuration::from_mins(i64::from(count - number));
        store
            .insert_generation(GenerationRecord {
                id: JobId::new(format!("bench-{number}"))?,
                service: ServiceId::new("myia")?,
                request: GenerationRequest {
                    prompt: format!("picture {number}"),
                    seed: Some(seed),
                    ..GenerationRequest::default()
                },
                started_at: now.checked_sub(ago)?,
                took_ms: 1_000 + number,
                verdict: GenerationVerdict::Proved,
                pictures: vec![picture],
                substitutions: Vec::new(),
                parameters: None,
                model: Some("bench".to_owned()),
                error: None,
                timing: None,
                card: None,
                on_cpu: false,
                workflow: None,
            })
            .await?;
    }
    store.close().await;
    Ok(())
}

/// Soft waves that no other number has: as large a file as a real picture.
fn drawn(number: u32) -> Result<Bytes, Failure> {
    let shift = f64::from(number);
    let picture = RgbImage::from_fn(SIDE, SIDE, |x, y| {
        let wave = |k: f64| {
            let at = f64::from(x) / (20.0 + k) + f64::from(y) / 31.0 * k + shift;
            let noise = f64::from((x * 7 + y * 13 + number * 5) % 17);
            #[expect(
                clippy::cast_possible_truncation,
                clippy::cast_sign_loss,
                reason = "between 0 and 255"
            )]
            let level = (at.sin().mul_add(110.0, 120.0) + noise) as u8;
            level
        };
        Rgb([wave(1.0), wave(2.0), wave(3.0)])
    });
    let mut bytes = Cursor::new(Vec::new());
    picture.write_to(&mut bytes, ImageFormat::Png)?;
    Ok(bytes.into_inner().into())
}
