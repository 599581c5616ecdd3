//! A join by foreign key as a plan: three stages, from the left table's partitions to the right one's and back.

use super::super::changelog_topics;
use super::*;
use crate::analyze::mark_wanted;
use crate::catalog::Source;
use crate::expr::Typed;
use crate::format::{Format, Layout};
use crate::log::embedded::EmbeddedLog;
use crate::plan::{
    Exchange, ForeignKey, ForeignKeyResult, Join, JoinKind, JoinMethod, MESSAGE_TYPES, Plan, Project, Rekey, Scan,
    Stage, StageInput, Step,
};
use crate::types::SqlType;

const LEFT_PARTITIONS: u32 = 2;
const RIGHT_PARTITIONS: u32 = 3;

/// Columns of a scan: the source's, ROWTIME, ROWPARTITION, ROWOFFSET.
fn types(scan: &Scan) -> Vec<SqlType> {
    let own = scan.source.columns.iter().map(|column| column.ty.clone());
    own.chain([SqlType::Bigint, SqlType::Int, SqlType::Bigint]).collect()
}

fn exchange(from: usize, key: &str, types: Vec<SqlType>) -> StageInput {
    let columns = vec![(key.to_string(), types[0].clone())];
    StageInput::Exchange(Exchange {
        from,
        key: Layout { format: Format::Kafka, delimiter: ',', columns, wrapped: false },
        types,
    })
}

/// `SELECT s.id, a, r.id AS rid, c FROM s JOIN r ON s.f = r.id`, of the tables S (id, f, a, unread) and R (id, c, unread).
fn plan(left: Scan, right: Scan, kind: JoinKind, like: &Plan) -> Plan {
    let (left_types, right_types) = (types(&left), types(&right));
    let message = MESSAGE_TYPES.to_vec();
    let keys = vec![Typed::column(1, SqlType::Bigint)];
    let send = Step::ForeignKey(ForeignKey { keys, columns: left_types.len() });
    let sent = [vec![SqlType::Bigint], left_types.clone(), message.clone()].concat();
    let joined = [left_types.clone(), right_types.clone(), message].concat();
    let join = Join {
        left: Stage { input: exchange(0, "F", sent.clone()), steps: vec![] },
        right: Stage { input: StageInput::Scan(right), steps: vec![] },
        kind,
        method: JoinMethod::ForeignKey { left_keys: 1 },
        key_types: vec![SqlType::Bigint],
        left_types: sent[1..].to_vec(),
        right_types: right_types[1..].to_vec(),
        condition: None,
    };
    let right_key = left_types.len();
    let value_types = joined[1..joined.len() - MESSAGE_TYPES.len()].to_vec();
    let result = Step::ForeignKeyResult(ForeignKeyResult { key_types: vec![SqlType::Bigint], value_types });
    let column = |index: usize| Typed::column(index, joined[index].clone());
    let project = Step::Project(Project {
        keys: vec![column(0)],
        values: vec![column(2), column(right_key), column(right_key + 1)],
        names: like.schema.columns.iter().map(|column| column.name.clone()).collect(),
        rekey: Rekey::Keep,
    });
    let stages = vec![
        Stage { input: StageInput::Scan(left), steps: vec![send] },
        Stage { input: StageInput::Join(Box::new(join)), steps: vec![] },
        Stage { input: exchange(1, "ID", joined), steps: vec![result, project] },
    ];
    let mut plan = Plan { stages, ..like.clone() };
    mark_wanted(&mut plan);
    plan
}

fn scan(engine: &Engine, name: &str) -> Scan {
    let source = engine.catalog().source(name).unwrap().clone();
    Scan { wanted: vec![false; source.columns.len() + 3], source }
}

/// The names of the columns that a scan decodes.
fn decoded(scan: &Scan) -> Vec<&str> {
    let columns = scan.source.columns.iter().zip(&scan.wanted);
    columns.filter(|(_, wanted)| **wanted).map(|(column, _)| column.name.as_str()).collect()
}

