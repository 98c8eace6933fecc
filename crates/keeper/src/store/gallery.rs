//! What is looked for in generations: their words, model and verdict, beside their JSON.

use forgekeeper_domain::{
    gallery::{GalleryPage, GalleryQuery},
    generation::{GenerationRecord, GenerationVerdict},
    ids::ServiceId,
};
use memchr::memmem::Finder;
use rusqlite::{Connection, OptionalExtension as _, Transaction, params};
use serde_json::Value;

use super::{Store, StoreError, nanoseconds, picture_files};

/// Most generations of one page.
pub const MOST_ON_A_PAGE: u32 = 500;
/// Most bytes of each text that are searched; prompts are a fraction of this.
const SEARCHED_BYTES: usize = 256 * 1024;
/// What a row has to hold apart from its words.
const CONDITIONS: &str = "(?1 IS NULL OR g.service = ?1)
    AND (?2 IS NULL OR i.verdict = ?2)
    AND (?3 IS NULL OR instr(i.model, ?3) > 0)
    AND (?4 IS NULL OR g.at_ns >= ?4)
    AND (?5 IS NULL OR g.at_ns < ?5)";

impl Store {
    /// What was found, newest first, and how many there are in all. `None` when the generation that
    /// the last page ended with is not kept any more. Words are compared as they are: no character
    /// has a meaning of its own.
    pub async fn gallery(&self, query: GalleryQuery) -> Result<Option<GalleryPage>, StoreError> {
        let since = query.since.map(nanoseconds).transpose()?;
        let until = query.until.map(nanoseconds).transpose()?;
        let verdict = query.verdict.map(verdict_text).transpose()?;
        self.run(move |connection| {
            let after: Option<(i64, i64)> = match &query.after {
                None => None,
                Some(job) => {
                    let place = connection
                        .prepare_cached("SELECT at_ns, id FROM generations WHERE job = ?")?
                        .query_row([job.as_str()], |row| Ok((row.get(0)?, row.get(1)?)))
                        .optional()?;
                    if place.is_none() {
                        return Ok(None);
                    }
                    place
                }
            };
            let limit = match query.limit {
                0 => MOST_ON_A_PAGE,
                limit => limit.min(MOST_ON_A_PAGE),
            };
            let text = lower(&query.text);
            let words: Vec<Finder<'_>> = text.split_whitespace().map(Finder::new).collect();
            // Texts lie on pages of their own, which are not read when nothing is looked for in them.
            let searched = if words.is_empty() { "''" } else { "i.words" };
            let mut statement = connection.prepare_cached(&format!(
                "SELECT g.id, g.at_ns, {searched} FROM generations g JOIN gallery i
                 ON i.generation = g.id WHERE {CONDITIONS} ORDER BY g.at_ns DESC, g.id DESC"
            ))?;
            let model = Some(lower(query.model.trim())).filter(|model| !model.is_empty());
            let service = query.service.as_ref().map(ServiceId::as_str);
            let mut rows = statement.query(params![service, verdict, model, since, until])?;
            let mut page = GalleryPage::default();
            let mut found: Vec<i64> = Vec::new();
            while let Some(row) = rows.next()? {
                let text = row.get_ref(2)?.as_bytes().unwrap_or_default();
                if !words.iter().all(|word| word.find(text).is_some()) {
                    continue;
                }
                page.total += 1;
                let (id, at): (i64, i64) = (row.get(0)?, row.get(1)?);
                if after.is_some_and(|after| (at, id) >= after) {
                    continue;
                }
                if found.len() < limit as usize {
                    found.push(id);
                } else {
                    page.more = true;
                }
            }
            let mut statement =
                connection.prepare_cached("SELECT record FROM generations WHERE id = ?")?;
            let records = found
                .into_iter()
                .map(|id| statement.query_row([id], |row| row.get::<_, String>(0)));
            page.records = super::readable(records)?;
            Ok(Some(page))
        })
        .await
    }

