//! Topics and groups of a real cluster by the binary's commands, and the topics that queries make there.

use std::path::Path;
use std::time::{Duration, Instant};

use crate::binary::{Running, on, run, run_ok};
use crate::kafka_broker::{self, Cluster, TOO_SLOW, fresh};

const PATIENCE: Duration = Duration::from_secs(60);

/// A service of its own in a folder.
struct Service {
    folder: tempfile::TempDir,
    id: String,
}

impl Service {
    fn new(bootstrap: &str) -> Service {
        let service = Service { folder: tempfile::tempdir().unwrap(), id: format!("{}_", fresh("it")) };
        let config = format!("bootstrap.servers={bootstrap}\nksql.service.id={}\n", service.id);
        std::fs::write(service.folder.path().join("service.properties"), config).unwrap();
        service
    }

    fn args<'a>(&self, config: &'a Path, args: &[&'a str]) -> Vec<&'a str> {
        [&["--config-file", config.to_str().unwrap(), "--output", "json"], args].concat()
    }

    fn config(&self) -> std::path::PathBuf {
        self.folder.path().join("service.properties")
    }

    /// What a command says, a JSON object a line.
    fn json(&self, args: &[&str]) -> Vec<serde_json::Value> {
        let text = run_ok(&self.folder.path().join("data"), &self.args(&self.config(), args));
        text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    }

    fn fails(&self, args: &[&str]) -> String {
        let ended = run(&self.folder.path().join("data"), &self.args(&self.config(), args));
        assert_ne!(ended.code, Some(0), "{ended:#?}");
        ended.stderr
    }

    /// A process that runs these statements as a job; what it says goes to the file `said`.
    fn job(&self, statements: &str) -> Running {
        let script = self.folder.path().join("job.sql");
        std::fs::write(&script, statements).unwrap();
        let config = self.config();
        let mut command = on(&self.folder.path().join("data"), &self.args(&config, &["run", script.to_str().unwrap()]));
        let said = std::fs::File::create(self.folder.path().join("said")).unwrap();
        command.stdout(said.try_clone().unwrap()).stderr(said);
        let job = Running::start(command);
        // Before it tells of its queries, another command could take the folder.
        self.await_said("CSAS_");
        job
    }

    fn await_said(&self, text: &str) {
        let started = Instant::now();
        while !self.said().contains(text) {
            assert!(started.elapsed() < PATIENCE, "{TOO_SLOW} {text}: {}", self.said());
            std::thread::sleep(Duration::from_millis(50));
        }
    }

    fn said(&self) -> String {
        std::fs::read_to_string(self.folder.path().join("said")).unwrap()
    }

    fn group(&self, query: &str) -> serde_json::Value {
        self.json(&["group", "describe", query]).remove(0)
    }

    /// Waits until a query's group is as it should be.
    fn await_group(&self, query: &str, is: impl Fn(&serde_json::Value) -> bool) -> serde_json::Value {
        let started = Instant::now();
        loop {
            let group = self.group(query);
            if is(&group) {
                return group;
            }
            assert!(started.elapsed() < PATIENCE, "{TOO_SLOW} {group}\n{}", self.said());
            std::thread::sleep(Duration::from_millis(50));
        }
    }
}

fn config<'a>(topic: &'a serde_json::Value, name: &str) -> &'a str {
    topic["configs"][name].as_str().unwrap_or_else(|| panic!("no {name} in {topic}"))
}

