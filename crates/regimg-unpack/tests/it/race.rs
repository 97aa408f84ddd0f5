//! A9: somebody moves directories and puts links in their place while layers are applied
//! (CVE-2018-15664, CVE-2026-41568). They may make it fail; they may not make it leave.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread;

use regimg_tests::Layer;
use regimg_unpack::{Options, apply};
use rustix::fs::{CWD, RenameFlags, renameat_with};

use crate::fixture::{Sandbox, Situation};

/// How often everything is done again at most, and how many swaps are enough.
const ROUNDS: usize = 100;
const SWAPS: usize = 2000;

/// Files in more directories than are kept open, so that names are resolved all the time,
/// and everything else that goes through a directory.
fn layers() -> [Vec<u8>; 3] {
    let directories = (0..120).map(|index| (index, format!("d/e{}/f{}", index % 3, index % 40)));
    let fill: Vec<String> = directories
        .map(|(index, directory)| {
            format!(
                "dir {directory} 0755 mtime=5
                file {directory}/file{index} 0640 3:4 \"evil\"
                symlink {directory}/link{index} -> x 5:6 mtime=7
                hardlink {directory}/dir{index} -> {directory}/file{index}"
            )
        })
        .collect();
    let clear: Vec<String> = (0..40)
        .map(|index| format!("whiteout d/e{0}/f{index}\nopaque d/e{0}", index % 3))
        .collect();
    let remove = "file d/dir \"evil\"\nfile d/file \"evil\"\nwhiteout d/x\nfile d \"over it all\"\nfile d/x/y \"evil\"";
    [fill.join("\n"), clear.join("\n"), remove.to_owned()]
        .map(|text| Layer::parse(&text).tar().to_vec())
}

#[test]
fn links_in_place_of_directories() {
    for situation in Situation::all() {
        let sandbox = Sandbox::new(situation);
        let root = sandbox.path();
        let outside = root.join("../outside").canonicalize().unwrap();
        let (ends, swaps) = (AtomicBool::new(false), AtomicUsize::new(0));
        thread::scope(|scope| {
            scope.spawn(|| situation.run(|| swap(&root, &outside, &ends, &swaps)));
            situation.run(|| rounds(situation, &root, &swaps));
            ends.store(true, Ordering::Relaxed);
        });
        let swapped = swaps.load(Ordering::Relaxed);
        assert!(swapped > 0, "{situation:?}: nothing was swapped");
        sandbox.assert_untouched(&format!("{swapped} swaps in {situation:?}"));
    }
}

/// Applies the layers until they have met enough of the other's doing. Each may fail, since
/// what it has made is moved away.
fn rounds(situation: Situation, path: &Path, swaps: &AtomicUsize) {
    let root = situation.root(path);
    let layers = layers();
    for _ in 0..ROUNDS {
        for layer in &layers {
            let _ = apply(&layer[..], &root, &Options::default(), &mut ());
        }
        if swaps.load(Ordering::Relaxed) > SWAPS {
            return;
        }
    }
}

/// Swaps directories with links to the outside and up, until told to end.
fn swap(root: &Path, outside: &Path, ends: &AtomicBool, swaps: &AtomicUsize) {
    let targets = [
        outside,
        Path::new("../.."),
        &outside.join("dir"),
        Path::new("/"),
    ];
    for (index, target) in targets.iter().enumerate() {
        // Left over by no one: each has a name of its own.
        symlink(target, root.join(format!("link{index}"))).expect("nobody else makes these");
    }
    let places = [
        "d", "d/e0", "d/e1", "d/e2", "d/e0/f0", "d/e1/f1", "d/e2/f2", "d/e0/f3",
    ];
    let mut turn = 0_usize;
    while !ends.load(Ordering::Relaxed) {
        turn += 1;
        let place = root.join(places[turn % places.len()]);
        let link = root.join(format!("link{}", turn % targets.len()));
        let exchange = || renameat_with(CWD, &link, CWD, &place, RenameFlags::EXCHANGE);
        // Where there is nothing, there is nothing to swap.
        if exchange().is_ok() {
            swaps.fetch_add(1, Ordering::Relaxed);
            thread::yield_now();
            // And back, most of the time, so that there is something to unpack into.
            if !turn.is_multiple_of(5) {
                let _ = exchange();
            }
        }
        if turn.is_multiple_of(64) {
            mend(root, targets.len(), outside);
        }
    }
}

/// Puts links back that the layers or the swapping have used up.
fn mend(root: &Path, links: usize, outside: &Path) {
    for index in 0..links {
        let link = root.join(format!("link{index}"));
        let is_link = fs::symlink_metadata(&link).is_ok_and(|metadata| metadata.is_symlink());
        if !is_link {
            // Either may fail, since somebody else is at work here.
            let _ = fs::rename(&link, root.join(format!("moved{index}")));
            let _ = symlink(outside, &link);
        }
    }
}