    /// How many generations there are.
    pub async fn count_generations(&self) -> Result<u32, StoreError> {
        self.run(|connection| {
            Ok(connection.query_row("SELECT count(*) FROM generations", [], |row| row.get(0))?)
        })
        .await
    }
}

/// Enters what is looked for in a generation, and the pictures it holds.
pub(super) fn enter(
    transaction: &Transaction<'_>,
    generation: i64,
    record: &GenerationRecord,
) -> Result<(), StoreError> {
    let model = record.model.as_ref().or(record.request.model.as_ref());
    write(
        transaction,
        generation,
        &verdict_text(record.verdict)?,
        model.map_or("", |model| model),
        &words(record),
    )?;
    for picture in &record.pictures {
        picture_files::hold(
            transaction,
            generation,
            &picture.hash,
            i64::from(picture.bytes),
        )?;
    }
    Ok(())
}

/// Enters the rows of older versions.
pub(super) fn enter_missing(connection: &mut Connection) -> Result<(), StoreError> {
    let transaction = connection.transaction()?;
    let missing: Vec<i64> = transaction
        .prepare(
            "SELECT id FROM generations
             WHERE NOT EXISTS (SELECT 1 FROM gallery WHERE generation = generations.id)",
        )?
        .query_map([], |row| row.get(0))?
        .collect::<Result<_, _>>()?;
    for generation in missing {
        let text: String = transaction
            .prepare_cached("SELECT record FROM generations WHERE id = ?")?
            .query_row([generation], |row| row.get(0))?;
        match serde_json::from_str::<GenerationRecord>(&text) {
            Ok(record) => enter(&transaction, generation, &record)?,
            Err(error) => {
                tracing::warn!(%error, "a generation is not readable; its pictures stay");
                write(&transaction, generation, "", "", "")?;
                for (hash, bytes) in pictures_of(&text) {
                    picture_files::hold(&transaction, generation, &hash, bytes)?;
                }
            }
        }
    }
    transaction.commit()?;
    Ok(())
}

fn write(
    transaction: &Transaction<'_>,
    generation: i64,
    verdict: &str,
    model: &str,
    words: &str,
) -> Result<(), StoreError> {
    transaction
        .prepare_cached(
            "INSERT OR REPLACE INTO gallery (generation, verdict, model, words)
             VALUES (?, ?, ?, ?)",
        )?
        .execute(params![generation, verdict, lower(model), words])?;
    Ok(())
}

/// Names and sizes of the pictures of a record whose form is not known.
fn pictures_of(text: &str) -> Vec<(String, i64)> {
    let record: Value = serde_json::from_str(text).unwrap_or_default();
    let pictures = record.get("pictures").and_then(Value::as_array);
    pictures
        .into_iter()
        .flatten()
        .filter_map(|picture| {
            let bytes = picture.get("bytes").and_then(Value::as_i64);
            Some((
                picture.get("hash")?.as_str()?.to_owned(),
                bytes.unwrap_or(0),
            ))
        })
        .collect()
}

/// Every text of a generation that is searched. Parameter texts usually repeat the prompts.
fn words(record: &GenerationRecord) -> String {
    let parameters = record.parameters.as_deref().unwrap_or_default();
    let mut words = lower(parameters);
    for text in [&record.request.prompt, &record.request.negative_prompt] {
        if !parameters.contains(text.as_str()) {
            words.push('\n');
            words.push_str(&lower(text));
        }
    }
    words
}

fn lower(text: &str) -> String {
    text[..text.floor_char_boundary(SEARCHED_BYTES)].to_lowercase()
}

fn verdict_text(verdict: GenerationVerdict) -> Result<String, StoreError> {
    match serde_json::to_value(verdict)? {
        Value::String(text) => Ok(text),
        other => Err(StoreError::Value(format!("the verdict {other}"))),
    }
}

#[cfg(test)]
pub(crate) mod tests;
