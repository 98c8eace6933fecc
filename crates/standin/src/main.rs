//! `forgekeeper-standin`: the played host, or one program of it, as a program of its own.

use std::net::{Ipv4Addr, SocketAddr};

use clap::{Args, Parser, Subcommand};
use forgekeeper_standin::container_side::program::{self, ProgramOptions};
use forgekeeper_standin::container_side::{self, rootfs};
use forgekeeper_standin::forge::{Build, FORGE_ARGS};
use forgekeeper_standin::{DemoOptions, DemoSite, FAULTS, Fault, Ports};

#[derive(Parser)]
#[command(
    version,
    about = "The outside world of Forgekeeper, played by real servers"
)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Args)]
struct OneProgram {
    /// Port on all interfaces [default: 17860 for forge, 8188 for comfyui].
    #[arg(long)]
    port: Option<u16>,
    /// Ten makes start-up and generation ten times faster.
    #[arg(long, env = "STANDIN_SPEED", default_value_t = 1.0)]
    speed: f64,
    /// A fault from the start.
    #[arg(
        long = "fault",
        value_name = "NAME",
        env = "STANDIN_FAULTS",
        value_delimiter = ','
    )]
    faults: Vec<String>,
    /// Service name.
    #[arg(long, env = "STANDIN_NAME", default_value = "forge")]
    name: String,
    /// `user:password` that the API asks for.
    #[arg(long, env = "STANDIN_AUTH", value_name = "USER:PASSWORD")]
    auth: Option<String>,
    /// Which of the two cards is visible.
    #[arg(long, env = "STANDIN_GPU", default_value_t = 0)]
    card: usize,
    /// Which Forge is played: the commit of the image, or the last one known.
    #[arg(long, env = "STANDIN_BUILD", value_enum, default_value_t = Build::Image)]
    build: Build,
    /// Command line of Forge; without `--api`, or with `--nowebui`, other routes answer.
    #[arg(long, env = "FORGE_ARGS", default_value = FORGE_ARGS, allow_hyphen_values = true)]
    forge_args: String,
}

#[derive(Subcommand)]
enum Command {
    /// Plays the whole demo host on loopback until it is stopped.
    Site {
        /// Ten makes start-up and generation ten times faster.
        #[arg(long, default_value_t = 1.0)]
        speed: f64,
        /// A fault from the start: NAME, or NAME@SERVICE for one service.
        #[arg(long = "fault", value_name = "NAME[@SERVICE]")]
        faults: Vec<String>,
        /// `user:password` that both Forge APIs ask for.
        #[arg(long, value_name = "USER:PASSWORD")]
        auth: Option<String>,
        /// Which Forge is played: the commit of the image, or the last one known.
        #[arg(long, value_enum, default_value_t = Build::Image)]
        build: Build,
        /// Command line of both Forge services.
        #[arg(long, allow_hyphen_values = true)]
        forge_args: Option<String>,
        /// Use the ports of the founding document instead of any free ones.
        #[arg(long)]
        founding_ports: bool,
        /// Also serve the engine on this Unix socket.
        #[arg(long, value_name = "PATH")]
        socket: Option<std::path::PathBuf>,
        /// Print the addresses as one line of JSON.
        #[arg(long)]
        json_endpoints: bool,
    },
    /// One Forge program, as it runs inside a container.
    Forge(OneProgram),
    /// One ComfyUI program.
    Comfyui(OneProgram),
    /// PID 1 of a container: starts and keeps `forge`, answers `supervisorctl`.
    Supervisor {
        /// Given to the Forge program.
        #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
        args: Vec<String>,
    },
    /// Writes a root file system around this binary to standard output, for `docker import`.
    Rootfs {
        /// As of an image whose program runs without a supervisor.
        #[arg(long)]
        no_supervisor: bool,
    },
    /// Writes so many lines as Forge writes them, as fast as they are read: a log to measure with.
    Lines {
        /// How many.
        count: u64,
        /// So many a second, instead of as fast as they are read.
        #[arg(long, value_parser = clap::value_parser!(u64).range(1..))]
        rate: Option<u64>,
    },
    /// Lists the faults.
    Faults,
    /// Inside a container: breaks something at run time, or mends it.
    Fault {
        /// A name from `faults`.
        name: String,
        /// Mend instead.
        #[arg(long)]
        clear: bool,
    },
}

type Failure = Box<dyn std::error::Error>;

fn pair(text: &str) -> Result<(String, String), Failure> {
    let (user, word) = text.split_once(':').ok_or("expected USER:PASSWORD")?;
    Ok((user.to_owned(), word.to_owned()))
}

