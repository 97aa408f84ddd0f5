//! What the body of a failed answer says.

use serde_json::{Map, Value};

use crate::masking::{Mask, one_line};

/// Characters of a message that are repeated to a person.
const LONGEST_MESSAGE: usize = 400;

/// Codes of one answer that are kept.
const MOST_CODES: usize = 16;

/// The readable part of an answer's body: single lines, of any length until it is known which
/// secrets to take out of them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Envelope {
    codes: Vec<String>,
    said: Vec<String>,
}

impl Envelope {
    /// Blackens secrets, which a text that is cut already would hide only in part.
    pub(crate) fn mask(&mut self, mask: &Mask) {
        for line in self.codes.iter_mut().chain(&mut self.said) {
            *line = mask.apply(line);
        }
    }

    /// Returns `MANIFEST_UNKNOWN` and the like, in the order given; the first few.
    pub(crate) fn codes(&self, mask: &Mask) -> Vec<String> {
        self.codes.iter().map(|code| mask.clean(code)).collect()
    }

    /// Returns what a person may read; empty when the body says nothing to a person.
    pub(crate) fn message(&self, mask: &Mask) -> String {
        let mut messages: Vec<String> = Vec::new();
        for message in self.said.iter().map(|line| mask.clean(line)) {
            if !messages.contains(&message) {
                messages.push(message);
            }
        }
        mask.clean(&messages.join("; "))
    }
}

/// Reads a body, whatever it is.
///
/// The envelope of the
/// [distribution specification](https://github.com/opencontainers/distribution-spec/blob/main/spec.md#error-codes)
/// is preferred; token servers and proxies have their own JSON, and plain text is repeated as it
/// is. HTML is meant for browsers and left out.
pub(crate) fn parse(body: &[u8]) -> Envelope {
    let text = String::from_utf8_lossy(body);
    match serde_json::from_str(&text) {
        Ok(Value::Object(object)) => match object.get("errors") {
            Some(Value::Array(errors)) if !errors.is_empty() => enveloped(errors),
            _ => Envelope::saying(other(&object)),
        },
        Ok(_) => Envelope::default(),
        Err(_) if text.trim_start().starts_with('<') => Envelope::default(),
        Err(_) => Envelope::saying(line(&text)),
    }
}

impl Envelope {
    fn saying(line: Option<String>) -> Self {
        Self {
            codes: Vec::new(),
            said: line.into_iter().collect(),
        }
    }
}

fn enveloped(errors: &[Value]) -> Envelope {
    let code = |error: &Value| line(error.get("code")?.as_str()?);
    Envelope {
        codes: errors.iter().filter_map(code).take(MOST_CODES).collect(),
        said: errors.iter().filter_map(message).take(MOST_CODES).collect(),
    }
}

/// The message, or a detail that is text: some registries put the only useful word there.
fn message(error: &Value) -> Option<String> {
    let text = |key| line(error.get(key)?.as_str()?);
    text("message")
        .or_else(|| text("detail"))
        .or_else(|| line(error.as_str()?))
}

/// Docker Hub's token server says `details`, OAuth servers `error_description`, proxies `message`.
fn other(object: &Map<String, Value>) -> Option<String> {
    let keys = ["message", "details", "detail", "error_description", "error"];
    let found = keys.iter().find_map(|key| object.get(*key)?.as_str());
    line(found?)
}

/// One line without the dots at its end, unless it is empty.
fn line(text: &str) -> Option<String> {
    let line = one_line(text);
    let says_something = !line.trim_end_matches('.').is_empty();
    says_something.then_some(line)
}

/// One line, no control characters, bounded: it will stand in somebody's terminal.
pub(crate) fn clean(text: &str) -> String {
    Mask::default().clean(text)
}

impl Mask {
    /// Makes such a line of a text that may hold secrets. They are taken out before it is cut, and
    /// after it once more, since a word may look like a secret's beginning only then.
    pub(crate) fn clean(&self, text: &str) -> String {
        let line = self.apply(&one_line(text));
        let line: String = line.chars().take(LONGEST_MESSAGE).collect();
        let line: String = self.apply(&line).chars().take(LONGEST_MESSAGE).collect();
        line.trim_end_matches('.').to_owned()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[track_caller]
    fn check(body: &str, codes: &[&str], message: &str) {
        let envelope = parse(body.as_bytes());
        assert_eq!(
            (
                envelope.codes(&Mask::default()).as_slice(),
                envelope.message(&Mask::default()).as_str()
            ),
            (
                &codes.iter().map(ToString::to_string).collect::<Vec<_>>()[..],
                message
            ),
            "{body}"
        );
    }

    #[test]
    fn bodies_of_every_kind() {
        check("", &[], "");
        check(
            r#"{"errors":[{"code":"DENIED","message":"no access."}]}"#,
            &["DENIED"],
            "no access",
        );
        check(
            r#"{"errors":[{"code":"A","message":"one"},{"code":"B","message":"two"},{"code":"B","message":"two"}]}"#,
            &["A", "B", "B"],
            "one; two",
        );
        check(
            r#"{"errors":[{"code":"A","detail":"told here"}]}"#,
            &["A"],
            "told here",
        );
        check(r#"{"errors":[{"code":7,"message":null}]}"#, &[], "");
        check(r#"{"errors":["text"]}"#, &[], "text");
        check(r#"{"errors":[]}"#, &[], "");
        check(r#"{"errors":null,"message":"m"}"#, &[], "m");
        check(
            r#"{"details":"incorrect username or password"}"#,
            &[],
            "incorrect username or password",
        );
        check(
            r#"{"error":"invalid_grant","error_description":"expired"}"#,
            &[],
            "expired",
        );
        check(
            "Too Many Requests (HAP429).\n",
            &[],
            "Too Many Requests (HAP429)",
        );
        check("<html><body>502</body></html>", &[], "");
        check("\u{1b}[31mred\r\nline", &[], "[31mred line");
        check("[1]", &[], "");
    }

    proptest! {
        #[test]
        fn any_body_becomes_one_short_line(body in prop::collection::vec(any::<u8>(), 0..2000)) {
            let envelope = parse(&body);
            let message = envelope.message(&Mask::default());
            prop_assert!(message.chars().count() <= LONGEST_MESSAGE);
            prop_assert!(!message.chars().any(char::is_control));
        }

        #[test]
        fn any_envelope_becomes_clean_lines(code in ".{0,600}", message in ".{0,600}") {
            let body = serde_json::json!({"errors": [{"code": code, "message": message}]});
            let envelope = parse(body.to_string().as_bytes());
            let mut texts = envelope.codes(&Mask::default());
            texts.push(envelope.message(&Mask::default()));
            for text in texts {
                prop_assert!(text.chars().count() <= LONGEST_MESSAGE);
                prop_assert!(!text.chars().any(char::is_control));
            }
        }
    }
}
