//! Archives made of well-formed headers in any order, with names that lead everywhere: nothing
//! outside the root changes.

#![no_main]

use libfuzzer_sys::fuzz_target;

mod sandbox;

const NAMES: [&str; 24] = [
    "a", "b", "a/b", "a/b/c", "a/../b", "..", "../outside", "../outside/file", "/", ".", "a/", "link", "link/x",
    "link/../a", ".wh.a", ".wh.link", "a/.wh.b", ".wh..wh..opq", "a/.wh..wh..opq", "link/.wh..wh..opq", ".wh.",
    ".wh...", ".wh..wh.plnk", "\u{1b}[m",
];
const KINDS: [u8; 12] = *b"0012567SxLKg";
const RECORDS: [&str; 8] = [
    "12 path=a/b\n",
    "20 linkpath=../link\n",
    "10 size=5\n",
    "11 mtime=1\n",
    "11 uid=1234\n",
    "22 GNU.sparse.major=1\n22 GNU.sparse.minor=0\n27 GNU.sparse.realsize=512\n",
    "27 SCHILY.xattr.user.a=abc\n",
    "9 size=\n",
];

fuzz_target!(|data: &[u8]| {
    let Some((&choice, entries)) = data.split_first() else {
        return;
    };
    let mut layers = [Vec::new(), Vec::new()];
    for (index, entry) in entries.chunks_exact(4).enumerate() {
        let [kind, name, target, size] = [entry[0], entry[1], entry[2], entry[3]].map(usize::from);
        let kind = KINDS[kind % KINDS.len()];
        let (name, target) = (NAMES[name % NAMES.len()], NAMES[target % NAMES.len()]);
        let body = match kind {
            b'x' | b'g' => RECORDS[size % RECORDS.len()].as_bytes().to_vec(),
            b'L' | b'K' => target.as_bytes().to_vec(),
            b'0' | b'7' | b'S' => vec![b'x'; size * 3],
            _ => Vec::new(),
        };
        let layer = &mut layers[usize::from(index > entries.len() / 8)];
        layer.extend(sandbox::header((kind, name, target), body.len()));
        layer.extend_from_slice(&body);
        layer.resize(layer.len().next_multiple_of(512), 0);
    }
    sandbox::apply(&layers, choice & 1 == 0);
});
