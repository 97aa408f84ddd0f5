//! A layer's bytes, in any compression, onto a root that a layer has been applied to already:
//! nothing outside the root changes.

#![no_main]

use libfuzzer_sys::fuzz_target;

mod sandbox;

/// What the layer finds: links out and in, and something of every kind.
const LOWER: &[(u8, &str, &str)] = &[
    (b'5', "d", ""),
    (b'0', "d/f", ""),
    (b'2', "out", "../outside"),
    (b'2', "d/abs", "/d"),
    (b'1', "hard", "d/f"),
    (b'6', "pipe", ""),
];

fuzz_target!(|data: &[u8]| {
    let Some((&choice, bytes)) = data.split_first() else {
        return;
    };
    let lower: Vec<u8> = LOWER.iter().flat_map(|entry| sandbox::header(*entry, 0)).collect();
    // Half of the inputs are archives whose sums are put right, which no mutation would hit.
    let layer = if choice & 1 == 0 {
        bytes.to_vec()
    } else {
        bytes.chunks(512).flat_map(sandbox::summed).collect()
    };
    sandbox::apply(&[lower, layer], choice & 2 == 0);
});
