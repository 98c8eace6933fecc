//! The way back: the very bytes of before, or the one address where somebody has changed the file since.

use std::path::{Path, PathBuf};

use forgekeeper_domain::{
    Timestamp,
    error::{ErrorCode, ErrorInfo},
    migration::iis::{Access, Address, Answer, Edit, Why, point},
};
use serde::{Deserialize, Serialize};

use super::{
    file::{self, FileTrouble},
    turn::blocking,
};

/// A turn that was left in the middle longer ago than this is not gone on with unasked, in seconds.
const FORGOTTEN: i64 = 15 * 60;

/// What is remembered before anything is written.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Receipt {
    pub(crate) file: PathBuf,
    pub(crate) rule: String,
    /// The address that the rule had, as it has to be given to put it back.
    pub(crate) from: String,
    pub(crate) to: String,
    /// The hash of the file before and after.
    pub(crate) before: String,
    pub(crate) after: String,
    /// The copy beside it.
    pub(crate) backup: PathBuf,
    pub(crate) at: Timestamp,
    /// Who answered, and who was let in.
    pub(crate) answered: Answer,
    pub(crate) access: Access,
    /// Whether it was put back already.
    pub(crate) returned: bool,
}

/// How the bytes were put back.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Back {
    /// Nothing had to be written.
    Already,
    /// The very bytes of before.
    Exact,
    /// The one address; what somebody changed since stays.
    AddressOnly,
}

impl Receipt {
    /// Whether it was left in the middle, before anything was written, too long ago.
    pub(super) fn is_forgotten(&self, name: &str, now: Timestamp) -> bool {
        !self.returned && self.before == name && now.as_second() - self.at.as_second() > FORGOTTEN
    }

    /// The bytes of before, where nobody has changed the file since; else the one address alone.
    pub(crate) async fn put_back(&self, kept: &Path) -> Result<Back, ErrorInfo> {
        let (path, kept, receipt) = (self.file.clone(), kept.to_owned(), self.clone());
        let put = move || {
            let now = file::read(&path)?;
            let name = file::hash(&now);
            if name == receipt.before {
                return Ok(Ok(Back::Already));
            }
            if name != receipt.after {
                // Somebody has changed it since; or half of it was written when the program ended.
                match changed_since(&now, &receipt) {
                    Since::Broken => {}
                    Since::PutBack => return Ok(Ok(Back::Already)),
                    Since::Led(edit) => {
                        file::replace(&path, &now, &edit.bytes)?;
                        return Ok(Ok(Back::AddressOnly));
                    }
                    Since::Elsewhere => return Ok(Err(elsewhere(&receipt))),
                }
            }
            let old = file::kept(&kept, &receipt.before).or_else(|_| {
                let copy = file::read(&receipt.backup)?;
                let whole = file::hash(&copy) == receipt.before;
                whole.then_some(copy).ok_or(FileTrouble::NotVerified)
            })?;
            file::replace(&path, &now, &old)?;
            Ok(Ok(Back::Exact))
        };
        blocking(put)
            .await
            .map_err(|trouble| trouble.error(&self.file))?
    }
}

/// What became of the rule in a file that is neither that of before nor that of after.
enum Since {
    /// It is no file that IIS can read.
    Broken,
    /// It leads where it led before.
    PutBack,
    /// It leads where it was turned to; this turns it back.
    Led(Box<Edit>),
    /// It leads somewhere else, or is gone: not ours to decide.
    Elsewhere,
}

fn changed_since(now: &[u8], receipt: &Receipt) -> Since {
    let (Ok(from), Ok(to)) = (Address::read(&receipt.from), Address::read(&receipt.to)) else {
        return Since::Elsewhere;
    };
    let leads = |address: &Address| match point(now, &receipt.rule, address) {
        Err(refusal) => (refusal.why == Why::Nothing, refusal.why == Why::NoXml),
        Ok(_) => (false, false),
    };
    match (leads(&from), leads(&to)) {
        ((_, true), _) => Since::Broken,
        ((true, _), _) => Since::PutBack,
        (_, (true, _)) => point(now, &receipt.rule, &from)
            .map_or(Since::Elsewhere, |edit| Since::Led(Box::new(edit))),
        _ => Since::Elsewhere,
    }
}

fn elsewhere(receipt: &Receipt) -> ErrorInfo {
    ErrorInfo::new(
        ErrorCode::Refused,
        format!(
            "the rule `{}` was changed by somebody since, and leads elsewhere now",
            receipt.rule
        ),
    )
    .hint(format!(
        "The file of before is {}.",
        receipt.backup.display()
    ))
}
