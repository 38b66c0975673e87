//! PPTX: a slide is a page, in the order of the show, its notes and comments behind it.

use kenning::document::BlockKind;

use super::archive::Archive;
use super::blocks::Blocks;
use super::error::ExtractError;
use super::format::Format;
use super::limits::Context;
use super::ooxml;
use super::part::{Part, Reading};
use super::xml::{Node, walk_bytes};

const FORMAT: Format = Format::Pptx;

/// Reads a presentation.
pub(super) fn read(bytes: &[u8], context: &Context) -> Result<Reading, ExtractError> {
    let mut archive = Archive::open(bytes, FORMAT, context)?;
    let main = ooxml::main_part(&mut archive, "ppt/presentation.xml", FORMAT, context)?;
    let slides = slides(&mut archive, &main, context)?;
    let mut blocks = Blocks::new(context);
    let mut footers = Vec::new();
    for (slide, number) in slides.iter().zip(1..) {
        blocks.set_page(number);
        let Some(bytes) = archive.read(slide)? else {
            continue;
        };
        shapes(&bytes, true, &mut footers, &mut blocks, context)?;
        let mut relations: Vec<_> = ooxml::relations(&mut archive, slide, FORMAT, context)?
            .into_values()
            .collect();
        relations.sort_by(|a, b| a.target.cmp(&b.target));
        for relation in relations {
            match relation.kind.as_str() {
                "notesSlide" => {
                    if let Some(bytes) = archive.read(&relation.target)? {
                        shapes(&bytes, false, &mut footers, &mut blocks, context)?;
                    }
                }
                "comments" | "diagramData" | "chart" => {
                    ooxml::drawing(&mut archive, &relation.target, FORMAT, context, &mut blocks)?;
                }
                _ => {}
            }
        }
    }
    let (title, metadata) = ooxml::properties(&mut archive, FORMAT, context)?;
    // What PowerPoint calls a presentation that nobody named.
    let title = if title == "PowerPoint Presentation" || title == "Slide 1" {
        String::new()
    } else {
        title
    };
    let (text, structure) = blocks.finish()?;
    Ok(Reading::from(Part {
        title,
        metadata,
        ..Part::extracted(text, structure)
    }))
}

/// The slides in the order of the show; in the order of their names if the presentation names none.
fn slides(
    archive: &mut Archive,
    main: &str,
    context: &Context,
) -> Result<Vec<String>, ExtractError> {
    let relations = ooxml::relations(archive, main, FORMAT, context)?;
    let bytes = archive.require(main)?;
    let mut slides = Vec::new();
    walk_bytes(&bytes, FORMAT, context, &mut |node| {
        if let Node::Open(element) = node
            && element.name() == "sldId"
        {
            // Two attributes end in `id`: the number of the slide, and the relation.
            let target = element
                .attributes()
                .into_iter()
                .filter(|(name, _)| name == "id")
                .find_map(|(_, id)| relations.get(&id).map(|relation| relation.target.clone()));
            slides.extend(target);
        }
        Ok(())
    })?;
    if slides.is_empty() {
        slides = archive
            .names_where(|name| name.starts_with("ppt/slides/slide") && name.ends_with(".xml"));
    }
    Ok(slides)
}

/// The text of the shapes of a slide or of its notes. A footer that `footers` has already is left out.
fn shapes(
    bytes: &[u8],
    is_slide: bool,
    footers: &mut Vec<String>,
    blocks: &mut Blocks,
    context: &Context,
) -> Result<(), ExtractError> {
    let mut placeholder = String::new();
    let mut buffer = String::new();
    let mut in_text = 0usize;
    let mut fallback = 0usize;
    walk_bytes(bytes, FORMAT, context, &mut |node| {
        match node {
            Node::Open(element) => match element.name() {
                "Fallback" => fallback += 1,
                _ if fallback > 0 => {}
                "sp" | "graphicFrame" | "pic" => placeholder.clear(),
                "ph" => {
                    placeholder = element
                        .attribute("type")
                        .unwrap_or_else(|| "body".to_owned())
                }
                "t" => in_text += 1,
                "br" => buffer.push('\n'),
                "tr" => blocks.open_row(),
                "tc" => blocks.open_cell(),
                _ => {}
            },
            Node::Close("Fallback") => fallback = fallback.saturating_sub(1),
            _ if fallback > 0 => {}
            Node::Text(text) => {
                if in_text > 0 {
                    buffer.push_str(text);
                }
            }
            Node::Close(name) => match name {
                "t" => in_text = in_text.saturating_sub(1),
                "tr" => blocks.close_row()?,
                "p" => {
                    let text = std::mem::take(&mut buffer);
                    let kind = match placeholder.as_str() {
                        // The number of the slide and the date of the day.
                        "sldNum" | "dt" => return Ok(()),
                        "ftr" | "hdr" if footers.contains(&text) => return Ok(()),
                        "ftr" | "hdr" => {
                            footers.push(text.clone());
                            BlockKind::Paragraph
                        }
                        "title" | "ctrTitle" if is_slide => BlockKind::Heading(1),
                        "subTitle" if is_slide => BlockKind::Heading(2),
                        "body" if is_slide => BlockKind::ListItem,
                        _ => BlockKind::Paragraph,
                    };
                    blocks.push(kind, &text)?;
                }
                _ => {}
            },
        }
        Ok(())
    })
}

#[cfg(test)]
mod tests {
    use super::super::testing::{outline, part, zip_of};

    #[test]
    fn slides_in_the_order_of_the_show() {
        let slide = |title: &str, text: &str| {
            format!(
                "<p:sld><p:sp><p:nvPr><p:ph type='title'/></p:nvPr><a:p><a:r><a:t>{title}</a:t></a:r></a:p></p:sp>\
                     <p:sp><a:p><a:r><a:t>{text}</a:t></a:r></a:p></p:sp>\
                     <p:sp><p:ph type='sldNum'/><a:p><a:fld><a:t>7</a:t></a:fld></a:p></p:sp></p:sld>"
            )
        };
        let bytes = zip_of(&[
            ("ppt/presentation.xml", b"<p:presentation><p:sldIdLst><p:sldId id='256' r:id='r2'/><p:sldId id='257' r:id='r1'/></p:sldIdLst></p:presentation>"),
            ("ppt/_rels/presentation.xml.rels", b"<R><Relationship Id='r1' Type='x/slide' Target='slides/slide1.xml'/><Relationship Id='r2' Type='x/slide' Target='slides/slide2.xml'/></R>"),
            ("ppt/slides/slide1.xml", slide("Second", "b").as_bytes()),
            ("ppt/slides/slide2.xml", slide("First", "a").as_bytes()),
            ("ppt/slides/_rels/slide2.xml.rels", b"<R><Relationship Id='n' Type='x/notesSlide' Target='../notesSlides/notesSlide1.xml'/></R>"),
            ("ppt/notesSlides/notesSlide1.xml", b"<p:notes><p:sp><p:ph type='body'/><a:p><a:r><a:t>say this</a:t></a:r></a:p></p:sp></p:notes>"),
        ]);
        assert_eq!(
            outline(&part("a.pptx", &bytes)),
            [
                "h1@1 First",
                "p@1 a",
                "p@1 say this",
                "h1@2 Second",
                "p@2 b"
            ]
        );
    }
}
