//! The command line, as documented in `docs/cli.md`; a test compares the two.

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand};
use forgekeeper_domain::ids::ServiceId;

mod backup;
mod decide;
mod golden;
mod migration;
mod models;
mod snapshot;

pub(crate) use backup::{BackupArgs, BackupCommand};
pub(crate) use decide::{DecideArgs, DecideHow, Preferred, SettingsArgs, SettingsCommand};
pub(crate) use golden::{GoldenArgs, GoldenVerb};
pub(crate) use migration::{AddArgs, DoArgs, MigrationArgs, MigrationCommand};
pub(crate) use models::ModelsArgs;
pub(crate) use snapshot::{RestoreHow, SnapshotArgs, SnapshotCommand};

/// Keeps image-generation services alive: Stable Diffusion WebUI Forge and ComfyUI.
#[derive(Debug, Parser)]
#[command(name = "forgekeeperctl", version, about, max_term_width = 100)]
pub(crate) struct Cli {
    /// Use this forgekeeper.toml instead of the platform's
    #[arg(long, global = true, value_name = "FILE")]
    pub(crate) config: Option<PathBuf>,

    /// Talk to a demo host of its own instead of your services
    #[arg(long, global = true)]
    pub(crate) demo: bool,

    /// Print JSON: one document, or one line for each event
    #[arg(long, global = true)]
    pub(crate) json: bool,

    /// What to do
    #[command(subcommand)]
    pub(crate) command: Command,
}

/// One row for each command.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Candidates found on every engine
    Discover,
    /// The ladder of each service
    Status(StatusArgs),
    /// Start a stopped container and wait for its API
    Start(ActArgs),
    /// Stop a running container
    Stop(ActArgs),
    /// Restart, wait for proof, print each stage with its time
    Restart(RestartArgs),
    /// Cards, load, memory, temperature, power
    Gpu(GpuArgs),
    /// Filtered log of a service
    Logs(LogsArgs),
    /// Rules of your own for the logs, and what is silenced
    Rules(RulesArgs),
    /// Make test pictures
    Generate(Box<GenerateArgs>),
    /// Find the card that a service computes on: cards are read while it makes tiny pictures
    Placement(PlacementArgs),
    /// The configuration of the services: snapshots of it, and what changed between two
    Snapshot(SnapshotArgs),
    /// The project folder: copied into another one, dated or as a mirror, and verified
    Backup(BackupArgs),
    /// The plan from Forge to ComfyUI: its steps, their proofs, what each would do
    Migration(MigrationArgs),
    /// The models that lie on the disk, by what their headers say; duplicates and space
    Models(ModelsArgs),
    /// Run the demo host until interrupted; prints the path of its configuration file
    Demo(DemoArgs),
    /// Print the completion script of a shell
    Completions(CompletionsArgs),
}

#[derive(Debug, Args)]
pub(crate) struct StatusArgs {
    /// Only this service
    pub(crate) service: Option<ServiceId>,
}

#[derive(Debug, Args)]
pub(crate) struct ActArgs {
    /// The service
    pub(crate) service: ServiceId,
    /// Accept that a running generation is lost
    #[arg(long)]
    pub(crate) force: bool,
}

#[derive(Debug, Args)]
pub(crate) struct RestartArgs {
    /// The service
    pub(crate) service: ServiceId,
    /// Restart only the program inside the container
    #[arg(long, conflicts_with = "container")]
    pub(crate) program: bool,
    /// Restart the whole container (the default)
    #[arg(long)]
    pub(crate) container: bool,
    /// Accept that a running generation is lost
    #[arg(long)]
    pub(crate) force: bool,
}

#[derive(Debug, Args)]
pub(crate) struct GpuArgs {
    /// A small table, drawn anew every second until interrupted
    #[arg(long)]
    pub(crate) watch: bool,
}

#[derive(Debug, Args)]
pub(crate) struct PlacementArgs {
    /// The service
    pub(crate) service: ServiceId,
    /// Make no picture: print what was proved last
    #[arg(long)]
    pub(crate) last: bool,
}

