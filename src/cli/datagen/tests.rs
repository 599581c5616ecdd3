use super::*;

const KINDS: [Kind; 4] = [Kind::People, Kind::Pageviews, Kind::Users, Kind::Nexmark];

fn made(kind: Kind, seed: u64, count: usize) -> Vec<(i64, Made)> {
    let mut generator = Generator::new(kind, seed, 1_600_000_000_000, 10.0);
    (0..count)
        .map(|_| {
            let mut made = Made::default();
            (generator.next(&mut made), made)
        })
        .collect()
}

#[test]
fn the_same_seed_gives_the_same_records() {
    for kind in KINDS {
        assert_eq!(made(kind, 7, 500), made(kind, 7, 500), "{kind:?}");
        assert_ne!(made(kind, 7, 500), made(kind, 8, 500), "{kind:?}");
    }
}

#[test]
fn values_have_the_columns_that_are_told() {
    for kind in KINDS {
        let columns: Vec<_> = kind.columns().split(", ").map(|column| column.split(' ').next().unwrap()).collect();
        for (_, made) in made(kind, 1, 200) {
            let value: serde_json::Map<String, serde_json::Value> = serde_json::from_str(&made.value).unwrap();
            for name in columns.iter().skip(1) {
                assert!(value.contains_key(*name), "{kind:?} {name}: {}", made.value);
            }
            assert!(!made.key.is_empty());
        }
    }
}

#[test]
fn times_go_on_by_the_rate() {
    let times: Vec<_> = made(Kind::Users, 1, 4).into_iter().map(|(time, _)| time - 1_600_000_000_000).collect();
    assert_eq!(times, [0, 100, 200, 300]);
}

#[test]
fn bids_are_like_those_of_the_benchmark() {
    let bids = made(Kind::Nexmark, 3, 20_000);
    let bytes: usize = bids.iter().map(|(_, made)| made.value.len()).sum();
    assert!((180..320).contains(&(bytes / bids.len())), "{}", bytes / bids.len());
    let auctions: std::collections::HashSet<_> = bids.iter().map(|(_, made)| made.key.clone()).collect();
    assert!((500..1500).contains(&auctions.len()), "{}", auctions.len());
}

#[test]
fn the_statement_parses() {
    for kind in KINDS {
        for topic in [kind.topic(), "with-dash", "table"] {
            let statement = create_stream(kind, topic);
            crate::sql::parse(&statement).unwrap_or_else(|error| panic!("{statement}: {error}"));
        }
    }
}

#[test]
fn a_missing_topic_is_made_and_filled() {
    use clap::Parser;
    let log = std::sync::Arc::new(crate::cli::fake::FakeLog::default());
    let (engine, _) = crate::cli::fake::connected(&log);
    let (mut out, memory) = Output::into_memory(OutputFormat::Tabular, None);
    let line = "millpond datagen people --count 20 --seed 1 --partitions 2";
    let cli = crate::cli::args::Cli::try_parse_from(line.split(' ')).unwrap();
    let Some(crate::cli::args::Command::Datagen(options)) = cli.command else { panic!("{line}") };
    command(&options, &engine, &mut out).unwrap();
    assert_eq!(log.texts("people", 0).len() + log.texts("people", 1).len(), 20);
    assert!(memory.text().starts_with("CREATE STREAM people ("));
}
