//! What preparing and naming log lines costs: milliseconds per million lines, step by step.
//!
//! `cargo run --release -p forgekeeper-domain --example log_speed`

use std::{
    hint::black_box,
    time::{Duration, Instant},
};

use forgekeeper_domain::logs::{
    LogStream, events::Classifier, findings::Findings, level, prepare::LinePreparer, shape::shape,
    signature::SignatureSet,
};

/// Lines a step is measured on.
const LINES: usize = 200_000;

/// Ordinary lines of about 100 bytes; few of them are known.
const TYPICAL: &[&str] = &[
    "2025-10-11 10:11:12,131 DEBUG urllib3.connectionpool - https://huggingface.co:443 \"HEAD /a HTTP/1.1\" 200 0",
    "INFO:     127.0.0.1:51234 - \"POST /sdapi/v1/txt2img HTTP/1.1\" 200 OK in 4.123 s for 1 picture, queue now empty",
    "All loaded to GPU. 2441.32 MB used by the text encoder, 4897.05 MB by the diffusion model, 159.56 MB by the VAE",
    "Begin to load 1 model; reserved 1024.00 MB; the estimated remaining memory after loading is 15631.42 MB of 24576",
    "[2025-10-11 10:11:12] gallery: scanned 1834 files in /workspace/outputs/txt2img-images/2025-10-11 within 0.41 s",
    " 35%|███▌      | 7/20 [00:04<00:07,  1.65it/s]",
    "KModel Type: sdxl, prediction: epsilon, storage dtype torch.float16, computation dtype torch.float16, ok",
    "  File \"/opt/stable-diffusion-webui-forge/modules/processing.py\", line 842, in process_images_inner",
    "caddy.http.handlers.reverse_proxy selected upstream dial=localhost:17860 total_upstreams=1 duration=0.0003",
    "Seed 2861234567, sampler Euler a, 28 steps, size 1024x1024, cfg scale 7, model hash e3b0c44298, version f2.0",
];

fn main() {
    let lines: Vec<&str> = TYPICAL.iter().copied().cycle().take(LINES).collect();
    let bytes: usize = lines.iter().map(|line| line.len()).sum();
    println!(
        "{LINES} lines of {} bytes on average; milliseconds per million lines",
        bytes / LINES
    );

    let start = Instant::now();
    let set = SignatureSet::built_in();
    println!(
        "{:>8.1} ms once: reading {} signatures",
        start.elapsed().as_secs_f64() * 1e3,
        set.len()
    );

    measure("signatures", &lines, |line| {
        black_box(set.find_index(line));
    });
    measure("level", &lines, |line| {
        black_box(level::guess(line));
    });

    let raw: Vec<Vec<u8>> = lines
        .chunks(64)
        .map(|lines| {
            let mut raw = Vec::new();
            for line in lines {
                raw.extend_from_slice(b"2025-10-11T10:11:12.131415926Z ");
                raw.extend_from_slice(line.as_bytes());
                raw.push(b'\n');
            }
            raw
        })
        .collect();
    let mut best = Duration::MAX;
    let mut prepared = Vec::new();
    for _ in 0..3 {
        let mut preparer = LinePreparer::new();
        prepared.clear();
        let start = Instant::now();
        for chunk in &raw {
            prepared.extend(preparer.push(LogStream::Stdout, chunk));
        }
        best = best.min(start.elapsed());
    }
    show("preparing, level and mask included", best);

    let mut best = Duration::MAX;
    for _ in 0..3 {
        let (mut classifier, mut findings) = (Classifier::new(), Findings::new(None));
        let start = Instant::now();
        for line in &prepared {
            let mark = classifier.mark(set, line);
            findings.fold(set, line, mark);
        }
        best = best.min(start.elapsed());
        black_box(&findings);
    }
    show("classifying and folding, signatures included", best);

    measure(
        "shape (asked for, not done for each line)",
        &lines,
        |line| {
            black_box(shape(line));
        },
    );
}

fn measure(step: &str, lines: &[&str], mut work: impl FnMut(&str)) {
    let mut best = Duration::MAX;
    for _ in 0..3 {
        let start = Instant::now();
        for line in lines {
            work(black_box(line));
        }
        best = best.min(start.elapsed());
    }
    show(step, best);
}

fn show(step: &str, taken: Duration) {
    println!(
        "{:>8.0} ms: {step}",
        taken.as_secs_f64() * 1e3 * (1e6 / LINES as f64)
    );
}