#[test]
#[ignore = "needs a Kafka broker: see README"]
fn topic_commands_leave_nothing_of_their_own() {
    let bootstrap = kafka_broker::bootstrap();
    let service = Service::new(bootstrap);
    let topic = fresh("plain");
    service.json(&["topic", "create", &topic, "--partitions", "2", "--replicas", "1"]);
    let described = service.json(&["topic", "describe", &topic]).remove(0);
    for partition in described["partitions"].as_array().unwrap() {
        let broker = partition["leader"].as_i64().unwrap();
        assert_eq!(partition["replicas"], serde_json::json!([broker]));
        assert_eq!(partition["in_sync"], serde_json::json!([broker]));
    }
    service.json(&["group", "list"]);
    let own = |service: &Service| {
        let topics = service.json(&["topic", "list", "--all"]);
        topics.iter().filter(|topic| topic["topic"].as_str().unwrap().contains(&service.id)).count()
    };
    service.json(&["-e", "SHOW STREAMS;"]);
    assert_eq!(own(&service), 0);
    service
        .json(&["-e", &format!("CREATE STREAM plain (n BIGINT) WITH (KAFKA_TOPIC='{topic}', VALUE_FORMAT='JSON');")]);
    assert_eq!(own(&service), 2);
}

/// Attached to the process that holds the folder, or opening it: the cluster counts, not the address.
#[test]
#[ignore = "needs a Kafka broker: see README"]
fn a_folder_is_of_one_service_on_one_cluster() {
    let service = Service::new(kafka_broker::bootstrap());
    let folder = service.folder.path().join("data");
    let topic = fresh("mine");
    service.json(&["topic", "create", &topic, "--replicas", "1"]);
    let config = format!("ksql.service.id={}\n", service.id);
    let elsewhere = service.folder.path().join("elsewhere.properties");
    std::fs::write(&elsewhere, config).unwrap();
    let elsewhere = elsewhere.to_str().unwrap();
    let other_way = format!("127.0.0.1:1,{}", kafka_broker::bootstrap());
    let delete = ["topic", "delete", topic.as_str()];
    let refuses = |options: &[&str], said: &[&str]| {
        let ended = run(&folder, &[options, &delete].concat());
        assert_eq!(ended.code, Some(3), "{ended:#?}");
        said.iter().for_each(|text| assert!(ended.stderr.contains(text), "{text}: {ended:#?}"));
    };
    let all = || {
        let own = format!("service '{}' on the Kafka cluster", service.id);
        refuses(&[], &[&own, "this command is for its own log", "--data-dir"]);
        refuses(&["--bootstrap-servers", &other_way], &[&own, "service 'default_'"]);
        run_ok(&folder, &["--config-file", elsewhere, "--bootstrap-servers", &other_way, "topic", "describe", &topic]);
    };
    // Nobody holds it.
    all();
    let source = format!("CREATE STREAM mine (n BIGINT) WITH (KAFKA_TOPIC='{topic}', VALUE_FORMAT='JSON');");
    let _job =
        service.job(&format!("{source} CREATE STREAM {} AS SELECT n FROM mine;", fresh("COPY").replace('-', "_")));
    all();
    refuses(
        &["--config-file", elsewhere, "--bootstrap-servers", "127.0.0.1:1"],
        &["on the Kafka cluster at 127.0.0.1:1"],
    );
    service.json(&["topic", "describe", &topic]);
}

/// Whoever of them holds the folder: the work of the queries would move to a process that is about to end.
#[test]
#[ignore = "needs a Kafka broker: see README"]
fn a_command_never_joins_the_group_of_a_query() {
    let service = Service::new(kafka_broker::bootstrap());
    let (source, sink) = (fresh("looked-at"), fresh("copied"));
    service.json(&["topic", "create", &source, "--replicas", "1"]);
    let statements = format!(
        "CREATE STREAM looked_at (n BIGINT) WITH (KAFKA_TOPIC='{source}', VALUE_FORMAT='JSON');
         CREATE STREAM copied WITH (KAFKA_TOPIC='{sink}') AS SELECT * FROM looked_at;"
    );
    let created = service.json(&["-e", &statements]);
    let query = created[1]["query_id"].as_str().unwrap_or_else(|| panic!("{created:?}")).to_owned();
    let explain = format!("EXPLAIN {query};");
    let nobody_works = |why: &str| {
        let said = service.json(&["-e", &explain]);
        assert!(said.iter().any(|line| line.to_string().contains("NOT RUN BY THIS PROCESS")), "{why}: {said:?}");
        assert_eq!(service.group(&query)["members"], serde_json::json!([]), "{why}");
    };
    nobody_works("nobody holds the folder");
    let config = service.config();
    for held_by in [
        &["topic", "consume", &source][..],
        &["datagen", "people", "--rate", "1", "--topic", &source],
        &["-e", "SELECT * FROM copied EMIT CHANGES;"],
    ] {
        let held = Running::start(on(&service.folder.path().join("data"), &service.args(&config, held_by)));
        let socket = service.folder.path().join("data/millpond.sock");
        let started = Instant::now();
        while !socket.exists() {
            assert!(started.elapsed() < PATIENCE, "{held_by:?} doesn't hold the folder");
            std::thread::sleep(Duration::from_millis(20));
        }
        nobody_works(&format!("{held_by:?} holds the folder"));
        drop(held);
        // A killed process leaves it.
        let _ = std::fs::remove_file(&socket);
    }
}

