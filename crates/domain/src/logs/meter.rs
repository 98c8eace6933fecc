//! The truth about a log: whether it lives, how far behind it is, where it comes from, whether it is
//! stored.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::findings;

/// How alive a service's log is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "specta", derive(specta::Type))]
pub struct LogMeter {
    /// Whether the stream is connected.
    pub connected: bool,
    /// Whether the program is known to work while the stream says nothing of it.
    pub silent: bool,
    /// Where the newest lines come from.
    pub source: LogSource,
    /// Why the file inside the container cannot be read while the stream stands still.
    pub file_error: Option<String>,
    /// How long after it was written the newest line of the stream came, milliseconds; `None` while
    /// that is unknown.
    pub behind_ms: Option<u32>,
    /// Lines from before the stream was opened are still coming.
    pub catching_up: bool,
    /// Lines held.
    pub held: u32,
    /// Lines dropped from the ring since the start, oldest first.
    pub rotated: u32,
    /// Old lines that were sent again and folded, since the start.
    pub replayed: u32,
    /// Time of the newest line.
    #[cfg_attr(feature = "specta", specta(type = Option<String>))]
    pub last_line_at: Option<Timestamp>,
    /// When the stream last said something of the service's own program; of anything, where no
    /// multiplexer names that program. By our own clock, where it was heard live.
    #[cfg_attr(feature = "specta", specta(type = Option<String>))]
    pub spoke_at: Option<Timestamp>,
    /// Programs seen in the multiplexer.
    pub programs: Vec<String>,
    /// Why it is not connected.
    pub error: Option<String>,
    /// What of it is on the disk, or why nothing is.
    pub stored: Storage,
    /// What was said since the program started, as far as it is worth a look.
    pub said: findings::Run,
    /// The line in which the program named its device when it started.
    pub device: Option<DeviceLine>,
}

/// A line in which a program names the device that it computes on.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "specta", derive(specta::Type))]
pub struct DeviceLine {
    /// Its text, such as `Device: cuda:0 NVIDIA GeForce RTX 3090 : native`; hostile until parsed.
    pub text: String,
    /// When it was written.
    #[cfg_attr(feature = "specta", specta(type = String))]
    pub at: Timestamp,
}

impl LogMeter {
    /// Of a log that nobody has opened yet.
    pub fn unopened() -> Self {
        Self {
            connected: false,
            silent: false,
            source: LogSource::Stream,
            file_error: None,
            behind_ms: None,
            catching_up: false,
            held: 0,
            rotated: 0,
            replayed: 0,
            last_line_at: None,
            spoke_at: None,
            programs: Vec::new(),
            error: None,
            stored: Storage::Opening,
            said: findings::Run::default(),
            device: None,
        }
    }
}

/// Where the newest lines of a log come from.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "specta", derive(specta::Type))]
#[serde(tag = "from", rename_all = "snake_case")]
pub enum LogSource {
    /// The engine's stream.
    #[default]
    Stream,
    /// The program's own file, because the stream stands still.
    File {
        /// Its path inside the container.
        path: String,
    },
}

/// Whether a log is stored by this keeper.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "specta", derive(specta::Type))]
#[serde(tag = "state", rename_all = "snake_case")]
pub enum Storage {
    /// Not known yet.
    #[default]
    Opening,
    /// Every line is.
    Here(StoredLog),
    /// Another Forgekeeper stores it.
    Elsewhere,
    /// This keeper reads what is stored, and stores nothing.
    ReadOnly,
    /// It cannot be: its file could not be opened.
    Failed {
        /// In the words of whoever refused.
        reason: String,
    },
}

/// What of a log is on the disk.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "specta", derive(specta::Type))]
pub struct StoredLog {
    /// Bytes used.
    #[cfg_attr(feature = "specta", specta(type = f64))]
    pub bytes: u64,
    /// Time of the oldest line.
    #[cfg_attr(feature = "specta", specta(type = Option<String>))]
    pub oldest: Option<Timestamp>,
    /// Why nothing can be written at present: a full disk, for one.
    pub error: Option<String>,
    /// Lines that were given up since the start because nothing could be written.
    pub lost: u32,
}
