//! The names of ECR's registries: which account, which region, which kind of endpoint.

use std::fmt;

use crate::{Error, ErrorKind};

/// The public registry, which is one for all accounts.
pub(super) const PUBLIC: &str = "public.ecr.aws";

/// What stands in front of the region, and what it says of the endpoint.
const LABELS: [(&str, bool, bool); 4] = [
    ("dkr.ecr", false, false),
    ("dkr.ecr-fips", true, false),
    ("dkr-ecr", false, true),
    ("dkr-ecr-fips", true, true),
];

/// AWS's partitions by how their regions begin, with the domain of their endpoints and that of
/// their dual-stack endpoints, `""` where there are none. The first that fits counts.
///
/// From `partitions.json` of the AWS SDKs and the pattern for hosts in amazon-ecr-credential-helper.
const PARTITIONS: [(&str, &str, &str); 8] = [
    ("cn-", "amazonaws.com.cn", "on.amazonwebservices.com.cn"),
    ("us-iso-", "c2s.ic.gov", ""),
    ("us-isob-", "sc2s.sgov.gov", ""),
    ("us-isof-", "csp.hci.ic.gov", ""),
    ("eu-isoe-", "cloud.adc-e.uk", ""),
    ("eusc-", "amazonaws.eu", "on.amazonwebservices.eu"),
    ("us-gov-", "amazonaws.com", "on.aws"),
    ("", "amazonaws.com", "on.aws"),
];

/// Names a private registry of ECR: an account's, in a region.
///
/// ```
/// use regimg_registry::EcrHost;
///
/// let host = EcrHost::parse("123456789012.dkr.ecr-fips.us-gov-west-1.amazonaws.com").unwrap();
/// assert_eq!((host.account(), host.region()), ("123456789012", "us-gov-west-1"));
/// assert!(host.is_fips() && !host.is_dual_stack());
///
/// let host = EcrHost::new("123456789012", "cn-north-1")?;
/// assert_eq!(host.to_string(), "123456789012.dkr.ecr.cn-north-1.amazonaws.com.cn");
/// # Ok::<(), regimg_registry::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct EcrHost {
    account: String,
    region: String,
    is_fips: bool,
    is_dual_stack: bool,
}

impl EcrHost {
    /// Names the registry of `account` in `region`, by the domain of the region's partition.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Configuration`] for an account that is not twelve digits, and for a region
    /// that no host could be named after.
    pub fn new(account: &str, region: &str) -> Result<Self, Error> {
        let unusable = |message: String| Err(Error::new(ErrorKind::Configuration, message));
        if !is_account(account) {
            return unusable(format!("the account id {account:?} is not twelve digits"));
        }
        if !is_region(region) {
            return unusable(format!("there can be no AWS region {region:?}"));
        }
        Ok(Self {
            account: account.to_owned(),
            region: region.to_owned(),
            is_fips: false,
            is_dual_stack: false,
        })
    }

    /// Reads a host's name, `None` for one that is no private registry of ECR.
    ///
    /// A region under another partition's domain is none: credentials would go to whoever
    /// has that name.
    pub fn parse(host: &str) -> Option<Self> {
        let (account, rest) = host.split_once('.')?;
        let named = |(label, is_fips, is_dual_stack): (&str, bool, bool)| {
            let rest = rest.strip_prefix(label)?.strip_prefix('.')?;
            let (region, domain) = rest.split_once('.')?;
            let named = Self {
                account: account.to_owned(),
                region: region.to_owned(),
                is_fips,
                is_dual_stack,
            };
            let is_known = !domain.is_empty() && named.domain() == domain;
            let is_right = is_account(account) && is_region(region) && is_known;
            is_right.then_some(named)
        };
        LABELS.into_iter().find_map(named)
    }

    /// Returns the twelve digits of the account.
    pub fn account(&self) -> &str {
        &self.account
    }

    /// Returns the region, such as `eu-west-1`.
    pub fn region(&self) -> &str {
        &self.region
    }

    /// Reports whether this is an endpoint with FIPS 140 cryptography.
    pub fn is_fips(&self) -> bool {
        self.is_fips
    }

    /// Reports whether this is an endpoint that has IPv6 addresses too.
    pub fn is_dual_stack(&self) -> bool {
        self.is_dual_stack
    }

