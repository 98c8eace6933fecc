//! Which picture files there are, how large, and who holds them: generations, and pins that outlive
//! every clearing.

use rusqlite::{Transaction, params};

use super::{Store, StoreError, generations, generations::Removed};

/// Whether a row of `generations` holds a pinned picture.
pub(super) const IS_PINNED: &str = "EXISTS (SELECT 1 FROM generation_pictures held
    JOIN pinned_pictures pin ON pin.hash = held.hash WHERE held.generation = generations.id)";

/// What the picture files take, bytes.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct PicturesUse {
    /// Pictures.
    pub pictures: u32,
    /// Of all, thumbnails among them.
    pub bytes: u64,
    /// Of those that are pinned.
    pub pinned_bytes: u64,
}

/// What does not fit between the table and the folder.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct PictureDifferences {
    /// Files that nothing holds.
    pub orphans: Vec<String>,
    /// Entries without a file.
    pub missing: Vec<String>,
}

impl Store {
    /// Keeps pictures from being removed, until [`Store::unpin_pictures`] with the same name.
    pub async fn pin_pictures(&self, by: &str, hashes: Vec<String>) -> Result<(), StoreError> {
        let by = by.to_owned();
        self.run(move |connection| {
            let transaction = connection.transaction()?;
            for hash in hashes {
                transaction
                    .prepare_cached("INSERT OR IGNORE INTO pinned_pictures VALUES (?, ?)")?
                    .execute([&hash, &by])?;
            }
            transaction.commit()?;
            Ok(())
        })
        .await
    }

    /// Takes back every pin of a name. Returns the hashes of pictures that nothing holds any more.
    pub async fn unpin_pictures(&self, by: &str) -> Result<Vec<String>, StoreError> {
        let by = by.to_owned();
        self.run(move |connection| {
            let transaction = connection.transaction()?;
            let hashes = transaction
                .prepare_cached("DELETE FROM pinned_pictures WHERE \"by\" = ? RETURNING hash")?
                .query_map([by], |row| row.get(0))?
                .collect::<Result<_, _>>()?;
            let free = free(&transaction, hashes)?;
            transaction.commit()?;
            Ok(free)
        })
        .await
    }

    /// What the picture files take.
    pub async fn pictures_use(&self) -> Result<PicturesUse, StoreError> {
        self.run(|connection| {
            let sums = connection.query_row(
                "SELECT count(*), total(bytes), total(bytes) FILTER (WHERE EXISTS
                 (SELECT 1 FROM pinned_pictures pin WHERE pin.hash = picture_files.hash))
                 FROM picture_files",
                [],
                |row| {
                    Ok(PicturesUse {
                        pictures: row.get(0)?,
                        bytes: whole(row.get(1)?),
                        pinned_bytes: whole(row.get(2)?),
                    })
                },
            )?;
            Ok(sums)
        })
        .await
    }

    /// Enters how large files are, picture and thumbnail together; `None` is one that is gone.
    pub async fn put_picture_sizes(
        &self,
        sizes: Vec<(String, Option<u64>)>,
    ) -> Result<(), StoreError> {
        self.run(move |connection| {
            let transaction = connection.transaction()?;
            for (hash, bytes) in sizes {
                put_size(&transaction, &hash, bytes)?;
            }
            transaction.commit()?;
            Ok(())
        })
        .await
    }

    /// Enters every file of a walk through the folder; says what does not fit.
    pub async fn mend_pictures(
        &self,
        found: Vec<(String, u64)>,
    ) -> Result<PictureDifferences, StoreError> {
        self.run(move |connection| {
            let transaction = connection.transaction()?;
            let mut differences = PictureDifferences::default();
            let known: Vec<String> = transaction
                .prepare("SELECT hash FROM picture_files")?
                .query_map([], |row| row.get(0))?
                .collect::<Result<_, _>>()?;
            let there: std::collections::HashSet<&str> =
                found.iter().map(|(hash, _)| hash.as_str()).collect();
            differences.missing = known
                .into_iter()
                .filter(|hash| !there.contains(hash.as_str()))
                .collect();
            for (hash, bytes) in &found {
                put_size(&transaction, hash, Some(*bytes))?;
                if !is_held(&transaction, hash)? {
                    differences.orphans.push(hash.clone());
                }
            }
            transaction.commit()?;
            Ok(differences)
        })
        .await
    }

    /// Removes the oldest generations with pictures until all files fit; pinned ones and the newest
    /// stay.
    pub async fn fit_generations(&self, budget: u64) -> Result<Removed, StoreError> {
        self.run(move |connection| {
            let transaction = connection.transaction()?;
            let mut bytes =
                transaction.query_row("SELECT total(bytes) FROM picture_files", [], |row| {
                    Ok(whole(row.get(0)?))
                })?;
            if bytes <= budget {
                return Ok(Removed::default());
            }
            let oldest: Vec<i64> = transaction
                .prepare(&format!(
                    "SELECT id FROM generations WHERE NOT {IS_PINNED}
                     AND EXISTS (SELECT 1 FROM generation_pictures held
                                 WHERE held.generation = generations.id)
                     AND id <> (SELECT id FROM generations ORDER BY at_ns DESC, id DESC LIMIT 1)
                     ORDER BY at_ns, id"
                ))?
                .query_map([], |row| row.get(0))?
                .collect::<Result<_, _>>()?;
            let mut removed = Removed::default();
            for generation in oldest {
                if bytes <= budget {
                    break;
                }
                let let_go = generations::remove(&transaction, generation, &mut removed)?;
                for hash in let_go {
                    let size = transaction
                        .prepare_cached("SELECT total(bytes) FROM picture_files WHERE hash = ?")?
                        .query_row([&hash], |row| Ok(whole(row.get(0)?)))?;
                    let freed = free(&transaction, vec![hash])?;
                    if !freed.is_empty() {
                        bytes = bytes.saturating_sub(size);
                    }
                    removed.pictures.extend(freed);
                }
            }
            transaction.commit()?;
            Ok(removed)
        })
        .await
    }
}

