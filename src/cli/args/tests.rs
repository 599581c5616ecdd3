use super::*;

fn parse(line: &str) -> Cli {
    // As a shell would cut it, as far as the examples need that.
    let mut words = Vec::new();
    for (i, part) in line.split('"').enumerate() {
        if i % 2 == 1 { words.push(part.to_owned()) } else { words.extend(part.split_whitespace().map(str::to_owned)) }
    }
    Cli::try_parse_from(&words).unwrap_or_else(|error| panic!("{line}: {error}"))
}

fn produce(line: &str) -> ProduceOptions {
    match parse(line).command {
        Some(Command::Topic(TopicCommand::Produce(options))) => options,
        other => panic!("{line}: {other:?}"),
    }
}

#[test]
fn the_command_line_is_sound() {
    use clap::CommandFactory;
    Cli::command().debug_assert();
}

/// A command's own options are what its `--help` is read for.
#[test]
fn common_options_stand_below_a_commands_own() {
    use clap::CommandFactory;
    for command in [&["run"][..], &["topic", "produce"], &["datagen"], &["test"]] {
        let mut cli = Cli::command();
        cli.build();
        let of = command.iter().fold(&mut cli, |of, name| of.find_subcommand_mut(name).unwrap());
        let help = of.render_help().to_string();
        let (own, common) = help.split_once("Common options:").unwrap();
        assert!(!own.contains("--data-dir <") && common.contains("--data-dir <"), "{help}");
        assert!(!common.contains("--until-end") && !common.contains("--rate"), "{help}");
    }
    let help = Cli::command().render_help().to_string();
    let (own, common) = help.split_once("Common options:").unwrap();
    assert!(own.contains("--execute") && common.contains("--data-dir"), "{help}");
}

#[test]
fn statements_and_scripts() {
    assert!(parse("millpond").command.is_none());
    let cli = parse("millpond --data-dir D -e \"SHOW STREAMS;\"");
    assert_eq!((cli.common.data_dir, cli.execute), (Some("D".into()), vec!["SHOW STREAMS;".to_owned()]));
    let cli = parse(
        "millpond --data-dir D -f FILE --output json --memory 512MB -d a=b --set ksql.output.topic.name.prefix=z=1",
    );
    assert_eq!(cli.file, [PathBuf::from("FILE")]);
    assert_eq!(cli.common.output, OutputFormat::Json);
    assert_eq!(cli.common.memory, Some(512 << 20));
    assert_eq!(cli.common.define, [("a".to_owned(), "b".to_owned())]);
    assert_eq!(cli.common.set, [("ksql.output.topic.name.prefix".to_owned(), "z=1".to_owned())]);
    assert_eq!(parse("millpond --output JSON").common.output, OutputFormat::Json);
}

#[test]
fn settings_are_checked_before_anything_is_done() {
    let refused = |text: &str| Cli::try_parse_from(["millpond", "--set", text, "-e", "SHOW STREAMS;"]).unwrap_err();
    assert!(refused("foo=bar").to_string().contains("Unknown property: foo"));
    assert!(refused("commit.interval=1").to_string().contains("Did you mean commit.interval.ms?"));
    assert!(refused("commit.interval.ms=soon").to_string().contains("a whole number"));
    let line =
        "millpond run x.sql --set ksql.streams.auto.offset.reset=LATEST --set ksql.query.pull.table.scan.enabled=FALSE";
    let properties = parse(line).common.properties();
    assert_eq!(properties["auto.offset.reset"], "latest");
    assert_eq!(properties["ksql.query.pull.table.scan.enabled"], "false");
}

#[test]
fn topics_are_managed() {
    let line = "millpond --data-dir D topic create flights --partitions 4 --replicas 3 --config retention.ms=-1 --if-not-exists";
    let Some(Command::Topic(TopicCommand::Create(options))) = parse(line).command else { panic!("{line}") };
    assert_eq!((options.topic.as_str(), options.partitions, options.if_not_exists), ("flights", 4, true));
    assert_eq!(options.replicas, Some(3));
    assert_eq!(options.config, [("retention.ms".to_owned(), "-1".to_owned())]);
    let line = "millpond --data-dir D topic alter delays --partitions 8 --config retention.ms=86400000";
    let Some(Command::Topic(TopicCommand::Alter(options))) = parse(line).command else { panic!("{line}") };
    assert_eq!((options.topic.as_str(), options.partitions), ("delays", Some(8)));
    assert_eq!(options.config, [("retention.ms".to_owned(), "86400000".to_owned())]);
    for line in ["topic list", "topic describe delays", "topic empty delays", "topic delete delays"] {
        parse(&format!("millpond --data-dir D {line}"));
    }
}

#[test]
fn lines_are_produced() {
    let options = produce(
        "millpond --data-dir D topic produce flights --file flights.csv.gz --format csv --null NA --key tailnum \
         --timestamp time_hour",
    );
    assert_eq!(options.topic, "flights");
    assert_eq!((options.file, options.format), (Some("flights.csv.gz".into()), Some(LineFormat::Csv)));
    assert_eq!(options.null.as_deref(), Some("NA"));
    assert_eq!((options.key.as_deref(), options.timestamp.as_deref()), (Some("tailnum"), Some("time_hour")));
    assert_eq!(options.key_format, KeyFormat::String);
    let options =
        produce("millpond --data-dir D topic produce bids --file bids.jsonl --key bidder --timestamp date_time");
    assert_eq!((options.file, options.format), (Some("bids.jsonl".into()), None));
    let options = produce("millpond --data-dir D topic produce lines --key-separator : --rate 100");
    assert_eq!((options.key_separator.as_deref(), options.rate), (Some(":"), Some(100.0)));
    let options =
        produce("millpond topic produce t --key k --key-format kafka-bigint --null - --file - --delimiter tab");
    assert_eq!((options.key_format, options.null.as_deref()), (KeyFormat::KafkaBigint, Some("-")));
    assert_eq!((options.file, options.delimiter), (Some("-".into()), Some(b'\t')));
}

