//! Tables for people.

use unicode_width::{UnicodeWidthChar, UnicodeWidthStr};

use crate::paint::Paint;
use crate::text;

/// The space between two columns.
const GAP: &str = "  ";
/// An elastic column is not cut below this.
const LEAST: usize = 8;

/// A column's heading, and how it is set.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Column {
    heading: &'static str,
    set: Set,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Set {
    Left,
    Right,
    Elastic,
}

impl Column {
    /// Names and other things that are typed again: never cut.
    pub(crate) const fn name(heading: &'static str) -> Self {
        Self { heading, set: Set::Left }
    }

    /// Numbers, flush right.
    pub(crate) const fn number(heading: &'static str) -> Self {
        Self { heading, set: Set::Right }
    }

    /// Text that is cut where the table is too wide.
    pub(crate) const fn text(heading: &'static str) -> Self {
        Self { heading, set: Set::Elastic }
    }
}

/// A cell's text, without control characters, and its colour.
#[derive(Clone, Debug)]
pub(crate) struct Cell {
    text: String,
    paint: Paint,
}

impl<T: AsRef<str>> From<T> for Cell {
    fn from(text: T) -> Self {
        Self { text: text::plain(text.as_ref()), paint: Paint::Plain }
    }
}

impl Cell {
    /// The same text in a colour.
    pub(crate) fn painted(self, paint: Paint) -> Self {
        Self { paint, ..self }
    }
}

/// Rows under headings.
#[derive(Debug)]
pub(crate) struct Table {
    columns: Vec<Column>,
    rows: Vec<Vec<Cell>>,
}

impl Table {
    /// No rows yet.
    pub(crate) fn new(columns: impl Into<Vec<Column>>) -> Self {
        Self { columns: columns.into(), rows: Vec::new() }
    }

    /// Adds a row, a cell for each column.
    pub(crate) fn row(&mut self, cells: impl Into<Vec<Cell>>) {
        self.rows.push(cells.into());
    }

    /// The lines of the table, headings first. They fit `width` as far as the elastic columns
    /// can help it.
    pub(crate) fn lines(&self, width: usize, colour: bool) -> Vec<String> {
        let widths = self.widths(width);
        let heading = |column: &Column| Cell::from(column.heading).painted(Paint::Bold);
        let headings: Vec<_> = self.columns.iter().map(heading).collect();
        std::iter::once(&headings)
            .chain(&self.rows)
            .map(|row| self.line(row, &widths, colour))
            .collect()
    }

    /// How wide the table is, if nothing is cut.
    pub(crate) fn width(&self) -> usize {
        let widths = self.widths(usize::MAX);
        widths.iter().sum::<usize>() + GAP.len() * widths.len().saturating_sub(1)
    }

    fn line(&self, row: &[Cell], widths: &[usize], colour: bool) -> String {
        let mut line = String::new();
        // Space is written only when more text follows, so that no line ends in it.
        let mut space = 0;
        for ((column, cell), &width) in self.columns.iter().zip(row).zip(widths) {
            let text = cut(&cell.text, width);
            let rest = width.saturating_sub(text.width());
            if column.set == Set::Right {
                space += rest;
            }
            if !text.is_empty() {
                line.push_str(&" ".repeat(space));
                line.push_str(&cell.paint.on(&text, colour));
                space = 0;
            }
            space += GAP.len();
            if column.set != Set::Right {
                space += rest;
            }
        }
        line
    }

    fn widths(&self, width: usize) -> Vec<usize> {
        let mut widths: Vec<_> = self.columns.iter().map(|column| column.heading.width()).collect();
        for row in &self.rows {
            for (widest, cell) in widths.iter_mut().zip(row) {
                *widest = (*widest).max(cell.text.width());
            }
        }
        let gaps = GAP.len() * widths.len().saturating_sub(1);
        while widths.iter().sum::<usize>() + gaps > width {
            let elastic = widths.iter_mut().zip(&self.columns);
            let elastic =
                elastic.filter(|(width, column)| column.set == Set::Elastic && **width > LEAST);
            match elastic.map(|(width, _)| width).max() {
                Some(widest) => *widest -= 1,
                None => break,
            }
        }
        widths
    }
}

/// The text, or as much of it as fits `width` columns, with `…`.
fn cut(text: &str, width: usize) -> String {
    if text.width() <= width {
        return text.to_owned();
    }
    let mut cut = String::new();
    let mut left = width.saturating_sub(1);
    for letter in text.chars() {
        let takes = letter.width().unwrap_or(0);
        if takes > left {
            break;
        }
        left -= takes;
        cut.push(letter);
    }
    cut.push('…');
    cut
}

#[cfg(test)]
mod tests {
    use super::*;

    fn table(title: &str) -> Table {
        let mut table =
            Table::new([Column::name("NAME"), Column::number("SENT"), Column::text("TITLE")]);
        table.row(["news".into(), "1 B".into(), title.into()]);
        table.row(["weather".into(), "12 kB".into(), "".into()]);
        table
    }

    #[test]
    fn columns_are_aligned() {
        assert_eq!(
            table("日本\x1b[2J語").lines(80, false),
            ["NAME      SENT  TITLE", "news       1 B  日本[2J語", "weather  12 kB"]
        );
    }

    #[test]
    fn titles_give_way_and_names_do_not() {
        let wide = table("A very long title about nothing at all").lines(30, false);
        assert_eq!(wide[1], "news       1 B  A very long t…");
        assert!(wide.iter().all(|line| line.width() <= 30));
        assert_eq!(table("123456789").lines(5, false)[2], "weather  12 kB");
        assert_eq!(table("123456789").width(), 25);
        assert_eq!(cut("日本語", 4), "日…");
    }

    #[test]
    fn colours_take_no_space() {
        let mut table = Table::new([Column::name("STATE"), Column::name("EDGE")]);
        table.row([Cell::from("live").painted(Paint::Green), "dss2".into()]);
        assert_eq!(table.lines(80, false)[1], "live   dss2");
        assert_eq!(table.lines(80, true)[1], "\x1b[32mlive\x1b[0m   dss2");
    }
}
