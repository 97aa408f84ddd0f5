//! Certificates that stand in for keys, in PEM.

use x509_parser::certificate::X509Certificate;
use x509_parser::public_key::PublicKey;

use super::moment::Moment;

/// Signature algorithms with SHA-1 or worse: for RSA, DSA and ECDSA.
const WEAK: [&str; 6] = [
    "1.2.840.113549.1.1.2",
    "1.2.840.113549.1.1.4",
    "1.2.840.113549.1.1.5",
    "1.3.14.3.2.29",
    "1.2.840.10040.4.3",
    "1.2.840.10045.4.1",
];

const SHORTEST_RSA: usize = 2048;

/// Certificates of one key that are looked at.
const LONGEST_CHAIN: usize = 16;

/// Returns the public key of the first certificate, which is the one that stands for the key.
pub(super) fn public_key(pem: &[u8]) -> Option<Vec<u8>> {
    let chain = ders(pem)?;
    let leaf = parsed(chain.first()?)?;
    Some(leaf.public_key().raw.to_vec())
}

/// Sees whether a certificate may vouch for the root of a repository: it is alone or followed by
/// its authorities, made out to the repository, of these days, and strong enough.
pub(super) fn check_root(pem: &[u8], gun: &str, now: Moment) -> Result<(), String> {
    let chain = ders(pem).ok_or("is none that can be read")?;
    let chain: Option<Vec<_>> = chain.iter().map(|der| parsed(der)).collect();
    let chain = chain.ok_or("is none that can be read")?;
    let leaves = chain.iter().filter(|certificate| !certificate.is_ca());
    let leaf = match chain.first() {
        Some(first) if !first.is_ca() && leaves.count() == 1 => first,
        _ => return Err("is not exactly one, followed by its authorities".to_owned()),
    };
    let name = common_name(leaf).ok_or("has no common name")?;
    if !names(name, gun) {
        let name = crate::envelope::clean(name);
        return Err(format!("is made out to {name:?}"));
    }
    let validity = leaf.validity();
    let begins = Moment::at(validity.not_before.timestamp());
    let ends = Moment::at(validity.not_after.timestamp());
    // The clock of whoever made it may be ahead of ours.
    if begins > now.plus_days(1) || begins > ends {
        return Err(format!("is valid from {} only", begins.text()));
    }
    if ends < now {
        return Err(format!("expired at {}", ends.text()));
    }
    let algorithm = leaf.signature_algorithm.algorithm.to_id_string();
    if WEAK.contains(&algorithm.as_str()) {
        return Err("is signed with SHA-1".to_owned());
    }
    match leaf.public_key().parsed() {
        Ok(PublicKey::RSA(key)) if key.key_size() < SHORTEST_RSA => {
            Err("has an RSA key of less than 2048 bits".to_owned())
        }
        Ok(_) => Ok(()),
        Err(_) => Err("has a key that cannot be read".to_owned()),
    }
}

/// The whole name, or its beginning where the certificate says `team/*`.
fn names(common_name: &str, gun: &str) -> bool {
    if common_name.ends_with('*') {
        gun.starts_with(common_name.trim_end_matches('*'))
    } else {
        common_name == gun
    }
}

fn common_name<'a>(certificate: &'a X509Certificate<'_>) -> Option<&'a str> {
    // Go takes the last one, should there be several.
    let name = certificate.subject().iter_common_name().last()?;
    name.as_str().ok()
}

fn ders(pem: &[u8]) -> Option<Vec<Vec<u8>>> {
    let blocks = pem::parse_many(pem).ok()?;
    let certificates = blocks
        .into_iter()
        .filter(|block| block.tag() == "CERTIFICATE");
    let ders: Vec<_> = certificates.map(pem::Pem::into_contents).collect();
    (1..=LONGEST_CHAIN).contains(&ders.len()).then_some(ders)
}

fn parsed(der: &[u8]) -> Option<X509Certificate<'_>> {
    let (rest, certificate) = x509_parser::parse_x509_certificate(der).ok()?;
    rest.is_empty().then_some(certificate)
}

#[cfg(test)]
mod tests {
    use super::*;

    macro_rules! vector {
        ($name:literal) => {
            include_str!(concat!("../../tests/vectors/notary/root-", $name, ".crt"))
        };
    }

    const GUN: &str = "registry.example.com/team/app";

    #[track_caller]
    fn check(pem: &str, gun: &str, now: &str, wanted: Option<&str>) {
        let now = Moment::parse(now).unwrap();
        let refused = check_root(pem.as_bytes(), gun, now).err();
        let is_it = match wanted {
            None => refused.is_none(),
            Some(wanted) => refused.as_ref().is_some_and(|why| why.contains(wanted)),
        };
        assert!(is_it, "{refused:?} is not {wanted:?}");
    }

    #[test]
    fn roots_are_vouched_for_by_good_certificates() {
        const NOW: &str = "2027-01-01T00:00:00Z";
        let (good, ca) = (vector!("good"), vector!("ca"));
        check(good, GUN, NOW, None);
        check(vector!("rsa2048"), GUN, NOW, None);
        check(&format!("{good}{ca}{ca}"), GUN, NOW, None);
        let wanted = Some("not exactly one");
        check(ca, GUN, NOW, wanted);
        check(&format!("{ca}{good}"), GUN, NOW, wanted);
        check(&format!("{good}{}", vector!("other")), GUN, NOW, wanted);
        check(vector!("sha1"), GUN, NOW, Some("SHA-1"));
        check(vector!("rsa1024"), GUN, NOW, Some("2048 bits"));
        check(
            good,
            "registry.example.com/team/ap",
            NOW,
            Some("made out to"),
        );
        check("", GUN, NOW, Some("none that can be read"));
        check(
            &good.replace("MIIB", "MIIC"),
            GUN,
            NOW,
            Some("none that can be read"),
        );
        check(good, GUN, "2090-01-01T00:00:00Z", Some("expired at 2081-"));
        check(
            good,
            GUN,
            "2026-11-01T00:00:00Z",
            Some("valid from 2026-11-"),
        );
    }

    #[test]
    fn stars_stand_for_the_rest_of_a_name() {
        assert!(names("a/b", "a/b") && names("a/*", "a/b") && names("*", "a/b"));
        assert!(!names("a/b", "a/bc") && !names("a/b*c", "a/b") && !names("b/*", "a/b"));
    }
}