#[derive(Debug, Args)]
pub(crate) struct LogsArgs {
    /// The service
    pub(crate) service: ServiceId,
    /// Only lines that match this regular expression
    #[arg(long, value_name = "RE")]
    pub(crate) filter: Option<String>,
    /// Only warnings and worse, by their words or by what they are known to mean
    #[arg(long)]
    pub(crate) problems: bool,
    /// Only this program of the container's log multiplexer
    #[arg(long, value_name = "NAME")]
    pub(crate) program: Option<String>,
    /// Nothing older: a time (2025-10-11T10:34:00Z) or a span (90s, 15m, 2h, 1d)
    #[arg(long, value_name = "T")]
    pub(crate) since: Option<String>,
    /// Nothing younger: a time or a span, as for --since
    #[arg(long, value_name = "T")]
    pub(crate) until: Option<String>,
    /// The newest N matching lines of what is held
    #[arg(long, value_name = "N")]
    pub(crate) tail: Option<u32>,
    /// Go on until interrupted
    #[arg(long, short)]
    pub(crate) follow: bool,
    /// Also N lines before and after each matching line, 0 to 50
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u8).range(0..=50))]
    pub(crate) context: Option<u8>,
    /// Say below each line that has a name what it means
    #[arg(long)]
    pub(crate) explain: bool,
    /// Lines of the same shape as one, with their number, the most frequent first
    #[arg(long, conflicts_with_all = ["follow", "context", "explain"])]
    pub(crate) group: bool,
    /// Instead of lines: what was said since the program started that is worth a look
    #[arg(
        long,
        conflicts_with_all = [
            "filter", "problems", "program", "since", "until", "tail", "follow", "context",
            "explain", "group",
        ]
    )]
    pub(crate) known: bool,
}

#[derive(Debug, Args)]
pub(crate) struct RulesArgs {
    /// What to do with them instead of listing them
    #[command(subcommand)]
    pub(crate) command: Option<RulesCommand>,
}

#[derive(Debug, Subcommand)]
pub(crate) enum RulesCommand {
    /// Say what is wrong with a rules file
    Check {
        /// The file; left out, the one in use
        file: Option<PathBuf>,
    },
    /// Lines held that a pattern would name
    Test {
        /// A regular expression
        pattern: String,
        /// Only the log of this service
        service: Option<ServiceId>,
    },
}

#[derive(Debug, Args)]
pub(crate) struct GenerateArgs {
    /// The service
    pub(crate) service: ServiceId,
    /// What the picture shows
    #[arg(long, value_name = "TEXT", required_unless_present = "golden")]
    pub(crate) prompt: Option<String>,
    /// What it must not show
    #[arg(long, value_name = "TEXT", default_value = "")]
    pub(crate) negative: String,
    /// A preset by name (smoke, turbo, founding, sdxl, or one of your own); what is given beside it counts
    /// more
    #[arg(long, value_name = "NAME")]
    pub(crate) preset: Option<String>,
    /// Sampling steps, 1 to 150; 20 when left out
    #[arg(long)]
    pub(crate) steps: Option<u32>,
    /// Pixels, a multiple of 8; 512 when left out
    #[arg(long)]
    pub(crate) width: Option<u32>,
    /// Pixels, a multiple of 8; 512 when left out
    #[arg(long)]
    pub(crate) height: Option<u32>,
    /// Guidance, 0 to 30; 7 when left out
    #[arg(long)]
    pub(crate) cfg: Option<f64>,
    /// Seed; left out, the server draws one
    #[arg(long)]
    pub(crate) seed: Option<u64>,
    /// Sampler name as the server lists it
    #[arg(long, value_name = "NAME")]
    pub(crate) sampler: Option<String>,
    /// Scheduler label as the server lists it
    #[arg(long, value_name = "NAME")]
    pub(crate) scheduler: Option<String>,
    /// Model title as the server lists it
    #[arg(long, value_name = "NAME")]
    pub(crate) model: Option<String>,
    /// Pictures, 1 to 8; 1 when left out
    #[arg(long)]
    pub(crate) batch: Option<u32>,
    /// Guidance of distilled models such as Flux, 0 to 30; left out, the server's own
    #[arg(long, value_name = "X")]
    pub(crate) distilled_cfg: Option<f64>,
    /// Layer of the text encoder counted from its end, 1 to 12; left out, the server's own
    #[arg(long, value_name = "N")]
    pub(crate) clip_skip: Option<u32>,
    /// Seed of a second noise; left out, the server draws one
    #[arg(long, value_name = "N", requires = "subseed_strength")]
    pub(crate) subseed: Option<u64>,
    /// How much of the second noise, 0 to 1
    #[arg(long, value_name = "X")]
    pub(crate) subseed_strength: Option<f64>,
    /// A second pass at so many times the size, 1 to 4
    #[arg(long, value_name = "X")]
    pub(crate) hires_scale: Option<f64>,
    /// Steps of the second pass, 1 to 150; as many as the first when left out
    #[arg(long, value_name = "N", requires = "hires_scale")]
    pub(crate) hires_steps: Option<u32>,
    /// How much the second pass makes anew, 0 to 1; 0.7 when left out
    #[arg(long, value_name = "X", requires = "hires_scale")]
    pub(crate) hires_denoise: Option<f64>,
    /// Upscaler of the second pass as the server lists it
    #[arg(long, value_name = "NAME", requires = "hires_scale")]
    pub(crate) hires_upscaler: Option<String>,
    /// A separate VAE or text encoder as the server lists it; may be repeated
    #[arg(long = "module", value_name = "NAME")]
    pub(crate) modules: Vec<String>,
    /// A workflow of your own in ComfyUI's API format, with words such as %prompt% in it
    #[arg(long, value_name = "FILE", conflicts_with = "print_graph")]
    pub(crate) workflow: Option<PathBuf>,
    /// Make no picture: print the graph that ComfyUI would get
    #[arg(long)]
    pub(crate) print_graph: bool,
    /// Folder for the pictures; made when missing, never overwritten into
    #[arg(long, value_name = "DIR", required_unless_present_any = ["golden", "print_graph"])]
    pub(crate) out: Option<PathBuf>,
    /// Ask for it even when the card seems to have too little memory
    #[arg(long)]
    pub(crate) force: bool,
    #[command(flatten)]
    pub(crate) golden: GoldenArgs,
}

