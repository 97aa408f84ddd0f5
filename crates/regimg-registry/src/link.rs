//! `Link`: where the next page is ([RFC 8288](https://www.rfc-editor.org/rfc/rfc8288#section-3)).

use http::HeaderMap;
use http::header::LINK;

/// Returns the target of the first link with `rel=next`, over all header lines.
pub(crate) fn next(headers: &HeaderMap) -> Option<String> {
    let mut lines = headers.get_all(LINK).iter();
    lines.find_map(|line| next_in(&String::from_utf8_lossy(line.as_bytes())))
}

fn next_in(line: &str) -> Option<String> {
    let mut rest = line;
    loop {
        let opened = rest.split_once('<')?.1;
        let (target, after) = opened.split_once('>')?;
        let (parameters, others) = split_unquoted(after, ',');
        if is_next(parameters) {
            return Some(target.trim().to_owned());
        }
        rest = others;
    }
}

/// A relation may hold several types: `rel="next last"`.
fn is_next(parameters: &str) -> bool {
    let mut rest = parameters;
    while !rest.is_empty() {
        let (parameter, others) = split_unquoted(rest, ';');
        rest = others;
        let Some((name, value)) = parameter.split_once('=') else {
            continue;
        };
        if name.trim().eq_ignore_ascii_case("rel") {
            let value = value.trim().trim_matches('"');
            return value
                .split_ascii_whitespace()
                .any(|kind| kind.eq_ignore_ascii_case("next"));
        }
    }
    false
}

/// Splits at the first separator that stands outside quotation marks.
fn split_unquoted(text: &str, separator: char) -> (&str, &str) {
    let (mut quoted, mut escaped) = (false, false);
    for (position, character) in text.char_indices() {
        match character {
            _ if escaped => escaped = false,
            '\\' if quoted => escaped = true,
            '"' => quoted = !quoted,
            other if other == separator && !quoted => {
                return (&text[..position], &text[position + other.len_utf8()..]);
            }
            _ => {}
        }
    }
    (text, "")
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[track_caller]
    fn check(line: &str, wanted: Option<&str>) {
        assert_eq!(next_in(line).as_deref(), wanted, "{line}");
    }

    #[test]
    fn links() {
        check("", None);
        check(
            "</v2/a/tags/list?last=b&n=1>; rel=\"next\"",
            Some("/v2/a/tags/list?last=b&n=1"),
        );
        check(
            "<https://h/x?a=1,2;3>;rel=next",
            Some("https://h/x?a=1,2;3"),
        );
        check("<a>; rel=prev, <b>; rel=next", Some("b"));
        check(
            "<a>; title=\"x, <c>; rel=next\"; rel=prev, <b>; REL=\"last Next\"",
            Some("b"),
        );
        check("<a>; rel=\"nextish\"", None);
        check("<a>", None);
        check("<a; rel=next", None);
        check("rel=next; <a>", None);
        check("<>; rel=next", Some(""));
        check("<a>; rel; rel=next", Some("a"));
        check("<a>; title=\"\\\"\"; rel=next", Some("a"));
    }

    #[test]
    fn several_lines() {
        let mut headers = HeaderMap::new();
        headers.append(LINK, "<a>; rel=first".parse().unwrap());
        assert_eq!(next(&headers), None);
        headers.append(LINK, "<b>; rel=next".parse().unwrap());
        assert_eq!(next(&headers).as_deref(), Some("b"));
    }

    proptest! {
        #[test]
        fn any_line_can_be_read(line in "\\PC{0,200}") {
            next_in(&line);
        }

        #[test]
        fn targets_come_back(
            target in "[-!#-;=?-~]{0,60}",
            title in "[ !#-\\[\\]-~]{0,20}",
            others in prop::collection::vec("<[a-z]{0,5}>; rel=(prev|\"first\")", 0..3),
        ) {
            let mut links = others;
            links.push(format!("<{target}>; title=\"{title}\"; rel=\"next\""));
            prop_assert_eq!(next_in(&links.join(", ")), Some(target));
        }
    }
}
