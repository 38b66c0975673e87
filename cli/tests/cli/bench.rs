//! A folder of documents and the program.

use std::io::{Read, Write};
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use serde_json::Value;

/// The tiny encoder.
pub fn model() -> PathBuf {
    let fixtures = Path::new(env!("CARGO_MANIFEST_DIR")).join("../engine/tests/fixtures/encoders");
    fixtures.join("bert").canonicalize().unwrap()
}

/// A temporary folder of documents, with a home of its own.
pub struct Bench {
    temp: tempfile::TempDir,
}

impl Bench {
    /// An empty folder.
    pub fn empty() -> Self {
        let temp = tempfile::tempdir().unwrap();
        std::fs::create_dir(temp.path().join("docs")).unwrap();
        std::fs::create_dir(temp.path().join("home")).unwrap();
        Bench { temp }
    }

    /// A folder with these files, not indexed.
    pub fn with(files: &[(&str, &str)]) -> Self {
        let bench = Self::empty();
        for (name, text) in files {
            bench.write(name, text);
        }
        bench
    }

    /// A folder with these files, indexed.
    pub fn indexed(files: &[(&str, &str)]) -> Self {
        let bench = Self::with(files);
        bench.index();
        bench
    }

    /// The folder.
    pub fn folder(&self) -> PathBuf {
        self.temp.path().join("docs").canonicalize().unwrap()
    }

    /// The user's home.
    pub fn home(&self) -> PathBuf {
        self.temp.path().join("home")
    }

    /// Writes a file.
    pub fn write(&self, name: &str, text: impl AsRef<[u8]>) {
        let path = self.folder().join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
    }

    /// The program in the folder, in an environment that says nothing.
    pub fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_kenning"));
        command
            .env_clear()
            .env("PATH", std::env::var_os("PATH").unwrap_or_default());
        command.env("HOME", self.home()).env("KENNING_OFFLINE", "1");
        command
            .current_dir(self.folder())
            .args(arguments)
            .stdin(Stdio::null());
        command
    }

    /// Runs the program.
    pub fn run(&self, arguments: &[&str]) -> Done {
        Done::of(self.command(arguments).output().unwrap())
    }

    /// Runs the program and reads only the first byte of its output, as `head` does.
    pub fn read_one_byte(&self, arguments: &[&str]) -> Done {
        let mut command = self.command(arguments);
        command.stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().unwrap();
        let mut first = [0];
        let mut stdout = child.stdout.take().unwrap();
        stdout.read_exact(&mut first).unwrap();
        drop(stdout);
        Done::of(child.wait_with_output().unwrap())
    }

    /// Runs the program with this on standard input.
    pub fn feed(&self, arguments: &[&str], input: &str) -> Done {
        feed(&mut self.command(arguments), input)
    }

    /// Indexes the folder with the tiny encoder; the report.
    pub fn index(&self) -> Value {
        let model = model();
        let done = self.run(&["index", "--json", "--model", model.to_str().unwrap()]);
        assert!(matches!(done.code, 0 | 4), "{}", done.talk);
        done.json()
    }

    /// Searches by keyword; the answer.
    pub fn keyword(&self, query: &str) -> Value {
        self.run(&["search", "--mode", "keyword", "--json", query])
            .json()
    }
}

/// Runs a command with this on standard input.
pub fn feed(command: &mut Command, input: &str) -> Done {
    command
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    let mut child = command.spawn().unwrap();
    let mut stdin = child.stdin.take().unwrap();
    // Who reads no more has enough.
    let _ = stdin.write_all(input.as_bytes());
    drop(stdin);
    Done::of(child.wait_with_output().unwrap())
}

/// How the program ended.
#[derive(Debug)]
pub struct Done {
    pub code: i32,
    pub out: String,
    pub talk: String,
}

impl Done {
    pub fn of(output: Output) -> Self {
        let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
        Done {
            code: output.status.code().unwrap(),
            out: text(output.stdout),
            talk: text(output.stderr),
        }
    }

    /// Standard output as JSON.
    #[track_caller]
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.out).unwrap_or_else(|error| panic!("{error}: {self:?}"))
    }

    /// That it failed with this code, an error that holds `what` and a hint.
    #[track_caller]
    pub fn assert_error(&self, code: i32, what: &str) {
        assert_eq!(self.code, code, "{self:?}");
        let lines: Vec<&str> = self.talk.lines().collect();
        let error = lines.iter().find(|line| line.starts_with("error: "));
        assert!(error.is_some_and(|line| line.contains(what)), "{self:?}");
        assert!(
            lines.iter().any(|line| line.starts_with("hint: ")),
            "{self:?}"
        );
    }
}

/// The paths of the hits.
pub fn paths(answer: &Value) -> Vec<String> {
    let hits = answer["hits"].as_array().unwrap().iter();
    hits.map(|hit| hit["path"].as_str().unwrap().to_owned())
        .collect()
}

/// A Markdown file of sections that are a chunk each.
pub fn sections(words: &[&str]) -> String {
    let section = |word: &&str| {
        format!(
            "# About {word}\n\nThe {word} is a thing of which little is known here. {word} and again {word}: whoever \
            looks for it finds this paragraph, which speaks of nothing else and is as long as it is for a reason.\n\n"
        )
    };
    words.iter().map(section).collect()
}

/// Copies a folder.
pub fn copy(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).unwrap();
    for entry in std::fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let target = to.join(entry.file_name());
        match entry.path().is_dir() {
            true => copy(&entry.path(), &target),
            false => drop(std::fs::copy(entry.path(), target).unwrap()),
        }
    }
}
