//! Hits as lines of text or as JSON.

use kenning::search::{Explanation, Passage, SearchHit, SearchResponse};
use serde_json::{Value, json};

use crate::terminal::{Style, is_interactive, one_line, width};

/// Longer lines are hard to read.
const MOST_COLUMNS: usize = 100;

/// The response as the JSON object that scripts rely on.
pub fn json(response: &SearchResponse) -> Value {
    let hits: Vec<Value> = response.hits.iter().map(hit_json).collect();
    json!({
        "query": response.query,
        "mode": response.mode,
        "generation": response.generation,
        "took_ms": (response.took.as_secs_f64() * 1e6).round() / 1e3,
        "plan": response.plan,
        "relevant": response.relevant,
        "hits": hits,
    })
}

fn hit_json(hit: &SearchHit) -> Value {
    let best = hit.passages.first();
    let mut object = json!({
        "rank": hit.rank,
        "path": hit.id,
        "title": hit.title,
        "score": hit.score,
        "semantic": hit.semantic,
        "keyword": hit.keyword,
        "lines": best.map(|p| p.lines),
        "bytes": best.map(|p| p.bytes),
        "page": best.and_then(|p| p.page),
        "heading": best.map(|p| p.title.as_str()),
        "snippet": best.map(|p| p.snippet.as_str()),
        "highlights": best.map(|p| p.highlights.as_slice()),
        "metadata": hit.metadata,
    });
    if let Value::Object(fields) = &mut object {
        if hit.passages.len() > 1 {
            fields.insert("passages".into(), json!(hit.passages));
        }
        if let Some(explanation) = &hit.explanation {
            fields.insert("explanation".into(), json!(explanation));
        }
    }
    object
}

/// The response as text.
pub fn text(response: &SearchResponse) -> String {
    let style = Style::of_output();
    let mut lines = Vec::new();
    if !response.relevant && !response.hits.is_empty() {
        lines.push(style.dim("Nothing in the index seems to answer this. The nearest misses:"));
        lines.push(String::new());
    }
    for hit in &response.hits {
        hit_text(hit, style, &mut lines);
        lines.push(String::new());
    }
    lines.join("\n")
}

fn hit_text(hit: &SearchHit, style: Style, lines: &mut Vec<String>) {
    let number = format!("{:>2}", hit.rank);
    for (nth, passage) in hit.passages.iter().enumerate() {
        let where_ = place(&hit.id, passage);
        let heading = one_line(&passage.title);
        if nth == 0 {
            let score = format!("{:.3}", hit.score);
            let fits = console::measure_text_width(&where_) + score.len() + 6 <= width();
            let gap = if fits { "  " } else { "\n    " };
            lines.push(format!(
                "{}  {}{gap}{}",
                style.bold(&number),
                style.path(&where_),
                style.dim(&score)
            ));
        } else {
            lines.push(format!("    {}", style.path(&where_)));
        }
        if !heading.is_empty() {
            lines.push(format!("    {}", style.bold(&heading)));
        }
        for line in wrap(
            &passage.snippet,
            &passage.highlights,
            width().min(MOST_COLUMNS) - 4,
            style,
        ) {
            lines.push(format!("    {line}"));
        }
    }
    if let Some(explanation) = &hit.explanation {
        explain(explanation, hit.score, style, lines);
    }
}

/// Where a passage is, as in "notes/a.md:3-9".
fn place(id: &str, passage: &Passage) -> String {
    let id = one_line(id);
    match passage.page {
        Some(page) => format!("{id} p.{page}"),
        None => format!("{id}:{}-{}", passage.lines[0], passage.lines[1]),
    }
}

/// The whole best passage of a hit, with its line breaks.
pub fn passage(hit: &SearchHit) -> String {
    let style = Style::of_output();
    let mut text = String::new();
    for passage in &hit.passages {
        text += &format!("{}\n", style.path(&place(&hit.id, passage)));
        if !passage.title.is_empty() {
            text += &format!("{}\n", style.bold(&one_line(&passage.title)));
        }
        text.push('\n');
        for line in passage.text.trim_end().lines() {
            let line = one_line(&line.replace('\t', "    "));
            for line in fitted(&line, width()) {
                text += &format!("{line}\n");
            }
        }
        text.push('\n');
    }
    text
}

/// A line as it is; on a terminal broken at spaces, where that would break it anywhere.
pub fn fitted(line: &str, columns: usize) -> Vec<String> {
    if !is_interactive() || console::measure_text_width(line) <= columns {
        return vec![line.to_owned()];
    }
    wrap(line, &[], columns, Style::of_output())
}

/// How a hit's score came about.
pub fn explanation(hit: &SearchHit) -> String {
    let style = Style::of_output();
    let mut lines = vec![format!(
        "{:>2}  {}",
        hit.rank,
        style.path(&one_line(&hit.id))
    )];
    match &hit.explanation {
        Some(explanation) => explain(explanation, hit.score, style, &mut lines),
        None => lines.push(format!(
            "    the score {:.4} is the cosine of both passages",
            hit.score
        )),
    }
    lines.push(String::new());
    lines.join("\n")
}

fn explain(explanation: &Explanation, score: f32, style: Style, lines: &mut Vec<String>) {
    for part in &explanation.parts {
        let unit = if part.leg == "semantic" {
            "cosine"
        } else {
            "BM25"
        };
        lines.push(style.dim(&format!(
            "    {:<8} {unit} {:.4} → {:.4} × {:.4} = {:.4}",
            part.leg, part.raw, part.normalised, part.weight, part.score
        )));
    }
    for term in explanation.terms.iter().filter(|term| term.frequency > 0) {
        lines.push(style.dim(&format!(
            "      {:<16} {}× weight {:.3} → {:.4}",
            one_line(&term.term),
            term.frequency,
            term.weight,
            term.score
        )));
    }
    lines.push(style.dim(&format!("    sum      {score:.4}")));
}

/// Breaks a text at spaces so that lines fit, with the highlighted spans set off.
fn wrap(text: &str, highlights: &[[usize; 2]], width: usize, style: Style) -> Vec<String> {
    let mut lines = Vec::new();
    let (mut line, mut used) = (String::new(), 0);
    let mut at = 0;
    for word in text.split_inclusive(' ') {
        let columns = console::measure_text_width(word.trim_end());
        if used > 0 && used + columns > width {
            // A space at the edge would make the terminal break the line once more.
            lines.push(line.trim_end().to_owned());
            line.clear();
            used = 0;
        }
        line.push_str(&marked(word, at, highlights, style));
        used += console::measure_text_width(word);
        at += word.len();
    }
    if !line.is_empty() {
        lines.push(line.trim_end().to_owned());
    }
    lines
}

/// A word that begins at byte `at` of the snippet, its highlighted bytes set off.
fn marked(word: &str, at: usize, highlights: &[[usize; 2]], style: Style) -> String {
    let end = at + word.len();
    let mut shown = String::new();
    let mut done = at;
    for &[from, to] in highlights
        .iter()
        .filter(|[from, to]| *from < end && *to > at)
    {
        let (from, to) = (from.max(done), to.min(end));
        shown.push_str(&one_line(&word[done - at..from - at]));
        shown.push_str(&style.mark(&one_line(&word[from - at..to - at])));
        done = to;
    }
    shown.push_str(&one_line(&word[done - at..]));
    shown
}
