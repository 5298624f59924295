//! A plot of a rate over the last minutes.

use std::fmt::Write;

use control::Rates;
use wording::rate;

/// The time that a plot shows, in seconds.
const SPAN: u64 = 600;
/// So far outside the plot that a line from there looks level.
const BEYOND: u64 = 1000;
/// The height of a plot, in its own units.
const HEIGHT: u64 = 100;

/// A plot in a table: a line, and a description in words for screen readers.
pub(crate) fn small(rates: &Rates) -> String {
    drawn(rates, "spark")
}

/// A plot with its scale.
pub(crate) fn large(rates: &Rates, what: &str) -> String {
    let top = rates.bytes.iter().copied().max().unwrap_or(0);
    format!(
        "<figure>\n<figcaption>{what}</figcaption>\n<p class=\"top\" aria-hidden=\"true\">{}</p>\n\
         {}\n<p class=\"axis\" aria-hidden=\"true\"><span>10 minutes ago</span> \
         <span>now</span></p>\n</figure>\n",
        rate(top),
        drawn(rates, "curve")
    )
}

fn drawn(rates: &Rates, class: &str) -> String {
    let Rates { step, bytes, .. } = rates;
    let slots = SPAN.checked_div(*step).unwrap_or(0).max(2);
    let shown = usize::try_from(slots).unwrap_or(usize::MAX);
    let bytes = &bytes[bytes.len().saturating_sub(shown)..];
    let Some(top) = bytes.iter().copied().max() else { return String::new() };
    let first = slots - u64::try_from(bytes.len()).unwrap_or(slots);
    // The line begins and ends at the foot, so that the area below it can be filled. The foot is
    // below the visible part. The line comes from the left at its first height.
    let foot = HEIGHT + 20;
    let mut points = match first {
        0 => format!("-{BEYOND},{foot}"),
        _ => format!("{first},{foot}"),
    };
    for (at, bytes) in (first..).zip(bytes) {
        let _ = write!(points, " {at},{}", HEIGHT - share(*bytes, top));
    }
    let _ = write!(points, " {},{foot}", slots.saturating_add(BEYOND));
    let width = slots - 1;
    format!(
        "<svg class=\"{class}\" role=\"img\" aria-label=\"{}\" viewBox=\"0 -4 {width} 108\" \
         preserveAspectRatio=\"none\"><polyline points=\"{points}\" \
         vector-effect=\"non-scaling-stroke\"/></svg>",
        in_words(bytes, top)
    )
}

/// The height of a point with these bytes, in relation to the largest.
fn share(bytes: u64, top: u64) -> u64 {
    let share = u128::from(bytes) * u128::from(HEIGHT) / u128::from(top.max(1));
    u64::try_from(share).unwrap_or(HEIGHT)
}

fn in_words(bytes: &[u64], top: u64) -> String {
    let least = bytes.iter().copied().min().unwrap_or(0);
    let last = bytes.last().copied().unwrap_or(0);
    format!(
        "Rate over the last 10 minutes: at least {}, at most {}, at the end {}",
        rate(least),
        rate(top),
        rate(last)
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rates(step: u64, bytes: &[u64]) -> Rates {
        Rates { step, until: 0, bytes: bytes.to_vec() }
    }

    #[test]
    fn the_latest_is_at_the_right_and_the_most_at_the_top() {
        let svg = small(&rates(15, &[0, 50, 100]));
        assert!(svg.contains("points=\"37,120 37,100 38,50 39,0 1040,120\""), "{svg}");
        assert!(svg.contains("viewBox=\"0 -4 39 108\""), "{svg}");
        assert!(svg.contains("at least 0 bit/s, at most 800 bit/s, at the end 800 bit/s"), "{svg}");
    }

    #[test]
    fn nothing_is_drawn_of_nothing_and_no_number_is_too_large() {
        assert_eq!(small(&rates(15, &[])), "");
        let flat = small(&rates(15, &[0, 0]));
        assert!(flat.contains("38,100 39,100"), "{flat}");
        let huge = small(&rates(15, &[u64::MAX; 100]));
        assert!(huge.contains("\"-1000,120 0,0 1,0"), "{huge}");
        small(&rates(0, &[1; 1000]));
        small(&rates(u64::MAX, &[1; 1000]));
        assert!(large(&rates(5, &[1_000_000]), "All").contains(">8.0 Mbit/s</p>"));
    }
}
