//! Reading headers, many at once: a network folder answers slowly and takes many questions.

use std::{
    collections::{HashMap, HashSet},
    fs::File,
    io::{self, Read as _, Seek as _, SeekFrom},
    path::Path,
    sync::atomic::{AtomicUsize, Ordering},
    thread,
};

use forgekeeper_domain::{
    Timestamp,
    models::{FileForm, HeaderFault, ModelKind, PREFIX, classify, header_length, read_header},
};
use sha2::{Digest as _, Sha256};

use super::{
    Found, ModelFile, NotLooked,
    cache::{Cache, Key, Looked},
};

/// Files that are read at once.
const AT_ONCE: usize = 8;
/// Bytes that are read first: most headers fit.
const FIRST: usize = 256 * 1024;
/// Bytes of each piece that stands for the whole.
const PIECE: usize = 16 * 1024;

/// Reads what is not known yet; in the order of what was found.
pub(super) fn look(
    found: Vec<Found>,
    cache: &mut Cache,
    stop: &(dyn Fn() -> bool + Sync),
) -> Vec<ModelFile> {
    let mut files: Vec<ModelFile> = found.iter().map(model_file).collect();
    let keys: Vec<Key> = found
        .iter()
        .zip(&files)
        .map(|(found, file)| key(found, file))
        .collect();
    let known: Vec<Option<Looked>> = keys.iter().map(|key| cache.get(key)).collect();
    let looked = at_once(
        found.len(),
        stop,
        &|number, buffer: &mut Vec<u8>| match &known[number] {
            Some(known) => Some(known.clone()),
            None => looked(&found[number], buffer),
        },
    );
    for ((file, key), looked) in files.iter_mut().zip(&keys).zip(looked) {
        match looked {
            Some(Some(looked)) => {
                cache.put(key.clone(), &looked);
                file.kind = looked.kind;
                file.fault = looked.fault;
                if let Some(words) = looked.refused {
                    file.not_looked = Some(NotLooked::Refused { words });
                }
                file.sha256 = looked.sha256;
                file.sample = looked.sample;
            }
            Some(None) => {}
            // Nobody waits for it any more.
            None => {
                let words = "it was cancelled before".to_owned();
                file.not_looked = Some(NotLooked::Refused { words });
            }
        }
    }
    sample(&found, &mut files, &keys, cache, stop);
    files
}

fn model_file(found: &Found) -> ModelFile {
    let modified = found.metadata.modified().ok();
    ModelFile {
        path: found.shown.display().to_string(),
        name: found.name.clone(),
        folder: found.folder,
        size: found.metadata.len(),
        modified_at: modified.and_then(|at| Timestamp::try_from(at).ok()),
        form: found.form,
        kind: ModelKind::default(),
        fault: None,
        not_looked: match found.form {
            FileForm::Safetensors => None,
            FileForm::Pickle => Some(NotLooked::Pickle),
            FileForm::Gguf | FileForm::Other => Some(NotLooked::Form),
        },
        link: found.link,
        sha256: None,
        sample: None,
        identity: found.identity.clone(),
    }
}

fn key(found: &Found, file: &ModelFile) -> Key {
    Key {
        path: found.path.to_string_lossy().into_owned(),
        size: file.size,
        modified: file.modified_at.map(Timestamp::as_nanosecond),
    }
}

/// Calls for each number, some at once; `None` where it was stopped before.
fn at_once<T: Send>(
    count: usize,
    stop: &(dyn Fn() -> bool + Sync),
    call: &(dyn Fn(usize, &mut Vec<u8>) -> T + Sync),
) -> Vec<Option<T>> {
    let next = AtomicUsize::new(0);
    let work = || {
        let mut done = Vec::new();
        let mut buffer = Vec::new();
        loop {
            let number = next.fetch_add(1, Ordering::Relaxed);
            if number >= count || stop() {
                return done;
            }
            done.push((number, call(number, &mut buffer)));
        }
    };
    let mut all: Vec<Option<T>> = Vec::new();
    all.resize_with(count, || None);
    thread::scope(|scope| {
        let threads: Vec<_> = (0..AT_ONCE.min(count)).map(|_| scope.spawn(work)).collect();
        for thread in threads {
            // One that ended unexpectedly leaves its files unknown.
            for (number, value) in thread.join().unwrap_or_default() {
                all[number] = Some(value);
            }
        }
    });
    all
}

