//! Names of the topics that a query has for itself: ksqlDB's, as far as they don't count the nodes of Kafka Streams' topologies.
//! A query's group stands before each of them.
//!
//! In a chain of joins the last one is `Join`, the one on its left side `L_Join`, and so on. A query that reads another query has
//! some parts twice: those nearest to its end have the name, the others a number behind it (`-2`).

use std::collections::HashMap;

use crate::plan::{Exchange, Join, JoinMethod, Plan, Stage, StageInput, Step};

impl Plan {
    /// Of each stage the name of the topic by which its rows leave it, where processes share the work; None: it is the last.
    pub fn exchange_names(&self) -> Vec<Option<String>> {
        let mut names = vec![None; self.stages.len()];
        self.visit(&mut |part| match part {
            Part::Exchange { exchange, name } => names[exchange.from] = Some(format!("{name}-repartition")),
            Part::State { .. } => {}
        });
        names
    }

    /// Of each stage the names of the topics that hold the changes of its [`Stage::states`].
    pub fn changelog_names(&self) -> Vec<Vec<String>> {
        let mut names = vec![Vec::new(); self.stages.len()];
        self.visit(&mut |part| match part {
            Part::State { stage, name } => names[stage].push(format!("{name}-changelog")),
            Part::Exchange { .. } => {}
        });
        names
    }

    /// Goes over all parts that have a name; within a stage in the order of its states.
    fn visit(&self, seen: &mut dyn FnMut(Part<'_>)) {
        let Some(last) = self.stages.len().checked_sub(1) else { return };
        let mut visit = Visit { plan: self, seen, given: HashMap::new() };
        visit.stage(last, String::new());
    }
}

enum Part<'a> {
    Exchange { exchange: &'a Exchange, name: String },
    State { stage: usize, name: String },
}

struct Visit<'a, 'b> {
    plan: &'a Plan,
    seen: &'b mut dyn FnMut(Part<'_>),
    /// How often each name was given; those of states begin with another letter.
    given: HashMap<String, usize>,
}

impl Visit<'_, '_> {
    /// `prefix`: an `L_` for each join behind it.
    fn stage(&mut self, number: usize, prefix: String) {
        let plan = self.plan;
        if let Some(stage) = plan.stages.get(number) {
            self.side(number, stage, &prefix, None);
        }
    }

    /// `entry`: what an exchange is called that brings this side's rows; None: the side is a whole stage.
    fn side(&mut self, number: usize, stage: &Stage, prefix: &str, entry: Option<String>) {
        match &stage.input {
            StageInput::Scan(_) => {}
            StageInput::Exchange(exchange) => {
                let name = match (stage.steps.first(), entry) {
                    (Some(Step::ForeignKeyResult(_)), _) => format!("{prefix}ForeignKeyJoin-response"),
                    (_, Some(entry)) => entry,
                    (_, None) => "Aggregate-GroupBy".to_string(),
                };
                let name = self.unique("e", name);
                (self.seen)(Part::Exchange { exchange, name });
                self.stage(exchange.from, prefix.to_string());
            }
            StageInput::Join(join) => {
                let before = format!("L_{prefix}");
                let [left, right] = entries(join, prefix);
                self.side(number, &join.left, &before, Some(left));
                self.side(number, &join.right, prefix, Some(right));
                let name = self.unique("s", join_state(join, prefix));
                (self.seen)(Part::State { stage: number, name });
            }
            StageInput::Union(sides) => {
                for side in sides {
                    self.side(number, side, prefix, Some(format!("{prefix}Union")));
                }
            }
        }
        for step in &stage.steps {
            let name = match step {
                Step::Aggregate(_) => "Aggregate-Aggregate-Materialize".to_string(),
                Step::ForeignKey(_) => format!("{prefix}ForeignKeyJoin-subscriptions"),
                Step::ForeignKeyResult(_) => format!("{prefix}ForeignKeyJoin-results"),
                Step::Filter { .. } | Step::Project(_) | Step::FlatMap { .. } | Step::PseudoColumns(_) => continue,
            };
            let name = self.unique("s", name);
            (self.seen)(Part::State { stage: number, name });
        }
    }
}

impl Visit<'_, '_> {
    fn unique(&mut self, kind: &str, name: String) -> String {
        let given = self.given.entry(format!("{kind}{name}")).or_default();
        *given += 1;
        if *given == 1 { name } else { format!("{name}-{given}") }
    }
}

/// What exchanges of a join's sides are called.
fn entries(join: &Join, prefix: &str) -> [String; 2] {
    let table = |side: &str| format!("{prefix}{side}SourceKeyed-SelectKey");
    match join.method {
        JoinMethod::StreamStream { .. } => [format!("{prefix}Join-left"), format!("{prefix}Join-right")],
        JoinMethod::StreamTable => [format!("{prefix}Join"), table("Right")],
        JoinMethod::TableTable => [table("Left"), table("Right")],
        JoinMethod::ForeignKey { .. } => [format!("{prefix}ForeignKeyJoin-request"), table("Right")],
    }
}

/// What a join's state is called.
fn join_state(join: &Join, prefix: &str) -> String {
    let moved = matches!(join.right.input, StageInput::Exchange(_));
    match join.method {
        JoinMethod::StreamTable | JoinMethod::TableTable if moved => format!("{prefix}RightSourceKeyed-Materialize"),
        JoinMethod::StreamTable => format!("{prefix}KafkaTopic_Right-Reduce"),
        JoinMethod::StreamStream { .. } | JoinMethod::TableTable => format!("{prefix}Join"),
        JoinMethod::ForeignKey { .. } => format!("{prefix}ForeignKeyJoin"),
    }
}
