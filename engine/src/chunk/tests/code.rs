//! How source code is cut.

use super::examples::{cut, size};
use crate::Structure;

fn rust() -> Structure {
    Structure::Code("rs".to_owned())
}

const CODE: &str = "//! Module words.

use a::b;
use c::d;

/// Adds.
#[inline]
fn add(a: u8, b: u8) -> u8 {
    a + b

}

/// A thing
/// of two lines.
impl Thing {
    /// Makes one.
    fn new() -> Self {
        Thing
    }

    fn drop(&mut self) {
        self.a = 1;
    }
}
";

#[test]
fn code_is_cut_between_definitions_with_their_comments() {
    let chunks = cut("a.rs", CODE, rust(), &size(24));
    let starts: Vec<(&str, &str)> = chunks
        .iter()
        .map(|(title, text)| (title.as_str(), text.lines().next().unwrap()))
        .collect();
    let expected = [
        ("a.rs", "//! Module words."),
        ("a.rs", "use a::b;"),
        ("a.rs", "/// Adds."),
        ("a.rs", "/// A thing"),
        ("a.rs › impl Thing", "    /// Makes one."),
        ("a.rs › impl Thing", "    fn drop(&mut self) {"),
    ];
    assert_eq!(starts, expected);
    assert!(chunks[5].1.ends_with("    }\n}"));
}

#[test]
fn a_definition_that_fits_is_left_whole() {
    let chunks = cut("a.rs", CODE, rust(), &size(60));
    let last = &chunks.last().unwrap().1;
    assert!(
        last.starts_with("/// A thing") && last.contains("fn drop"),
        "{last}"
    );
}

#[test]
fn the_rest_of_a_long_function_bears_its_name() {
    let body = "    do_this(1);\n    do_that(2);\n\n".repeat(10);
    let code = format!("def long(a):\n{body}    return 1\n\nx = long(2)\n");
    let chunks = cut("", &code, Structure::Code("py".to_owned()), &size(12));
    assert_eq!(chunks[1].0, "def long(a)");
    assert!(
        chunks[1].1.starts_with("    do_this(1);"),
        "{:?}",
        chunks[1]
    );
    assert_eq!(
        chunks.last().unwrap(),
        &(String::new(), "x = long(2)".to_owned())
    );
}

#[test]
fn statements_and_prose_name_nothing() {
    let code = "class Wrap:
    \"\"\"
    Several things control this, and it does not matter how:
      width (default: 70)
        the width

    Another part of the same words is here for its length.
    \"\"\"

    pattern = compile(
        words, words, words, words, words, words, words, words)

    def fill(self, text):
        return text
";
    let chunks = cut("", code, Structure::Code("py".to_owned()), &size(12));
    let mut titles: Vec<&str> = chunks.iter().map(|(title, _)| title.as_str()).collect();
    titles.dedup();
    assert_eq!(titles, ["", "class Wrap"]);
}

#[test]
fn definitions_of_many_languages_name_their_bodies() {
    for (head, expected) in [
        (
            "int main(int argc, char **argv)\n{",
            "int main(int argc, char **argv)",
        ),
        (
            "func (s *Server) Run() error {",
            "func (s *Server) Run() error",
        ),
        (
            "export const debounce = (fn) => {",
            "export const debounce = (fn) =>",
        ),
        ("CREATE TABLE loans (", "CREATE TABLE loans"),
        ("async def fetch(url):", "async def fetch(url)"),
        (
            "pub(crate) unsafe fn raw<T>(",
            "pub(crate) unsafe fn raw<T>",
        ),
    ] {
        let code = format!("{head}\n{}", "    one two three;\n\n".repeat(20));
        let chunks = cut("", &code, rust(), &size(12));
        assert_eq!(
            chunks.last().map(|(title, _)| title.as_str()),
            Some(expected)
        );
    }
}
