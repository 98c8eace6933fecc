//! The parameters inside a foreign picture, as a request.

use std::io::Cursor;

use forgekeeper_domain::{
    error::{ErrorCode, ErrorInfo},
    generation::{ReadParameters, from_graph::from_graph, infotext, read::from_infotext},
};
use image::{
    ImageDecoder as _, ImageFormat,
    codecs::{jpeg::JpegDecoder, webp::WebPDecoder},
};

use super::{decode, exif, png_text};

/// The keyword under which ComfyUI keeps its graph.
const GRAPH: &str = "prompt";

/// Reads the parameters of a PNG, JPEG or WebP file without unpacking its pixels. `BadPicture` when it
/// is none of them, `BadRequest` when there are no parameters in it.
pub fn read(file: &[u8]) -> Result<ReadParameters, ErrorInfo> {
    if file.len() > decode::MAX_FILE_BYTES {
        return Err(bad(&decode::PictureProblem::FileTooLarge));
    }
    let (text, graph) = match image::guess_format(file) {
        Ok(ImageFormat::Png) => of_png(file),
        Ok(ImageFormat::Jpeg) => {
            let block = JpegDecoder::new(Cursor::new(file)).and_then(|mut d| d.exif_metadata());
            of_exif(block.ok().flatten().as_deref())
        }
        Ok(ImageFormat::WebP) => {
            let block = WebPDecoder::new(Cursor::new(file)).and_then(|mut d| d.exif_metadata());
            of_exif(block.ok().flatten().as_deref())
        }
        _ => return Err(bad(&decode::PictureProblem::UnknownFormat)),
    };
    let text = text.map(|text| infotext::parse(&text));
    let graph = || graph.as_deref().and_then(from_graph);
    let read = match text {
        // A text with settings says it in the request's own words.
        Some(text) if !text.settings.is_empty() => Some(from_infotext(&text)),
        Some(text) => graph().or_else(|| Some(from_infotext(&text))),
        None => graph(),
    };
    read.ok_or_else(|| {
        ErrorInfo::new(
            ErrorCode::BadRequest,
            "There are no parameters in this picture that can be read.",
        )
        .hint(
            "Programs that send pictures around often strip them: take the file the server wrote.",
        )
    })
}

fn bad(problem: &decode::PictureProblem) -> ErrorInfo {
    ErrorInfo::new(
        ErrorCode::BadPicture,
        "The file is no picture whose parameters can be read.",
    )
    .hint("Choose a PNG, JPEG or WebP file.")
    .detail(problem.to_string())
}

/// Parameter text and graph.
type Texts = (Option<String>, Option<String>);

fn of_png(file: &[u8]) -> Texts {
    let mut found = (None, None);
    for (key, text) in png_text::read(file) {
        match key.as_str() {
            png_text::PARAMETERS => found.0 = found.0.or(Some(text)),
            GRAPH => found.1 = found.1.or(Some(text)),
            _ => {}
        }
    }
    found
}

fn of_exif(block: Option<&[u8]>) -> Texts {
    let found = block.map(exif::read).unwrap_or_default();
    let graph = found.texts.into_iter().find_map(|text| {
        let (key, graph) = text.split_once(':')?;
        key.eq_ignore_ascii_case(GRAPH).then(|| graph.to_owned())
    });
    (found.comment, graph)
}

#[cfg(test)]
mod tests {
    use forgekeeper_domain::generation::{ParameterSource, Seed};
    use image::{DynamicImage, ImageEncoder as _, codecs::jpeg::JpegEncoder};

    use super::*;

