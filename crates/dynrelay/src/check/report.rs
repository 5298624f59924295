//! What was found, for people and for programs.

use std::io;
use std::path::{Path, PathBuf};

use serde::Serialize;

use super::finding::{Finding, Severity};
use crate::color::Color;
use crate::context::Context;
use crate::text::wrapped;
use crate::wording::count;
use crate::{json, text};

/// What was found, part by part, errors first.
#[derive(Debug)]
pub(crate) struct Report {
    /// dynrelay.toml.
    pub(crate) config: PathBuf,
    /// Streams in the catalogue.
    pub(crate) streams: usize,
    /// Edges in the catalogue.
    pub(crate) edges: usize,
    /// What is wrong.
    pub(crate) findings: Vec<Finding>,
}

/// The report for programs.
#[derive(Serialize)]
struct Shape<'a> {
    findings: &'a [Finding],
    errors: usize,
    warnings: usize,
    unknown: usize,
}

impl Report {
    /// Puts the findings in order.
    pub(crate) fn new(config: &Path, mut findings: Vec<Finding>) -> Self {
        findings.sort_by_key(|one| (one.about, std::cmp::Reverse(one.severity)));
        Self { config: config.to_owned(), streams: 0, edges: 0, findings }
    }

    /// How many errors there are.
    pub(crate) fn errors(&self) -> usize {
        self.count(Severity::Error)
    }

    fn count(&self, severity: Severity) -> usize {
        self.findings.iter().filter(|finding| finding.severity == severity).count()
    }

    /// Prints it.
    pub(crate) fn print(&self, context: &mut Context<'_>) -> io::Result<()> {
        if context.json {
            let shape = Shape {
                findings: &self.findings,
                errors: self.errors(),
                warnings: self.count(Severity::Warning),
                unknown: self.count(Severity::Unknown),
            };
            return json::line(context.out, &serde_json::to_string(&shape)?);
        }
        let mut part = None;
        for finding in &self.findings {
            if part.replace(finding.about) != Some(finding.about) {
                context.heading(finding.about.heading(), Color::Bold)?;
            }
            one(context, finding)?;
        }
        context.say(&self.summary())
    }

    fn summary(&self) -> String {
        let config = self.config.display();
        let warnings = self.count(Severity::Warning);
        let (errors, found) = (count(self.errors(), "error"), count(warnings, "warning"));
        let holds = format!("{}, {}", count(self.streams, "stream"), count(self.edges, "edge"));
        let summary = match (self.errors(), warnings) {
            (0, 0) => format!("{config}: {holds}. Nothing is wrong."),
            (0, _) => format!("{config}: {holds}. No errors, {found}."),
            (_, 0) => format!("{config}: {holds}. {errors}."),
            _ => format!("{config}: {holds}. {errors}, {found}."),
        };
        match self.count(Severity::Unknown) {
            0 => summary,
            unknown => format!("{summary} {} could not be looked at.", count(unknown, "thing")),
        }
    }
}

/// A finding: its place, what is wrong, and what to do.
fn one(context: &mut Context<'_>, finding: &Finding) -> io::Result<()> {
    const INDENT: usize = 11;
    let color = match finding.severity {
        Severity::Error => Color::Red,
        Severity::Warning => Color::Yellow,
        Severity::Unknown => Color::Dim,
    };
    let mut lines = Vec::new();
    if let Some(file) = &finding.file {
        let line = finding.line.map(|line| format!(":{line}")).unwrap_or_default();
        lines.push(text::plain(&format!("{}{line}", file.display())));
    }
    let width = context.width.saturating_sub(INDENT);
    lines.extend(wrapped(&text::plain(&finding.what), width));
    let advice = wrapped(&text::plain(&finding.advice), width.saturating_sub(3));
    let mark = std::iter::once("-> ").chain(std::iter::repeat("   "));
    lines.extend(mark.zip(advice).map(|(mark, line)| format!("{mark}{line}")));
    let mut word = color.on(&format!("{:<9}", finding.severity.as_str()), context.colors);
    for line in lines {
        writeln!(context.out, "  {word}{line}")?;
        word = " ".repeat(INDENT - 2);
    }
    writeln!(context.out)
}
