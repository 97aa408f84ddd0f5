//! Digests and the verifier.

use proptest::prelude::*;
use regimg_core::{Algorithm, Digest, Verifier, VerifyErrorKind};

#[track_caller]
fn refuse(text: &str, problem: &str) {
    let error = Digest::parse(text).unwrap_err().to_string();
    assert!(
        error.contains(problem) && error.contains(&format!("{text:?}")),
        "{error}"
    );
}

#[test]
fn texts_that_are_no_digests_say_why() {
    let hex = "a".repeat(64);
    refuse("", "no algorithm");
    refuse("latest", "no algorithm");
    refuse(&format!("md5:{hex}"), "neither sha256 nor sha512");
    refuse(&format!("SHA256:{hex}"), "neither sha256 nor sha512");
    refuse(
        &format!("sha256:{}", hex.to_uppercase()),
        "no lower-case hex digit",
    );
    refuse(&format!("sha256:{}g", &hex[1..]), "no lower-case hex digit");
    refuse(&format!("sha256:{hex}a"), "this has 65");
    refuse(
        &format!("sha512:{hex}"),
        "sha512 has 128 hex digits, this has 64",
    );
    refuse(&format!("sha256:{hex}/../x"), "no lower-case hex digit");
    refuse("sha256:é", "no lower-case hex digit");
}

/// The vectors of FIPS 180-4 for "abc".
#[test]
fn hashes_are_the_standard_ones() {
    let digest = Digest::of(Algorithm::Sha256, b"abc");
    assert_eq!(
        digest.hex(),
        "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
    );
    let digest = Digest::of(Algorithm::Sha512, b"abc");
    assert!(digest.hex().starts_with("ddaf35a193617abacc417349ae204131"));
    assert_eq!(digest.hex().len(), 128);
}

#[track_caller]
fn verify(expected: &[u8], size: Option<u64>, actual: &[u8]) -> Option<VerifyErrorKind> {
    let mut verifier = Verifier::new(&Digest::of(Algorithm::Sha256, expected), size);
    verifier
        .update(actual)
        .and_then(|()| verifier.finish())
        .err()
        .map(|error| error.kind())
}

#[test]
fn bytes_are_wrong_in_three_ways() {
    assert_eq!(verify(b"abc", Some(3), b"abc"), None);
    assert_eq!(verify(b"abc", None, b"abc"), None);
    assert_eq!(verify(b"", Some(0), b""), None);
    assert_eq!(
        verify(b"abc", Some(3), b"ab"),
        Some(VerifyErrorKind::TooShort)
    );
    assert_eq!(
        verify(b"abc", Some(3), b"abcd"),
        Some(VerifyErrorKind::TooLong)
    );
    assert_eq!(
        verify(b"abc", Some(3), b"abd"),
        Some(VerifyErrorKind::Digest)
    );
    assert_eq!(verify(b"abc", None, b"abcd"), Some(VerifyErrorKind::Digest));
}

proptest! {
    #[test]
    fn digests_print_as_they_were_written(bytes: Vec<u8>, long: bool) {
        let algorithm = if long { Algorithm::Sha512 } else { Algorithm::Sha256 };
        let digest = Digest::of(algorithm, &bytes);
        prop_assert_eq!(&digest, &digest.to_string().parse::<Digest>().unwrap());
        let json = serde_json::to_string(&digest).unwrap();
        prop_assert_eq!(&digest, &serde_json::from_str::<Digest>(&json).unwrap());
    }

    #[test]
    fn no_text_panics(text in "(sha256|sha512)?:?[0-9a-fA-Fé/]{0,140}") {
        let _ = Digest::parse(&text);
    }

    #[test]
    fn pieces_do_not_matter(bytes: Vec<u8>, cuts: Vec<usize>) {
        let digest = Digest::of(Algorithm::Sha256, &bytes);
        let mut verifier = Verifier::new(&digest, Some(bytes.len() as u64));
        let mut rest = &bytes[..];
        for cut in cuts {
            let (piece, after) = rest.split_at(cut % (rest.len() + 1));
            verifier.update(piece).unwrap();
            rest = after;
        }
        verifier.update(rest).unwrap();
        prop_assert_eq!(verifier.read_bytes(), bytes.len() as u64);
        prop_assert!(verifier.finish().is_ok());
    }
}
