//! `kenning`: find the passages that mean what you asked, in a folder of documents.
//!
//! Reading order: `args` (the command line), `context` (flags resolved to open things), then one
//! file a command under `commands`; the prompt's pieces are under `repl`.

mod args;
mod commands;
mod context;
mod failure;
mod graphs;
mod interrupt;
mod progress;
mod repl;
mod show;
mod terminal;

use std::process::ExitCode;

use clap::{CommandFactory, Parser};

use args::{Cli, Command, InspectCommand, WhereArgs};
use failure::{Failure, Outcome};

/// Embedding makes and drops many large temporaries; the system's allocator hands each back to the
/// kernel, and faulting them in again costs a third of the time.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    terminal::tame_panics();
    let cli = parse();
    // A panic was told when it happened.
    let Ok(result) = std::panic::catch_unwind(|| run(cli)) else {
        terminal::say(
            "hint: this is a defect of kenning; `kenning doctor` tells whether the index is sound",
        );
        return ExitCode::from(3);
    };
    match result {
        Ok(outcome) => ExitCode::from(outcome.code()),
        Err(failure) => {
            let message = failure.message();
            if !message.is_empty() {
                terminal::error(&message, failure.hint().as_deref());
            }
            ExitCode::from(failure.code())
        }
    }
}

/// What the arguments say. What is wrong with them is told with the arguments in it, which can be names of files that
/// others gave: it is told of what they are when nothing in them commands a terminal.
fn parse() -> Cli {
    Cli::try_parse().unwrap_or_else(|error| {
        let shown = std::env::args_os().map(|word| terminal::one_line(&word.to_string_lossy()));
        match Cli::try_parse_from(shown) {
            Err(error) => error.exit(),
            Ok(_) => error.exit(),
        }
    })
}

fn run(cli: Cli) -> failure::Result {
    let global = &cli.global;
    match cli.command {
        Some(Command::Index(args)) => commands::index::run(global, &args),
        Some(Command::Search(args)) => commands::search::run(global, &args),
        Some(Command::Repl(place)) => commands::repl::run(global, &place),
        Some(Command::Similar(args)) => commands::similar::run(global, &args),
        Some(Command::Status(args)) => commands::status::run(&args),
        Some(Command::Doctor(args)) => commands::doctor::run(global, &args),
        Some(Command::Remove(args)) => commands::remove::run(global, &args),
        Some(Command::Optimize(place)) => commands::optimize::run(global, &place),
        Some(Command::Embed(args)) => commands::embed::run(global, &args),
        Some(Command::Eval(args)) => commands::eval::run(global, &args),
        Some(Command::Models(args)) => commands::models::run(global, &args),
        Some(Command::Inspect(args)) => match &args.command {
            InspectCommand::Tokens { text, json } => {
                commands::inspect::tokens(global, &text.join(" "), *json)
            }
        },
        Some(Command::Completions(args)) => {
            let mut script = Vec::new();
            clap_complete::generate(args.shell, &mut Cli::command(), "kenning", &mut script);
            terminal::print_bytes(&script)?;
            Ok(Outcome::Done)
        }
        Some(Command::ExtractWorker) => {
            kenning_indexer::extract::run_worker(
                std::io::stdin().lock(),
                std::io::stdout().lock(),
            )?;
            Ok(Outcome::Done)
        }
        Some(Command::MeasureWorker(args)) => commands::compare::worker(global, &args),
        None if terminal::is_interactive() => commands::repl::run(global, &WhereArgs::default()),
        None => Err(Failure::usage(
            "there is no command, and this is no terminal for the interactive prompt",
            "`kenning --help` lists the commands",
        )),
    }
}