#[derive(Debug, Args)]
pub(crate) struct DemoArgs {
    /// Inject a fault: NAME, or NAME=SERVICE
    #[arg(long, value_name = "NAME")]
    pub(crate) fault: Vec<String>,
    /// List the faults there are
    #[arg(long)]
    pub(crate) list_faults: bool,
    /// How many times faster than life
    #[arg(long, value_name = "X", default_value_t = 1.0)]
    pub(crate) speed: f64,
}

#[derive(Debug, Args)]
pub(crate) struct CompletionsArgs {
    /// Which shell
    pub(crate) shell: clap_complete::Shell,
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use clap::CommandFactory as _;

    use super::*;

    #[test]
    fn the_definition_is_sound() {
        Cli::command().debug_assert();
    }

    const MANUAL: &str = include_str!("../../../docs/cli.md");

    /// Options in the first column of the tables of a piece of the manual.
    fn documented(piece: &str) -> BTreeSet<&str> {
        piece
            .lines()
            .filter_map(|line| line.strip_prefix("| `"))
            .filter_map(|row| row.split('|').next())
            .flat_map(|cell| cell.split(['`', ' ', ',']))
            .filter_map(|word| word.strip_prefix("--"))
            .collect()
    }

    fn known(command: &clap::Command) -> BTreeSet<&str> {
        command
            .get_arguments()
            .filter_map(clap::Arg::get_long)
            .collect()
    }

    /// Every command and every option stands in `docs/cli.md`, in its own section, and nothing
    /// else does.
    #[test]
    fn the_manual_knows_every_command_and_option() {
        let cli = Cli::command();
        let (before, sections) = MANUAL.split_once("\n### ").expect("sections");
        assert_eq!(documented(before), known(&cli), "options of every command");
        let mut told = BTreeSet::new();
        for section in sections.split("\n### ") {
            let name = section.trim_start_matches('`').split([' ', '`']).next();
            let name = name.unwrap_or_default();
            let command = cli.find_subcommand(name);
            let command = command.unwrap_or_else(|| panic!("docs/cli.md invents `{name}`"));
            assert_eq!(documented(section), known(command), "options of `{name}`");
            told.insert(name);
        }
        let there: BTreeSet<&str> = cli.get_subcommands().map(clap::Command::get_name).collect();
        assert_eq!(told, there, "commands");
    }

    #[test]
    fn the_manual_check_sees_what_it_should() {
        let piece =
            "`--not-in-a-table`\n| option | meaning |\n|---|---|\n| `--a N`, `--b` | as `--c` |\n";
        assert_eq!(documented(piece), BTreeSet::from(["a", "b"]));
    }
}
