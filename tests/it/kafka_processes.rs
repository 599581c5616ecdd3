//! Processes of a service on a real cluster that come and go as they are told to, and what they say of it.

use std::time::{Duration, Instant};

use crate::binary::Running;
use crate::kafka_broker::{self, TOO_SLOW};
use crate::kafka_engine::{JOB, check_once};
use crate::kafka_scene::{FOLDERS, Scene, Service};

const PATIENCE: Duration = Duration::from_secs(120);

fn signal(process: &Running, name: &str) {
    let status = std::process::Command::new("kill").args([name, &process.0.id().to_string()]).status().unwrap();
    assert!(status.success());
}

/// Tells a process to stop and waits for its end.
fn stop(scene: &mut Scene, which: usize) {
    signal(&scene.processes[which], "-TERM");
    let told = Instant::now();
    let status = loop {
        if let Some(status) = scene.processes[which].0.try_wait().unwrap() {
            break status;
        }
        assert!(told.elapsed() < PATIENCE, "{TOO_SLOW} it doesn't stop\n{}", scene.service.said());
        std::thread::sleep(Duration::from_millis(20));
    };
    assert!(status.success(), "{status}\n{}", scene.service.said());
}

#[test]
#[ignore = "needs Java, for a Kafka of its own or Kafka's programs: see README"]
fn a_process_that_is_stopped_under_load_loses_and_repeats_nothing() {
    let mut scene = Scene::new(Service::new(kafka_broker::bootstrap(), JOB));
    for which in [0, 1, 0, 1] {
        scene.some_time();
        stop(&mut scene, which);
        // The other does the work meanwhile.
        scene.await_work();
        scene.processes[which] = scene.service.process(FOLDERS[which]);
        scene.await_work();
    }
    check_once(&mut scene);
}

#[test]
#[ignore = "needs Java, for a Kafka of its own or Kafka's programs: see README"]
fn a_process_that_froze_says_that_it_lost_its_partitions() {
    let mut scene = Scene::new(Service::new(kafka_broker::bootstrap(), JOB));
    // What it had not given up is lost; one that had nothing yet is frozen again.
    let started = Instant::now();
    while !scene.service.said().contains("lost its partitions: the cluster has not heard of this process") {
        assert!(started.elapsed() < PATIENCE, "nobody says so\n{}", scene.service.said());
        scene.freeze();
    }
    check_once(&mut scene);
}

/// What the process of the first folder says of its snapshots since it started: `4 written, 0 failed, 0 used, 0 refused`,
/// and why the last one failed.
fn snapshots(scene: &Scene) -> String {
    let folder = scene.service.path(FOLDERS[0]);
    let queries = scene.service.statement(&folder, "SHOW QUERIES;");
    let id = queries.split('"').find(|word| word.starts_with("CTAS_CITIES_")).unwrap().to_owned();
    scene.service.statement(&folder, &format!("EXPLAIN {id};"))
}

fn count(explained: &str, what: &str) -> u64 {
    let (before, _) = explained.split_once(what).unwrap_or_else(|| panic!("no {what} in {explained}"));
    before.trim_end().rsplit(|c: char| !c.is_ascii_digit()).next().unwrap().parse().unwrap()
}

fn await_snapshots(scene: &Scene, what: &str) {
    let started = Instant::now();
    loop {
        let explained = snapshots(scene);
        if count(&explained, what) > 0 {
            return;
        }
        // None is written where the disk is nearly full: the reason stands there.
        assert!(started.elapsed() < PATIENCE, "no snapshot is {what}\n{explained}\n{}", scene.service.said());
        std::thread::sleep(Duration::from_millis(100));
    }
}

#[test]
#[ignore = "needs Java, for a Kafka of its own or Kafka's programs: see README"]
fn a_process_that_starts_again_goes_on_from_its_snapshots() {
    let mut scene = Scene::new(Service::new(kafka_broker::bootstrap(), JOB));
    // It listens to signals by then.
    let started = Instant::now();
    while !scene.service.said().rsplit("process two said:").next().unwrap().contains("CTAS_CITIES_") {
        assert!(started.elapsed() < PATIENCE, "{TOO_SLOW} it doesn't begin\n{}", scene.service.said());
        std::thread::sleep(Duration::from_millis(20));
    }
    // Alone the first has all partitions, before and after.
    stop(&mut scene, 1);
    scene.await_work();
    await_snapshots(&scene, "written");
    stop(&mut scene, 0);
    scene.processes[0] = scene.service.process(FOLDERS[0]);
    scene.await_work();
    await_snapshots(&scene, "used");
    check_once(&mut scene);
}
