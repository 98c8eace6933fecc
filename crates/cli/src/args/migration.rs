//! `migration`: its verbs and what they take.

use std::path::PathBuf;

use clap::{Args, Subcommand, ValueEnum};
use forgekeeper_domain::{ids::StepId, logs::rules::Language, migration::PhaseId};

use super::{DecideArgs, Preferred, SettingsArgs};

#[derive(Debug, Args)]
pub(crate) struct MigrationArgs {
    /// What to do; left out, the steps are listed
    #[command(subcommand)]
    pub(crate) command: Option<MigrationCommand>,
}

/// The language of what is printed or exported.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Lang {
    /// English
    En,
    /// French
    Fr,
}

impl From<Lang> for Language {
    fn from(lang: Lang) -> Self {
        match lang {
            Lang::En => Self::En,
            Lang::Fr => Self::Fr,
        }
    }
}

#[derive(Debug, Subcommand)]
pub(crate) enum MigrationCommand {
    /// The steps with their states
    List,
    /// Everything known of one step
    Show {
        /// The step
        step: StepId,
    },
    /// Measure a step; without one, every step that can be done now or was measured before
    Check {
        /// The step
        step: Option<StepId>,
    },
    /// Say what doing a step would do; with --yes, do it
    Run(DoArgs),
    /// Say what taking a step back would do; with --yes, do it
    Undo(DoArgs),
    /// Say what trying the way back of a step would do; with --yes, try it
    Drill(DoArgs),
    /// Say that a step holds which no machine can measure
    Attest {
        /// The step
        step: StepId,
        /// Who says so; left out, the name of this user
        #[arg(long, value_name = "NAME")]
        by: Option<String>,
        /// What was seen
        #[arg(long, value_name = "TEXT")]
        note: Option<String>,
    },
    /// Leave a step out
    Skip {
        /// The step
        step: StepId,
        /// Why
        #[arg(long, value_name = "TEXT")]
        reason: String,
    },
    /// Take a step in again
    Unskip {
        /// The step
        step: StepId,
    },
    /// Keep a remark on a step; without a text, keep none
    Note {
        /// The step
        step: StepId,
        /// The remark
        text: Option<String>,
    },
    /// Assign the day on which a step begins; without a day, assign none
    Date {
        /// The step
        step: StepId,
        /// The day, such as 2026-12-01
        day: Option<jiff::civil::Date>,
    },
    /// Put a step before another of its phase; without another, last
    Move {
        /// The step
        step: StepId,
        /// The step that comes next
        #[arg(long, value_name = "STEP")]
        before: Option<StepId>,
    },
    /// Add a step that a person attests
    Add(AddArgs),
    /// Remove a step that was added
    Remove {
        /// The step
        step: StepId,
    },
    /// What the plan says of the two services: shown, set, unset
    Target(SettingsArgs),
    /// What the plan says of the public address: shown, set, unset
    Iis(SettingsArgs),
    /// The images that the target could run
    Images,
    /// The extensions of Forge, what takes their place, and what is decided of each
    Extensions,
    /// Decide what becomes of an extension
    Decide(DecideArgs),
    /// Vote on a pair of pictures of the golden set whose votes prove the quality
    Vote {
        /// The prompt, by its name in the set
        prompt: String,
        /// Whose picture is better
        preferred: Preferred,
    },
    /// Write the plan as it stands to a file, Markdown or HTML by its name
    Export {
        /// The file, ending in .md or .html
        #[arg(long, value_name = "FILE")]
        out: PathBuf,
        /// Its language
        #[arg(long, default_value = "en")]
        lang: Lang,
    },
    /// Everything done so far, in order
    Record {
        /// Write it to this file instead: .md, .html or .jsonl
        #[arg(long, value_name = "FILE")]
        out: Option<PathBuf>,
        /// Its language
        #[arg(long, default_value = "en")]
        lang: Lang,
    },
}

#[derive(Debug, Args)]
pub(crate) struct DoArgs {
    /// The step
    pub(crate) step: StepId,
    /// Only say what would be done
    #[arg(long, conflicts_with = "yes")]
    pub(crate) dry_run: bool,
    /// Do it
    #[arg(long)]
    pub(crate) yes: bool,
    /// The word that the step asks for before it does what is not easily taken back
    #[arg(long, value_name = "WORD")]
    pub(crate) confirm: Option<String>,
}

#[derive(Debug, Args)]
pub(crate) struct AddArgs {
    /// Its name
    pub(crate) step: StepId,
    /// Where it belongs: groundwork, preparation, migration or cutover
    #[arg(long, value_name = "PHASE", value_parser = phase)]
    pub(crate) phase: PhaseId,
    /// What is done
    #[arg(long, value_name = "TEXT")]
    pub(crate) title: String,
    /// What is true once it is done
    #[arg(long, value_name = "TEXT")]
    pub(crate) why: String,
    /// How many days it takes at most
    #[arg(long, value_name = "N", default_value_t = 1)]
    pub(crate) days: u16,
    /// A step that comes first; may be repeated
    #[arg(long = "needs", value_name = "STEP")]
    pub(crate) needs: Vec<StepId>,
}

fn phase(word: &str) -> Result<PhaseId, String> {
    let found = PhaseId::ALL.iter().find(|phase| phase.word() == word);
    found.copied().ok_or_else(|| {
        let words: Vec<&str> = PhaseId::ALL.iter().map(|phase| phase.word()).collect();
        format!("write one of {}", words.join(", "))
    })
}
