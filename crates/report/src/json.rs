//! Reads a JSON object on one line field by field, without copying.
//!
//! serde_json takes 1.7 to 1.9 times as long for a whole report, since it checks every value. Most
//! fields of a log line are of no interest here, so that only their ends have to be found.

use crate::bytes::Positions;

/// A field's value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Value<'a> {
    /// The text between the quotes, with its escapes.
    Text(&'a [u8]),
    /// A number, `true`, `false` or `null`.
    Bare(&'a [u8]),
    /// An array or an object. It is skipped.
    Nested,
}

/// Calls `each` with every field until it returns false. Returns none if the line is no complete
/// object. Numbers and escapes are not checked; after `each` returned false, only the last byte is.
#[inline]
pub(crate) fn fields<'a>(
    line: &'a [u8],
    mut each: impl FnMut(&'a [u8], Value<'a>) -> bool,
) -> Option<()> {
    let mut at = Cursor { line, place: 0, marks: Positions::of(line) };
    at.expect(b'{')?;
    if at.expect(b'}').is_none() {
        loop {
            let name = at.string()?;
            at.expect(b':')?;
            let value = match at.peek()? {
                b'"' => Value::Text(at.string()?),
                b'{' | b'[' => at.nested().map(|()| Value::Nested)?,
                _ => Value::Bare(at.bare()?),
            };
            if !each(name, value) {
                return line.trim_ascii_end().ends_with(b"}").then_some(());
            }
            if at.expect(b',').is_none() {
                at.expect(b'}')?;
                break;
            }
        }
    }
    at.peek().is_none().then_some(())
}

/// A position in a line.
struct Cursor<'a> {
    line: &'a [u8],
    place: usize,
    /// Quotes and backslashes; some of them may lie before `place`.
    marks: Positions<'a, b'"', b'\\'>,
}

impl<'a> Cursor<'a> {
    /// The next byte that is no white space. Logs have none between fields.
    #[inline(always)]
    fn peek(&mut self) -> Option<u8> {
        let byte = *self.line.get(self.place)?;
        if byte > b' ' {
            return Some(byte);
        }
        self.place += white(&self.line[self.place..]);
        self.line.get(self.place).copied()
    }

    #[inline(always)]
    fn expect(&mut self, wanted: u8) -> Option<()> {
        (self.peek()? == wanted).then(|| self.place += 1)
    }

    #[inline(always)]
    fn string(&mut self) -> Option<&'a [u8]> {
        self.expect(b'"')?;
        let start = self.place;
        loop {
            let mark = self.marks.find(|mark| *mark >= self.place)?;
            self.place = mark + 1;
            if self.line[mark] == b'"' {
                return Some(&self.line[start..mark]);
            }
            // A byte after a backslash is plain text.
            self.place += 1;
        }
    }

    fn bare(&mut self) -> Option<&'a [u8]> {
        let rest = &self.line[self.place..];
        let more = |byte: &u8| byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'-' | b'.');
        let length = rest.iter().take_while(|byte| more(byte)).count();
        self.place += length;
        (length > 0).then(|| &rest[..length])
    }

    /// Skips an array or an object.
    fn nested(&mut self) -> Option<()> {
        let mut depth = 0_usize;
        loop {
            match self.peek()? {
                b'"' => drop(self.string()?),
                byte => {
                    match byte {
                        b'{' | b'[' => depth += 1,
                        b'}' | b']' => depth -= 1,
                        _ => {}
                    }
                    self.place += 1;
                    if depth == 0 {
                        return Some(());
                    }
                }
            }
        }
    }
}

/// How many bytes of white space a text begins with.
#[cold]
fn white(text: &[u8]) -> usize {
    text.iter().take_while(|byte| matches!(byte, b' ' | b'\t' | b'\r' | b'\n')).count()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn read(line: &str) -> Option<Vec<(String, String)>> {
        let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).unwrap();
        let mut found = Vec::new();
        fields(line.as_bytes(), |name, value| {
            found.push((
                text(name),
                match value {
                    Value::Text(value) | Value::Bare(value) => text(value),
                    Value::Nested => "nested".to_owned(),
                },
            ));
            true
        })?;
        Some(found)
    }

    #[test]
    fn fields_in_order() {
        let line = r#" { "a":"x\"y\\" ,"b" : 12,"c":[1,{"d":"]"}],"e":null} "#;
        let found = read(line).unwrap();
        let found: Vec<_> = found.iter().map(|(name, value)| (&name[..], &value[..])).collect();
        assert_eq!(found, [("a", r#"x\"y\\"#), ("b", "12"), ("c", "nested"), ("e", "null")]);
        assert_eq!(read("{}"), Some(vec![]));
    }

    #[test]
    fn an_incomplete_line_is_no_object() {
        let whole = r#"{"a":"x\"y","b":12,"c":[1,{"d":2}]}"#;
        assert!(read(whole).is_some());
        for end in 0..whole.len() {
            assert_eq!(read(&whole[..end]), None, "{}", &whole[..end]);
        }
        for wrong in ["{\"a\":1}x", "{\"a\"}", "{\"a\":}", "{,}", "[1]", "{\"a\":1,}"] {
            assert_eq!(read(wrong), None, "{wrong}");
        }
    }

    proptest! {
        #[test]
        fn any_bytes_are_read_without_panic(bytes in proptest::collection::vec(any::<u8>(), 0..64)) {
            let _ = fields(&bytes, |_, _| true);
        }

        #[test]
        fn the_json_of_serde_is_read(
            object in proptest::collection::btree_map("[a-z]{1,4}", ".*", 0..6)
        ) {
            let line = serde_json::to_string(&object).unwrap();
            let found = read(&line).unwrap();
            prop_assert_eq!(found.len(), object.len());
            for ((name, value), (wanted, text)) in found.iter().zip(&object) {
                prop_assert_eq!(name, wanted);
                let value: String = serde_json::from_str(&format!("\"{value}\"")).unwrap();
                prop_assert_eq!(&value, text);
            }
        }
    }
}
