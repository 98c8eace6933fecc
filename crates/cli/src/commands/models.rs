//! `models`: what lies in the folders of models.

use std::{io::IsTerminal as _, time::Duration};

use forgekeeper_domain::{
    error::ErrorInfo,
    models::{Sameness, folder_row},
};
use forgekeeper_keeper::{
    inventory::{Inventory, LookedAt, ModelFile, NotLooked, PassedWhy, Space},
    keeper::InventoryOf,
};
use tokio_util::sync::CancellationToken;

use crate::{
    args::ModelsArgs,
    exit,
    interrupt::Interrupt,
    session::Session,
    text::{gibibytes, print_json, print_line, printable},
};

/// How often hashing says how far it is.
const TELL: Duration = Duration::from_secs(2);

pub(super) async fn run(
    session: &Session,
    args: &ModelsArgs,
    json: bool,
    mut interrupt: Interrupt,
) -> Result<u8, ErrorInfo> {
    let cancel = CancellationToken::new();
    let looking = Box::pin(looked(session, args, json, &cancel));
    let inventory = interrupt.unless(looking).await;
    // Threads that still read end at their next file.
    cancel.cancel();
    let inventory = inventory?;
    if json {
        print_json(&serde_json::json!(inventory));
    } else {
        print(&inventory);
    }
    Ok(code(&inventory))
}

async fn looked(
    session: &Session,
    args: &ModelsArgs,
    json: bool,
    cancel: &CancellationToken,
) -> Result<Inventory, ErrorInfo> {
    let of = match (&args.folder, &args.service) {
        (Some(folder), _) => InventoryOf::Folder(folder.clone()),
        (None, Some(service)) => {
            // Measured first: the engine has to be connected.
            session.service(service).await?;
            InventoryOf::Service(service.clone())
        }
        (None, None) => {
            session.measured().await;
            InventoryOf::Everything
        }
    };
    let handle = session.handle();
    let inventory = handle.inventory(&of, cancel).await?;
    if !args.hash {
        return Ok(inventory);
    }
    let live = !json && std::io::stderr().is_terminal();
    let last = std::sync::Mutex::new(None::<std::time::Instant>);
    let tell = move |now: forgekeeper_keeper::inventory::Hashing| {
        let Ok(mut last) = last.lock() else { return };
        if live && last.is_none_or(|at| at.elapsed() >= TELL) {
            *last = Some(std::time::Instant::now());
            eprintln!("hashed {} of {}", gibibytes(now.done), gibibytes(now.of));
        }
    };
    handle.prove_duplicates(inventory, cancel, tell).await
}

/// Damaged files are a failure; what nobody could look at is unknown.
fn code(inventory: &Inventory) -> u8 {
    let unreachable = inventory
        .passed
        .iter()
        .any(|passed| matches!(passed.why, PassedWhy::Unreachable | PassedWhy::Absent));
    let refused = |file: &ModelFile| matches!(file.not_looked, Some(NotLooked::Refused { .. }));
    if inventory.files.iter().any(|file| file.fault.is_some()) {
        exit::NOT_OK
    } else if unreachable || inventory.files.iter().any(refused) {
        exit::UNKNOWN
    } else {
        exit::OK
    }
}

fn print(inventory: &Inventory) {
    print_folders(&inventory.folders);
    for file in &inventory.files {
        print_line(&line(file));
    }
    print_line("");
    for space in &inventory.space {
        print_line(&space_line(space));
    }
    let all = gibibytes(inventory.bytes);
    print_line(&format!(
        "{:<28}{:>5}  {all:>10}",
        "all",
        inventory.files.len()
    ));
    if inventory.others > 0 {
        print_line(&format!("{} other files beside them", inventory.others));
    }
    print_duplicates(inventory);
    for passed in &inventory.passed {
        let why = match passed.why {
            PassedWhy::Circle => "looked through already, or a link in a circle",
            PassedWhy::Dangling => "a link that leads nowhere",
            PassedWhy::Outside => "a link that leads out",
            PassedWhy::Refused => "NOT READABLE",
            PassedWhy::TooMuch => "too deep, or too many",
            PassedWhy::Absent => "NOT THERE",
            PassedWhy::Unreachable => "NOT REACHED",
        };
        let words = printable(&passed.words);
        print_line(&format!(
            "not looked at: {}: {why} {words}",
            printable(&passed.path)
        ));
    }
}

fn print_folders(folders: &[LookedAt]) {
    for folder in folders {
        let sort = folder
            .folder
            .map_or("by its folders", |id| folder_row(id).key);
        let through = if folder.through_engine {
            "  (through the engine: names and sizes only)"
        } else {
            ""
        };
        print_line(&format!("{sort:<18}{}{through}", printable(&folder.path)));
    }
    print_line("");
}

fn line(file: &ModelFile) -> String {
    let kind = match (&file.fault, &file.not_looked) {
        (Some(fault), _) => format!("DAMAGED: {fault}"),
        (None, Some(NotLooked::Pickle)) => "not read: a pickle".to_owned(),
        (None, Some(NotLooked::Form)) => "not read: its form".to_owned(),
        (None, Some(NotLooked::OnlyThroughEngine)) => "not read".to_owned(),
        (None, Some(NotLooked::Refused { words })) => format!("NOT READABLE: {}", printable(words)),
        (None, None) => file.kind.words(),
    };
    let link = if file.link { "  (a link)" } else { "" };
    let size = gibibytes(file.size);
    format!("{size:>10}  {kind:<26}{}{link}", printable(&file.path))
}

fn space_line(space: &Space) -> String {
    let kind = forgekeeper_domain::models::ModelKind {
        role: space.role,
        family: space.family,
    };
    let bytes = gibibytes(space.bytes);
    format!("{:<28}{:>5}  {bytes:>10}", kind.words(), space.files)
}

fn print_duplicates(inventory: &Inventory) {
    for group in &inventory.duplicates {
        let how = match group.sameness {
            Sameness::Proved => "the same",
            Sameness::Likely => "probably the same (--hash proves it)",
        };
        let size = gibibytes(group.size);
        print_line(&format!("{how}: {} files of {size}", group.files));
        for member in &group.members {
            let file = usize::try_from(*member)
                .ok()
                .and_then(|n| inventory.files.get(n));
            if let Some(file) = file {
                print_line(&format!("  {}", printable(&file.path)));
            }
        }
    }
    if inventory.reclaimable > 0 {
        let bytes = gibibytes(inventory.reclaimable);
        print_line(&format!("single copies would free {bytes}"));
    }
}
