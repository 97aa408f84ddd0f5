//! Roots in sandboxes, and the ways to unpack into them.

use std::error::Error as _;
use std::fs::{self, File};
use std::io::{Cursor, Read};
use std::os::unix::fs::{PermissionsExt, chown, symlink};
use std::path::{Path, PathBuf};
use std::thread;
use std::time::{Duration, SystemTime};

use regimg_tests::Layer;
use regimg_tests::tree::Listing;
use regimg_unpack::{Error, ErrorKind, Options, Outcome, Progress, Root, Warning, apply_all};
use rustix::fs::{XattrFlags, lsetxattr};
use rustix::process::{Gid, Uid, geteuid};
use rustix::thread::{set_thread_groups, set_thread_res_gid, set_thread_res_uid};
use tempfile::TempDir;

/// Somebody who is not root, and owns nothing.
const NOBODY: u32 = 65_534;

/// Who unpacks, and how names are resolved.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Situation {
    pub(crate) as_nobody: bool,
    pub(crate) walks: bool,
}

impl Situation {
    /// All situations that whoever runs the tests can be in.
    pub(crate) fn all() -> impl Iterator<Item = Self> {
        let users: &[bool] = if geteuid().is_root() {
            &[false, true]
        } else {
            &[false]
        };
        users.iter().flat_map(|&as_nobody| Self::of(as_nobody))
    }

    /// Both ways of resolving names, as root; none, and a report, where the tests are not
    /// run by root.
    pub(crate) fn as_root() -> impl Iterator<Item = Self> {
        let is_root = geteuid().is_root();
        if !is_root {
            eprintln!("skipped: this takes root");
        }
        Self::of(false).filter(move |_| is_root)
    }

    fn of(as_nobody: bool) -> impl Iterator<Item = Self> {
        [false, true]
            .into_iter()
            .map(move |walks| Self { as_nobody, walks })
    }

    pub(crate) fn root(self, path: &Path) -> Root {
        let root = Root::open(path).expect("the sandbox has a root");
        if self.walks {
            root.without_openat2()
        } else {
            root
        }
    }

    /// Does something as whoever it is: privileges are a thread's own.
    pub(crate) fn run<T: Send>(self, work: impl FnOnce() -> T + Send) -> T {
        let work = move || {
            if self.as_nobody {
                let (uid, gid) = (Uid::from_raw(NOBODY), Gid::from_raw(NOBODY));
                set_thread_groups(&[]).expect("root may leave its groups");
                set_thread_res_gid(gid, gid, gid).expect("root may change its group");
                set_thread_res_uid(uid, uid, uid).expect("root may become anybody");
            }
            work()
        };
        match thread::scope(|scope| scope.spawn(work).join()) {
            Ok(value) => value,
            Err(panic) => std::panic::resume_unwind(panic),
        }
    }
}

/// A root, and around it what must stay as it is.
pub(crate) struct Sandbox {
    directory: TempDir,
    before: Vec<String>,
}

impl Sandbox {
    pub(crate) fn new(situation: Situation) -> Self {
        let directory = tempfile::tempdir().expect("there is room for a directory");
        let path = directory.path();
        fs::set_permissions(path, fs::Permissions::from_mode(0o755)).unwrap();
        for name in ["root", "root-x", "outside", "outside/dir"] {
            fs::create_dir(path.join(name)).unwrap();
            fs::set_permissions(path.join(name), fs::Permissions::from_mode(0o755)).unwrap();
        }
        for name in ["root-x/f", "outside/file", "outside/dir/x"] {
            let file = File::create(path.join(name)).unwrap();
            fs::write(path.join(name), "canary").unwrap();
            file.set_permissions(fs::Permissions::from_mode(0o640))
                .unwrap();
            let time = SystemTime::UNIX_EPOCH + Duration::new(981_173_106, 7);
            file.set_modified(time).unwrap();
            // Not every file system has them.
            let _ = lsetxattr(
                path.join(name),
                "user.canary",
                b"sings",
                XattrFlags::empty(),
            );
        }
        symlink("file", path.join("outside/link")).unwrap();
        if situation.as_nobody {
            // Nothing but the code itself keeps it from touching these.
            for name in [
                ".",
                "root",
                "root-x",
                "root-x/f",
                "outside",
                "outside/file",
                "outside/dir",
                "outside/dir/x",
            ] {
                chown(path.join(name), Some(NOBODY), Some(NOBODY)).unwrap();
            }
        }
        let mut sandbox = Self {
            directory,
            before: Vec::new(),
        };
        sandbox.before = sandbox.surroundings();
        sandbox
    }

    pub(crate) fn path(&self) -> PathBuf {
        self.directory.path().join("root")
    }

    /// Puts the place of the canaries into a layer's text.
    pub(crate) fn fill_in(&self, text: &str) -> String {
        let outside = self.directory.path().join("outside");
        text.replace(
            "{outside}",
            outside
                .to_str()
                .expect("temporary directories have plain names"),
        )
    }

    /// Everything in the sandbox but the root.
    fn surroundings(&self) -> Vec<String> {
        let path = self.directory.path();
        let time = fs::metadata(path).unwrap().modified().unwrap();
        let mut lines = vec![format!("{time:?}")];
        for name in ["outside", "root-x"] {
            lines.extend(Listing::new().lines(path.join(name)).unwrap());
        }
        lines
    }

