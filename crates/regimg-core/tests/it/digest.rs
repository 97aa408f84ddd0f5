//! Digests, hashers and verifiers.

use proptest::prelude::*;
use regimg_core::{Algorithm, Digest, Hasher, Secret, Verifier, VerifyErrorKind};

#[track_caller]
fn refuse(text: &str, rule: &str) {
    let error = Digest::parse(text).unwrap_err().to_string();
    assert_eq!(error, format!("invalid digest {text:?}: {rule}"));
}

#[test]
fn texts_that_are_no_digests_say_why() {
    let hex = "a".repeat(64);
    let form = "a digest reads algorithm:hex, as in sha256:6c3c…";
    refuse("", form);
    refuse("latest", form);
    refuse(
        &format!("md5:{hex}"),
        r#"the algorithm "md5" is neither sha256 nor sha512"#,
    );
    refuse(
        &format!("SHA256:{hex}"),
        r#"the algorithm "SHA256" is neither sha256 nor sha512"#,
    );
    let digit = |c: char| format!("{c:?} is not a lower-case hexadecimal digit");
    refuse(&format!("sha256:{}", hex.to_uppercase()), &digit('A'));
    refuse(&format!("sha256:{}g", &hex[1..]), &digit('g'));
    refuse(&format!("sha256:{hex}/../x"), &digit('/'));
    refuse("sha256:é", &digit('é'));
    refuse(
        &format!("sha256:{hex}a"),
        "sha256 has 64 hexadecimal digits, not 65",
    );
    refuse(
        &format!("sha512:{hex}"),
        "sha512 has 128 hexadecimal digits, not 64",
    );
    refuse("sha256:", "sha256 has 64 hexadecimal digits, not 0");
}

/// The examples of FIPS 180-2, appendices B.1 and C.1.
#[test]
fn hashes_are_the_standard_ones() {
    let digest = Digest::of(Algorithm::Sha256, b"abc");
    assert_eq!(
        digest.as_str(),
        "sha256:ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
    );
    let digest = Digest::of(Algorithm::Sha512, b"abc");
    assert!(digest.hex().starts_with("ddaf35a193617abacc417349ae204131"));
    assert_eq!(digest.hex().len(), 128);
    assert_eq!(digest.algorithm(), Algorithm::Sha512);
}

#[test]
fn digests_order_as_their_text_does() {
    let mut digests: Vec<_> = (0..9_u8)
        .flat_map(|n| [Algorithm::Sha512, Algorithm::Sha256].map(|it| Digest::of(it, &[n])))
        .collect();
    digests.sort();
    assert!(digests.is_sorted_by_key(ToString::to_string));
}

#[track_caller]
fn check_content(promised: &[u8], size: Option<u64>, content: &[u8], want: &str) {
    let mut verifier = Verifier::new(&Digest::of(Algorithm::Sha256, promised), size);
    let verdict = verifier.update(content).and_then(|()| verifier.finish());
    let got = verdict.map_or_else(
        |error| format!("{:?}", error.kind()),
        |()| "good".to_owned(),
    );
    assert_eq!(got, want);
}

#[test]
fn content_is_wrong_in_three_ways() {
    check_content(b"abc", Some(3), b"abc", "good");
    check_content(b"abc", None, b"abc", "good");
    check_content(b"", Some(0), b"", "good");
    check_content(b"abc", Some(3), b"ab", "TooShort");
    check_content(b"abc", Some(3), b"", "TooShort");
    check_content(b"abc", Some(3), b"abcd", "TooLong");
    check_content(b"", Some(0), b"a", "TooLong");
    check_content(b"abc", Some(3), b"abd", "Digest");
    check_content(b"abc", None, b"abcd", "Digest");
    check_content(b"abc", None, b"", "Digest");
}

#[test]
fn errors_say_what_was_promised_and_what_came() {
    let (abc, abd) = (
        Digest::of(Algorithm::Sha256, b"abc"),
        Digest::of(Algorithm::Sha256, b"abd"),
    );
    let mut verifier = Verifier::new(&abc, None);
    verifier.update(b"abd").unwrap();
    let error = verifier.finish().unwrap_err();
    assert_eq!(
        error.to_string(),
        format!("want {abc}, got {abd} in 3 bytes")
    );
    assert_eq!((error.digest(), error.read_bytes()), (&abc, 3));

    let mut verifier = Verifier::new(&abc, Some(3));
    let error = verifier.update(b"abcd").unwrap_err();
    let text = format!("want {abc} in 3 bytes, got 4 bytes");
    assert_eq!(error.to_string(), text);
}

#[test]
fn content_that_was_too_long_stays_bad() {
    let digest = Digest::of(Algorithm::Sha256, b"abc");
    let mut verifier = Verifier::new(&digest, Some(3));
    verifier.update(b"abc").unwrap();
    verifier.update(b"d").unwrap_err();
    verifier.update(b"").unwrap_err();
    let error = verifier.finish().unwrap_err();
    assert_eq!(error.kind(), VerifyErrorKind::TooLong);
}

#[test]
fn secrets_are_not_shown() {
    let secret: Secret = serde_json::from_str(r#""hunter2""#).unwrap();
    assert_eq!(secret.expose(), "hunter2");
    assert_eq!(format!("{secret} {secret:?} {secret:#?}"), "**** **** ****");
    assert!(Secret::default().is_empty() && !secret.is_empty());
}

fn algorithm() -> impl Strategy<Value = Algorithm> {
    prop_oneof![Just(Algorithm::Sha256), Just(Algorithm::Sha512)]
}

proptest! {
    #[test]
    fn digests_can_be_read_back(content: Vec<u8>, algorithm in algorithm()) {
        let digest = Digest::of(algorithm, &content);
        prop_assert_eq!(&digest, &digest.to_string().parse::<Digest>().unwrap());
        let json = serde_json::to_string(&digest).unwrap();
        prop_assert_eq!(&digest, &serde_json::from_str::<Digest>(&json).unwrap());
    }

    #[test]
    fn any_text_is_parsed_or_refused(text in "(sha256|sha512)?:?[0-9a-fA-Fé/]{0,140}|.{0,80}") {
        if let Ok(digest) = Digest::parse(&text) {
            prop_assert_eq!(digest.as_str(), text);
        }
    }

    #[test]
    fn the_pieces_do_not_matter(content: Vec<u8>, cuts: Vec<usize>, algorithm in algorithm()) {
        let digest = Digest::of(algorithm, &content);
        let mut verifier = Verifier::new(&digest, Some(content.len() as u64));
        let mut hasher = Hasher::new(algorithm);
        let mut rest = &content[..];
        for cut in cuts {
            let (piece, after) = rest.split_at(cut % (rest.len() + 1));
            hasher.update(piece);
            verifier.update(piece).unwrap();
            rest = after;
        }
        hasher.update(rest);
        verifier.update(rest).unwrap();
        prop_assert_eq!(hasher.finish(), digest);
        prop_assert_eq!(verifier.read_bytes(), content.len() as u64);
        prop_assert_eq!(verifier.finish(), Ok(()));
    }

    #[test]
    fn one_flipped_bit_is_found(mut content in prop::collection::vec(any::<u8>(), 1..99), at: usize) {
        let digest = Digest::of(Algorithm::Sha256, &content);
        let mut verifier = Verifier::new(&digest, Some(content.len() as u64));
        let at = at % (content.len() * 8);
        content[at / 8] ^= 1 << (at % 8);
        verifier.update(&content).unwrap();
        let error = verifier.finish().unwrap_err();
        prop_assert_eq!(error.kind(), VerifyErrorKind::Digest);
    }
}
