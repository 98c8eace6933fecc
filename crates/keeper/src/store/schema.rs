//! The tables, and how older files are brought up to date. Migrations are only ever added.

use rusqlite_migration::{M, Migrations};

pub(super) const MIGRATIONS: Migrations<'static> = Migrations::from_slice(STEPS);

const STEPS: &[M<'static>] = &[
    M::up(
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
    ),
    // Values are tenths; NULL is what was not told.
    M::up(
        "CREATE TABLE gpu_cards (
        id INTEGER PRIMARY KEY,
        host TEXT NOT NULL,
        uuid TEXT NOT NULL,
        name TEXT NOT NULL,
        place INTEGER NOT NULL,
        UNIQUE (host, uuid)
    ) STRICT;
    CREATE TABLE gpu_minutes (
        card INTEGER NOT NULL,
        minute INTEGER NOT NULL,
        load_min INTEGER, load_mean INTEGER, load_max INTEGER,
        memory_load_min INTEGER, memory_load_mean INTEGER, memory_load_max INTEGER,
        memory_min INTEGER, memory_mean INTEGER, memory_max INTEGER,
        temperature_min INTEGER, temperature_mean INTEGER, temperature_max INTEGER,
        power_min INTEGER, power_mean INTEGER, power_max INTEGER,
        clock_min INTEGER, clock_mean INTEGER, clock_max INTEGER,
        fan_min INTEGER, fan_mean INTEGER, fan_max INTEGER,
        throttled_min INTEGER, throttled_mean INTEGER, throttled_max INTEGER,
        PRIMARY KEY (card, minute)
    ) STRICT, WITHOUT ROWID;
    CREATE TABLE placements (
        id INTEGER PRIMARY KEY,
        service TEXT NOT NULL,
        at_ns INTEGER NOT NULL,
        measurement TEXT NOT NULL
    ) STRICT;
    CREATE INDEX placements_service ON placements (service, at_ns);",
    ),
    // A run keeps what it was made of: set and generations may go.
    M::up(
        "CREATE TABLE golden_sets (name TEXT PRIMARY KEY, prompts TEXT NOT NULL) STRICT;
    CREATE TABLE golden_runs (
        job TEXT PRIMARY KEY,
        set_name TEXT NOT NULL,
        service TEXT NOT NULL,
        at_ns INTEGER NOT NULL,
        complete INTEGER NOT NULL
    ) STRICT;
    CREATE INDEX golden_runs_set ON golden_runs (set_name, at_ns);
    CREATE TABLE golden_entries (
        job TEXT NOT NULL,
        place INTEGER NOT NULL,
        prompt TEXT NOT NULL,
        record TEXT NOT NULL,
        PRIMARY KEY (job, place)
    ) STRICT;
    CREATE TABLE golden_votes (
        reference TEXT NOT NULL,
        candidate TEXT NOT NULL,
        prompt TEXT NOT NULL,
        vote TEXT NOT NULL,
        PRIMARY KEY (reference, candidate, prompt)
    ) STRICT;",
    ),
    // What is looked for in generations, and which of them hold which picture files. Older rows are
    // entered when the file is opened: their words and names are inside their JSON.
    M::up(
        "CREATE TABLE gallery (
        generation INTEGER PRIMARY KEY,
        verdict TEXT NOT NULL,
        model TEXT NOT NULL,
        words TEXT NOT NULL
    ) STRICT;
    CREATE TABLE generation_pictures (
        generation INTEGER NOT NULL,
        hash TEXT NOT NULL,
        PRIMARY KEY (generation, hash)
    ) STRICT, WITHOUT ROWID;
    CREATE INDEX generation_pictures_hash ON generation_pictures (hash);
    CREATE TABLE picture_files (
        hash TEXT PRIMARY KEY,
        bytes INTEGER NOT NULL
    ) STRICT, WITHOUT ROWID;
    CREATE TABLE pinned_pictures (
        hash TEXT NOT NULL,
        \"by\" TEXT NOT NULL,
        PRIMARY KEY (hash, \"by\")
    ) STRICT, WITHOUT ROWID;
    CREATE INDEX pinned_pictures_by ON pinned_pictures (\"by\");",
    ),
    // Generations that were sent and have no record yet.
    M::up(
        "CREATE TABLE pending_generations (
        job TEXT PRIMARY KEY,
        owner TEXT NOT NULL,
        pending TEXT NOT NULL
    ) STRICT, WITHOUT ROWID;",
    ),
    M::up(
        "CREATE TABLE backups (
        id INTEGER PRIMARY KEY,
        job TEXT NOT NULL UNIQUE,
        task TEXT NOT NULL,
        whole INTEGER NOT NULL,
        at_ns INTEGER NOT NULL,
        record TEXT NOT NULL
    ) STRICT;",
    ),
    // The migration from Forge to ComfyUI. One action at a time of each step.
    M::up(
        "CREATE TABLE migration_proofs (
        id INTEGER PRIMARY KEY,
        step TEXT NOT NULL,
        proof TEXT NOT NULL
    ) STRICT;
    CREATE INDEX migration_proofs_step ON migration_proofs (step, id);
    CREATE TABLE migration_looks (step TEXT PRIMARY KEY, look TEXT NOT NULL) STRICT;
    CREATE TABLE migration_actions (step TEXT PRIMARY KEY, action TEXT NOT NULL) STRICT;
    CREATE TABLE migration_memory (step TEXT PRIMARY KEY, memory TEXT NOT NULL) STRICT;
    CREATE TABLE migration_record (
        id INTEGER PRIMARY KEY AUTOINCREMENT,
        at_ns INTEGER NOT NULL,
        entry TEXT NOT NULL
    ) STRICT;",
    ),
    // A minute in which nobody looked has no row.
    M::up(
        "CREATE TABLE service_minutes (
        service TEXT NOT NULL,
        minute INTEGER NOT NULL,
        good INTEGER NOT NULL,
        latency_ms INTEGER,
        PRIMARY KEY (service, minute)
    ) STRICT, WITHOUT ROWID;",
    ),
];

#[cfg(test)]
mod tests {
    #[test]
    fn migrations_are_valid() {
        super::MIGRATIONS.validate().unwrap();
    }

    #[test]
    fn the_table_of_minutes_has_a_column_for_each_value() {
        let plain = |sql: &str| -> String { sql.split_whitespace().collect() };
        let mut connection = rusqlite::Connection::open_in_memory().unwrap();
        super::MIGRATIONS.to_latest(&mut connection).unwrap();
        let made: String = connection
            .query_row(
                "SELECT sql FROM sqlite_schema WHERE name = 'gpu_minutes'",
                [],
                |row| row.get(0),
            )
            .unwrap();
        assert_eq!(plain(&made), plain(&super::super::gpu_minutes::table()));
    }
}