/// The log with the tables' topics, their rows in it in several parts; and what the join must have in the end.
fn world(kind: JoinKind) -> (World, BTreeMap<Vec<u8>, String>) {
    let columns = "id BIGINT PRIMARY KEY, f BIGINT, a STRING, unread STRING";
    // The statement is one that has a table of the same columns.
    let statement = "CREATE TABLE o AS SELECT id, a, f AS rid, unread AS c FROM s;";
    let mut world = World::new(Arc::new(EmbeddedLog::in_memory()), columns, LEFT_PARTITIONS, statement);
    let engine = Engine::stepped(Options::default()).unwrap();
    for (name, columns) in [("s", columns), ("r", "id BIGINT PRIMARY KEY, c STRING, unread STRING")] {
        let made =
            format!("CREATE TABLE {name} ({columns}) WITH (KAFKA_TOPIC='{name}', VALUE_FORMAT='JSON', PARTITIONS=1);");
        engine.execute(&mut Session::default(), &made).unwrap();
    }
    let plan = plan(scan(&engine, "S"), scan(&engine, "R"), kind, &world.sink.analyzed.plan);
    let scans: Vec<&Scan> = plan.scans().collect();
    assert_eq!((decoded(scans[0]), decoded(scans[1])), (vec!["ID", "F", "A"], vec!["ID", "C"]));
    assert!(plan.wants_old_rows(0, 0) && !plan.wants_old_rows(1, 0) && !plan.wants_old_rows(1, 1));
    let of = |source: &Source| Ok(if source.name == "S" { LEFT_PARTITIONS } else { RIGHT_PARTITIONS });
    let partitions = plan.partitions(&of).unwrap();
    assert_eq!(partitions, [LEFT_PARTITIONS, RIGHT_PARTITIONS, LEFT_PARTITIONS]);
    let changelogs = changelog_topics(GROUP, &plan);
    assert_eq!(changelogs.iter().map(Vec::len).collect::<Vec<_>>(), [1, 1, 1]);
    let topics = changelogs.concat().into_iter().zip(partitions).chain([("r".to_string(), RIGHT_PARTITIONS)]);
    for (name, partitions) in topics {
        let spec = TopicSpec { name, partitions, replicas: None, configs: BTreeMap::new() };
        world.log.create_topic(&spec).unwrap();
    }
    world.sink.analyzed.plan = plan;
    let mut random = fastrand::Rng::with_seed(5);
    let (mut left, mut right) = (BTreeMap::new(), BTreeMap::new());
    for time in 0..600_i64 {
        let (of_left, gone, number) = (random.bool(), random.u8(..5) == 0, random.u32(..1000));
        let (key, foreign) = (random.i64(0..if of_left { 20 } else { 6 }), random.i64(0..7));
        let value = (!gone).then(|| match of_left {
            true if foreign == 6 => format!(r#"{{"F": null, "A": "a{number}"}}"#),
            true => format!(r#"{{"F": {foreign}, "A": "a{number}"}}"#),
            false => format!(r#"{{"C": "c{number}"}}"#),
        });
        let mut records = Records::default();
        records.push(Some(&key.to_be_bytes()), value.as_deref().map(str::as_bytes), time);
        let (topic, partitions) = if of_left { ("s", LEFT_PARTITIONS) } else { ("r", RIGHT_PARTITIONS) };
        let partition = crate::log::partitioner::partition_for(&key.to_be_bytes(), partitions);
        world.log.append(&place(topic, partition), &records).unwrap();
        match of_left {
            true if gone => drop(left.remove(&key)),
            true => drop(left.insert(key, (foreign, number))),
            false if gone => drop(right.remove(&key)),
            false => drop(right.insert(key, number)),
        }
    }
    let row = |(key, (foreign, a)): (&i64, &(i64, u32))| {
        let right = right.get(foreign).map(|c| format!(r#""a{a}","RID":{foreign},"C":"c{c}""#));
        let alone = || (kind == JoinKind::Left).then(|| format!(r#""a{a}","RID":null,"C":null"#));
        Some((key.to_be_bytes().to_vec(), format!(r#"{{"A":{}}}"#, right.or_else(alone)?)))
    };
    let expected = left.iter().filter_map(row).collect();
    (world, expected)
}

/// Whatever the rounds, and broken off at any time, the last value of each key is what a plain join of both tables has.
#[test]
fn gives_what_both_tables_have() {
    for kind in [JoinKind::Inner, JoinKind::Left] {
        for seed in 0..4 {
            let (world, expected) = world(kind);
            let mut random = fastrand::Rng::with_seed(seed);
            let mut host = Host::default();
            // Of a round but few records, so that there are many.
            host.staged_bytes_max = if seed == 0 { host.staged_bytes_max } else { 200 };
            let mut run = world.open(&host).unwrap();
            loop {
                let rows = run.step().unwrap();
                if rows == 0 || random.bool() {
                    run.commit().unwrap();
                }
                if rows == 0 {
                    break;
                }
                if seed > 0 && random.u8(..4) == 0 {
                    drop(run);
                    run = world.open(&host).unwrap();
                }
            }
            let last = world.written().into_iter().filter_map(|(key, values)| Some((key, values.last()?.clone())));
            let last: BTreeMap<Vec<u8>, String> = last.filter(|(_, value)| value != "null").collect();
            assert_eq!(last, expected, "{kind:?}, seed {seed}");
        }
    }
}
