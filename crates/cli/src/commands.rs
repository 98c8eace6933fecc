//! One file for each command.

use clap::CommandFactory as _;
use forgekeeper_domain::{
    action::{Action, RestartTarget},
    error::ErrorInfo,
};

use crate::{
    args::{Cli, Command},
    exit,
    session::Session,
};

mod act;
mod demo;
mod discover;
mod generate;
mod gpu;
mod logs;
mod status;

/// Runs a command; the number is the exit code.
pub(crate) async fn run(cli: Cli) -> Result<u8, ErrorInfo> {
    match &cli.command {
        Command::Completions(args) => {
            let name = "forgekeeperctl";
            clap_complete::generate(
                args.shell,
                &mut Cli::command(),
                name,
                &mut std::io::stdout(),
            );
            return Ok(exit::OK);
        }
        Command::Demo(args) => return demo::run(args, cli.json).await,
        _ => {}
    }
    let session = Session::open(&cli).await?;
    let result = with_session(&cli, &session).await;
    session.close().await;
    result
}

async fn with_session(cli: &Cli, session: &Session) -> Result<u8, ErrorInfo> {
    let json = cli.json;
    match &cli.command {
        Command::Discover => discover::run(session, json).await,
        Command::Status(args) => status::run(session, args, json).await,
        Command::Start(args) => {
            act::run(session, &args.service, Action::Start, args.force, json).await
        }
        Command::Stop(args) => {
            act::run(session, &args.service, Action::Stop, args.force, json).await
        }
        Command::Restart(args) => {
            let target = if args.program {
                RestartTarget::Program
            } else {
                RestartTarget::Container
            };
            let action = Action::Restart { target };
            act::run(session, &args.service, action, args.force, json).await
        }
        Command::Gpu(args) => gpu::run(session, args, json).await,
        Command::Logs(args) => logs::run(session, args, json).await,
        Command::Generate(args) => generate::run(session, args, json).await,
        Command::Demo(_) | Command::Completions(_) => Ok(exit::OK),
    }
}
