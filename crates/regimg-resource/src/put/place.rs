//! Which file or directory is the image.

use std::fs;
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use regimg_select::{Glob, Wildcard};

use crate::error::{During, Error};
use crate::image::StepDirectory;

/// Paths that an error lists.
const SHOWN: usize = 20;

/// Finds what `params.image` names below the step's directory.
///
/// # Errors
///
/// No path, or one that is malformed, matches nothing or more than one thing, or leads out
/// of the directory.
pub(super) fn find(image: &str, step: &StepDirectory) -> Result<PathBuf, Error> {
    if image.is_empty() {
        return Err(Error::Field {
            field: "params.image",
            problem: "is missing: name the image's file or directory below the step's directory"
                .to_owned(),
        });
    }
    let phase = || format!("failed to glob path '{image}'");
    let glob = Glob::parse(image).during(phase())?;
    let mut found = walk(&glob, step).during(phase())?;
    match (found.pop(), found.as_slice()) {
        (None, _) => Err(Error::NoImage(image.to_owned())),
        (Some(path), []) => Ok(path),
        (Some(last), _) => {
            found.push(last);
            Err(Error::SeveralImages {
                glob: image.to_owned(),
                paths: shown(&found),
            })
        }
    }
}

/// Looks for the paths that a glob matches, in the order of parents, then names.
fn walk(glob: &Glob, step: &StepDirectory) -> io::Result<Vec<PathBuf>> {
    let base = step.path().join(glob.base());
    if glob.wildcards().is_empty() {
        // A link counts as it is; what is behind it is seen when it is opened.
        return match fs::symlink_metadata(&base) {
            Ok(_) => Ok(vec![base]),
            Err(error) if is_absent(&error) => Ok(Vec::new()),
            Err(error) => Err(error),
        };
    }
    let mut found = vec![base];
    for wildcard in glob.wildcards() {
        let mut next = Vec::new();
        for directory in &found {
            next.extend(matching(directory, wildcard, step)?);
        }
        found = next;
    }
    Ok(found)
}

/// Lists what matches in a directory. What is none, or cannot be read, has nothing in it.
fn matching(
    directory: &Path,
    wildcard: &Wildcard,
    step: &StepDirectory,
) -> io::Result<Vec<PathBuf>> {
    let Ok(metadata) = fs::metadata(directory) else {
        return Ok(Vec::new());
    };
    if !metadata.is_dir() {
        return Ok(Vec::new());
    }
    let Ok(entries) = fs::read_dir(step.follow(directory)?) else {
        return Ok(Vec::new());
    };
    let names = entries.filter_map(|entry| Some(entry.ok()?.file_name()));
    let mut names: Vec<_> = names
        .filter(|name| wildcard.is_match(name.as_bytes()))
        .collect();
    names.sort_unstable();
    Ok(names.iter().map(|name| directory.join(name)).collect())
}

/// Says whether an error means that there is nothing of this name.
fn is_absent(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::NotFound | io::ErrorKind::NotADirectory
    )
}

/// Lists paths as Go prints a list.
fn shown(paths: &[PathBuf]) -> String {
    let mut list: Vec<_> = paths
        .iter()
        .take(SHOWN)
        .map(|path| path.display().to_string())
        .collect();
    if paths.len() > SHOWN {
        list.push(format!("and {} more", paths.len() - SHOWN));
    }
    list.join(" ")
}