#[test]
fn topics_are_consumed() {
    let line = "millpond --data-dir D topic consume delays --from-beginning --until-end --output json";
    let cli = parse(line);
    assert_eq!(cli.common.output, OutputFormat::Json);
    let Some(Command::Topic(TopicCommand::Consume(options))) = cli.command else { panic!("{line}") };
    assert!(options.from_beginning && options.until_end);
    let line = "millpond --data-dir D topic consume delays --group g1 --partition 2 --offset 100";
    let Some(Command::Topic(TopicCommand::Consume(options))) = parse(line).command else { panic!("{line}") };
    assert_eq!((options.group.as_deref(), options.partition), (Some("g1"), Some(2)));
    assert_eq!(options.offset, Some(StartOffset::At(100)));
}

#[test]
fn jobs_generators_and_tests() {
    let line = "millpond --data-dir D datagen people --rate 5";
    let Some(Command::Datagen(options)) = parse(line).command else { panic!("{line}") };
    assert_eq!((options.kind, options.rate, options.count), (Kind::People, Some(5.0), None));
    for kind in ["pageviews", "users", "nexmark"] {
        parse(&format!("millpond --data-dir D datagen {kind} --count 10 --seed 1 --start 2020-01-01T00:00:00Z"));
    }
    parse("millpond --data-dir D run queries.sql");
    let line = "millpond --data-dir D run queries.sql --until-end";
    let Some(Command::Run(options)) = parse(line).command else { panic!("{line}") };
    assert!(options.until_end);
    let cli = parse(
        "millpond --data-dir D run queries.sql --set processing.guarantee=at_least_once --set cache.max.bytes.buffering=0",
    );
    let expected = [("processing.guarantee", "at_least_once"), ("cache.max.bytes.buffering", "0")];
    let expected = expected.map(|(name, value)| (name.to_owned(), value.to_owned()));
    assert_eq!(cli.common.set, expected);
    let line = "millpond test a b.sql --report FILE";
    let Some(Command::Test(options)) = parse(line).command else { panic!("{line}") };
    assert_eq!((options.paths.len(), options.report), (2, Some("FILE".into())));
}

/// What the page shows of Millpond: lines of its shell blocks, and code in its tables.
#[test]
fn the_page_on_kafka_shows_commands_that_there_are() {
    let page = include_str!("../../../docs/kafka.md");
    let mut shown = 0;
    for code in
        page.lines().flat_map(|line| line.split('`')).map(str::trim).filter(|code| code.starts_with("millpond "))
    {
        let line = code.split('#').next().unwrap_or(code);
        // Only the first words are named there.
        if !matches!(line, "millpond group reset" | "millpond-") {
            parse(line);
            shown += 1;
        }
    }
    assert!(shown > 30, "{shown}");
}

#[test]
fn wrong_lines_are_refused() {
    for line in [
        "millpond nonsense",
        "millpond topic create",
        "millpond topic create t --partitions 0",
        "millpond topic create t --config retention.ms",
        "millpond topic consume t --offset -1",
        "millpond topic consume t --from-beginning --offset 1",
        "millpond topic produce t --key k --key-separator :",
        "millpond topic produce t --rate 0",
        "millpond topic produce t --delimiter ab",
        "millpond --memory lots",
        "millpond --output xml",
        "millpond test",
    ] {
        assert!(Cli::try_parse_from(line.split_whitespace()).is_err(), "{line}");
    }
}

#[test]
fn sizes() {
    for (text, bytes) in [("100", 100), ("1k", 1024), ("1.5 GB", 3 << 29), ("2MiB", 2 << 20), ("1TB", 1 << 40)] {
        assert_eq!(parse_size(text), Ok(bytes), "{text}");
    }
    for text in ["", "x", "1XB", "-1", "0", "1e99999"] {
        assert!(parse_size(text).is_err(), "{text}");
    }
}

#[test]
fn what_is_allowed_is_told_of_negative_numbers() {
    for (line, told) in [
        ("topic consume t --offset -1", "expected an offset from 0 on"),
        ("topic produce t --rate -1", "expected a number above 0"),
        ("datagen people --rate -0.5", "expected a number above 0"),
    ] {
        let error = Cli::try_parse_from(format!("millpond {line}").split_whitespace()).unwrap_err().to_string();
        assert!(error.contains(told) && !error.contains("tip:"), "{error}");
    }
}

#[test]
fn a_server_stands_in_the_place_of_a_command() {
    let server = |line: &str| {
        let words = line.split(' ').map(std::ffi::OsString::from);
        Cli::try_parse_from(with_server(words)).unwrap().common.server
    };
    assert_eq!(server("millpond http://localhost:8088").as_deref(), Some("http://localhost:8088"));
    assert_eq!(server("millpond https://pond -e X").as_deref(), Some("https://pond"));
    assert_eq!(server("millpond --server pond topic list").as_deref(), Some("pond"));
    assert_eq!(server("millpond -e http://x"), None);
    // Who asks is of a server.
    assert!(Cli::try_parse_from(["millpond", "--user", "ann"]).is_err());
}
