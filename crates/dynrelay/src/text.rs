//! Makes text from files and other programs safe for a terminal.

use unicode_width::UnicodeWidthStr;

/// The text without characters that move the cursor, change colours or reverse the text's
/// direction. A run of white space becomes one space.
pub(crate) fn plain(text: &str) -> String {
    let mut plain = String::with_capacity(text.len());
    for letter in text.chars() {
        match letter {
            '\t' | '\n' | '\r' if plain.ends_with(' ') => {}
            '\t' | '\n' | '\r' => plain.push(' '),
            letter if is_unsafe(letter) => {}
            letter => plain.push(letter),
        }
    }
    plain
}

/// The text in lines of at most `width` columns, broken at spaces; a longer word has its own line.
pub(crate) fn wrapped(text: &str, width: usize) -> Vec<String> {
    let mut lines: Vec<String> = Vec::new();
    for word in text.split_whitespace() {
        match lines.last_mut() {
            Some(line) if line.width() + 1 + word.width() <= width => {
                line.push(' ');
                line.push_str(word);
            }
            _ => lines.push(word.to_owned()),
        }
    }
    lines
}

/// The width of a line in columns, without its colour codes from [`Color`](crate::color::Color).
pub(crate) fn width(line: &str) -> usize {
    let mut parts = line.split("\x1b[");
    let first = parts.next().unwrap_or_default().width();
    first
        + parts.map(|part| part.split_once('m').map_or(0, |(_, text)| text.width())).sum::<usize>()
}

/// Control characters (C0, DEL and C1), line separators, and the marks that reorder text.
pub(crate) fn is_unsafe(letter: char) -> bool {
    letter.is_control()
        || matches!(letter, '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_title_cannot_drive_the_terminal() {
        assert_eq!(
            plain("\x1b]0;owned\x07Ne\u{9b}31mws\r\n at \u{202e}nine"),
            "]0;ownedNe31mws  at nine"
        );
        assert_eq!(plain("Tagesschau – 日本語 👍"), "Tagesschau – 日本語 👍");
    }

    #[test]
    fn colours_take_no_columns() {
        assert_eq!(width("\x1b[32mlive\x1b[0m 日本 \x1b[2mm\x1b[0m"), 11);
        assert_eq!([width(""), width("mm")], [0, 2]);
    }

    #[test]
    fn lines_break_at_spaces() {
        let lines = wrapped("a bb  ccc incomprehensible d", 6);
        assert_eq!(lines, ["a bb", "ccc", "incomprehensible", "d"]);
        assert!(wrapped(" ", 6).is_empty());
    }
}
