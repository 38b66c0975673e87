//! JSON as lines of `path.to.key: value`, and JSON lines as one document a record.

use std::collections::BTreeSet;
use std::fmt;

use kenning::document::{BlockKind, Metadata, Value as Fact};
use serde::de::{DeserializeSeed, Deserializer, MapAccess, SeqAccess, Visitor};
use serde_json::Value;

use super::blocks::{Blocks, squeeze};
use super::decode::decode;
use super::error::ExtractError;
use super::format::Format;
use super::limits::Context;
use super::metadata::{put, put_date};
use super::part::{Part, Reading};

/// Reads one JSON value. Objects and arrays down to the second level become paragraphs. serde_json
/// bounds the depth to 128.
pub(super) fn read(bytes: &[u8], context: &Context) -> Result<Reading, ExtractError> {
    let decoded = decode(bytes, None)?;
    let mut blocks = Blocks::new(context);
    flatten(&decoded.text, &mut blocks)?;
    let (text, structure) = blocks.finish()?;
    Ok(Reading::from(Part::extracted(text, structure)).with_encoding(decoded.charset.name()))
}

fn flatten(json: &str, blocks: &mut Blocks) -> Result<(), ExtractError> {
    let mut lines = Lines {
        blocks,
        path: Vec::new(),
        paragraph: String::new(),
        result: Ok(()),
    };
    let mut reader = serde_json::Deserializer::from_str(json);
    let read = Seed {
        lines: &mut lines,
        depth: 0,
    }
    .deserialize(&mut reader)
    .and_then(|()| reader.end());
    lines.flush();
    lines.result?;
    read.map_err(|error| ExtractError::damaged(Format::Json, error))
}

/// The lines of the paragraph under way.
struct Lines<'l, 'c> {
    blocks: &'l mut Blocks<'c>,
    path: Vec<String>,
    paragraph: String,
    result: Result<(), ExtractError>,
}

/// A paragraph does not grow longer: each of its lines repeats the keys, which may be long.
const LONGEST_PARAGRAPH: usize = 1 << 20;

impl Lines<'_, '_> {
    /// Adds a line. An error ends the reading: a limit is reached.
    fn value<E: serde::de::Error>(&mut self, value: &str) -> Result<(), E> {
        let value = value.trim();
        if value.is_empty() {
            return Ok(());
        }
        let key = self.path.join(".");
        if !key.is_empty() {
            self.paragraph.push_str(&key);
            self.paragraph.push_str(": ");
        }
        self.paragraph.push_str(value);
        self.paragraph.push('\n');
        if self.paragraph.len() > LONGEST_PARAGRAPH {
            self.flush();
        }
        match self.result {
            Ok(()) => Ok(()),
            Err(_) => Err(E::custom("a limit is reached")),
        }
    }

    fn flush(&mut self) {
        let paragraph = std::mem::take(&mut self.paragraph);
        if self.result.is_ok() {
            self.result = self.blocks.push(BlockKind::Paragraph, &paragraph);
        }
    }
}

/// Reads the next value, at a depth.
struct Seed<'s, 'l, 'c> {
    lines: &'s mut Lines<'l, 'c>,
    depth: usize,
}

impl<'de> DeserializeSeed<'de> for Seed<'_, '_, '_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Seed<'_, '_, '_> {
    type Value = ();

    fn expecting(&self, formatter: &mut fmt::Formatter) -> fmt::Result {
        formatter.write_str("a JSON value")
    }

    fn visit_bool<E: serde::de::Error>(self, value: bool) -> Result<(), E> {
        self.lines.value(&value.to_string())
    }

    fn visit_i64<E: serde::de::Error>(self, value: i64) -> Result<(), E> {
        self.lines.value(&value.to_string())
    }

    fn visit_u64<E: serde::de::Error>(self, value: u64) -> Result<(), E> {
        self.lines.value(&value.to_string())
    }

    fn visit_f64<E: serde::de::Error>(self, value: f64) -> Result<(), E> {
        self.lines.value(&value.to_string())
    }

    fn visit_str<E: serde::de::Error>(self, value: &str) -> Result<(), E> {
        self.lines.value(value)
    }

