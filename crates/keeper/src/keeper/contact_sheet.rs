//! A contact sheet: many generations on one page, as a file of its own that needs nothing else. It has
//! no script, and nothing in it is fetched.

use std::{fmt::Write as _, path::PathBuf};

use base64::{Engine as _, prelude::BASE64_STANDARD};
use forgekeeper_domain::{
    error::{ErrorCode, ErrorInfo},
    generation::GenerationRecord,
    ids::JobId,
    markup::html_line,
};
use jiff::tz::TimeZone;

use super::{KeeperHandle, save::save};
use crate::{media::pictures::PictureFile, sys::clock};

/// Most pictures of a sheet.
pub const MOST_PICTURES: usize = 200;
const HEAD: &str = "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
    <meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; img-src data:; \
    style-src 'unsafe-inline'\">\n\
    <meta name=\"viewport\" content=\"width=device-width\">\n<title>Contact sheet</title>\n<style>\n\
    body { margin: 1rem; font: 13px system-ui, sans-serif; color: #222; background: #fff; }\n\
    main { display: grid; grid-template-columns: repeat(auto-fill, minmax(13rem, 1fr)); gap: 1rem; }\n\
    figure { margin: 0; break-inside: avoid; }\n\
    img { max-width: 100%; display: block; }\n\
    p { margin: 0; padding: 4rem 0; text-align: center; background: #eee; }\n\
    figcaption { margin-top: .25rem; overflow-wrap: anywhere; font-variant-numeric: tabular-nums; }\n\
    </style>\n</head>\n<body>\n<main>\n";
const FOOT: &str = "</main>\n</body>\n</html>\n";

impl KeeperHandle {
    /// A name for a contact sheet, with the time on this machine.
    pub fn contact_sheet_name(&self) -> String {
        // No colon: Windows takes none.
        let at = clock::local().strftime("%Y-%m-%dT%H%M");
        format!("contact-sheet-{at}.html")
    }

    /// Writes the pictures of generations, in the order given, as one HTML file with their thumbnails
    /// and a caption each. `BadRequest` for none or more than 200 pictures; ids that are not kept any
    /// more are left out.
    pub async fn contact_sheet(&self, ids: &[JobId], path: PathBuf) -> Result<(), ErrorInfo> {
        let bad = |message: String| ErrorInfo::new(ErrorCode::BadRequest, message);
        let too_many = || {
            bad(format!(
                "a contact sheet holds at most {MOST_PICTURES} pictures"
            ))
            .hint("Choose fewer generations.")
        };
        if ids.len() > MOST_PICTURES {
            return Err(too_many());
        }
        let records = self.inner.store.generations_of(ids.to_vec()).await?;
        if records.is_empty() {
            return Err(bad("none of these generations is kept".to_owned()));
        }
        let places: usize = records.iter().map(|r| r.pictures.len().max(1)).sum();
        if places > MOST_PICTURES {
            return Err(too_many());
        }
        let zone = TimeZone::system();
        let mut page = HEAD.to_owned();
        for record in &records {
            if record.pictures.is_empty() {
                figure(&mut page, record, None, Err("no picture"), &zone);
            }
            for (number, picture) in record.pictures.iter().enumerate() {
                let small = super::gallery::thumbnail(&self.inner, &picture.hash).await;
                let small = small.as_ref().map_err(|_| "the picture is gone");
                figure(&mut page, record, Some(number), small, &zone);
            }
        }
        page.push_str(FOOT);
        save(path, page.into_bytes()).await
    }
}

/// One picture with its caption; what stands in its place where there is none.
fn figure(
    page: &mut String,
    record: &GenerationRecord,
    number: Option<usize>,
    picture: Result<&PictureFile, &str>,
    zone: &TimeZone,
) {
    let prompt = html_line(&record.request.prompt);
    // Writing to a String cannot fail.
    let _ = match picture {
        Ok(file) => writeln!(
            page,
            "<figure><img alt=\"{prompt}\" title=\"{prompt}\" src=\"data:{};base64,{}\">",
            file.mime,
            BASE64_STANDARD.encode(&file.bytes)
        ),
        Err(why) => writeln!(page, "<figure><p title=\"{prompt}\">{why}</p>"),
    };
    let own = number.and_then(|number| record.pictures[number].seed);
    let seed = own.or(record.request.seed.filter(|_| record.pictures.len() < 2));
    let seed = seed.map_or_else(|| "unknown".to_owned(), |seed| seed.to_string());
    let at = record.started_at.to_zoned_datetime(zone.clone());
    let _ = writeln!(
        page,
        "<figcaption><bdi>{}</bdi> · seed {seed} · {}</figcaption></figure>",
        html_line(record.service.as_str()),
        at.strftime("%Y-%m-%d %H:%M")
    );
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use forgekeeper_domain::generation::Seed;

    use super::*;
    use crate::store::gallery::tests::{made, with_pictures};

    fn shown(record: &GenerationRecord, picture: Result<&PictureFile, &str>) -> String {
        let mut page = String::new();
        let number = (!record.pictures.is_empty()).then_some(0);
        figure(&mut page, record, number, picture, &TimeZone::UTC);
        page
    }

    #[test]
    fn a_caption_names_service_seed_and_time() {
        let mut record = with_pictures(made("j", 0, "a fox"), &["aa"]);
        record.pictures[0].seed = Some(Seed(u64::MAX));
        let file = PictureFile {
            mime: "image/jpeg".to_owned(),
            bytes: Bytes::from_static(b"hi"),
        };
        let page = shown(&record, Ok(&file));
        assert!(
            page.contains("src=\"data:image/jpeg;base64,aGk=\""),
            "{page}"
        );
        assert!(
            page.contains("<bdi>myia</bdi> · seed 18446744073709551615 · 2026-11-18 11:06<"),
            "{page}"
        );
        let page = shown(&made("j", 0, "a fox"), Err("no picture"));
        assert!(
            page.contains(">no picture</p>") && page.contains("seed unknown"),
            "{page}"
        );
    }

    #[test]
    fn a_prompt_is_text_and_nothing_else() {
        let prompt = "\"><script>alert('x')</script>\n<img src=x onerror=y> & \u{0}\u{1b}[2J";
        let page = shown(&made("j", 0, prompt), Err("no picture"));
        let shown = "&quot;&gt;&lt;script&gt;alert(&#39;x&#39;)&lt;/script&gt; \
            &lt;img src=x onerror=y&gt; &amp; [2J";
        assert!(page.contains(&format!("title=\"{shown}\"")), "{page}");
        assert!(
            !page.contains("<script") && !page.contains("<img"),
            "{page}"
        );
    }
}