#[test]
#[ignore = "needs a Kafka broker: see README"]
fn a_query_is_reset_when_nobody_runs_it() {
    let bootstrap = kafka_broker::bootstrap();
    let service = Service::new(bootstrap);
    let (source, sink) = (fresh("numbers"), fresh("odd"));
    service.json(&["topic", "create", &source, "--partitions", "2", "--config", "retention.ms=-1"]);
    let lines = service.folder.path().join("lines");
    std::fs::write(&lines, "{\"n\":1}\n{\"n\":2}\n{\"n\":3}\n").unwrap();
    let file = lines.to_str().unwrap();
    service.json(&["topic", "produce", &source, "--file", file, "--format", "jsonl", "--partition", "1"]);
    let statements = format!(
        "CREATE STREAM numbers (n BIGINT) WITH (KAFKA_TOPIC='{source}', VALUE_FORMAT='JSON');
         CREATE STREAM odd WITH (KAFKA_TOPIC='{sink}') AS SELECT * FROM numbers WHERE n % 2 = 1;
         CREATE TABLE counts AS SELECT n % 2 AS odd, COUNT(*) AS many FROM numbers GROUP BY n % 2;"
    );
    let mut job = service.job(&statements);
    let ids = |service: &Service| -> Vec<String> {
        let listed = service.json(&["group", "list"]);
        listed.iter().filter_map(|group| group["query"].as_str().map(str::to_owned)).collect()
    };
    let find = |prefix: &str| ids(&service).into_iter().find(|id| id.starts_with(prefix)).unwrap();
    let (filter, count) = (find("CSAS_ODD"), find("CTAS_COUNTS"));
    let read = |group: &serde_json::Value| {
        let mut partitions = group["partitions"].as_array().unwrap().iter();
        // One that is cut into stages also has positions of what they hand over.
        let read = partitions.find(|place| place["topic"] == source.as_str() && place["partition"] == 1);
        read.is_some_and(|place| place["committed"].as_i64().is_some_and(|at| at >= 3))
    };
    let working = service.await_group(&filter, |group| read(group) && group["state"] == "Stable");
    let member = &working["members"][0];
    assert_eq!(member["partitions"].as_array().unwrap().len(), 2);
    assert!(member["host"].as_str().unwrap().contains("127.0.0.1"), "{member}");
    assert_eq!(working["partitions"][1]["member"], member["member"]);
    // As long as it is a member, its positions are its own; a pause doesn't change that.
    service.json(&["-e", &format!("PAUSE {filter};")]);
    let refused = service.fails(&["group", "reset", &filter, "--to", "earliest"]);
    assert!(refused.contains("NON_EMPTY_GROUP") && refused.contains("stop all processes"), "{refused}");
    service.json(&["-e", &format!("RESUME {filter};")]);
    service.await_group(&count, read);
    let outputs = |service: &Service| {
        let topic = service.json(&["topic", "consume", &sink, "--from-beginning", "--until-end"]);
        topic.iter().map(|record| record["value"].to_string()).collect::<Vec<_>>()
    };
    assert_eq!(outputs(&service).len(), 2);
    // Its end by the way takes its leave of the group.
    interrupt(&mut job);
    service.await_group(&filter, |group| group["state"] == "Empty");
    let refused = service.fails(&["group", "reset", &count, "--to", "earliest"]);
    assert!(refused.contains("answers would be wrong") && refused.contains("DROP TABLE COUNTS"), "{refused}");
    let shown = service.json(&["group", "reset", &filter, "--to", "earliest", "--dry-run"]);
    assert_eq!(shown[1]["status"], "would be set");
    assert_eq!(service.group(&filter)["partitions"][1]["committed"], shown[1]["from"]);
    service.json(&["group", "reset", &filter, "--to-offset", "2", "--topic", &format!("{source}:1")]);
    assert_eq!(service.group(&filter)["partitions"][1]["committed"], 2);
    let _job = service.job(&statements);
    service.await_group(&filter, |group| read(group) && group["state"] == "Stable");
    let all = outputs(&service);
    assert_eq!(all.len(), 3, "{all:?}");
    assert_eq!(all[1], all[2]);
}

