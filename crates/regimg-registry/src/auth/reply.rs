//! What a token server answers.

use std::time::Duration;

use http::HeaderValue;
use serde::Deserialize;
use serde_json::Value;

use crate::json::Object;

/// The shortest life that is believed, as the
/// [token specification](https://distribution.github.io/distribution/spec/auth/token/#token-response-fields)
/// demands of servers. It is assumed too when the reply names none.
const SHORTEST_LIFE: Duration = Duration::from_mins(1);

/// The longest life that is believed.
const LONGEST_LIFE: Duration = Duration::from_hours(24);

/// The fields in use. `issued_at` is left aside: the token's age is measured by our own clock.
#[derive(Deserialize)]
struct Wire {
    #[serde(default)]
    token: Value,
    #[serde(default)]
    access_token: Value,
    #[serde(default)]
    expires_in: Value,
}

/// A usable reply.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct TokenReply {
    /// `Bearer …`, marked as sensitive.
    pub(crate) authorization: HeaderValue,
    pub(crate) life: Duration,
}

/// Reads the reply; the error says what is wrong without repeating any of it.
///
/// `access_token` and `token` mean the same; the one that is not empty wins.
pub(crate) fn parse(body: &[u8]) -> Result<TokenReply, &'static str> {
    let Object(wire): Object<Wire> =
        serde_json::from_slice(body).map_err(|_| "the reply is not a JSON object")?;
    let token = [&wire.access_token, &wire.token]
        .into_iter()
        .find_map(|value| value.as_str().filter(|text| !text.is_empty()))
        .ok_or("the reply holds no token")?;
    let mut authorization = HeaderValue::from_str(&format!("Bearer {token}"))
        .map_err(|_| "the token holds characters that no header may carry")?;
    authorization.set_sensitive(true);
    Ok(TokenReply {
        authorization,
        life: life(&wire.expires_in),
    })
}

/// Some servers write the number as a string or with a fraction.
fn life(expires_in: &Value) -> Duration {
    let seconds = match expires_in {
        Value::Number(number) => number.as_f64(),
        Value::String(text) => text.trim().parse::<f64>().ok(),
        _ => None,
    };
    let seconds = seconds.filter(|seconds| *seconds > 0.0).unwrap_or_default();
    let believed = seconds.min(LONGEST_LIFE.as_secs_f64());
    Duration::from_secs_f64(believed).max(SHORTEST_LIFE)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[track_caller]
    fn check(body: &str, wanted: Result<(&str, u64), &str>) {
        let got = parse(body.as_bytes());
        let got = got.as_ref().map(|reply| {
            (
                reply.authorization.to_str().unwrap().to_owned(),
                reply.life.as_secs(),
            )
        });
        let wanted = wanted.map(|(token, life)| (format!("Bearer {token}"), life));
        assert_eq!(got.map_err(|error| *error), wanted, "{body}");
    }

    #[test]
    fn replies_in_every_spelling() {
        check(r#"{"token":"a"}"#, Ok(("a", 60)));
        check(r#"{"access_token":"a","expires_in":300}"#, Ok(("a", 300)));
        check(r#"{"token":"a","access_token":"b"}"#, Ok(("b", 60)));
        check(
            r#"{"token":"a","access_token":"","expires_in":"120"}"#,
            Ok(("a", 120)),
        );
        check(
            r#"{"token":"","access_token":"b","expires_in":0}"#,
            Ok(("b", 60)),
        );
        check(
            r#"{"token":"a","access_token":null,"expires_in":-5}"#,
            Ok(("a", 60)),
        );
        check(r#"{"token":"a","expires_in":1e300}"#, Ok(("a", 86_400)));
        check(
            r#"{"token":"a","expires_in":"soon","extra":[1]}"#,
            Ok(("a", 60)),
        );
        check(
            r#"{"token":"","access_token":""}"#,
            Err("the reply holds no token"),
        );
        check("{}", Err("the reply holds no token"));
        check("[]", Err("the reply is not a JSON object"));
        check(r#"["a"]"#, Err("the reply is not a JSON object"));
        check("7", Err("the reply is not a JSON object"));
        check("<html>", Err("the reply is not a JSON object"));
        check(
            r#"{"token":"a\nb"}"#,
            Err("the token holds characters that no header may carry"),
        );
        check(
            r#"{"token":"a\u0000"}"#,
            Err("the token holds characters that no header may carry"),
        );
    }

    #[test]
    fn tokens_are_not_printed() {
        let reply = parse(br#"{"token":"hidden"}"#).unwrap();
        assert!(!format!("{reply:?}").contains("hidden"));
    }

    proptest! {
        #[test]
        fn any_reply_can_be_read(body in prop::collection::vec(any::<u8>(), 0..200)) {
            let _ = parse(&body);
        }

        #[test]
        fn lives_stay_within_bounds(seconds in any::<f64>()) {
            let value = serde_json::Number::from_f64(seconds).map_or(Value::Null, Value::Number);
            let life = life(&value);
            prop_assert!(life >= SHORTEST_LIFE && life <= LONGEST_LIFE);
        }
    }
}
