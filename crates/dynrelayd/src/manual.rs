//! dynrelayd(8) has the options that there are, and no others.

use clap::{Arg, CommandFactory};

use crate::Arguments;

#[test]
fn the_manual_has_the_options_of_the_command_line() {
    let page = include_str!("../../../share/man/dynrelayd.8");
    let item = |line: &'static str| line.strip_prefix(".It Fl -")?.split_whitespace().next();
    let mut described: Vec<&str> = page.lines().filter_map(item).collect();
    described.sort_unstable();
    let command = Arguments::command();
    let mut options: Vec<&str> = command.get_arguments().filter_map(Arg::get_long).collect();
    options.sort_unstable();
    assert_eq!(described, options);
}