/// What the header says; `None` for a form that is not read.
fn looked(found: &Found, buffer: &mut Vec<u8>) -> Option<Looked> {
    if found.form != FileForm::Safetensors {
        return None;
    }
    Some(match header(&found.path, buffer) {
        Ok(Ok((kind, fault))) => Looked {
            kind,
            fault,
            ..Looked::default()
        },
        Ok(Err(fault)) => Looked {
            fault: Some(fault),
            ..Looked::default()
        },
        Err(error) => Looked {
            refused: Some(error.to_string()),
            ..Looked::default()
        },
    })
}

type Header = Result<(ModelKind, Option<HeaderFault>), HeaderFault>;

fn header(path: &Path, buffer: &mut Vec<u8>) -> io::Result<Header> {
    let mut file = File::open(path)?;
    let size = file.metadata()?.len();
    buffer.clear();
    file.by_ref().take(FIRST as u64).read_to_end(buffer)?;
    let length = match header_length(buffer, size) {
        Ok(length) => length,
        Err(fault) => return Ok(Err(fault)),
    };
    let whole = PREFIX + length;
    let missing = whole.saturating_sub(buffer.len() as u64);
    if missing > 0 {
        // At most as long as the file, and as a header may be: both were looked at.
        file.take(missing).read_to_end(buffer)?;
    }
    let (from, to) = (PREFIX, whole);
    let (Ok(from), Ok(to)) = (usize::try_from(from), usize::try_from(to)) else {
        return Ok(Err(HeaderFault::TooLong));
    };
    let Some(json) = buffer.get(from..to) else {
        return Ok(Err(HeaderFault::Incomplete));
    };
    Ok(match read_header(json, size) {
        Ok(mut header) => {
            let kind = classify(&header);
            Ok((kind, header.fault.take()))
        }
        Err(fault) => Err(fault),
    })
}

/// Samples those that have another file's length: only they can be the same.
fn sample(
    found: &[Found],
    files: &mut [ModelFile],
    keys: &[Key],
    cache: &mut Cache,
    stop: &(dyn Fn() -> bool + Sync),
) {
    let mut sizes: HashMap<u64, HashSet<&str>> = HashMap::new();
    for file in files.iter() {
        sizes.entry(file.size).or_default().insert(&file.identity);
    }
    let wanted: Vec<usize> = files
        .iter()
        .enumerate()
        .filter(|(_, file)| file.sample.is_none() && file.size > 0)
        .filter(|(_, file)| !matches!(file.not_looked, Some(NotLooked::Refused { .. })))
        .filter(|(_, file)| sizes.get(&file.size).is_some_and(|same| same.len() > 1))
        .map(|(number, _)| number)
        .collect();
    let samples = at_once(wanted.len(), stop, &|number, buffer| {
        let number = wanted[number];
        // One that cannot be read is compared with nothing.
        pieces(&found[number].path, buffer).ok()
    });
    for (number, sample) in wanted.into_iter().zip(samples) {
        if let Some(Some(sample)) = sample {
            cache.set_sample(&keys[number], &sample);
            files[number].sample = Some(sample);
        }
    }
}

/// A hash of beginning, middle and end.
fn pieces(path: &Path, buffer: &mut Vec<u8>) -> io::Result<String> {
    let mut file = File::open(path)?;
    let size = file.metadata()?.len();
    let piece = PIECE as u64;
    // Behind the header, too: files of one sort have the same.
    let quarter = size / 4;
    let mut hash = Sha256::new();
    hash.update(size.to_le_bytes());
    for at in [0, quarter, quarter * 2, size.saturating_sub(piece)] {
        file.seek(SeekFrom::Start(at))?;
        buffer.clear();
        file.by_ref().take(piece).read_to_end(buffer)?;
        hash.update(&*buffer);
    }
    Ok(hex::encode(hash.finalize()))
}