impl OneProgram {
    fn options(self, port: u16) -> Result<ProgramOptions, Failure> {
        let names = self.faults.iter().filter(|name| !name.is_empty());
        Ok(ProgramOptions {
            addr: SocketAddr::from((Ipv4Addr::UNSPECIFIED, self.port.unwrap_or(port))),
            name: self.name,
            speed: self.speed,
            faults: names
                .map(|name| container_side::faults::read(name))
                .collect::<Result<_, _>>()?,
            auth: self.auth.as_deref().map(pair).transpose()?,
            card: self.card,
            build: self.build,
            args: self.forge_args,
        })
    }
}

/// The binary under another name: what `docker exec` finds inside the container.
fn other_name(words: &[String]) -> Option<i32> {
    let (name, args) = words.split_first()?;
    let name = name.rsplit('/').next().unwrap_or(name);
    match name {
        #[cfg(unix)]
        "supervisorctl" => Some(container_side::client::supervisorctl(args)),
        #[cfg(unix)]
        "tail" => Some(container_side::tail::run(args)),
        #[cfg(unix)]
        "wc" => Some(container_side::tail::wc(args)),
        "test" => {
            let path = args.iter().find(|a| !a.starts_with('-'));
            Some(i32::from(
                !path.is_some_and(|p| std::path::Path::new(p).exists()),
            ))
        }
        "nvidia-smi" => {
            let card = std::env::var("STANDIN_GPU")
                .ok()
                .and_then(|n| n.parse().ok())
                .unwrap_or(0);
            let answer = program::nvidia_smi(card, args);
            print!("{}", answer.text);
            i32::try_from(answer.code).ok().or(Some(1))
        }
        _ => None,
    }
}

async fn site(options: DemoOptions, json: bool) -> Result<(), Failure> {
    let site = DemoSite::start(options).await?;
    if json {
        println!("{}", site.endpoints_json());
    } else {
        println!("{}", site.config_toml());
        println!("# faults: {}/faults", site.control_url());
    }
    program::wait_for_end().await;
    site.shutdown().await;
    Ok(())
}

async fn command(command: Command) -> Result<(), Failure> {
    match command {
        Command::Faults => {
            for row in FAULTS {
                println!("{:<24} {:<10} {}", row.name, row.part.word(), row.text);
            }
        }
        Command::Fault { name, clear } => {
            let file = std::path::Path::new(container_side::FAULT_FILE);
            container_side::faults::store(file, container_side::faults::read(&name)?, !clear)?;
        }
        Command::Rootfs { no_supervisor } => {
            let binary = std::fs::read(std::env::current_exe()?)?;
            rootfs::write(&mut std::io::stdout().lock(), &binary, !no_supervisor)?;
        }
        Command::Lines { count, rate } => {
            let mut out = std::io::BufWriter::new(std::io::stdout().lock());
            match rate {
                None => forgekeeper_standin::flood::write_lines(&mut out, count)?,
                Some(rate) => forgekeeper_standin::flood::write_paced(&mut out, count, rate)?,
            }
        }
        Command::Forge(one) => program::forge(one.options(17_860)?).await?,
        Command::Comfyui(one) => program::comfyui(one.options(8_188)?).await?,
        #[cfg(unix)]
        Command::Supervisor { args } => {
            container_side::pid1::run(args).await?;
            // As bash, which is PID 1 of the image, ends on SIGTERM.
            std::process::exit(143);
        }
        #[cfg(not(unix))]
        Command::Supervisor { .. } => return Err("only inside a Linux container".into()),
        Command::Site {
            speed,
            faults,
            auth,
            build,
            forge_args,
            founding_ports,
            socket,
            json_endpoints,
        } => {
            let mut wanted = Vec::new();
            for text in &faults {
                let (name, service) = match text.split_once('@') {
                    Some((name, service)) => (name, Some(service.to_owned())),
                    None => (text.as_str(), None),
                };
                wanted.push((name.parse::<Fault>()?, service));
            }
            let options = DemoOptions {
                speed,
                faults: wanted,
                ports: if founding_ports {
                    Ports::Founding
                } else {
                    Ports::Ephemeral
                },
                auth: auth.as_deref().map(pair).transpose()?,
                build,
                forge_args,
                workspace: None,
                socket,
            };
            site(options, json_endpoints).await?;
        }
    }
    Ok(())
}

fn main() -> Result<(), Failure> {
    let words: Vec<String> = std::env::args().collect();
    if let Some(code) = other_name(&words) {
        std::process::exit(code);
    }
    let arguments = Arguments::parse();
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()?;
    runtime.block_on(command(arguments.command))
}
