//! Tables for wide screens, phones and screen readers.

use playlist::escape;

/// A table's column.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Column {
    pub(crate) name: &'static str,
    /// The class of its cells.
    pub(crate) class: &'static str,
}

/// Rows below headings. The first cell of each row names the row.
///
/// On a phone the style lays out each row as a block, and browsers then forget that it is a row.
/// So the roles are explicit, and each cell has its column's name.
#[derive(Debug)]
pub(crate) struct Table<'a> {
    caption: &'a str,
    columns: &'a [Column],
    rows: String,
}

impl<'a> Table<'a> {
    /// An empty table.
    pub(crate) fn new(caption: &'a str, columns: &'a [Column]) -> Self {
        Self { caption, columns, rows: String::new() }
    }

    /// Adds a row of HTML, with a cell for each column. `id` is unique on the page.
    pub(crate) fn row<const N: usize>(&mut self, id: &str, cells: [String; N]) {
        self.rows.push_str(&format!("<tr role=\"row\" id=\"{}\">", escape(id)));
        for (at, (column, cell)) in self.columns.iter().zip(cells).enumerate() {
            let Column { name, class } = column;
            let (tag, role) = match at {
                0 => ("th scope=\"row\"", "rowheader"),
                _ => ("td", "cell"),
            };
            let end = &tag[..2];
            self.rows.push_str(&format!(
                "\n<{tag} role=\"{role}\" class=\"{class}\" data-name=\"{name}\">{cell}</{end}>"
            ));
        }
        self.rows.push_str("</tr>\n");
    }

    /// The table, or only the sentence `empty` if it has no rows.
    pub(crate) fn html(&self, empty: &str) -> String {
        let Self { caption, columns, rows } = self;
        if rows.is_empty() {
            return format!("<section>\n<h2>{caption}</h2>\n<p>{empty}</p>\n</section>\n");
        }
        let heads: String = columns
            .iter()
            .map(|Column { name, class }| {
                format!("<th scope=\"col\" role=\"columnheader\" class=\"{class}\">{name}</th>\n")
            })
            .collect();
        format!(
            "<section>\n<table role=\"table\">\n<caption><h2>{caption}</h2></caption>\n\
             <thead role=\"rowgroup\">\n<tr role=\"row\">\n{heads}</tr>\n</thead>\n\
             <tbody role=\"rowgroup\">\n{rows}</tbody>\n</table>\n</section>\n"
        )
    }
}
