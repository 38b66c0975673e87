//! What file names say about content.

use std::path::Path;

use super::format::Format;

/// Extensions of source code, sorted. The extension itself is the name of the language.
const CODE: &[&str] = &[
    "ada",
    "adb",
    "ads",
    "agda",
    "applescript",
    "arb",
    "as",
    "asm",
    "asp",
    "aspx",
    "awk",
    "bas",
    "bash",
    "bat",
    "bicep",
    "bzl",
    "c",
    "cbl",
    "cc",
    "cfg",
    "cjs",
    "cl",
    "clj",
    "cljc",
    "cljs",
    "cls",
    "cmake",
    "cmd",
    "cob",
    "coffee",
    "conf",
    "cpp",
    "cppm",
    "cr",
    "cs",
    "csh",
    "csproj",
    "css",
    "cu",
    "cuh",
    "cxx",
    "d",
    "dart",
    "desktop",
    "diff",
    "dockerfile",
    "dpr",
    "edn",
    "el",
    "elm",
    "env",
    "erb",
    "erl",
    "ex",
    "exs",
    "f",
    "f03",
    "f08",
    "f77",
    "f90",
    "f95",
    "fish",
    "for",
    "frag",
    "fs",
    "fsi",
    "fsx",
    "gd",
    "gemspec",
    "glsl",
    "gml",
    "go",
    "gql",
    "gradle",
    "graphql",
    "groovy",
    "h",
    "haml",
    "handlebars",
    "hbs",
    "hcl",
    "hh",
    "hlsl",
    "hpp",
    "hrl",
    "hs",
    "htaccess",
    "hx",
    "hxx",
    "idl",
    "inc",
    "ini",
    "ino",
    "ipp",
    "j2",
    "jade",
    "java",
    "jl",
    "js",
    "jsonnet",
    "jsp",
    "jsx",
    "just",
    "kdl",
    "kt",
    "kts",
    "less",
    "lhs",
    "liquid",
    "lisp",
    "lsp",
    "lua",
    "m",
    "m4",
    "mak",
    "make",
    "mjs",
    "mk",
    "ml",
    "mli",
    "mm",
    "mod",
    "mts",
    "mustache",
    "nasm",
    "nim",
    "nix",
    "nu",
    "odin",
    "pas",
    "patch",
    "php",
    "pl",
    "plist",
    "pm",
    "pp",
    "prisma",
    "pro",
    "properties",
    "proto",
    "ps1",
    "psd1",
    "psm1",
    "pug",
    "purs",
    "py",
    "pyi",
    "pyx",
    "qml",
    "r",
    "rake",
    "rb",
    "re",
    "rei",
    "res",
    "rkt",
    "rs",
    "s",
    "sas",
    "sass",
    "sbt",
    "scala",
    "scm",
    "scss",
    "sed",
    "sh",
    "sln",
    "sml",
    "sol",
    "sql",
    "ss",
    "st",
    "starlark",
    "styl",
    "sv",
    "svelte",
    "svh",
    "swift",
    "tcl",
    "tf",
    "tfvars",
    "thrift",
    "toml",
    "ts",
    "tsx",
    "twig",
    "v",
    "vala",
    "vb",
    "vba",
    "vbs",
    "vert",
    "vhd",
    "vhdl",
    "vim",
    "vue",
    "wat",
    "wgsl",
    "xaml",
    "xquery",
    "yaml",
    "yml",
    "zig",
    "zsh",
];

/// Files of source code known by their whole name, lower case, with the extension that says the same.
const CODE_NAMES: &[(&str, &str)] = &[
    (".bashrc", "sh"),
    (".editorconfig", "ini"),
    (".env", "env"),
    (".gitattributes", "cfg"),
    (".gitconfig", "ini"),
    (".gitignore", "cfg"),
    (".profile", "sh"),
    (".vimrc", "vim"),
    (".zshrc", "zsh"),
    ("brewfile", "rb"),
    ("build.bazel", "bzl"),
    ("cmakelists.txt", "cmake"),
    ("containerfile", "dockerfile"),
    ("dockerfile", "dockerfile"),
    ("gemfile", "rb"),
    ("gnumakefile", "make"),
    ("jenkinsfile", "groovy"),
    ("justfile", "just"),
    ("makefile", "make"),
    ("meson.build", "py"),
    ("procfile", "cfg"),
    ("rakefile", "rb"),
    ("vagrantfile", "rb"),
    ("workspace.bazel", "bzl"),
];

