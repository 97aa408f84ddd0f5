//! What AWS gives for an identity: the password of a registry, and for how long.

use std::time::{Duration, SystemTime};

use regimg_core::Secret;

use crate::auth::renewal::Had;
use crate::auth::unbase64;
use crate::{Credential, Error, ErrorKind};

/// A token is renewed this long before its end, for what begins with it now and lasts.
const EARLY: Duration = Duration::from_mins(15);

/// How long a token lasts that does not say so ([AWS's
/// documentation](https://docs.aws.amazon.com/AmazonECR/latest/APIReference/API_AuthorizationData.html)).
const LIFE: Duration = Duration::from_hours(12);

/// A login to ECR.
pub(super) struct Token {
    pub(super) credential: Credential,
    /// The host that the token is for, as AWS names it; the public registry has none.
    pub(super) host: Option<String>,
    pub(super) had: Had,
    expires: SystemTime,
}

impl Token {
    /// Reads what AWS sent: `AWS:<password>` in base64, the end in seconds since 1970, and the
    /// registry's address.
    pub(super) fn read(
        token: Option<&str>,
        expires: Option<u64>,
        address: Option<&str>,
        now: SystemTime,
    ) -> Result<Self, Error> {
        let unusable =
            |what: &str| Error::new(ErrorKind::Protocol, format!("the answer has {what}"));
        let token = token.ok_or_else(|| unusable("no token"))?;
        let login = unbase64(token).and_then(|bytes| String::from_utf8(bytes).ok());
        let login = login.ok_or_else(|| unusable("a token that is not base64"))?;
        let (username, password) = login
            .split_once(':')
            .map(|(username, password)| (username, password.trim()))
            .filter(|(username, password)| !username.is_empty() && !password.is_empty())
            .ok_or_else(|| unusable("a token without a user name or a password"))?;
        let expires =
            expires.and_then(|end| SystemTime::UNIX_EPOCH.checked_add(Duration::from_secs(end)));
        let host = address.map(|address| address.strip_prefix("https://").unwrap_or(address));
        Ok(Self {
            credential: Credential::Basic {
                username: username.to_owned(),
                password: Secret::new(password),
            },
            host: host.map(|host| host.trim_end_matches('/').to_owned()),
            had: Had::now(now),
            expires: expires.unwrap_or(now + LIFE),
        })
    }

    pub(super) fn in_place_of_refused(mut self) -> Self {
        self.had = self.had.in_place_of_refused();
        self
    }

    /// Says whether the token will last for what begins now.
    pub(super) fn is_good(&self, now: SystemTime) -> bool {
        // A lifetime shorter than that is used up to its end.
        let early = EARLY.min(self.expires.duration_since(self.had.at).unwrap_or_default() / 4);
        now + early < self.expires
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: SystemTime = SystemTime::UNIX_EPOCH;

    fn after(minutes: u64) -> SystemTime {
        NOW + Duration::from_mins(minutes)
    }

    #[test]
    fn tokens_are_a_name_and_a_password() {
        // `AWS:secret`, `AWS:a:b\n`; base64 as the RFC has it.
        for (token, password) in [("QVdTOnNlY3JldA==", "secret"), ("QVdTOmE6Ygo=", "a:b")] {
            let read = Token::read(Some(token), None, Some("https://host/"), NOW).unwrap();
            let wanted = Credential::Basic {
                username: "AWS".to_owned(),
                password: Secret::new(password),
            };
            assert_eq!(read.credential, wanted);
            assert_eq!(read.host.as_deref(), Some("host"));
        }
        // Nothing, not base64, `AWS`, `AWS:`, `:secret`, no UTF-8.
        for token in [
            None,
            Some("!"),
            Some("QVdT"),
            Some("QVdTOg=="),
            Some("OnNlY3JldA=="),
            Some("//8="),
        ] {
            let error = Token::read(token, None, None, NOW).err().unwrap();
            assert_eq!(error.kind(), ErrorKind::Protocol, "{token:?}");
            assert!(!error.to_string().contains("secret"), "{error}");
        }
    }

    #[test]
    fn tokens_end_before_they_end() {
        let read = |expires| Token::read(Some("QVdTOnNlY3JldA=="), expires, None, NOW).unwrap();
        let half_a_day = read(None);
        assert!(half_a_day.is_good(after(704)) && !half_a_day.is_good(after(705)));
        let an_hour = read(Some(3600));
        assert!(an_hour.is_good(after(44)) && !an_hour.is_good(after(45)));
        let minutes = read(Some(240));
        assert!(minutes.is_good(after(2)) && !minutes.is_good(after(3)));
        assert!(!read(Some(0)).is_good(NOW));
        assert!(read(Some(u64::MAX)).is_good(after(1)));
    }
}
