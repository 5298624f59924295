//! Neither the number of threads nor where a log is cut makes a difference.

use std::io::{Cursor, Write};

use flate2::Compression;
use flate2::write::GzEncoder;
use proptest::prelude::*;
use proptest::sample::select;

use super::*;
use crate::analysis::Analysis;
use crate::edge::Rooms;
use crate::filter::Filter;
use crate::report::Report;

/// What a log says, by so many threads that read so much at a time. There is little room for names,
/// so that it matters who comes first.
fn report(log: impl Read + Send, threads: usize, step: usize) -> Report {
    let mut analysis = Analysis::new(Filter::default());
    analysis.rooms = Rooms { edges: 3, streams: 4, days: 3, networks: 3 };
    let threads = NonZeroUsize::new(threads).unwrap();
    analysis.read_at(Pace { threads, step }, "log", log).unwrap();
    analysis.report()
}

/// Lines of all kinds: those of servers mean something else after another header.
fn line() -> impl Strategy<Value = String> {
    let name = || select(vec!["a", "b", "c", "d", "e"]);
    let day = || 10..30_u8;
    let header = select(vec![
        "#Fields: date time c-ip cs-uri-stem x-duration sc-bytes s-ip s-dns",
        "#Fields: date time c-ip cs-uri-stem sc-bytes x-duration s-dns s-ip",
        "#Fields: date",
        "#Date: 2024-07-10",
    ]);
    let session = (day(), 0..9_u8, name(), 0..200_000_u64, name()).prop_map(
        |(day, net, stream, much, edge)| {
            format!("2024-07-{day} 12:00:00 10.0.{net}.1 /{stream} {much} 7 {edge}.test {edge}")
        },
    );
    let entry = (day(), 0..9_u8, name(), name(), select(vec!["up", "start", "opened", "closed"]));
    let entry = entry.prop_map(|(day, net, stream, edge, event)| {
        format!(
            r#"{{"time":"2024-07-{day}T12:00:00Z","event":"{event}","stream":"{stream}","edge":"{edge}","address":"{net}","client":"10.0.{net}.1","seconds":{net}00,"bytes":99}}"#
        )
    });
    let other = select(vec!["", "noise", "{\"event\":\"closed\"}", "{\"MESSAGE\":\"sshd\"}", "{"]);
    prop_oneof![
        1 => header.prop_map(str::to_owned),
        4 => session,
        4 => entry,
        1 => other.prop_map(str::to_owned),
    ]
}

proptest! {
    #[test]
    fn they_make_no_difference(
        lines in proptest::collection::vec(line(), 0..60),
        end in select(vec!["\n", "\r\n"]),
        threads in 2..5_usize,
        step in 1..600_usize,
    ) {
        let log = lines.join(end);
        let wanted = report(Cursor::new(&log), 1, LONGEST_LINE);
        prop_assert_eq!(&report(Cursor::new(&log), threads, step), &wanted);
        let mut packed = GzEncoder::new(Vec::new(), Compression::fast());
        packed.write_all(log.as_bytes()).unwrap();
        prop_assert_eq!(&report(&packed.finish().unwrap()[..], threads, step), &wanted);
    }
}

/// Lines, and then none.
struct Torn(Cursor<Vec<u8>>);

impl Read for Torn {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        match self.0.read(buffer)? {
            0 => Err(io::Error::other("torn")),
            count => Ok(count),
        }
    }
}

#[test]
fn what_stands_before_an_error_is_added() {
    let log = b"#Fields: date time cs-uri-stem x-duration sc-bytes\n2024-07-10 12:00:00 /a 1 1\n";
    let log = [&log[..], &b"2024-07-10 12:00:00 /a 1 1\n".repeat(99)].concat();
    let mut analysis = Analysis::new(Filter::default());
    let pace = Pace { threads: NonZeroUsize::new(3).unwrap(), step: 100 };
    let error = analysis.read_at(pace, "log", Torn(Cursor::new(log))).unwrap_err();
    assert_eq!(error.to_string(), "torn");
    assert_eq!(analysis.report().lines.sessions, 100);
}

#[test]
fn a_panic_is_no_end_of_waiting() {
    let pace = Pace { threads: NonZeroUsize::new(3).unwrap(), step: 1 };
    let outcome = std::panic::catch_unwind(|| {
        read(Cursor::new("a\n".repeat(99)), pace, |_| panic!("as it is wanted here"))
    });
    assert!(outcome.is_err());
}