    fn visit_unit<E>(self) -> Result<(), E> {
        Ok(())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<(), A::Error> {
        let Seed { lines, depth } = self;
        while items
            .next_element_seed(Seed {
                lines: &mut *lines,
                depth: depth + 1,
            })?
            .is_some()
        {}
        Ok(())
    }

    fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<(), A::Error> {
        let Seed { lines, depth } = self;
        if depth <= 2 {
            lines.flush();
        }
        while let Some(key) = entries.next_key::<String>()? {
            lines.path.push(key);
            let read = entries.next_value_seed(Seed {
                lines: &mut *lines,
                depth: depth + 1,
            });
            lines.path.pop();
            read?;
        }
        if depth <= 2 {
            lines.flush();
        }
        Ok(())
    }
}

/// Keys whose value names a record, best first.
const TITLES: &[&str] = &["title", "name", "headline", "subject"];

/// Reads one JSON value a line. If the values are objects with texts in them each is a document of its
/// own, `record-N` for line N; otherwise all lines make one document.
pub(super) fn read_lines(bytes: &[u8], context: &Context) -> Result<Reading, ExtractError> {
    let decoded = decode(bytes, None)?;
    let lines = || {
        (1usize..)
            .zip(decoded.text.lines())
            .filter(|(_, line)| !line.trim().is_empty())
    };
    let first = lines()
        .next()
        .and_then(|(_, line)| serde_json::from_str::<Value>(line).ok());
    let damaged = |number: usize, error: &dyn fmt::Display| {
        ExtractError::damaged(Format::JsonLines, format!("line {number}: {error}"))
    };
    if !first.as_ref().is_some_and(has_prose) {
        let mut blocks = Blocks::new(context);
        for (number, line) in lines() {
            flatten(line, &mut blocks).map_err(|error| match error {
                ExtractError::Damaged { reason, .. } => damaged(number, &reason),
                error => error,
            })?;
        }
        let (text, structure) = blocks.finish()?;
        return Ok(Part::extracted(text, structure).into());
    }
    let mut parts = Vec::new();
    let mut names = BTreeSet::new();
    let mut length = 0;
    for (number, line) in lines() {
        context.check_time()?;
        let value: Value = serde_json::from_str(line).map_err(|error| damaged(number, &error))?;
        let mut blocks = Blocks::new(context);
        flatten(&text_fields(&value).to_string(), &mut blocks)?;
        let (text, structure) = blocks.finish()?;
        length += text.len();
        context.check_text(length)?;
        if parts.len() >= context.limits.entries {
            return Err(ExtractError::TooManyEntries {
                limit: context.limits.entries,
            });
        }
        parts.push(Part {
            fragment: Some(format!("record-{number}")),
            title: title(&value),
            metadata: facts(&value, &mut names),
            ..Part::extracted(text, structure)
        });
    }
    Ok(Reading::new(parts, Vec::new()).with_encoding(decoded.charset.name()))
}

/// Whether a record has a text in it: some words in a string.
fn has_prose(value: &Value) -> bool {
    value
        .as_object()
        .is_some_and(|object| object.values().any(is_prose))
}

fn is_prose(value: &Value) -> bool {
    value
        .as_str()
        .is_some_and(|text| text.split_whitespace().nth(3).is_some())
}

/// What of a record is its text: everything but the title and the short facts beside a prose field.
fn text_fields(value: &Value) -> Value {
    let Value::Object(object) = value else {
        return value.clone();
    };
    let prose: Vec<&String> = object
        .iter()
        .filter(|(key, value)| is_prose(value) && !TITLES.contains(&key.as_str()))
        .map(|(key, _)| key)
        .collect();
    match prose.as_slice() {
        // One text, and the rest describes it: its key would only be noise before every text.
        [only] => match object.get(*only) {
            Some(text)
                if object
                    .values()
                    .all(|value| !value.is_object() && !value.is_array()) =>
            {
                text.clone()
            }
            _ => value.clone(),
        },
        _ => value.clone(),
    }
}

fn title(value: &Value) -> String {
    TITLES
        .iter()
        .find_map(|key| value.get(key)?.as_str())
        .map(squeeze)
        .filter(|title| title.chars().count() <= 300)
        .unwrap_or_default()
}

/// A file's records have at most so many different facts, of names of at most so many bytes: each is a column of the
/// index. Those that come later are left out.
const MOST_FACTS: usize = 256;
const LONGEST_NAME: usize = 128;

/// The facts of a record; `names` are those of the file so far.
fn facts(value: &Value, names: &mut BTreeSet<String>) -> Metadata {
    let mut metadata = Metadata::new();
    for (key, value) in value.as_object().into_iter().flatten() {
        if TITLES.contains(&key.as_str()) || key.len() > LONGEST_NAME {
            continue;
        }
        if !names.contains(key) && names.len() + metadata.len() >= MOST_FACTS {
            continue;
        }
        match value {
            Value::Bool(flag) => {
                metadata.insert(key.clone(), Fact::Bool(*flag));
            }
            Value::Number(number) => {
                let fact = match number.as_i64() {
                    Some(whole) => Fact::Integer(whole),
                    None => Fact::Float(number.as_f64().unwrap_or_default()),
                };
                metadata.insert(key.clone(), fact);
            }
            Value::String(text) if key == "date" => put_date(&mut metadata, key, text),
            Value::String(text) if !is_prose(value) && text.len() <= 200 => {
                put(&mut metadata, key, text)
            }
            _ => {}
        }
    }
    names.extend(metadata.keys().cloned());
    metadata
}

#[cfg(test)]
mod tests {
    use super::super::ExtractError;
    use super::super::testing::{outline, part, read};
    use super::*;