    #[track_caller]
    pub(crate) fn assert_untouched(&self, context: &str) {
        assert_eq!(
            self.surroundings(),
            self.before,
            "outside the root after {context}"
        );
    }
}

/// What came of unpacking.
pub(crate) struct Unpacked {
    pub(crate) outcome: Result<Outcome, Error>,
    pub(crate) warnings: Vec<String>,
    pub(crate) sandbox: Sandbox,
}

impl Unpacked {
    /// The tree without owners, times and attributes, and without the root itself.
    pub(crate) fn tree(&self) -> Vec<String> {
        let listing = Listing::new().with_text().without_owners().without_times();
        self.list(listing.without_attributes())
    }

    pub(crate) fn list(&self, listing: Listing) -> Vec<String> {
        let lines = listing.lines(self.sandbox.path()).unwrap();
        lines
            .into_iter()
            .filter(|line| !line.starts_with(". "))
            .collect()
    }

    /// One line of a listing of everything.
    pub(crate) fn line(&self, name: &str) -> String {
        let lines = Listing::new()
            .with_text()
            .lines(self.sandbox.path())
            .unwrap();
        let found = lines
            .into_iter()
            .find(|line| line.split(' ').next() == Some(name));
        found.unwrap_or_else(|| panic!("there is no {name}"))
    }
}

/// Remembers what it was told.
#[derive(Default)]
pub(crate) struct Heard(pub(crate) Vec<String>);

impl Progress for Heard {
    fn warn(&mut self, index: usize, warning: &Warning) {
        self.0.push(format!("{index}: {warning}"));
    }
}

/// Unpacks layers, given as lines, in one situation.
#[track_caller]
pub(crate) fn unpack(situation: Situation, layers: &[&str], options: &Options) -> Unpacked {
    let sandbox = Sandbox::new(situation);
    let layers = layers
        .iter()
        .map(|text| Layer::parse(&sandbox.fill_in(text)).tar().to_vec());
    let layers = layers.collect();
    unpack_bytes(situation, sandbox, layers, options)
}

/// Unpacks one layer, given as bytes.
#[track_caller]
pub(crate) fn unpack_one(situation: Situation, layer: &[u8]) -> Unpacked {
    let (sandbox, layers) = (Sandbox::new(situation), vec![layer.to_vec()]);
    unpack_bytes(situation, sandbox, layers, &Options::default())
}

/// Unpacks layers, given as bytes.
#[track_caller]
pub(crate) fn unpack_bytes(
    situation: Situation,
    sandbox: Sandbox,
    layers: Vec<Vec<u8>>,
    options: &Options,
) -> Unpacked {
    let path = sandbox.path();
    let (outcome, warnings) = situation.run(|| {
        let mut heard = Heard::default();
        let root = situation.root(&path);
        let readers = layers.into_iter().map(Cursor::new).collect::<Vec<_>>();
        let outcome = apply_all(readers, &root, options, &mut heard);
        (outcome, heard.0)
    });
    sandbox.assert_untouched(&format!("{situation:?}"));
    Unpacked {
        outcome,
        warnings,
        sandbox,
    }
}

/// Unpacks layers in every situation and compares the tree, less owners and times.
#[track_caller]
pub(crate) fn tree(layers: &[&str], expected: &str) {
    for situation in Situation::all() {
        let unpacked = unpack(situation, layers, &Options::default());
        let context = format!("{situation:?}: {layers:#?}");
        match &unpacked.outcome {
            Ok(_) => assert_eq!(unpacked.tree(), lines(expected), "{context}"),
            Err(error) => panic!("{}: {context}", told(error)),
        }
    }
}

/// Unpacks layers in every situation and expects an error of a kind that says something.
#[track_caller]
pub(crate) fn refused(layers: &[&str], kind: ErrorKind, said: &str) {
    for situation in Situation::all() {
        let unpacked = unpack(situation, layers, &Options::default());
        let error = unpacked.outcome.expect_err("this has to be refused");
        assert_eq!(error.kind(), kind, "{situation:?}: {}", told(&error));
        assert!(
            told(&error).contains(said),
            "{situation:?}: {} has no {said:?}",
            told(&error)
        );
    }
}

/// Writes bytes as a word of a layer's line.
pub(crate) fn quoted(bytes: &[u8]) -> String {
    let escaped = bytes
        .iter()
        .flat_map(|byte| format!("\\x{byte:02x}").into_bytes());
    let escaped: Vec<u8> = [b'"'].into_iter().chain(escaped).chain([b'"']).collect();
    String::from_utf8(escaped).expect("escapes are ASCII")
}

/// Returns an expectation's lines.
pub(crate) fn lines(text: &str) -> Vec<&str> {
    text.lines()
        .map(str::trim)
        .filter(|line| !line.is_empty())
        .collect()
}

/// The error and its cause.
pub(crate) fn told(error: &Error) -> String {
    error
        .source()
        .map_or_else(|| error.to_string(), |source| format!("{error}: {source}"))
}

/// Gives one byte at a time.
pub(crate) struct Drops<R>(pub(crate) R);

impl<R: Read> Read for Drops<R> {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        let most = buffer.len().min(1);
        self.0.read(&mut buffer[..most])
    }
}
