//! The bookmarks of a PDF, whose titles are headings.
//!
//! `pdf_oxide` has a function for them, which calls itself for each that lies in another and does not look whether it
//! was there before: bookmarks in a circle exhausted the stack, or kept it busy until its time was over.

use std::collections::HashSet;

use pdf_oxide::PdfDocument;
use pdf_oxide::object::{Object, ObjectRef};

use super::pdf::text_string;

/// Levels of headings.
const DEEPEST: u8 = 6;
/// More bookmarks than a book has.
const MOST: usize = 100_000;

/// The titles of the bookmarks in their order, with their levels from 1. What cannot be read is left out: it only costs
/// headings.
pub(super) fn bookmarks(document: &PdfDocument) -> Vec<(String, u8)> {
    let mut bookmarks = Vec::new();
    let mut seen = HashSet::new();
    let mut open = Vec::new();
    open.extend(top(document).map(|first| (first, 1)));
    while let Some((bookmark, level)) = open.pop() {
        if seen.len() >= MOST || !seen.insert(bookmark) {
            continue;
        }
        let object = document.load_object(bookmark).ok();
        let Some(bookmark) = object.as_ref().and_then(Object::as_dict) else {
            continue;
        };
        let title = bookmark.get("Title");
        let title = title.and_then(|title| document.resolve_references(title, 2).ok());
        if let Some(title) = title.as_ref().and_then(Object::as_string) {
            bookmarks.push((text_string(title), level));
        }
        open.extend(reference(bookmark.get("Next")).map(|next| (next, level)));
        if level < DEEPEST {
            let inner = reference(bookmark.get("First"));
            open.extend(inner.map(|first| (first, level + 1)));
        }
    }
    bookmarks
}

/// The first bookmark.
fn top(document: &PdfDocument) -> Option<ObjectRef> {
    let catalog = document.catalog().ok()?;
    let outlines = reference(catalog.as_dict()?.get("Outlines"))?;
    let outlines = document.load_object(outlines).ok()?;
    reference(outlines.as_dict()?.get("First"))
}

fn reference(object: Option<&Object>) -> Option<ObjectRef> {
    match object? {
        Object::Reference(reference) => Some(*reference),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::{outline, part};
    use crate::fuzzing::seeds::PDF;

    /// The outline of a PDF whose bookmark, object 7, is this, with another, object 8.
    fn with(bookmark: &str) -> Vec<String> {
        let old = "<< /Title (Hello there) /Parent 6 0 R >>\nendobj\n";
        let other = "8 0 obj\n<< /Title (Other) /First 7 0 R /Next 7 0 R >>\nendobj\n";
        assert!(PDF.contains(old));
        let pdf = PDF.replace(old, &format!("{bookmark}\nendobj\n{other}"));
        outline(&part("a.pdf", pdf.as_bytes()))
    }

    #[test]
    fn the_title_of_a_bookmark_is_a_heading_of_its_level() {
        assert_eq!(with("<< /Title (Hello there) >>"), ["h1@1 Hello there"]);
        let inner = with("<< /Title (Elsewhere) /First 9 0 R /Next 8 0 R >>");
        assert_eq!(inner, ["p@1 Hello there"]);
    }

    /// The text was lost after twenty seconds, or the stack was exhausted.
    #[test]
    fn bookmarks_in_circles_cost_nothing() {
        for circle in [
            "/Next 7 0 R",
            "/First 7 0 R",
            "/First 7 0 R /Next 7 0 R",
            "/First 8 0 R /Next 8 0 R",
        ] {
            let found = with(&format!("<< /Title (Hello there) {circle} >>"));
            assert_eq!(found, ["h1@1 Hello there"], "{circle}");
        }
    }
}
