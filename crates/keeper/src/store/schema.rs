//! The tables, and how older files are brought up to date. Migrations are only ever added.

use rusqlite_migration::{M, Migrations};

pub(super) const MIGRATIONS: Migrations<'static> = Migrations::from_slice(STEPS);

const STEPS: &[M<'static>] = &[M::up(
    "CREATE TABLE journal (
        id INTEGER PRIMARY KEY,
        at_ns INTEGER NOT NULL,
        kind TEXT NOT NULL,
        subject TEXT,
        text TEXT NOT NULL,
        detail TEXT
    ) STRICT;
    CREATE INDEX journal_at ON journal (at_ns);
    CREATE TABLE restarts (
        id INTEGER PRIMARY KEY,
        service TEXT NOT NULL,
        kind TEXT NOT NULL,
        restart INTEGER NOT NULL,
        at_ns INTEGER NOT NULL,
        entry TEXT NOT NULL
    ) STRICT;
    CREATE INDEX restarts_service ON restarts (service, at_ns);
    CREATE TABLE generations (
        id INTEGER PRIMARY KEY,
        job TEXT NOT NULL UNIQUE,
        service TEXT NOT NULL,
        at_ns INTEGER NOT NULL,
        record TEXT NOT NULL
    ) STRICT;
    CREATE INDEX generations_at ON generations (at_ns);
    CREATE INDEX generations_service ON generations (service, at_ns);",
)];

#[cfg(test)]
mod tests {
    #[test]
    fn migrations_are_valid() {
        super::MIGRATIONS.validate().unwrap();
    }
}
