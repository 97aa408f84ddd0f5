//! Taking secrets out of what others say.
//!
//! An answer may repeat what it was shown: as it was, as the form or the JSON it came in, on one
//! line, or only the beginning of it. All of that is looked for here, before anything is cut.

use std::iter;
use std::ops::Range;

/// Bytes that a secret has at least. Shorter ones would blacken half the message.
const SHORTEST: usize = 4;

/// Bytes of a secret's beginning that are blackened at the end of a text, where the rest of the
/// secret may have been cut off.
const SHORTEST_PIECE: usize = 8;

/// How often a secret may have been escaped: as a form, in an address, in the query of another.
const TIMES_ESCAPED: usize = 3;

const BLACK: &str = "****";

/// The secrets to look for.
#[derive(Debug, Default)]
pub(crate) struct Mask {
    /// Every spelling besides those that escape single bytes.
    spellings: Vec<Vec<u8>>,
}

impl Mask {
    pub(crate) fn new<S: AsRef<str>>(secrets: impl IntoIterator<Item = S>) -> Self {
        let mut spellings: Vec<Vec<u8>> = secrets
            .into_iter()
            .flat_map(|secret| spellings(secret.as_ref()))
            .filter(|spelling| spelling.len() >= SHORTEST)
            .collect();
        spellings.sort();
        spellings.dedup();
        Self { spellings }
    }

    /// Returns the text, which is one line, with the secrets in it blackened.
    pub(crate) fn apply(&self, line: &str) -> String {
        if self.spellings.is_empty() {
            return line.to_owned();
        }
        let plain = View::plain(line);
        let mut found: Vec<Range<usize>> = Vec::new();
        let mut look = |view: &View| {
            for spelling in &self.spellings {
                view.find(spelling, &mut found);
            }
        };
        look(&plain);
        for plus in [false, true] {
            let views = iter::successors(plain.decoded(plus), |view| view.decoded(plus));
            views.take(TIMES_ESCAPED).for_each(|view| look(&view));
        }
        blackened(line, found)
    }
}

/// Returns the ways to write a secret on one line.
fn spellings(secret: &str) -> Vec<Vec<u8>> {
    let json = serde_json::Value::from(secret).to_string();
    let json = json.strip_prefix('"').unwrap_or(&json);
    let json = json.strip_suffix('"').unwrap_or(json);
    // Where a blank beyond ASCII was escaped, it is no blank in the text.
    let bytes = View::plain(secret).bytes;
    vec![
        one_line(secret).into_bytes(),
        bytes.trim_ascii().to_vec(),
        one_line(json).into_bytes(),
        // Some write a slash as `\/`.
        one_line(&json.replace('/', "\\/")).into_bytes(),
    ]
}

/// Makes one line of a text: control characters are blanks, and several blanks are one.
pub(crate) fn one_line(text: &str) -> String {
    let is_blank = |character: char| character.is_control() || character.is_whitespace();
    let words = text.split(is_blank).filter(|word| !word.is_empty());
    words.collect::<Vec<_>>().join(" ")
}

/// A text read in one way, and where each of its bytes stands in the text.
#[derive(Default)]
struct View {
    bytes: Vec<u8>,
    places: Vec<Range<usize>>,
    /// Bytes before an escape that is not whole, or a mark that something was left out.
    end: usize,
}

impl View {
    fn plain(line: &str) -> Self {
        Self::of(
            line.bytes()
                .enumerate()
                .map(|(at, byte)| (byte, at..at + 1)),
        )
    }

    /// Undoes the escapes of addresses and, when `plus` is a blank, those of forms, once. A text
    /// without any has no such view.
    fn decoded(&self, plus: bool) -> Option<Self> {
        let text = self.bytes.as_slice();
        let is_escape = |byte: &u8| *byte == b'%' || plus && *byte == b'+';
        if !text.iter().any(is_escape) {
            return None;
        }
        let mut at = 0;
        let mut view = Self::of(iter::from_fn(|| {
            let (&byte, from) = (text.get(at)?, at);
            let digits = text.get(at + 1..at + 3).filter(|_| byte == b'%');
            let byte = match digits.and_then(escaped) {
                Some(escaped) => {
                    at += 2;
                    escaped
                }
                None if plus && byte == b'+' => b' ',
                None => byte,
            };
            at += 1;
            Some((byte, self.place(from, at)))
        }));
        let mut tail = view.bytes[..view.end].iter().rev().take(2);
        if let Some(back) = tail.position(|&byte| byte == b'%') {
            view.end -= back + 1;
        }
        Some(view)
    }