    #[test]
    fn objects_become_paragraphs() {
        let found = part(
            "a.json",
            br#"{"name": "x", "list": [{"a": 1, "b": {"c": "d"}}, {"a": 2}], "n": null}"#,
        );
        assert_eq!(
            outline(&found),
            ["p name: x", "p list.a: 1\nlist.b.c: d", "p list.a: 2"]
        );
        let deep = format!("{}1{}", "[".repeat(5000), "]".repeat(5000));
        assert!(matches!(
            read("a.json", deep.as_bytes()),
            Err(ExtractError::Damaged { .. })
        ));
        assert!(matches!(
            read("a.json", b"{\"a\": "),
            Err(ExtractError::Damaged { .. })
        ));
    }

    #[test]
    fn a_long_key_does_not_multiply() {
        let key = "k".repeat(1 << 20);
        let ones = "1,".repeat(500_000);
        let text = format!("{{\"a\":{{\"{key}\":[{ones}1]}}}}");
        let begun = std::time::Instant::now();
        let found = read("a.json", text.as_bytes());
        assert!(matches!(found, Err(ExtractError::TextTooLarge { .. })));
        assert!(begun.elapsed().as_secs() < 10, "{:?}", begun.elapsed());
    }

    #[test]
    fn records_do_not_have_facts_without_end() {
        let record = |n: usize| {
            let long = "x".repeat(LONGEST_NAME + 1);
            format!("{{\"text\":\"some words in a row\",\"k{n}\":{n},\"{long}\":1}}\n")
        };
        let text: String = (0..2 * MOST_FACTS).map(record).collect();
        let found = read("a.jsonl", text.as_bytes()).expect("records");
        let names: BTreeSet<&String> = found.parts.iter().flat_map(|p| p.metadata.keys()).collect();
        assert_eq!(names.len(), MOST_FACTS);
    }

    #[test]
    fn records_with_prose_are_documents() {
        let text = b"{\"id\": 7, \"title\": \"T\", \"text\": \"some words in a row\", \"year\": 1.5}\n\n{\"text\": \"and more of these words\"}\n";
        let found = read("a.jsonl", text).expect("records");
        let fragments: Vec<_> = found
            .parts
            .iter()
            .map(|part| part.fragment.as_deref())
            .collect();
        assert_eq!(fragments, [Some("record-1"), Some("record-3")]);
        assert_eq!(found.parts[0].title, "T");
        assert_eq!(found.parts[0].text, "some words in a row");
        assert_eq!(found.parts[0].metadata["id"], Fact::Integer(7));
        assert_eq!(found.parts[0].metadata["year"], Fact::Float(1.5));
        let found = read("a.jsonl", b"{\"a\": 1}\n{\"a\": 2}\n").expect("lines");
        assert_eq!(found.parts.len(), 1);
        assert_eq!(found.parts[0].text, "a: 1\n\na: 2");
    }
}
