//! Plots as SVG inside a page. They use the page's colours.

use std::fmt::Write as _;

use playlist::escape;

use crate::text;

/// More bars than this would run together.
const BARS: usize = 366;

/// The size of a plot in its own units.
const WIDTH: usize = 720;
const HEIGHT: usize = 160;
/// The top of the bars.
const TOP: usize = 16;

/// The parts of one bar, from the bottom up.
pub(super) struct Bar {
    pub(super) name: String,
    pub(super) parts: Vec<u64>,
}

/// Bars over time. `what` names the parts; `say` formats an amount.
pub(super) fn bars(
    title: &str,
    what: &[&str],
    bars: &[Bar],
    say: fn(u64) -> String,
) -> Option<String> {
    let bars = fewer(bars);
    let (first, last) = (bars.first()?, bars.last()?);
    let highest = bars.iter().map(|bar| total(&bar.parts)).max().filter(|highest| *highest > 0)?;
    let mut svg = format!(
        "<figure><figcaption>{}{}</figcaption>\n<svg viewBox=\"0 0 {WIDTH} {}\" role=\"img\" \
         aria-label=\"{}\">\n<line class=\"axis\" x1=\"0\" y1=\"{TOP}\" x2=\"{WIDTH}\" y2=\"{TOP}\"/>\
         <text x=\"0\" y=\"12\">{}</text>\n",
        escaped(title),
        legend(what),
        TOP + HEIGHT + 16,
        escaped(title),
        escaped(&say(highest)),
    );
    for (place, bar) in bars.iter().enumerate() {
        let (from, to) = (place * WIDTH * 10 / bars.len(), (place + 1) * WIDTH * 10 / bars.len());
        let gap = if bars.len() > BARS / 4 { 0 } else { (to - from) / 8 };
        let said = what.iter().zip(&bar.parts).map(|(what, part)| format!("{what} {}", say(*part)));
        let said = said.collect::<Vec<_>>().join(", ");
        let _ = write!(svg, "<g><title>{}: {}</title>", escaped(&bar.name), escaped(&said));
        let mut below = 0;
        for (number, part) in bar.parts.iter().enumerate() {
            let (low, high) =
                (height(below, highest), height(below.saturating_add(*part), highest));
            below = below.saturating_add(*part);
            let (x, width) = (tenths(from), tenths(to - from - gap));
            let (y, tall) = (tenths((TOP + HEIGHT) * 10 - high), tenths(high - low));
            let _ = write!(
                svg,
                "<rect class=\"part{number}\" x=\"{x}\" y=\"{y}\" width=\"{width}\" height=\"{tall}\"/>"
            );
        }
        svg.push_str("</g>\n");
    }
    let base = TOP + HEIGHT;
    let _ = write!(
        svg,
        "<line class=\"axis\" x1=\"0\" y1=\"{base}\" x2=\"{WIDTH}\" y2=\"{base}\"/>\
         <text x=\"0\" y=\"{0}\">{1}</text><text class=\"end\" x=\"{WIDTH}\" y=\"{0}\">{2}</text>\n\
         </svg></figure>\n",
        base + 14,
        escaped(&first.name),
        escaped(&last.name),
    );
    Some(svg)
}

/// Combines neighbours if there are too many.
fn fewer(bars: &[Bar]) -> Vec<Bar> {
    let together = bars.len().div_ceil(BARS).max(1);
    let groups = bars.chunks(together).map(|group| {
        let longest = group.iter().map(|bar| bar.parts.len()).max().unwrap_or(0);
        let sum = |part: usize| total(group.iter().filter_map(|bar| bar.parts.get(part)));
        let name = group.first().map_or(String::new(), |bar| bar.name.clone());
        Bar { name, parts: (0..longest).map(sum).collect() }
    });
    groups.collect()
}

fn total<'a>(parts: impl IntoIterator<Item = &'a u64>) -> u64 {
    parts.into_iter().fold(0, |sum, part| sum.saturating_add(*part))
}

/// In tenths of a unit.
fn height(amount: u64, highest: u64) -> usize {
    let tenths = u128::from(amount) * (HEIGHT as u128) * 10 / u128::from(highest);
    usize::try_from(tenths).unwrap_or(HEIGHT * 10)
}

fn tenths(number: usize) -> String {
    format!("{}.{}", number / 10, number % 10)
}

fn legend(what: &[&str]) -> String {
    let mark = |(number, what): (usize, &&str)| {
        format!(" <span class=\"key part{number}\"></span>{}", escaped(what))
    };
    if what.len() < 2 { String::new() } else { what.iter().enumerate().map(mark).collect() }
}

/// Any text as HTML, without control characters.
pub(super) fn escaped(text: &str) -> String {
    escape(&text::plain(text)).into_owned()
}