/// A generation holds a picture.
pub(super) fn hold(
    transaction: &Transaction<'_>,
    generation: i64,
    hash: &str,
    bytes: i64,
) -> Result<(), StoreError> {
    transaction
        .prepare_cached("INSERT OR IGNORE INTO generation_pictures VALUES (?, ?)")?
        .execute(params![generation, hash])?;
    // What was measured before is nearer to the truth: it knows of the thumbnail.
    transaction
        .prepare_cached("INSERT OR IGNORE INTO picture_files VALUES (?, ?)")?
        .execute(params![hash, bytes])?;
    Ok(())
}

/// A generation holds nothing any more. Returns what it held.
pub(super) fn let_go(
    transaction: &Transaction<'_>,
    generation: i64,
) -> Result<Vec<String>, StoreError> {
    let hashes = transaction
        .prepare_cached("DELETE FROM generation_pictures WHERE generation = ? RETURNING hash")?
        .query_map([generation], |row| row.get(0))?
        .collect::<Result<_, _>>()?;
    Ok(hashes)
}

/// Those that nothing holds any more; their entries go.
pub(super) fn free(
    transaction: &Transaction<'_>,
    mut hashes: Vec<String>,
) -> Result<Vec<String>, StoreError> {
    hashes.sort_unstable();
    hashes.dedup();
    let mut free = Vec::new();
    for hash in hashes {
        if !is_held(transaction, &hash)? {
            put_size(transaction, &hash, None)?;
            free.push(hash);
        }
    }
    Ok(free)
}

fn is_held(transaction: &Transaction<'_>, hash: &str) -> Result<bool, StoreError> {
    let held = transaction
        .prepare_cached(
            "SELECT EXISTS (SELECT 1 FROM generation_pictures WHERE hash = ?1)
             OR EXISTS (SELECT 1 FROM pinned_pictures WHERE hash = ?1)",
        )?
        .query_row([hash], |row| row.get(0))?;
    Ok(held)
}

fn put_size(
    transaction: &Transaction<'_>,
    hash: &str,
    bytes: Option<u64>,
) -> Result<(), StoreError> {
    match bytes {
        Some(bytes) => {
            let bytes = i64::try_from(bytes).unwrap_or(i64::MAX);
            transaction
                .prepare_cached("INSERT OR REPLACE INTO picture_files VALUES (?, ?)")?
                .execute(params![hash, bytes])?
        }
        None => transaction
            .prepare_cached("DELETE FROM picture_files WHERE hash = ?")?
            .execute([hash])?,
    };
    Ok(())
}

/// A sum of sizes; SQLite's `total` is a float so that it cannot overflow.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "a float cast saturates"
)]
fn whole(sum: f64) -> u64 {
    sum as u64
}

#[cfg(test)]
mod tests;