    fn domain(&self) -> &'static str {
        let partition = PARTITIONS
            .iter()
            .find(|(prefix, ..)| self.region.starts_with(prefix));
        let (_, domain, dual_stack) = partition.expect("the last one fits every region");
        if self.is_dual_stack {
            dual_stack
        } else {
            domain
        }
    }
}

impl fmt::Display for EcrHost {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let kind = (self.is_fips, self.is_dual_stack);
        let label = LABELS.iter().find(|(_, fips, dual)| (*fips, *dual) == kind);
        let (label, ..) = label.expect("there is a label for each kind");
        write!(
            f,
            "{}.{label}.{}.{}",
            self.account,
            self.region,
            self.domain()
        )
    }
}

fn is_account(text: &str) -> bool {
    text.len() == 12 && text.bytes().all(|byte| byte.is_ascii_digit())
}

/// New regions come every year, so only what cannot be one is refused: it becomes part of the
/// names of hosts that see credentials.
pub(super) fn is_region(text: &str) -> bool {
    let is_part = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
    text.contains('-')
        && text.len() <= 40
        && text.bytes().all(is_part)
        && !text.starts_with('-')
        && !text.ends_with('-')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hosts_of_every_partition_are_read_and_written_alike() {
        let hosts = [
            "123456789012.dkr.ecr.eu-west-1.amazonaws.com",
            "123456789012.dkr.ecr-fips.us-east-2.amazonaws.com",
            "123456789012.dkr-ecr.eu-west-1.on.aws",
            "123456789012.dkr-ecr-fips.us-east-1.on.aws",
            "123456789012.dkr.ecr.us-gov-west-1.amazonaws.com",
            "123456789012.dkr.ecr-fips.us-gov-east-1.amazonaws.com",
            "123456789012.dkr.ecr.cn-northwest-1.amazonaws.com.cn",
            "123456789012.dkr-ecr.cn-north-1.on.amazonwebservices.com.cn",
            "123456789012.dkr.ecr.us-iso-east-1.c2s.ic.gov",
            "123456789012.dkr.ecr.us-isob-east-1.sc2s.sgov.gov",
            "123456789012.dkr.ecr.us-isof-south-1.csp.hci.ic.gov",
            "123456789012.dkr.ecr.eu-isoe-west-1.cloud.adc-e.uk",
            "123456789012.dkr.ecr.eusc-de-east-1.amazonaws.eu",
        ];
        for host in hosts {
            let parsed = EcrHost::parse(host).unwrap_or_else(|| panic!("{host}"));
            assert_eq!(parsed.to_string(), host);
            if !parsed.is_fips() && !parsed.is_dual_stack() {
                let made = EcrHost::new(parsed.account(), parsed.region()).unwrap();
                assert_eq!(made, parsed);
            }
        }
    }

    #[test]
    fn other_hosts_are_none() {
        let hosts = [
            "public.ecr.aws",
            "docker.io",
            "12345678901.dkr.ecr.eu-west-1.amazonaws.com",
            "1234567890123.dkr.ecr.eu-west-1.amazonaws.com",
            "12345678901x.dkr.ecr.eu-west-1.amazonaws.com",
            "123456789012.dkr.ecr.eu-west-1.amazonaws.com.evil.example",
            "123456789012.dkr.ecr.eu-west-1.amazonaws.com:443",
            "123456789012.dkr.ecr.eu-west-1.on.aws",
            "123456789012.dkr-ecr.eu-west-1.amazonaws.com",
            "123456789012.dkr.ecr.cn-north-1.amazonaws.com",
            "123456789012.dkr.ecr.eu-west-1.amazonaws.com.cn",
            "123456789012.dkr.ecr..amazonaws.com",
            "123456789012.dkr.ecr.EU-WEST-1.amazonaws.com",
            "123456789012.dkr-ecr.us-iso-east-1.",
            "123456789012.dkr-ecr.us-iso-east-1.on.aws",
            "123456789012.ecr.eu-west-1.amazonaws.com",
            "",
        ];
        for host in hosts {
            assert_eq!(EcrHost::parse(host), None, "{host}");
        }
    }

    #[test]
    fn what_is_no_account_or_region_names_no_host() {
        for (account, region) in [
            ("1234", "eu-west-1"),
            ("", "eu-west-1"),
            ("123456789012", ""),
            ("123456789012", "eu west 1"),
            ("123456789012", "eu-west-1.evil.example/"),
            ("123456789012", "europe"),
        ] {
            let error = EcrHost::new(account, region).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Configuration, "{account} {region}");
        }
    }
}
