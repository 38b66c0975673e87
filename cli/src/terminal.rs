//! Talking to a terminal, or to a pipe: data on standard output, talk on standard error.

use std::io::{self, IsTerminal, Write};

use crate::failure::Result;

/// Whether someone sits in front of it.
pub fn is_interactive() -> bool {
    io::stdin().is_terminal() && io::stdout().is_terminal()
}

/// Whether to colour standard output.
pub fn colour_output() -> bool {
    io::stdout().is_terminal() && wants_colour()
}

fn wants_colour() -> bool {
    let set = |name| std::env::var_os(name).is_some_and(|value| !value.is_empty());
    !set("NO_COLOR") && std::env::var_os("TERM").is_none_or(|term| term != "dumb")
}

/// Columns of the terminal; 80 where there is none.
pub fn width() -> usize {
    match console::Term::stdout().size_checked() {
        Some((_, columns)) => usize::from(columns).max(20),
        None => 80,
    }
}

/// Lines of the terminal; 24 where there is none.
pub fn height() -> usize {
    match console::Term::stdout().size_checked() {
        Some((lines, _)) => usize::from(lines),
        None => 24,
    }
}

/// Writes data to standard output.
pub fn print(text: &str) -> Result<()> {
    print_bytes(text.as_bytes())
}

/// Writes bytes to standard output.
pub fn print_bytes(bytes: &[u8]) -> Result<()> {
    let mut output = io::stdout().lock();
    output.write_all(bytes)?;
    output.flush()?;
    Ok(())
}

/// Says something on standard error. If that is closed there is nobody to tell.
pub fn say(text: &str) {
    let _ = writeln!(io::stderr().lock(), "{text}");
}

/// Takes away what a progress bar of a process that is gone has left on the line.
pub fn clear_line() {
    let terminal = console::Term::stderr();
    if terminal.is_term() {
        let _ = terminal.clear_line();
    }
}

/// Says what went wrong and what to do.
pub fn error(message: &str, hint: Option<&str>) {
    let colour = io::stderr().is_terminal() && wants_colour();
    let (red, bold, off) = if colour {
        ("\x1b[1;31m", "\x1b[1m", "\x1b[0m")
    } else {
        ("", "", "")
    };
    say(&format!("{red}error:{off} {}", one_line(message)));
    if let Some(hint) = hint {
        say(&format!("{bold}hint:{off} {}", one_line(hint)));
    }
}

/// A text from outside, made safe to show: control characters, escape sequences among them, and what
/// turns the direction of writing, as spaces.
pub fn one_line(text: &str) -> String {
    let turns = |c| matches!(c, '\u{202A}'..='\u{202E}' | '\u{2066}'..='\u{2069}');
    let breaks = |c| matches!(c, '\u{2028}' | '\u{2029}');
    text.chars()
        .map(|c| match c.is_control() || turns(c) || breaks(c) {
            true => ' ',
            false => c,
        })
        .collect()
}

/// How text is set off, or not at all.
#[derive(Debug, Clone, Copy)]
pub struct Style {
    colour: bool,
}

impl Style {
    /// The style of standard error.
    pub fn of_talk() -> Self {
        Style {
            colour: io::stderr().is_terminal() && wants_colour(),
        }
    }

    /// The style of standard output.
    pub fn of_output() -> Self {
        Style {
            colour: colour_output(),
        }
    }

    fn wrap(self, code: &str, text: &str) -> String {
        if self.colour {
            format!("\x1b[{code}m{text}\x1b[0m")
        } else {
            text.to_owned()
        }
    }

    /// For what matters.
    pub fn bold(self, text: &str) -> String {
        self.wrap("1", text)
    }

    /// For what matters less.
    pub fn dim(self, text: &str) -> String {
        self.wrap("2", text)
    }

    /// For names of files.
    pub fn path(self, text: &str) -> String {
        self.wrap("36", text)
    }

    /// For words that were looked for.
    pub fn mark(self, text: &str) -> String {
        self.wrap("1;33", text)
    }
}