    /// Joins blanks, and finds where the last word ends: a mark that something was left out, and
    /// half a character, are no part of it.
    fn of(pairs: impl Iterator<Item = (u8, Range<usize>)>) -> Self {
        let mut view = Self::default();
        for (byte, place) in pairs {
            let byte = if byte.is_ascii_control() { b' ' } else { byte };
            match view.places.last_mut() {
                Some(last) if byte == b' ' && view.bytes.last() == Some(&b' ') => {
                    last.end = place.end;
                }
                _ => {
                    view.bytes.push(byte);
                    view.places.push(place);
                }
            }
        }
        let mut text = view.bytes.as_slice();
        while let Some(shorter) = ["\u{fffd}", "…", ".", " ", "\"", "'", ")"]
            .iter()
            .find_map(|mark| text.strip_suffix(mark.as_bytes()))
        {
            text = shorter;
        }
        view.end = text.len();
        view
    }

    /// Adds where the secret stands, and where its beginning is all that was left of it.
    fn find(&self, secret: &[u8], found: &mut Vec<Range<usize>>) {
        let Some((&first, _)) = secret.split_first() else {
            return;
        };
        let mut at = 0;
        while let Some(next) = self.bytes[at..].iter().position(|&byte| byte == first) {
            at += next;
            let rest = &self.bytes[at..];
            let until_end = self.bytes.get(at..self.end).unwrap_or_default();
            if rest.starts_with(secret) {
                found.push(self.place(at, at + secret.len()));
            } else if until_end.len() >= SHORTEST_PIECE && secret.starts_with(until_end) {
                found.push(self.place(at, self.end));
            } else if rest.len() >= SHORTEST_PIECE && secret.starts_with(rest) {
                found.push(self.place(at, self.bytes.len()));
            }
            at += 1;
        }
    }

    fn place(&self, from: usize, to: usize) -> Range<usize> {
        self.places[from].start..self.places[to - 1].end
    }
}

fn escaped(digits: &[u8]) -> Option<u8> {
    let digit = |byte: u8| char::from(byte).to_digit(16);
    let value = digit(*digits.first()?)? * 16 + digit(*digits.get(1)?)?;
    u8::try_from(value).ok()
}

