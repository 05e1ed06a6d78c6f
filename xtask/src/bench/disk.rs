//! What the disk allows: how often something small can be made durable, one after the other.

use std::fs::File;
use std::io::Write as _;
use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::{Context, Result};

use super::load::{self, Rate, Took};
use crate::files;

/// Bytes appended at a time, as many as a small transaction appends.
const PAGE: [u8; 4096] = [7; 4096];

/// Appends a page and waits for the disk, again and again for `time`, in the folder of the database.
pub fn syncs(folder: &Path, time: Duration) -> Result<Rate> {
    let path = folder.join("tessera-bench-syncs");
    let failed = || format!("writing {}", path.display());
    let file = File::create(&path).with_context(failed)?;
    let end = Instant::now() + time;
    let rate = load::workers(1, |_| {
        let (mut out, mut took) = (&file, Vec::new());
        while Instant::now() < end {
            let begin = Instant::now();
            let durable = out.write_all(&PAGE).and_then(|()| file.sync_data());
            durable.with_context(failed)?;
            let whole = begin.elapsed();
            let first = whole;
            took.push(Took { first, whole });
        }
        Ok(took)
    });
    files::remove(&path)?;
    rate
}
