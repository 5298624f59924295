//! Properties of every dynrelay.toml.

use catalog::Catalog;
use model::is_name;
use proptest::prelude::*;

use crate::world::World;

/// The example with every key active.
fn example() -> Vec<String> {
    let text = include_str!("../../../../share/dynrelay.toml");
    let key =
        |line: &str| line.starts_with(|letter: char| letter.is_ascii_lowercase() || letter == '[');
    let uncommented = text.lines().map(|line| line.strip_prefix('#').unwrap_or(line));
    uncommented.filter(|line| key(line)).map(str::to_owned).collect()
}

/// The example with some lines replaced, duplicated, dropped, or given another value.
fn changed() -> impl Strategy<Value = String> {
    let word = prop_oneof![
        any::<String>(),
        "[ -~]{0,30}",
        prop::sample::select(vec![
            "= \"99999999999d\"",
            "= -1",
            "= 1e999",
            "= [[[",
            "[[edge]]",
            "="
        ])
        .prop_map(str::to_owned),
    ];
    let change = (any::<prop::sample::Index>(), 0..4, word);
    prop::collection::vec(change, 0..4).prop_map(|changes| {
        let mut lines = example();
        for (at, how, word) in changes {
            let at = at.index(lines.len());
            match how {
                0 => lines[at] = word,
                1 => lines.insert(at, lines[at].clone()),
                2 => lines[at].clear(),
                _ => lines[at] = format!("{} {word}", lines[at].split('=').next().unwrap_or("")),
            }
        }
        lines.join("\n")
    })
}

fn check(text: &[u8]) -> Result<(), TestCaseError> {
    let world = World::new();
    std::fs::write(world.config(), text).map_err(|error| TestCaseError::fail(error.to_string()))?;
    match Catalog::load(&world.config()) {
        Ok(catalog) => {
            prop_assert!(catalog.config().limits.connections > 0);
            prop_assert!(catalog.edges().iter().all(|edge| is_name(&edge.name)));
            for problem in catalog.problems() {
                prop_assert!(!problem.to_string().contains(char::is_control), "{problem:?}");
            }
        }
        Err(error) => {
            let said = error.to_string();
            prop_assert!(said.lines().all(|line| !line.contains(char::is_control)), "{said:?}");
        }
    }
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..Default::default() })]

    #[test]
    fn any_bytes_are_read_or_refused(bytes in prop::collection::vec(any::<u8>(), 0..500)) {
        check(&bytes)?;
    }

    #[test]
    fn a_changed_example_is_read_or_refused(text in changed()) {
        check(text.as_bytes())?;
    }
}
