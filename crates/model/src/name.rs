//! The names of streams and edges.

/// The longest name, in bytes.
pub const MAX_NAME: usize = 64;

/// Whether `text` can name a stream or an edge: 1 to [`MAX_NAME`] of the letters A to Z and a to
/// z, digits, `.`, `_` and `-`, and not a dot first. Such a name is safe in a URL, a file name
/// and a log line.
pub fn is_name(text: &str) -> bool {
    let allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"._-".contains(&byte);
    (1..=MAX_NAME).contains(&text.len()) && !text.starts_with('.') && text.bytes().all(allowed)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_safe_in_paths_and_urls() {
        for good in ["news", "news.hd", "a", "A-1_b", &"x".repeat(64)] {
            assert!(is_name(good), "{good}");
        }
        for bad in ["", ".", "..", ".news", "a/b", "a b", "é", "a\0", "a%", &"x".repeat(65)] {
            assert!(!is_name(bad), "{bad}");
        }
    }
}
