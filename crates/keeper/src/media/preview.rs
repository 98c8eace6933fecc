//! The newest live preview of each running generation, in memory only.

use std::{
    collections::VecDeque,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use bytes::Bytes;
use forgekeeper_domain::ids::JobId;

use super::{decode, pictures::PictureFile};

/// Generations whose last preview is kept.
const MAX_JOBS: usize = 8;
/// Largest preview in bytes.
const MAX_BYTES: usize = 8 * 1024 * 1024;

/// The shelf; clones share it.
#[derive(Debug, Clone, Default)]
pub struct Previews {
    shelf: Arc<Mutex<VecDeque<Shelved>>>,
}

#[derive(Debug)]
struct Shelved {
    job: JobId,
    number: u32,
    file: PictureFile,
}

impl Previews {
    /// Puts a preview in place of the one before; its path below the picture protocol, or `None`
    /// when it is no picture or too large. The path changes with each preview, so that no viewer
    /// shows an old one from its cache.
    pub fn put(&self, job: &JobId, bytes: Bytes) -> Option<String> {
        if bytes.len() > MAX_BYTES {
            return None;
        }
        let mime = decode::header(&bytes)
            .ok()?
            .format
            .to_mime_type()
            .to_owned();
        let mut shelf = self.lock();
        let before = shelf
            .iter()
            .position(|entry| entry.job == *job)
            .and_then(|at| shelf.remove(at));
        let number = before.map_or(1, |entry| entry.number.wrapping_add(1));
        if shelf.len() >= MAX_JOBS {
            shelf.pop_front();
        }
        shelf.push_back(Shelved {
            job: job.clone(),
            number,
            file: PictureFile { mime, bytes },
        });
        Some(format!("preview/{job}/{number}"))
    }

    /// The preview at a path such as `preview/JOB/3`; only the newest of a job is kept.
    pub fn get(&self, path: &str) -> Option<PictureFile> {
        let (job, number) = path.strip_prefix("preview/")?.split_once('/')?;
        let number: u32 = number.parse().ok()?;
        let shelf = self.lock();
        let entry = shelf
            .iter()
            .find(|entry| entry.job.as_str() == job && entry.number == number)?;
        Some(entry.file.clone())
    }

    /// Forgets a generation that ended.
    pub fn forget(&self, job: &JobId) {
        self.lock().retain(|entry| entry.job != *job);
    }

    fn lock(&self) -> MutexGuard<'_, VecDeque<Shelved>> {
        // Nothing panics while the lock is held; if it ever did, the shelf is still whole.
        self.shelf.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn png(level: u8) -> Bytes {
        let mut bytes = Vec::new();
        image::DynamicImage::from(image::RgbImage::from_pixel(4, 4, image::Rgb([level; 3])))
            .write_to(
                &mut std::io::Cursor::new(&mut bytes),
                image::ImageFormat::Png,
            )
            .expect("encodes");
        Bytes::from(bytes)
    }

    #[test]
    fn only_the_newest_preview_of_the_newest_jobs_is_kept() {
        let previews = Previews::default();
        let job = |n: usize| JobId::new(format!("job-{n}")).expect("an id");
        assert_eq!(
            previews.put(&job(0), png(1)).as_deref(),
            Some("preview/job-0/1")
        );
        assert_eq!(
            previews.put(&job(0), png(2)).as_deref(),
            Some("preview/job-0/2")
        );
        assert_eq!(previews.get("preview/job-0/1"), None);
        let file = previews.get("preview/job-0/2").expect("kept");
        assert_eq!((file.mime.as_str(), file.bytes), ("image/png", png(2)));
        for n in 1..=MAX_JOBS {
            previews.put(&job(n), png(3));
        }
        assert_eq!(
            previews.get("preview/job-0/2"),
            None,
            "the oldest made room"
        );
        previews.forget(&job(1));
        for path in [
            "preview/job-1/1",
            "preview/../1",
            "preview/job-2",
            "job-2/1",
            "preview/job-2/x",
            "",
        ] {
            assert_eq!(previews.get(path), None, "{path}");
        }
        assert_eq!(previews.put(&job(2), Bytes::from_static(b"<svg/>")), None);
    }
}
