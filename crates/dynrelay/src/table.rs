//! Tables for people.

use unicode_width::{UnicodeWidthChar, UnicodeWidthStr};

use crate::color::Color;
use crate::text;

/// The space between two columns.
const GAP: &str = "  ";
/// An elastic column keeps at least this width.
const LEAST: usize = 8;

/// The indentation of a row below a name on a line of its own.
const INDENT: usize = 2;

/// A column's heading and layout.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Column {
    heading: &'static str,
    set: Set,
    /// If the table is too wide, the column with the highest number is left out first; 0 always
    /// stays.
    spare: u8,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Set {
    Left,
    Right,
    Elastic,
}

impl Column {
    /// For names and other text that users type again: never cut.
    pub(crate) const fn name(heading: &'static str) -> Self {
        Self { heading, set: Set::Left, spare: 0 }
    }

    /// For numbers, aligned right.
    pub(crate) const fn number(heading: &'static str) -> Self {
        Self { heading, set: Set::Right, spare: 0 }
    }

    /// For text that may be cut.
    pub(crate) const fn text(heading: &'static str) -> Self {
        Self { heading, set: Set::Elastic, spare: 0 }
    }

    /// For a column that may be left out, those with the highest number first.
    pub(crate) const fn spare(self, spare: u8) -> Self {
        Self { spare, ..self }
    }
}

/// A cell's text, without control characters, and its colour.
#[derive(Clone, Debug)]
pub(crate) struct Cell {
    text: String,
    color: Color,
}

impl<T: AsRef<str>> From<T> for Cell {
    fn from(text: T) -> Self {
        Self { text: text::plain(text.as_ref()), color: Color::Plain }
    }
}

impl Cell {
    /// The same text in a colour.
    pub(crate) fn colored(self, color: Color) -> Self {
        Self { color, ..self }
    }
}

/// Rows under headings.
#[derive(Debug)]
pub(crate) struct Table {
    columns: Vec<Column>,
    rows: Vec<Vec<Cell>>,
}

impl Table {
    /// An empty table.
    pub(crate) fn new(columns: impl Into<Vec<Column>>) -> Self {
        Self { columns: columns.into(), rows: Vec::new() }
    }

    /// Adds a row, with a cell for each column.
    pub(crate) fn row(&mut self, cells: impl Into<Vec<Cell>>) {
        self.rows.push(cells.into());
    }

    /// The lines of the table, headings first. To fit `width`, it leaves out columns, then cuts
    /// elastic ones, and at last gives a long name a line of its own.
    pub(crate) fn lines(&self, width: usize, colors: bool) -> Vec<String> {
        let natural = self.widths();
        let mut shown: Vec<usize> = (0..self.columns.len()).collect();
        while total(shown.iter().map(|at| natural[*at])) > width {
            let spare = shown.iter().enumerate().filter(|(_, at)| self.columns[**at].spare > 0);
            let Some((place, _)) = spare.max_by_key(|(_, at)| self.columns[**at].spare) else {
                break;
            };
            shown.remove(place);
        }
        let widths = self.squeezed(&shown, &natural, width);
        let stacked = total(widths.iter().copied()) > width && shown.len() > 1;
        let (names, rest) = shown.split_at(usize::from(stacked));
        let below = self.squeezed(rest, &natural, width.saturating_sub(INDENT));
        let heading = |column: &Column| Cell::from(column.heading).colored(Color::Bold);
        let headings: Vec<_> = self.columns.iter().map(heading).collect();
        let mut lines = Vec::new();
        for row in std::iter::once(&headings).chain(&self.rows) {
            if stacked {
                lines.push(self.line(row, names, &natural, 0, colors));
                lines.push(self.line(row, rest, &below, INDENT, colors));
            } else {
                lines.push(self.line(row, rest, &widths, 0, colors));
            }
        }
        lines
    }

    /// The cells of a row in these columns, after `indent` spaces.
    fn line(
        &self,
        row: &[Cell],
        columns: &[usize],
        widths: &[usize],
        indent: usize,
        colors: bool,
    ) -> String {
        let mut line = String::new();
        // Writes spaces only before text, so that no line ends in one.
        let mut space = indent;
        for (&at, &width) in columns.iter().zip(widths) {
            let (column, cell) = (&self.columns[at], &row[at]);
            let text = cut(&cell.text, width);
            let rest = width.saturating_sub(text.width());
            if column.set == Set::Right {
                space += rest;
            }
            if !text.is_empty() {
                line.push_str(&" ".repeat(space));
                line.push_str(&cell.color.on(&text, colors));
                space = 0;
            }
            space += GAP.len();
            if column.set != Set::Right {
                space += rest;
            }
        }
        line
    }

    /// The width of each column without cuts.
    fn widths(&self) -> Vec<usize> {
        let mut widths: Vec<_> = self.columns.iter().map(|column| column.heading.width()).collect();
        for row in &self.rows {
            for (widest, cell) in widths.iter_mut().zip(row) {
                *widest = (*widest).max(cell.text.width());
            }
        }
        widths
    }

    /// The width of these columns, with the elastic ones cut so that all fit if possible.
    fn squeezed(&self, columns: &[usize], natural: &[usize], width: usize) -> Vec<usize> {
        let mut widths: Vec<usize> = columns.iter().map(|at| natural[*at]).collect();
        while total(widths.iter().copied()) > width {
            let elastic = widths.iter_mut().zip(columns);
            let elastic = elastic
                .filter(|(width, at)| self.columns[**at].set == Set::Elastic && **width > LEAST);
            match elastic.map(|(width, _)| width).max() {
                Some(widest) => *widest -= 1,
                None => break,
            }
        }
        widths
    }
}

/// The width of a line with these columns.
fn total(widths: impl ExactSizeIterator<Item = usize>) -> usize {
    GAP.len() * widths.len().saturating_sub(1) + widths.sum::<usize>()
}

/// The text, cut to `width` columns with `…`.
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
    fn titles_are_cut_and_names_are_not() {
        let wide = table("A very long title about nothing at all").lines(30, false);
        assert_eq!(wide[1], "news       1 B  A very long t…");
        assert!(wide.iter().all(|line| line.width() <= 30));
        assert_eq!(cut("日本語", 4), "日…");
    }

    #[test]
    fn columns_are_left_out_before_names_get_lines_of_their_own() {
        let mut table = Table::new([
            Column::name("NAME"),
            Column::name("STATE"),
            Column::number("SENT").spare(1),
            Column::number("AGE").spare(2),
        ]);
        table.row(["news/dss2".into(), "live".into(), "1 B".into(), "5s".into()]);
        let lines = |width| table.lines(width, false);
        assert_eq!(lines(80)[1], "news/dss2  live    1 B   5s");
        assert_eq!(lines(26)[1], "news/dss2  live    1 B");
        assert_eq!(lines(20), ["NAME       STATE", "news/dss2  live"]);
        assert_eq!(lines(15), ["NAME", "  STATE", "news/dss2", "  live"]);
        assert_eq!(lines(1)[3], "  live");
    }

    #[test]
    fn colours_take_no_space() {
        let mut table = Table::new([Column::name("STATE"), Column::name("EDGE")]);
        table.row([Cell::from("live").colored(Color::Green), "dss2".into()]);
        assert_eq!(table.lines(80, false)[1], "live   dss2");
        assert_eq!(table.lines(80, true)[1], "\x1b[32mlive\x1b[0m   dss2");
    }
}
