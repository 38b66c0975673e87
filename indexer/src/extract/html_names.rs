//! Elements of HTML by what they mean for its text.

use html5ever::tokenizer::states::RawKind;

/// Elements whose content is no text of the page.
pub(super) const HIDDEN: &[&str] = &[
    "script", "style", "template", "noscript", "noframes", "svg", "iframe", "object", "select",
];

/// Elements that end the text before them.
pub(super) const BLOCK: &[&str] = &[
    "address",
    "article",
    "aside",
    "blockquote",
    "body",
    "br",
    "caption",
    "center",
    "dd",
    "details",
    "dialog",
    "dir",
    "div",
    "dl",
    "dt",
    "fieldset",
    "figcaption",
    "figure",
    "footer",
    "form",
    "frameset",
    "head",
    "header",
    "hgroup",
    "hr",
    "html",
    "legend",
    "main",
    "menu",
    "nav",
    "ol",
    "option",
    "p",
    "search",
    "section",
    "summary",
    "table",
    "tbody",
    "tfoot",
    "thead",
    "title",
    "ul",
];

/// How the content of an element is to be read that holds no markup.
pub(super) fn raw_text(name: &str) -> Option<RawKind> {
    Some(match name {
        "script" => RawKind::ScriptData,
        "style" | "noframes" | "xmp" | "iframe" | "noembed" => RawKind::Rawtext,
        "textarea" | "title" => RawKind::Rcdata,
        _ => return None,
    })
}

/// Whether text begins like an HTML page.
pub(super) fn sniff(text: &str) -> bool {
    let mut rest = text.trim_start();
    // Comments and the XML declaration may stand before the root.
    for _ in 0..16 {
        let end = if rest.starts_with("<!--") {
            rest.find("-->").map(|at| at + 3)
        } else if rest.starts_with("<?") {
            rest.find("?>").map(|at| at + 2)
        } else {
            break;
        };
        match end {
            Some(end) => rest = rest[end..].trim_start(),
            None => return false,
        }
    }
    let head: String = rest
        .chars()
        .take(40)
        .collect::<String>()
        .to_ascii_lowercase();
    head.starts_with("<!doctype html")
        || ["<html", "<head", "<body"].iter().any(|tag| {
            head.strip_prefix(tag)
                .is_some_and(|rest| rest.starts_with(|c: char| c == '>' || c.is_whitespace()))
        })
}