/// SIGTERM, and waits for it.
fn interrupt(job: &mut Running) {
    let status = std::process::Command::new("kill").arg(job.0.id().to_string()).status().unwrap();
    assert!(status.success());
    job.0.wait().unwrap();
}

#[test]
#[ignore = "needs a Kafka broker: see README"]
fn records_that_a_topic_does_not_keep_are_told_of() {
    let bootstrap = kafka_broker::bootstrap();
    let service = Service::new(bootstrap);
    let (source, sink) = (fresh("old"), fresh("short"));
    service.json(&["topic", "create", &source, "--config", "retention.ms=-1"]);
    let lines = service.folder.path().join("lines");
    std::fs::write(&lines, "{\"t\":1500000000000}\n").unwrap();
    let file = lines.to_str().unwrap();
    service.json(&["topic", "produce", &source, "--file", file, "--format", "jsonl", "--timestamp", "t"]);
    let _job = service.job(&format!(
        "CREATE STREAM old (t BIGINT) WITH (KAFKA_TOPIC='{source}', VALUE_FORMAT='JSON');
         CREATE STREAM short WITH (KAFKA_TOPIC='{sink}', RETENTION_MS=86400000) AS SELECT * FROM old;"
    ));
    service.await_said(&format!("writes records of 2017-07-14T02:40:00.000 to topic '{sink}'"));
}

/// What `clusters` asks of a cluster of three.
pub fn a_sink_has_as_many_replicas_as_its_source(cluster: &Cluster) {
    let service = Service::new(&cluster.value("KAFKA_BOOTSTRAP"));
    service.json(&["topic", "create", "three", "--replicas", "3", "--config", "retention.ms=3600000"]);
    service.json(&[
        "-e",
        "CREATE STREAM three (n BIGINT) WITH (KAFKA_TOPIC='three', VALUE_FORMAT='JSON');
                          CREATE STREAM like_it AS SELECT * FROM three;
                          CREATE STREAM two WITH (REPLICAS=2, RETENTION_MS=-1) AS SELECT * FROM three;",
    ]);
    let made = |topic: &str| {
        let topic = service.json(&["topic", "describe", topic]).remove(0);
        (topic["partitions"][0]["replicas"].as_array().unwrap().len(), config(&topic, "retention.ms").to_owned())
    };
    assert_eq!(made("LIKE_IT"), (3, "3600000".to_owned()));
    assert_eq!(made("TWO"), (2, "-1".to_owned()));
    service.json(&["-e", "ASSERT TOPIC \"TWO\" WITH (PARTITIONS=1, REPLICAS=2);"]);
    let refused =
        service.fails(&["-e", "CREATE STREAM x (n BIGINT) WITH (KAFKA_TOPIC='TWO', VALUE_FORMAT='JSON', REPLICAS=3);"]);
    assert!(refused.contains("3 replication factor (topic has 2)"), "{refused}");
    let refused = service.fails(&["topic", "create", "four", "--replicas", "4"]);
    assert!(refused.contains("INVALID_REPLICATION_FACTOR"), "{refused}");
}
