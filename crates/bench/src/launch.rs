//! Measures the time of a program from start to exit.

use crate::percentile::Percentiles;
use anyhow::{Context, ensure};
use serde::Serialize;
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::time::Instant;

#[derive(Debug, clap::Args)]
pub(crate) struct Launch {
    /// The number of runs.
    #[arg(long, default_value_t = 200)]
    times: u32,
    /// Text that the program must print.
    #[arg(long)]
    prints: String,
    /// Its whole environment: NAME=VALUE.
    #[arg(long)]
    env: Vec<String>,
    program: PathBuf,
}

#[derive(Debug, Serialize)]
struct Took {
    /// The time from start to exit, with reading its output, in nanoseconds.
    took: Percentiles,
}

impl Launch {
    pub(crate) fn run(self) -> anyhow::Result<()> {
        let name = self.program.display();
        let mut command = Command::new(&self.program);
        let env = self.env.iter().filter_map(|pair| pair.split_once('='));
        command.env_clear().envs(env).stdin(Stdio::null());
        let mut times = Vec::new();
        for _ in 0..self.times {
            let start = Instant::now();
            let done = command.output().with_context(|| format!("cannot run {name}"))?;
            times.push(u64::try_from(start.elapsed().as_nanos())?);
            let printed = String::from_utf8_lossy(&done.stdout);
            ensure!(printed.contains(&self.prints), "{name} printed {printed}");
        }
        println!("{}", serde_json::to_string(&Took { took: Percentiles::of(&mut times) })?);
        Ok(())
    }
}
