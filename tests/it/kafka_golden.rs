//! Every query of `queries/` on a Kafka cluster, by the binary as a person runs it: straight; and stopped when half of its
//! input is there, to go on from what the cluster has of it. Each gives the output that it gives on the embedded log, as far
//! as the input fixes it: the order of records is that within a key or a partition, as the query's file says, since between
//! partitions no log has one.

use std::path::PathBuf;

use millpond::log::kafka::KafkaLog;
use millpond::{Engine, Options};
use parking_lot::Mutex;

use crate::binary::run_ok;
use crate::folder::Input;
use crate::golden::{self, Golden};
use crate::kafka_broker::{self, fresh};
use crate::records;

const SIDE_BY_SIDE: usize = 4;

/// A query as a service of its own: its topics' names begin with the service's.
struct Service {
    golden: Golden,
    prefix: String,
    files: tempfile::TempDir,
}

impl Service {
    fn new(bootstrap: &str, name: &str) -> Service {
        let mut golden = Golden::read(name);
        let service =
            Service { prefix: fresh(name) + "-", files: tempfile::tempdir().unwrap(), golden: Golden::read(name) };
        golden.script = golden.script.replace("KAFKA_TOPIC='", &format!("KAFKA_TOPIC='{}", service.prefix));
        let config = format!(
            "bootstrap.servers={bootstrap}\nksql.service.id={0}\nksql.output.topic.name.prefix={0}\n",
            service.prefix
        );
        std::fs::write(service.path("service.properties"), config).unwrap();
        std::fs::write(service.path("query.sql"), &golden.script).unwrap();
        Service { golden, ..service }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.files.path().join(name)
    }

    fn millpond(&self, args: &[&str]) -> String {
        let config = self.path("service.properties");
        let all = [&["--config-file", config.to_str().unwrap()], args].concat();
        run_ok(&self.path("data"), &all)
    }

    fn create(&self, input: &Input) {
        let (topic, partitions) = (format!("{}{}", self.prefix, input.topic), input.partitions.to_string());
        self.millpond(&["topic", "create", &topic, "--partitions", &partitions, "--config", "retention.ms=-1"]);
    }

    fn produce(&self, input: &Input) {
        let topic = format!("{}{}", self.prefix, input.topic);
        let args = ["topic", "produce", &topic, "--file", input.file.to_str().unwrap()];
        self.millpond(&[&args, input.flags].concat());
    }

    /// What the input is joined with.
    fn with_others(&self) {
        for input in &self.golden.others {
            self.create(input);
            self.produce(input);
        }
    }

    fn run_to_end(&self) {
        self.millpond(&["run", self.path("query.sql").to_str().unwrap(), "--until-end"]);
    }

    fn check(&self, way: &str, log: &KafkaLog) {
        let found = records::of_topic(log, &format!("{}{}", self.prefix, self.golden.output), self.window());
        self.golden.check_records(way, &found);
    }

    /// The window in the keys of the output, as an engine in memory has it from the same statements.
    fn window(&self) -> Option<millpond::engine::SourceWindow> {
        let engine = Engine::stepped(Options::default()).unwrap();
        engine.run(&self.golden.script).unwrap();
        engine.catalog().source(&self.golden.output).unwrap().window
    }
}

#[test]
#[ignore = "needs a Kafka broker: see README"]
fn the_queries_give_on_kafka_what_they_give_on_the_embedded_log() {
    let (log, bootstrap) = (kafka_broker::log(), kafka_broker::bootstrap());
    // They wait for the cluster most of the time.
    let left = Mutex::new(golden::NAMES.iter());
    let next = || left.lock().next();
    std::thread::scope(|scope| {
        for _ in 0..SIDE_BY_SIDE {
            scope.spawn(|| {
                while let Some(name) = next() {
                    both_ways(&log, bootstrap, name);
                }
            });
        }
    });
}

fn both_ways(log: &KafkaLog, bootstrap: &str, name: &str) {
    let straight = Service::new(bootstrap, name);
    let input = straight.golden.input.clone();
    straight.with_others();
    straight.create(&input);
    straight.produce(&input);
    straight.run_to_end();
    straight.check("on Kafka", log);

    let halfway = Service::new(bootstrap, name);
    let halves = input.halves(halfway.files.path());
    halfway.with_others();
    halfway.create(&input);
    for half in &halves {
        halfway.produce(half);
        halfway.run_to_end();
    }
    halfway.check("on Kafka, restarted", log);
}
