//! Talking to a terminal, or to a pipe: data on standard output, talk on standard error.

use std::io::{self, IsTerminal, Write};

use serde::Serialize;

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

/// Writes a value to standard output as one line of JSON, in which nothing is left that a terminal obeys.
pub fn print_json(value: &impl Serialize) -> Result<()> {
    print(&json_line(value)?)
}

/// That line, with its end. What JSON may leave in texts as it is, and a terminal obeys, is escaped: deleting, the
/// control characters beyond ASCII, what turns the direction of writing, and breaks of lines.
pub fn json_line(value: &impl Serialize) -> Result<String> {
    let plain = serde_json::to_string(value).map_err(io::Error::other)?;
    let mut line = String::with_capacity(plain.len() + 1);
    for c in plain.chars() {
        match is_obeyed(c) {
            // Of what JSON is made of, only texts hold such characters. None of them is beyond 16 bits.
            true => line.push_str(&format!("\\u{:04x}", u32::from(c))),
            false => line.push(c),
        }
    }
    line.push('\n');
    Ok(line)
}

/// Writes bytes to standard output.
pub fn print_bytes(bytes: &[u8]) -> Result<()> {
    let mut output = io::stdout().lock();
    output.write_all(bytes)?;
    output.flush()?;
    Ok(())
}

/// Says something on standard error, in one line, whatever is in it. If that is closed there is nobody to tell.
pub fn say(text: &str) {
    say_styled(&one_line(text));
}

/// The same for a text that is safe to show, with styles in it.
pub fn say_styled(text: &str) {
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
    say_styled(&format!("{red}error:{off} {}", one_line(message)));
    if let Some(hint) = hint {
        say_styled(&format!("{bold}hint:{off} {}", one_line(hint)));
    }
}

/// Lets the messages of panics, which are defects of the program, not command the terminal: they can quote what the
/// program worked on.
pub fn tame_panics() {
    let usual = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |panic| {
        let message = panic.to_string();
        match message.contains(|c| is_obeyed(c) && c != '\n') {
            true => say(&message),
            false => usual(panic),
        }
    }));
}

/// A text from outside, made safe to show: control characters, escape sequences among them, and what
/// turns the direction of writing, as spaces.
pub fn one_line(text: &str) -> String {
    let shown = |c| if is_obeyed(c) { ' ' } else { c };
    text.chars().map(shown).collect()
}

/// Whether a terminal does something else with a character than showing it: controls, those beyond ASCII too, what
/// turns the direction of writing, and breaks of lines and paragraphs.
pub fn is_obeyed(c: char) -> bool {
    let turns = matches!(c, '\u{202A}'..='\u{202E}' | '\u{2066}'..='\u{2069}');
    c.is_control() || turns || matches!(c, '\u{2028}' | '\u{2029}')
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

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    /// All that a terminal could take for a command, from ASCII and beyond.
    const HOSTILE: &str =
        "a\x1b[2J\x07\r\n\t\x00\x7f\u{80}\u{9b}31m\u{9d}0;x\u{9c}\u{202e}\u{2066}\u{2028}é👩";

    #[test]
    fn what_is_shown_is_one_line_that_commands_nothing() {
        let shown = one_line(HOSTILE);
        assert!(!shown.contains(is_obeyed), "{shown:?}");
        assert_eq!(shown.chars().count(), HOSTILE.chars().count());
        assert!(shown.starts_with("a [2J") && shown.ends_with("é👩"));
    }

    #[test]
    fn json_commands_nothing_and_means_the_same() {
        let value = serde_json::json!({ "text": HOSTILE, HOSTILE: [HOSTILE, 1.5, null] });
        let line = json_line(&value).unwrap();
        let (json, end) = line.split_at(line.len() - 1);
        assert_eq!(end, "\n");
        assert!(!json.contains(is_obeyed), "{json:?}");
        assert_eq!(
            serde_json::from_str::<serde_json::Value>(json).unwrap(),
            value
        );
    }
}
