//! Measures `check` against one look-up after another, which is the Go resource's way.
//!
//! `cargo xtask bench check` calls this with the directory that holds the programs. Both
//! run in one sitting against the embedded registry, so the ratios hold on any machine.
#![expect(clippy::print_stdout, reason = "the figures are what this prints")]

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use regimg_tests::registry::Registry;
use regimg_tests::{Image, Process};
use serde_json::{Value, json};

/// Tags beyond which one look-up after another is not waited for but scaled from fewer.
const SCALED_FROM: usize = 100;

/// Images that the tags point at, in turn.
const IMAGES: usize = 50;

fn main() -> Result<()> {
    let programs = std::env::args_os()
        .nth(1)
        .context("usage: bench-check DIRECTORY, the one that holds check")?;
    let programs = PathBuf::from(programs);
    println!("one: max_concurrent_requests 1; ~ marks what is scaled from {SCALED_FROM} tags");
    println!(
        "{:>5} {:>5}  {:20} {:>9} {:>9} {:>9} {:>7}",
        "tags", "ms", "mode", "requests", "one s", "check s", "ratio"
    );
    for latency in [0, 20, 80].map(Duration::from_millis) {
        for tags in [50, 500, 5000] {
            let bench = Bench {
                programs: &programs,
                latency,
            };
            for mode in Mode::ALL {
                bench.compare(tags, mode)?;
            }
        }
    }
    Ok(())
}

/// What a source asks for.
#[derive(Clone, Copy, Debug)]
enum Mode {
    Tag,
    Versions,
    Cursor,
    Pattern,
    Created,
}

impl Mode {
    const ALL: [Self; 5] = [
        Self::Tag,
        Self::Versions,
        Self::Cursor,
        Self::Pattern,
        Self::Created,
    ];

    fn name(self) -> &'static str {
        match self {
            Self::Tag => "tag",
            Self::Versions => "versions",
            Self::Cursor => "versions, cursor",
            Self::Pattern => "tag_regex",
            Self::Created => "created_at_sort",
        }
    }

    fn request(self, registry: &Registry, tags: usize) -> Value {
        let mut source = match self {
            Self::Tag => json!({ "tag": "1.0.0" }),
            Self::Versions | Self::Cursor => json!({}),
            Self::Pattern => json!({ "tag_regex": "^1" }),
            Self::Created => json!({ "tag_regex": "^1", "created_at_sort": true }),
        };
        source["repository"] = json!(format!("{}/app", registry.host()));
        let mut request = json!({ "source": source });
        if let Self::Cursor = self {
            // Nine tenths of the tags are known.
            let tag = format!("1.{}.0", tags * 9 / 10);
            let digest = registry
                .tag_digest("app", &tag)
                .map(|digest| digest.to_string());
            request["version"] = json!({ "tag": tag, "digest": digest });
        }
        request
    }

    /// The requests that the rules need, of which one is the greeting: `/v2/`.
    fn needs(self, tags: usize) -> usize {
        let pages = tags.div_ceil(1000);
        match self {
            Self::Tag => 1 + 1,
            Self::Versions | Self::Pattern => 1 + pages + tags,
            Self::Cursor => 1 + pages + tags - tags * 9 / 10,
            Self::Created => 1 + pages + tags + 2 * IMAGES.min(tags),
        }
    }
}

struct Bench<'a> {
    programs: &'a Path,
    latency: Duration,
}

impl Bench<'_> {
    fn compare(&self, tags: usize, mode: Mode) -> Result<()> {
        let registry = self.registry(tags);
        let request = mode.request(&registry, tags);
        let took = self.run(&request)?;
        let requests = registry.requests().len();
        ensure!(
            requests == mode.needs(tags),
            "{} of {tags} tags took {requests} requests, the rules need {}",
            mode.name(),
            mode.needs(tags)
        );
        let (one, scaled) = self.one_after_another(tags, mode)?;
        println!(
            "{tags:>5} {:>5}  {:20} {requests:>9} {:>1}{:>8.2} {:>9.2} {:>6.1}x",
            self.latency.as_millis(),
            mode.name(),
            if scaled { "~" } else { "" },
            one.as_secs_f64(),
            took.as_secs_f64(),
            one.as_secs_f64() / took.as_secs_f64()
        );
        Ok(())
    }

    /// Measures, or scales, what it takes without anything side by side.
    fn one_after_another(&self, tags: usize, mode: Mode) -> Result<(Duration, bool)> {
        let measured = tags.min(SCALED_FROM);
        let registry = self.registry(measured);
        let mut request = mode.request(&registry, measured);
        request["source"]["max_concurrent_requests"] = json!(1);
        let took = self.run(&request)?;
        let needs = |tags| u32::try_from(mode.needs(tags)).context("a number of requests");
        Ok((took * needs(tags)? / needs(measured)?, measured < tags))
    }

    fn registry(&self, tags: usize) -> Registry {
        let registry = Registry::builder().latency(self.latency).start();
        let images: Vec<_> = (0..IMAGES.min(tags))
            .map(|number| Image::with_text(&number.to_string()))
            .collect();
        let digests: Vec<_> = images
            .iter()
            .map(|image| registry.push("app", image))
            .collect();
        for tag in 0..tags {
            registry.tag("app", &format!("1.{tag}.0"), &digests[tag % digests.len()]);
        }
        registry
    }

    fn run(&self, request: &Value) -> Result<Duration> {
        let started = Instant::now();
        let finished = Process::new(self.programs.join("check"))
            .deadline(Duration::from_mins(10))
            .input(request.to_string())
            .run()?;
        let took = started.elapsed();
        ensure!(finished.status.success(), "{}", finished.stderr_text());
        Ok(took)
    }
}
