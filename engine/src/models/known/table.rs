//! The facts as a table in Markdown.

use super::{Fact, KNOWN, KnownModel, Languages, Source};

/// The table of [`KNOWN`] in `engine/docs/encoders.md`, with the sources below. A figure without a mark is
/// from the model's own page.
pub fn table() -> String {
    let mut text = String::from(
        "| model | family | million parameters | of them embeddings | dimensions | tokens | languages | prompts \
        | retrieval | licence |\n|---|---|---|---|---|---|---|---|---|---|\n",
    );
    for model in &KNOWN {
        text += &row(model);
    }
    text.push('\n');
    for source in Source::ALL {
        if source != Source::Page && cited(source) {
            text += &format!("- [{}] {}\n", source.mark(), source.describe());
        }
    }
    text
}

fn row(model: &KnownModel) -> String {
    let prompts = model.prompts.map_or("none".to_owned(), |fact| {
        let quoted = |text: &str| format!("`{text:?}`");
        let both = match fact.value.passage {
            "" => quoted(fact.value.query),
            passage => format!("{}, {}", quoted(fact.value.query), quoted(passage)),
        };
        marked(both, fact.source)
    });
    let languages = match model.languages.value {
        Languages::English => "English".to_owned(),
        Languages::Many(how_many) => how_many.to_owned(),
    };
    let cells = [
        format!("[{0}](https://huggingface.co/{0})", model.name),
        marked(model.family.value.to_owned(), model.family.source),
        optional(model.parameters, |value| value.to_string()),
        optional(model.embedding_parameters, |value| value.to_string()),
        marked(model.dimension.value.to_string(), model.dimension.source),
        optional(model.max_tokens, |value| value.to_string()),
        marked(languages, model.languages.source),
        prompts,
        optional(model.retrieval, |value| format!("{value:.2}")),
        marked(model.licence.value.to_owned(), model.licence.source),
    ];
    format!("| {} |\n", cells.join(" | "))
}

fn optional<T>(fact: Option<Fact<T>>, show: impl Fn(T) -> String) -> String {
    fact.map_or(String::new(), |fact| marked(show(fact.value), fact.source))
}

fn marked(text: String, source: Source) -> String {
    match source {
        Source::Page => text,
        source => format!("{text} [{}]", source.mark()),
    }
}

/// Whether a fact of the table is from there.
fn cited(source: Source) -> bool {
    let mark = format!("[{}]", source.mark());
    KNOWN.iter().any(|model| row(model).contains(&mark))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn the_documentation_shows_the_facts() {
        let page = include_str!("../../../docs/encoders.md");
        assert!(
            page.contains(&table()),
            "engine/docs/encoders.md lacks this table:\n{}",
            table()
        );
    }

    #[test]
    fn what_is_not_verified_is_left_empty() {
        let without = KnownModel::named("sentence-transformers/all-distilroberta-v1").unwrap();
        assert!(
            row(without).contains(" |  |  | 768 [sbert] | "),
            "{}",
            row(without)
        );
    }
}
