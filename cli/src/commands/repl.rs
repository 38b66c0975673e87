//! `kenning repl`: the interactive prompt; in a pipe, one question a line.

use std::io::BufRead;
use std::path::PathBuf;

use rustyline::error::ReadlineError;
use rustyline::history::DefaultHistory;
use rustyline::{CompletionType, Config, Editor};

use crate::args::{Global, WhereArgs};
use crate::context;
use crate::failure::{Failure, Outcome, Result};
use crate::progress::counted;
use crate::repl::complete::Completion;
use crate::repl::line::Line;
use crate::repl::session::Session;
use crate::terminal::{self, one_line, say};

/// So many lines are remembered.
const REMEMBERED: usize = 2_000;

pub fn run(global: &Global, place: &WhereArgs) -> Result {
    let (layout, index) = context::open_index(place)?;
    let index = context::with_encoder(global, index)?;
    let talks = terminal::is_interactive();
    if talks && !global.quiet {
        let snapshot = index.snapshot()?;
        say(&format!(
            "{}, {} from {}; :help lists the commands",
            counted(snapshot.documents(), "document"),
            counted(snapshot.chunks(), "passage"),
            one_line(&layout.base.display().to_string())
        ));
    }
    let session = Session::new(global, layout, index, talks && !global.quiet);
    if talks {
        interactive(session)
    } else {
        scripted(session)
    }
}

/// Reads lines until there are no more. The exit code is that of the first line that failed.
fn scripted(mut session: Session<'_>) -> Result {
    let mut outcome = Outcome::Done;
    let mut input = std::io::stdin().lock();
    let mut bytes = Vec::new();
    loop {
        bytes.clear();
        if input.read_until(b'\n', &mut bytes)? == 0 {
            return Ok(outcome);
        }
        let text = String::from_utf8_lossy(&bytes);
        match step(&mut session, text.trim_end_matches(['\n', '\r']))? {
            Next::Go => {}
            Next::Failed(code) if outcome == Outcome::Done => outcome = Outcome::Reported(code),
            Next::Failed(_) => {}
            Next::End => return Ok(outcome),
        }
    }
}

fn interactive(mut session: Session<'_>) -> Result {
    let config = Config::builder()
        .completion_type(CompletionType::List)
        .max_history_size(REMEMBERED)
        .and_then(|config| config.history_ignore_dups(true))
        .map_err(unreadable)?
        .auto_add_history(true)
        .build();
    let mut editor: Editor<Completion, DefaultHistory> =
        Editor::with_config(config).map_err(unreadable)?;
    editor.set_helper(Some(Completion::new(session.index().clone())));
    let history = history_file();
    if let Some(file) = &history {
        // There is none at the first time.
        let _ = editor.load_history(file);
    }
    let ended = loop {
        match editor.readline(&session.prompt()) {
            Ok(text) => match step(&mut session, &text) {
                Ok(Next::Go | Next::Failed(_)) => {}
                Ok(Next::End) => break Ok(Outcome::Done),
                Err(failure) => break Err(failure),
            },
            Err(ReadlineError::Interrupted) => {}
            Err(ReadlineError::Eof) => break Ok(Outcome::Done),
            Err(error) => break Err(unreadable(error)),
        }
    };
    if let Some(file) = &history {
        let made = file.parent().map_or(Ok(()), std::fs::create_dir_all);
        let saved = made.map_err(ReadlineError::from);
        if let Err(error) = saved.and_then(|()| editor.append_history(file)) {
            let file = one_line(&file.display().to_string());
            say(&format!(
                "note: the history {file} cannot be written: {error}"
            ));
        }
    }
    ended
}

/// What comes after a line.
enum Next {
    Go,
    /// The next line too; this one failed, and it was said why.
    Failed(u8),
    End,
}

/// Does what a line says. Only a closed output ends the prompt.
fn step(session: &mut Session<'_>, text: &str) -> Result<Next> {
    let done = match Line::parse(text) {
        Ok(Line::Quit) => return Ok(Next::End),
        Ok(line) => session.run(line),
        Err(failure) => Err(failure),
    };
    match done {
        Ok(Outcome::Done | Outcome::Nothing) => Ok(Next::Go),
        Ok(outcome) => Ok(Next::Failed(outcome.code())),
        Err(Failure::OutputClosed) => Err(Failure::OutputClosed),
        Err(failure) => {
            terminal::error(&failure.message(), failure.hint().as_deref());
            Ok(Next::Failed(failure.code()))
        }
    }
}

fn unreadable(error: ReadlineError) -> Failure {
    match error {
        ReadlineError::Io(error) => error.into(),
        other => Failure::Stream(std::io::Error::other(other.to_string())),
    }
}

/// Where lines are remembered: in the user's state folder.
fn history_file() -> Option<PathBuf> {
    let folder = |name| {
        std::env::var_os(name)
            .map(PathBuf::from)
            .filter(|path| path.is_absolute())
    };
    let state = folder("XDG_STATE_HOME")
        .or_else(|| folder("LOCALAPPDATA"))
        .or_else(|| Some(folder("HOME")?.join(".local/state")))?;
    Some(state.join("kenning").join("history"))
}
