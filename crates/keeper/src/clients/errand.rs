//! How a generation begins: plainly, with a ticket kept first, or found again by one.

use std::{
    fmt,
    sync::{Arc, OnceLock},
};

use forgekeeper_domain::{Timestamp, generation::Substitution};
use futures_util::future::BoxFuture;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

/// What a generation is found by on its server.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Ticket {
    /// Forge, A1111 and their forks.
    Forge {
        /// `force_task_id` of the request.
        task: String,
        /// Options that were set for everybody, and their former values, to be put back.
        borrowed: Option<[Map<String, Value>; 2]>,
        /// The courier that carries it, where one does.
        #[serde(default)]
        courier: Option<String>,
    },
    /// ComfyUI.
    Comfyui {
        /// Id of the prompt.
        prompt: String,
        /// Id of the client that queued it: the server tells its progress to no other.
        client: String,
        /// The graph that was queued.
        graph: Value,
        /// It is one's own: every picture that it shows counts.
        own: bool,
        /// What is used in place of what was asked for.
        substitutions: Vec<Substitution>,
    },
}

/// Where tickets are kept.
#[derive(Clone)]
pub struct TicketKeeper(Arc<dyn Fn(Ticket) -> BoxFuture<'static, ()> + Send + Sync>);

impl TicketKeeper {
    /// Keeps them through a function.
    pub fn new(keep: impl Fn(Ticket) -> BoxFuture<'static, ()> + Send + Sync + 'static) -> Self {
        Self(Arc::new(keep))
    }
}

impl fmt::Debug for TicketKeeper {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("TicketKeeper")
    }
}

/// How a generation begins.
#[derive(Debug, Clone, Default)]
pub enum Errand {
    /// Sent, and lost with this program.
    #[default]
    Plain,
    /// Its ticket is kept before it is sent.
    Ticketed(TicketKeeper),
    /// It was sent by an earlier run of this program: only looked for.
    Again(Again),
}

/// A generation that is looked for.
#[derive(Debug, Clone)]
pub struct Again {
    /// What it is found by.
    pub ticket: Ticket,
    /// When it ended, by the server's word.
    pub ended_at: Arc<OnceLock<Timestamp>>,
}

impl Errand {
    /// Looks for a generation.
    pub fn again(ticket: Ticket) -> Self {
        Self::Again(Again {
            ticket,
            ended_at: Arc::default(),
        })
    }

    /// Whether a ticket is kept, so that what is sent can be found again.
    pub(super) fn keeps(&self) -> bool {
        matches!(self, Self::Ticketed(_))
    }

    /// Whether a generation is looked for.
    pub(super) fn finds(&self) -> bool {
        matches!(self, Self::Again(_))
    }

    /// When a generation that was looked for ended, by the server's word.
    pub(super) fn ended_at(&self) -> Option<Timestamp> {
        match self {
            Self::Again(again) => again.ended_at.get().copied(),
            Self::Plain | Self::Ticketed(_) => None,
        }
    }

    /// Keeps a ticket where tickets are kept.
    pub(super) async fn keep(&self, ticket: Ticket) {
        if let Self::Ticketed(TicketKeeper(keep)) = self {
            keep(ticket).await;
        }
    }
}
