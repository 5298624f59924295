//! relay.cgi(8) lists the documents that exist.

use std::collections::BTreeSet;

use playlist::Format;

#[test]
fn the_manual_has_each_format_with_its_type_and_no_other() {
    let page = include_str!("../../../../share/man/relay.cgi.8");
    let table = page.split(".Bl -column").nth(1).unwrap().split(".El").next().unwrap();
    let rows = table.lines().filter_map(|line| line.strip_prefix(".It ")?.split_once(" Ta "));
    let described: BTreeSet<(&str, &str)> = rows
        .filter(|(name, _)| *name != "Sy format" && *name != "redirect")
        .map(|(name, rest)| (name, rest.split(" Ta ").next().unwrap()))
        .collect();
    let formats = Format::ALL.map(|format| (format.extension(), format.content_type()));
    assert_eq!(described, BTreeSet::from(formats));
}