/// The extension in lower case, or empty.
pub(super) fn extension(path: &Path) -> String {
    path.extension()
        .map(|extension| extension.to_string_lossy().to_lowercase())
        .unwrap_or_default()
}

/// The language of source code by name, else by its `#!` line.
pub(super) fn language(path: &Path, text: &str) -> Option<String> {
    let name = path.file_name()?.to_string_lossy().to_lowercase();
    if let Ok(at) = CODE_NAMES.binary_search_by(|(known, _)| (*known).cmp(name.as_str())) {
        return Some(CODE_NAMES[at].1.to_owned());
    }
    let extension = extension(path);
    if CODE.binary_search(&extension.as_str()).is_ok() {
        return Some(extension);
    }
    shebang(text).map(str::to_owned)
}

/// The extension for the interpreter on the first line.
fn shebang(text: &str) -> Option<&'static str> {
    let line = text.strip_prefix("#!")?.lines().next()?;
    let mut words = line.split_whitespace();
    let mut program = words.next()?.rsplit('/').next()?;
    if program == "env" {
        program = words.find(|word| !word.starts_with('-') && !word.contains('='))?;
    }
    let program = program.trim_end_matches(|c: char| c.is_ascii_digit() || c == '.');
    Some(match program {
        "sh" | "dash" | "ksh" => "sh",
        "bash" => "bash",
        "zsh" => "zsh",
        "fish" => "fish",
        "python" | "pypy" => "py",
        "perl" => "pl",
        "ruby" => "rb",
        "node" | "nodejs" | "deno" | "bun" => "js",
        "php" => "php",
        "lua" => "lua",
        "awk" | "gawk" | "mawk" => "awk",
        "sed" => "sed",
        "make" => "make",
        "Rscript" => "r",
        "tclsh" | "wish" => "tcl",
        "pwsh" => "ps1",
        "julia" => "jl",
        "elixir" => "exs",
        "guile" => "scm",
        _ => return None,
    })
}

/// The text format that an extension stands for. What it says is believed only for content that could
/// be that format.
pub(super) fn text_format(extension: &str) -> Option<Format> {
    Some(match extension {
        "md" | "markdown" | "mdown" | "mkd" | "mkdn" | "mdwn" | "mdx" | "rmd" | "qmd" => {
            Format::Markdown
        }
        "rst" | "rest" => Format::Rst,
        "html" | "htm" | "xhtml" | "xht" | "shtml" => Format::Html,
        "xml" | "xsd" | "xsl" | "xslt" | "rss" | "atom" | "opml" | "svg" | "dita" | "docbook"
        | "rdf" | "owl" | "kml" | "gpx" | "wsdl" | "resx" | "xlf" | "xliff" | "tmx" | "tei"
        | "jats" | "nxml" => Format::Xml,
        "json" | "geojson" | "jsonld" | "har" | "webmanifest" => Format::Json,
        "jsonl" | "ndjson" | "jsonlines" => Format::JsonLines,
        "csv" | "tsv" | "tab" | "psv" => Format::Csv,
        "ipynb" => Format::Notebook,
        "eml" => Format::Eml,
        "mbox" | "mbx" => Format::Mbox,
        "fb2" => Format::Fb2,
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_tables_are_sorted() {
        // Binary search finds nothing reliably in a table that is not.
        assert!(
            CODE.is_sorted(),
            "{:?}",
            CODE.windows(2).find(|pair| pair[0] > pair[1])
        );
        assert!(CODE_NAMES.is_sorted());
    }

    #[test]
    fn languages() {
        let language = |name: &str, text: &str| language(Path::new(name), text);
        assert_eq!(language("src/Main.RS", ""), Some("rs".into()));
        assert_eq!(language("Makefile", ""), Some("make".into()));
        assert_eq!(
            language("run", "#!/usr/bin/env -S python3.12 -u\n"),
            Some("py".into())
        );
        assert_eq!(language("run", "#!/bin/bash\n"), Some("bash".into()));
        assert_eq!(language("notes.txt", "hello"), None);
    }
}
