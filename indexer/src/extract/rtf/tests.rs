use super::super::testing::{outline, part};

fn text(rtf: &[u8]) -> String {
    part("a.rtf", rtf).text
}

#[test]
fn code_pages() {
    assert_eq!(
        text(br"{\rtf1\ansi\ansicpg1251 \'cf\'f0\'e8\'e2\'e5\'f2}"),
        "Привет"
    );
    let font = br"{\rtf1\ansi\ansicpg1252{\fonttbl{\f0 A;}{\f1\fcharset128 B;}}\f1 \'83\'65\'83\'58\'83\'67\f0  \'e9}";
    assert_eq!(text(font), "テスト é");
}

#[test]
fn unicode_with_its_stand_ins() {
    assert_eq!(text(br"{\rtf1\uc1 a\u233?b\u-10179?\u-8704?c}"), "aéb😀c");
    assert_eq!(
        text(br"{\rtf1\uc2\u945 \'83\'bf{\uc0\u946}\u947 xyz}"),
        "αβγz"
    );
}

#[test]
fn groups_that_are_not_text() {
    let rtf = br"{\rtf1{\fonttbl{\f0 Arial;}}{\colortbl;\red0;}{\*\generator X;}{\info{\title T}{\author Ann}}{\pict\bin5 {{{{{ 00}a{\field{\*\fldinst HYPERLINK x}{\fldrslt link}}{\v hidden}{\deleted gone}b}";
    let found = part("a.rtf", rtf);
    assert_eq!(found.text, "alinkb");
    assert_eq!(found.title, "T");
    assert_eq!(found.metadata["author"], "Ann".into());
}

#[test]
fn headings_lists_and_tables() {
    let rtf = br"{\rtf1{\stylesheet{\s0 Normal;}{\s1 heading 1;}}\pard\s1 Head\par\pard text\line more\par\pard\ls1 item\par\trowd\pard\intbl a\cell b\cell\row\pard after\par}";
    assert_eq!(
        outline(&part("a.rtf", rtf)),
        ["h1 Head", "p text\nmore", "l item", "r a | b", "p after"]
    );
}

#[test]
fn broken_files_are_read_as_far_as_they_go() {
    assert_eq!(text(br"{\rtf1 a\'"), "a");
    assert_eq!(text(br"{\rtf1 a}}}b\u99999999999999 \bin99999999 x"), "ab");
    let deep = format!("{{\\rtf1 {}deep", "{".repeat(100_000));
    assert_eq!(text(deep.as_bytes()), "deep");
}

/// Seen in files of StarWriter: a star before a control word in the middle of a group.
#[test]
fn a_star_inside_of_a_group_hides_nothing() {
    assert_eq!(
        text(br"{\rtf1 {\b0\*\cs7\cf0 The quick brown fox}}"),
        "The quick brown fox"
    );
}

#[test]
fn of_a_drawing_only_words_are_text() {
    let rtf = r"{\rtf1 before{\shp{\*\shpinst{\sp{\sn shapeType}{\sv 202}}{\sp{\sn gtextUNICODE}{\sv drawn}}{\shptxt boxed}}} after\par}";
    assert_eq!(
        part("a.rtf", rtf.as_bytes()).text,
        "before drawn boxed after"
    );
}
