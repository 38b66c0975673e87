//! The block of `key: value` lines at the top of a Markdown file (YAML between `---`, TOML between `+++`).

use kenning::document::Metadata;

use super::metadata::{add, put, put_date};

/// The text behind the front matter.
pub(super) fn skip(text: &str) -> &str {
    split(text).map_or(text, |(_, rest)| rest)
}

/// Notes what the front matter says in `metadata` and gives back the title. Only flat keys and flat
/// lists are understood: this is no YAML reader.
pub(super) fn read(text: &str, metadata: &mut Metadata) -> Option<String> {
    let (matter, _) = split(text)?;
    let mut title = None;
    let mut list_key = String::new();
    for line in matter.lines() {
        if let Some(item) = line.trim_start().strip_prefix("- ") {
            note(metadata, &list_key, item);
            continue;
        }
        if line.starts_with([' ', '\t', '#', '[']) {
            continue;
        }
        let Some((key, value)) = line.split_once([':', '=']) else {
            continue;
        };
        let key = key.trim().to_ascii_lowercase();
        let value = value.trim();
        list_key.clone_from(&key);
        if key == "title" {
            title = Some(unquote(value).to_owned());
        } else if let Some(items) = value.strip_prefix('[') {
            for item in items.trim_end_matches(']').split(',') {
                note(metadata, &key, item);
            }
        } else {
            note(metadata, &key, value);
        }
    }
    title.filter(|title| !title.is_empty())
}

fn note(metadata: &mut Metadata, key: &str, value: &str) {
    let value = unquote(value);
    match key {
        "author" | "authors" => add(metadata, "author", value),
        "tag" | "tags" => add(metadata, "tags", value),
        "category" | "categories" => add(metadata, "categories", value),
        "keywords" => add(metadata, "keywords", value),
        "date" => put_date(metadata, "date", value),
        "lang" | "language" => put(metadata, "language", value),
        "description" | "summary" => put(metadata, "description", value),
        "subject" => put(metadata, "subject", value),
        _ => {}
    }
}

fn unquote(value: &str) -> &str {
    let value = value.trim().trim_end_matches(',').trim();
    ['"', '\'']
        .into_iter()
        .find_map(|quote| value.strip_prefix(quote)?.strip_suffix(quote))
        .unwrap_or(value)
}

/// The front matter, and what stands behind it.
fn split(text: &str) -> Option<(&str, &str)> {
    let fence = ["---", "+++"]
        .into_iter()
        .find(|fence| text.starts_with(fence))?;
    let body = text[3..]
        .strip_prefix("\r\n")
        .or_else(|| text[3..].strip_prefix('\n'))?;
    let mut at = 0;
    for line in body.split_inclusive('\n') {
        let end = line.trim_end();
        if end == fence || (fence == "---" && end == "...") {
            return Some((&body[..at], &body[at + line.len()..]));
        }
        at += line.len();
    }
    None
}

#[cfg(test)]
mod tests {
    use kenning::document::Value;

    use super::*;

    #[test]
    fn yaml_and_toml() {
        let mut metadata = Metadata::new();
        let text = "---\r\ntitle: A: b\r\nauthor: 'Ann'\r\ndate: 2024-05-06\r\ntags:\r\n  - x\r\n  - y\r\n---\r\nrest";
        assert_eq!(read(text, &mut metadata).as_deref(), Some("A: b"));
        assert_eq!(metadata["author"], Value::from("Ann"));
        assert_eq!(metadata["date"], Value::from("2024-05-06"));
        assert_eq!(metadata["tags"], Value::List(vec!["x".into(), "y".into()]));
        assert_eq!(skip(text), "rest");
        let mut metadata = Metadata::new();
        let text = "+++\ntitle = \"T\"\ntags = [\"x\", \"y\"]\n+++\nrest";
        assert_eq!(read(text, &mut metadata).as_deref(), Some("T"));
        assert_eq!(metadata["tags"], Value::List(vec!["x".into(), "y".into()]));
        assert_eq!(skip("---\nno end"), "---\nno end");
    }
}
