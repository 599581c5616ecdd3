//! Running one JSON case.

use std::collections::BTreeSet;

use super::answer::Answer;
use super::case::{Case, Rejection};
use super::drive::{Collector, Drive};
use super::subject::NewSubject;
use super::verdict::{Kind, Miss, Verdict};
use super::{outputs, post, responses};
use crate::error::{Audience, Error};

/// Runs a case on a fresh engine.
pub fn run(case: &Case, new_subject: NewSubject<'_>) -> Verdict {
    let kind = if case.rejection.is_some() { Kind::Rejection } else { Kind::Outputs };
    let result = match new_subject(&case.properties) {
        Err(error) => Err(Miss::error(format!("no engine with these properties: {error}"))),
        Ok(mut subject) => Drive::new(&mut *subject, &case.topics).and_then(|mut drive| match &case.rejection {
            None => expect_outputs(case, &mut drive).map(|()| String::new()),
            Some(rejection) => expect_rejection(case, rejection, &mut drive),
        }),
    };
    Verdict::of(kind, result)
}

/// Whether a statement's answer is rows, which it can give only when the inputs are there.
fn is_query(case: &Case, index: usize) -> bool {
    let first_word = case.statements[index].split_whitespace().next().unwrap_or_default().to_uppercase();
    first_word == "SELECT"
        || first_word == "PRINT"
        || case.response(index).is_some_and(|response| response.get("query").is_some())
}

/// The statements before the first query; all when there is none.
fn first_query(case: &Case) -> usize {
    (0..case.statements.len()).find(|&i| is_query(case, i)).unwrap_or(case.statements.len())
}

fn rejected(case: &Case, index: usize, error: &Error) -> Miss {
    Miss::unexpected(&format!("statement {} was rejected: {}", index + 1, case.statements[index]), error)
}

fn expect_outputs(case: &Case, drive: &mut Drive<'_>) -> Result<(), Miss> {
    let queries = first_query(case);
    let mut entities = Vec::new();
    for index in 0..queries {
        let answer = drive.execute(&case.statements[index]).map_err(|error| rejected(case, index, &error))?;
        // INSERT ... VALUES is answered with no entity: where one is stated, it is that of the statement before.
        let answer = match answer {
            Answer::Entities(none) if none.is_empty() => Answer::Entities(entities.clone()),
            answer => answer,
        };
        if let Answer::Entities(told) = &answer {
            entities.clone_from(told);
        }
        if let Some(response) = case.response(index) {
            responses::check_admin(response, &answer).map_err(|miss| in_statement(index, miss))?;
        }
    }
    drive.subject.settle().map_err(|error| Miss::unexpected("the queries stopped", &error))?;
    let sinks = if case.expects_no_output() { drive.sinks() } else { Vec::new() };
    let mut topics: BTreeSet<&str> = case.outputs.iter().map(|output| output.topic.as_str()).collect();
    topics.extend(sinks.iter().map(String::as_str));
    let mut collector = Collector::default();
    collector.collect(drive.subject, topics.iter().copied())?;
    let mut produce = |drive: &mut Drive<'_>| {
        for input in &case.inputs {
            drive.produce(input)?;
            collector.collect(drive.subject, topics.iter().copied())?;
        }
        Ok(())
    };
    if !case.waits_for_push_query {
        produce(drive)?;
        for index in queries..case.statements.len() {
            run_query(case, index, drive, |_| Ok(()))?;
        }
    } else {
        for index in queries..case.statements.len() {
            let late = index == queries;
            run_query(case, index, drive, |drive| if late { produce(drive) } else { Ok(()) })?;
        }
    }
    collector.collect(drive.subject, topics.iter().copied())?;
    outputs::check(drive, &mut collector, &case.outputs)?;
    for sink in &sinks {
        let extra = collector.take(sink, |_, _| false);
        if !extra.is_empty() {
            return Err(Miss::fail(format!("topic {sink} has {} records, none expected", extra.len())));
        }
    }
    case.post.as_ref().map_or(Ok(()), |stated| post::check(drive.subject, stated))
}

fn in_statement(index: usize, miss: Miss) -> Miss {
    Miss { detail: format!("statement {}: {}", index + 1, miss.detail), ..miss }
}

/// Runs a statement from the first query on. `started` is called when it runs, before its rows are read.
fn run_query(
    case: &Case,
    index: usize,
    drive: &mut Drive<'_>,
    started: impl FnOnce(&mut Drive<'_>) -> Result<(), Miss>,
) -> Result<(), Miss> {
    let answer = drive.execute(&case.statements[index]).map_err(|error| rejected(case, index, &error))?;
    started(drive)?;
    drive.subject.settle().map_err(|error| Miss::unexpected("the queries stopped", &error))?;
    match case.response(index) {
        None => Ok(()),
        Some(response) => {
            responses::check(response, answer, case.verify_order).map_err(|miss| in_statement(index, miss))
        }
    }
}

fn expect_rejection(case: &Case, rejection: &Rejection, drive: &mut Drive<'_>) -> Result<String, Miss> {
    let (queries, all) = (first_query(case), case.statements.len());
    for index in 0..all {
        if index == queries {
            for input in &case.inputs {
                drive.produce(input)?;
            }
        }
        let result = drive.execute(&case.statements[index]).and_then(|answer| match answer {
            Answer::Rows(rows) => responses::failure(rows).map_or(Ok(()), Err),
            _ => Ok(()),
        });
        if let Err(error) = result {
            return judge_rejection(rejection, &error, index + 1 == all, index);
        }
    }
    if queries == all {
        return expect_stop(case, rejection, drive);
    }
    Err(accepted(rejection))
}

/// Some rejections come with the data: the query stops.
fn expect_stop(case: &Case, rejection: &Rejection, drive: &mut Drive<'_>) -> Result<String, Miss> {
    for input in &case.inputs {
        drive.append(input)?;
        if let Err(error) = drive.subject.settle() {
            return judge_rejection(rejection, &error, true, case.statements.len() - 1);
        }
    }
    Err(accepted(rejection))
}

fn accepted(rejection: &Rejection) -> Miss {
    let message = rejection.message.as_ref().map(|message| format!("\n  expected: {message}")).unwrap_or_default();
    Miss::fail(format!("nothing was rejected{message}"))
}

/// A rejection counts when it is one of the statement: the last may be refused for whatever reason but a defect of the
/// engine, an earlier one only for what it says, since not knowing it yet would hide the statement that is meant.
fn judge_rejection(rejection: &Rejection, error: &Error, is_last: bool, index: usize) -> Result<String, Miss> {
    let is_bad_request = matches!(error.audience, Audience::Statement | Audience::NotSupported);
    match error.audience {
        Audience::Internal => Err(Miss::error(format!("internal error in statement {}: {error}", index + 1))),
        Audience::NotSupported | Audience::World if !is_last => {
            Err(Miss::error(format!("statement {} can't be run: {error}", index + 1)))
        }
        _ if rejection.status == Some(400) && !is_bad_request => {
            Err(Miss::fail(format!("rejected, but not as a bad statement (status 400): {error}")))
        }
        _ => Ok(format!("rejected: {error}")),
    }
}
