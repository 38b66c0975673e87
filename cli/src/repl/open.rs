//! A file in the user's editor, at a line; what an editor cannot show, in the system's own program.

use std::ffi::OsString;
use std::io::Read;
use std::path::Path;
use std::process::{Command, Stdio};

use crate::failure::{Failure, Result};
use crate::terminal;

/// Opens `file`: text in the editor, at `line` where that is known, and waits until it is closed; other
/// formats in the program that the system has for them.
///
/// # Errors
/// If the file cannot be read or the program cannot be run, with what to set.
pub fn open(file: &Path, line: Option<u32>) -> Result<()> {
    if is_text(file)? {
        edit(file, line)
    } else {
        view(file)
    }
}

fn is_text(file: &Path) -> Result<bool> {
    let mut start = Vec::new();
    let read = std::fs::File::open(file).and_then(|f| f.take(8_192).read_to_end(&mut start));
    read.map_err(|error| kenning::Error::io("read", file, error))?;
    let rich = [&b"%PDF"[..], b"{\\rtf"]
        .iter()
        .any(|mark| start.starts_with(mark));
    Ok(!rich && !start.contains(&0))
}

fn edit(file: &Path, line: Option<u32>) -> Result<()> {
    let set = |name| {
        std::env::var(name)
            .ok()
            .filter(|text| !text.trim().is_empty())
    };
    let editor = set("VISUAL").or_else(|| set("EDITOR"));
    let editor = editor.unwrap_or_else(|| if cfg!(windows) { "notepad" } else { "vi" }.to_owned());
    let mut words = split(&editor).into_iter();
    let program = words.next().unwrap_or_default();
    let mut command = Command::new(&program);
    command.args(words).args(arguments(&program, file, line));
    if !terminal::is_interactive() {
        // The questions that wait on standard input are not the editor's.
        command.stdin(Stdio::null());
    }
    match command.status() {
        Ok(status) if status.success() => Ok(()),
        Ok(status) => Err(Failure::usage(
            format!("the editor {program} ended with {status}"),
            "VISUAL or EDITOR names another",
        )),
        Err(error) => Err(Failure::usage(
            format!("the editor {program} cannot be run: {error}"),
            "set VISUAL or EDITOR to an editor, as in `export EDITOR=nano`",
        )),
    }
}

/// How an editor is told a file and a line.
fn arguments(program: &str, file: &Path, line: Option<u32>) -> Vec<OsString> {
    let Some(line) = line else {
        return vec![file.into()];
    };
    let name = Path::new(program).file_stem().unwrap_or_default();
    let with_line = || {
        let mut both = file.as_os_str().to_owned();
        both.push(format!(":{line}"));
        both
    };
    match name.to_string_lossy().as_ref() {
        "code" | "code-insiders" | "codium" | "cursor" | "windsurf" => {
            vec!["-g".into(), with_line()]
        }
        "hx" | "helix" | "subl" | "zed" => vec![with_line()],
        "kate" | "kwrite" | "idea" | "pycharm" | "rustrover" => {
            vec!["--line".into(), line.to_string().into(), file.into()]
        }
        "notepad" | "open" | "TextEdit" => vec![file.into()],
        _ => vec![format!("+{line}").into(), file.into()],
    }
}

/// The words of a command, of which some may stand in quotes.
fn split(command: &str) -> Vec<String> {
    let mut words = Vec::new();
    let mut word: Option<String> = None;
    let mut quote = None;
    for c in command.chars() {
        match (c, quote) {
            (_, Some(open)) if c == open => quote = None,
            ('"' | '\'', None) => {
                quote = Some(c);
                word.get_or_insert_default();
            }
            (_, None) if c.is_whitespace() => words.extend(word.take()),
            _ => word.get_or_insert_default().push(c),
        }
    }
    words.extend(word);
    words
}

/// Starts the system's program for a file, and does not wait for it.
fn view(file: &Path) -> Result<()> {
    let opener = if cfg!(target_os = "macos") {
        "open"
    } else if cfg!(windows) {
        "explorer"
    } else {
        "xdg-open"
    };
    let mut command = Command::new(opener);
    command.arg(file);
    command
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null());
    match command.spawn() {
        Ok(mut child) => {
            // So that no dead process is left behind.
            std::thread::spawn(move || child.wait());
            Ok(())
        }
        Err(error) => Err(Failure::usage(
            format!(
                "{} is no text, and {opener} cannot be run: {error}",
                file.display()
            ),
            ":show shows the passage here",
        )),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn each_editor_is_told_the_line_in_its_own_way() {
        let told = |editor: &str| arguments(editor, Path::new("/a b.md"), Some(7));
        assert_eq!(told("vi"), ["+7", "/a b.md"]);
        assert_eq!(told("/usr/bin/nano"), ["+7", "/a b.md"]);
        assert_eq!(told("emacs"), ["+7", "/a b.md"]);
        assert_eq!(told("code"), ["-g", "/a b.md:7"]);
        assert_eq!(told("hx"), ["/a b.md:7"]);
        assert_eq!(told("kate"), ["--line", "7", "/a b.md"]);
        assert_eq!(arguments("vi", Path::new("/a.html"), None), ["/a.html"]);
    }

    #[test]
    fn an_editor_may_have_arguments_and_quotes() {
        assert_eq!(split("emacsclient -nw"), ["emacsclient", "-nw"]);
        assert_eq!(split("  '/opt/my editor' \"\" "), ["/opt/my editor", ""]);
        assert!(split(" ").is_empty());
    }

    #[test]
    fn pdf_and_what_holds_zeroes_is_no_text() {
        let folder = tempfile::tempdir().unwrap();
        let is = |bytes: &[u8]| {
            let file = folder.path().join("f");
            std::fs::write(&file, bytes).unwrap();
            is_text(&file).unwrap()
        };
        assert!(is("a text, naïve".as_bytes()) && is(b""));
        assert!(!is(b"%PDF-1.7\n") && !is(b"PK\x03\x04\0\0") && !is(b"{\\rtf1 x}"));
        assert!(is_text(&folder.path().join("missing")).is_err());
    }
}