    const TEXT: &str = "a Füchsin\nSteps: 9, Sampler: Euler, CFG scale: 7, Seed: 5, Size: 512x512";
    const NODES: &str = r#"{"3": {"class_type": "KSampler", "inputs": {"positive": ["4", 0],
        "latent_image": ["5", 0], "seed": 77, "steps": 3}},
        "4": {"class_type": "CLIPTextEncode", "inputs": {"text": "of the graph"}}}"#;

    fn png(chunks: &[(&str, &str)]) -> Vec<u8> {
        let mut bytes = Vec::new();
        let mut encoder = png::Encoder::new(&mut bytes, 1, 1);
        encoder.set_color(png::ColorType::Rgb);
        for (key, text) in chunks {
            let added = encoder.add_itxt_chunk((*key).to_owned(), (*text).to_owned());
            added.expect("a chunk");
        }
        let mut writer = encoder.write_header().expect("header");
        writer.write_image_data(&[9; 3]).expect("pixels");
        writer.finish().expect("ends");
        bytes
    }

    fn jpeg(exif: Vec<u8>) -> Vec<u8> {
        let mut bytes = Vec::new();
        let mut encoder = JpegEncoder::new(&mut bytes);
        encoder.set_exif_metadata(exif).expect("set");
        let picture = DynamicImage::new_rgb8(8, 8);
        picture.write_with_encoder(encoder).expect("encodes");
        bytes
    }

    fn webp(exif: Vec<u8>) -> Vec<u8> {
        let mut bytes = Vec::new();
        let mut encoder = image::codecs::webp::WebPEncoder::new_lossless(&mut bytes);
        encoder.set_exif_metadata(exif).expect("set");
        let picture = DynamicImage::new_rgb8(8, 8);
        picture.write_with_encoder(encoder).expect("encodes");
        bytes
    }

    #[test]
    fn a_text_is_read_from_every_format() {
        let exif = || exif::tests::block(true, "x", &exif::tests::unicode(TEXT, true));
        for file in [png(&[("parameters", TEXT)]), jpeg(exif()), webp(exif())] {
            let found = read(&file).expect("parameters");
            assert_eq!(found.source, ParameterSource::A1111);
            assert_eq!(found.request.prompt, "a Füchsin");
            assert_eq!(found.request.seed, Some(Seed(5)));
            assert_eq!(found.missing, [""; 0]);
        }
    }

    #[test]
    fn a_graph_is_read_where_no_text_has_settings() {
        let comment = || exif::tests::block(false, &format!("Prompt:{NODES}"), b"ASCII\0\0\0");
        for file in [
            png(&[("workflow", "{}"), ("prompt", NODES)]),
            png(&[("parameters", "words alone"), ("prompt", NODES)]),
            webp(comment()),
        ] {
            let found = read(&file).expect("a graph");
            assert_eq!(found.source, ParameterSource::Comfyui);
            assert_eq!(found.request.prompt, "of the graph");
            assert_eq!(
                (found.request.seed, found.request.steps),
                (Some(Seed(77)), 3)
            );
            assert!(found.missing.contains(&"model".to_owned()), "{found:?}");
        }
        let both = png(&[("prompt", NODES), ("parameters", TEXT)]);
        assert_eq!(read(&both).expect("a text").source, ParameterSource::A1111);
        let broken = png(&[("parameters", "words alone"), ("prompt", "{")]);
        let found = read(&broken).expect("the words");
        assert_eq!(found.request.prompt, "words alone");
        assert_eq!(found.missing.len(), 5, "nothing else is told: {found:?}");
    }

    #[test]
    fn what_has_no_parameters_is_refused_with_a_way_out() {
        for (file, code) in [
            (png(&[]), ErrorCode::BadRequest),
            (png(&[("prompt", "not JSON")]), ErrorCode::BadRequest),
            (jpeg(b"nonsense".to_vec()), ErrorCode::BadRequest),
            (b"\xff\xd8\xff\xe0 cut".to_vec(), ErrorCode::BadRequest),
            (b"GIF89a\x01\0\x01\0".to_vec(), ErrorCode::BadPicture),
            (Vec::new(), ErrorCode::BadPicture),
            (vec![0; decode::MAX_FILE_BYTES + 1], ErrorCode::BadPicture),
        ] {
            let error = read(&file).expect_err("nothing to read");
            assert_eq!(error.code, code);
            assert!(error.hint.is_some());
        }
    }
}