fn blackened(line: &str, mut found: Vec<Range<usize>>) -> String {
    found.sort_by_key(|range| (range.start, range.end));
    let (mut text, mut end) = (Vec::new(), 0);
    for range in found {
        if range.start >= end {
            text.extend_from_slice(&line.as_bytes()[end..range.start]);
            text.extend_from_slice(BLACK.as_bytes());
        }
        end = end.max(range.end);
    }
    text.extend_from_slice(&line.as_bytes()[end..]);
    String::from_utf8_lossy(&text).into_owned()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use url::{Url, form_urlencoded};

    use super::*;
    use crate::{Error, envelope};

    #[track_caller]
    fn check(secret: &str, line: &str, wanted: &str) {
        assert_eq!(Mask::new([secret]).apply(line), wanted, "{secret:?}");
    }

    #[test]
    fn secrets_in_every_spelling() {
        check("s3cret", "bad s3cret, or s3cret", "bad ****, or ****");
        check("abc", "abc", "abc");
        check("", "text", "text");
        check(
            "S3C8Q~x/ y",
            "client_secret=S3C8Q%7Ex%2F+y&z=1",
            "client_secret=****&z=1",
        );
        check(
            "S3C8Q~x/ y",
            "client_secret=S3C8Q%7ex%2f%20y&z=1",
            "client_secret=****&z=1",
        );
        check(
            "S3C8Q~x/ y",
            "client_secret=S3C8Q~x%2F y&z=1",
            "client_secret=****&z=1",
        );
        check("a+b/cd", "a+b/cd a%2Bb%2fcd a+b\\/cd", "**** **** ****");
        check("two\r\n\tlines", "of two lines", "of ****");
        check(
            "two\r\n\tlines",
            "of two%0D%0A%09lines, two%0Alines",
            "of ****, ****",
        );
        check("two\nlines\"", r#"{"x":"two\nlines\""}"#, r#"{"x":"****"}"#);
        check(
            "\u{a0}gr\u{fc}n\u{a0}ish",
            "gr\u{fc}n ish, gr%C3%BCn%C2%A0ish",
            "****, gr%C3%BCn%C2%A0ish",
        );
        check("gr\u{fc}n\u{a0}ish", "gr%C3%BCn%C2%A0ish", "****");
        check("100%sure", "100%sure 100%25sure 100%", "**** **** 100%");
        check(
            "S3C8Q~x/ y",
            "to=%2Fa%3Fs%3DS3C8Q%257Ex%252F%2By%26z",
            "to=%2Fa%3Fs%3D****%26z",
        );
        check("a+b/ cd", "a%252Bb%252F%2520cd", "****");
        check("a+b/ cd", "a%25252Bb%25252F%252Bcd", "****");
        // Nobody escapes anything four times.
        check("a/cd", "a%2525252Fcd", "a%2525252Fcd");
    }

    #[test]
    fn beginnings_of_secrets_at_the_end_of_a_text() {
        let secret = "0123456789/abcdef";
        check(secret, "it was 0123456", "it was 0123456");
        check(secret, "it was 01234567", "it was ****");
        check(secret, "it was 01234567 here", "it was 01234567 here");
        for mark in [
            "...", "\u{2026}", "\u{fffd}", "\"", "%", "%2", "%2...", "%25", "%252", "%252...",
        ] {
            let told = Mask::new([secret]).apply(&format!("it was 0123456789{mark}"));
            assert!(told.starts_with("it was ****"), "{told}");
        }
        check(secret, "it was 0123456789%2Fabc", "it was ****");
    }

    #[test]
    fn secrets_that_overlap_are_one_blot() {
        let mask = Mask::new(["abcdef", "defghi", "cde"]);
        assert_eq!(mask.apply("x abcdefghi y"), "x **** y");
    }

    /// Ways in which a server repeats what it was shown.
    fn repeated(secret: &str) -> Vec<String> {
        let form: String = form_urlencoded::byte_serialize(secret.as_bytes()).collect();
        vec![
            secret.to_owned(),
            one_line(secret),
            lower_hex(&form),
            form.replace('+', "%20"),
            form_urlencoded::byte_serialize(form.as_bytes()).collect(),
            form.replace('+', "%20").replace('%', "%25"),
            form,
            serde_json::Value::from(secret).to_string(),
        ]
    }

    fn lower_hex(form: &str) -> String {
        let mut pieces = form.split('%');
        let first = pieces.next().unwrap().to_owned();
        pieces.fold(first, |text, piece| {
            let (digits, rest) = piece.split_at(2);
            format!("{text}%{}{rest}", digits.to_lowercase())
        })
    }

    fn told(error: &Error) -> String {
        let codes: Vec<&str> = error.codes().collect();
        format!("{error}\n{:?}\n{codes:?}", error.hint())
    }

    proptest! {
        #[test]
        fn no_answer_tells_a_secret_wherever_it_is_cut(
            secret in "[A-Z0-9]{8}[A-Z0-9 \\n\\t/+~%\u{e9}]{0,500}[A-Z0-9]",
            filler in 0_usize..420,
            cut in 0_usize..700,
            is_json: bool,
        ) {
            for repeated in repeated(&secret) {
                let text = format!("{}: {repeated}", "x ".repeat(filler / 2));
                let text: String = match cut {
                    ..600 => text,
                    cut => text.chars().take(text.chars().count().saturating_sub(cut - 600)).collect(),
                };
                let body = if is_json {
                    serde_json::json!({"errors": [{"code": repeated, "message": text}]}).to_string()
                } else {
                    text
                };
                let url = Url::parse("https://h/").unwrap();
                let error = Error::answer(&url, http::StatusCode::FORBIDDEN, envelope::parse(body.as_bytes()));
                let told = told(&error.without(["other-secret"]).without([&secret]));
                prop_assert!(!told.contains(&secret), "{}", told);
                prop_assert!(!told.contains(&one_line(&secret)), "{}", told);
                prop_assert!(!told.contains(&secret[..8]), "{} in {}", &secret[..8], told);
            }
        }

        #[test]
        fn any_text_can_be_masked(line in ".{0,100}", secrets in prop::collection::vec(".{0,12}", 0..4)) {
            let line = one_line(&line);
            let told = Mask::new(&secrets).apply(&line);
            for secret in secrets.iter().map(|secret| one_line(secret)) {
                let is_black = BLACK.contains(&secret) || secret.contains('*');
                prop_assert!(secret.len() < SHORTEST || is_black || !told.contains(&secret));
            }
        }
    }
}
