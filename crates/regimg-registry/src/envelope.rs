//! What the body of a failed answer says.

use serde_json::Value;

/// Characters of a message that are repeated to a person.
const LONGEST_MESSAGE: usize = 400;

/// Codes of one answer that are kept.
const MOST_CODES: usize = 16;

/// The readable part of an answer's body.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Envelope {
    /// `MANIFEST_UNKNOWN` and the like, in the order given; the first few.
    pub(crate) codes: Vec<String>,
    /// Empty when the body says nothing to a person.
    pub(crate) message: String,
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
            _ => Envelope {
                codes: Vec::new(),
                message: other(&Value::Object(object)),
            },
        },
        Ok(_) => Envelope::default(),
        Err(_) if text.trim_start().starts_with('<') => Envelope::default(),
        Err(_) => Envelope {
            codes: Vec::new(),
            message: clean(&text),
        },
    }
}

fn enveloped(errors: &[Value]) -> Envelope {
    let code = |error: &Value| {
        error
            .get("code")?
            .as_str()
            .map(clean)
            .filter(|code| !code.is_empty())
    };
    let mut messages: Vec<String> = Vec::new();
    for message in errors.iter().filter_map(message).take(MOST_CODES) {
        if !messages.contains(&message) {
            messages.push(message);
        }
    }
    Envelope {
        codes: errors.iter().filter_map(code).take(MOST_CODES).collect(),
        message: clean(&messages.join("; ")),
    }
}

/// The message, or a detail that is text: some registries put the only useful word there.
fn message(error: &Value) -> Option<String> {
    let text = |key| {
        error
            .get(key)?
            .as_str()
            .map(clean)
            .filter(|text| !text.is_empty())
    };
    text("message")
        .or_else(|| text("detail"))
        .or_else(|| error.as_str().map(clean))
}

/// Docker Hub's token server says `details`, OAuth servers `error_description`, proxies `message`.
fn other(object: &Value) -> String {
    let keys = ["message", "details", "detail", "error_description", "error"];
    let found = keys.iter().find_map(|key| object.get(key)?.as_str());
    found.map(clean).unwrap_or_default()
}

/// One line, no control characters, bounded: it will stand in somebody's terminal.
pub(crate) fn clean(text: &str) -> String {
    let printable = |character: char| {
        if character.is_control() {
            ' '
        } else {
            character
        }
    };
    let line: String = text
        .chars()
        .take(4 * LONGEST_MESSAGE)
        .map(printable)
        .collect();
    let words: Vec<&str> = line.split_whitespace().collect();
    let mut line: String = words.join(" ").chars().take(LONGEST_MESSAGE).collect();
    line.truncate(line.trim_end_matches('.').len());
    line
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[track_caller]
    fn check(body: &str, codes: &[&str], message: &str) {
        let envelope = parse(body.as_bytes());
        assert_eq!(
            (envelope.codes.as_slice(), envelope.message.as_str()),
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
            prop_assert!(envelope.message.chars().count() <= LONGEST_MESSAGE);
            prop_assert!(!envelope.message.chars().any(char::is_control));
        }

        #[test]
        fn any_envelope_becomes_clean_lines(code in ".{0,600}", message in ".{0,600}") {
            let body = serde_json::json!({"errors": [{"code": code, "message": message}]});
            let envelope = parse(body.to_string().as_bytes());
            let texts = envelope.codes.iter().chain([&envelope.message]);
            for text in texts {
                prop_assert!(text.chars().count() <= LONGEST_MESSAGE);
                prop_assert!(!text.chars().any(char::is_control));
            }
        }
    }
}
