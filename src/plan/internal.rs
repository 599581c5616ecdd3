//! Names of the topics that a query has for itself: ksqlDB's, as far as they don't count the nodes of Kafka Streams' topologies.
//! A query's group stands before each of them.
//!
//! In a chain of joins the last one is `Join`, the one on its left side `L_Join`, and so on.

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
        let mut visit = Visit { plan: self, seen };
        visit.stage(last, String::new(), "ForeignKeyJoin-subscriptions");
    }
}

enum Part<'a> {
    Exchange { exchange: &'a Exchange, name: String },
    State { stage: usize, name: String },
}

struct Visit<'a, 'b> {
    plan: &'a Plan,
    seen: &'b mut dyn FnMut(Part<'_>),
}

impl Visit<'_, '_> {
    /// `prefix`: an `L_` for each join behind it. `sends`: what the state is called of what it sends to a join by other keys.
    fn stage(&mut self, number: usize, prefix: String, sends: &str) {
        let plan = self.plan;
        if let Some(stage) = plan.stages.get(number) {
            self.side(number, stage, (&prefix, sends), None);
        }
    }

    /// `entry`: what an exchange is called that brings this side's rows; None: the side is a whole stage.
    fn side(&mut self, number: usize, stage: &Stage, (prefix, sends): (&str, &str), entry: Option<Entry>) {
        match &stage.input {
            StageInput::Scan(_) => {}
            StageInput::Exchange(exchange) => {
                let of_sender = entry.as_ref().map_or(sends, |entry| entry.sends);
                let name = match (stage.steps.first(), &entry) {
                    (Some(Step::ForeignKeyResult(_)), _) => format!("{prefix}ForeignKeyJoin-response"),
                    (Some(Step::ManyToManyResult(_)), _) => format!("{prefix}ManyToManyJoin-response"),
                    (_, Some(entry)) => entry.name.clone(),
                    (_, None) => "Aggregate-GroupBy".to_string(),
                };
                (self.seen)(Part::Exchange { exchange, name });
                self.stage(exchange.from, prefix.to_string(), of_sender);
            }
            StageInput::Join(join) => {
                let before = format!("L_{prefix}");
                let [left, right] = entries(join, prefix);
                self.side(number, &join.left, (&before, sends), Some(left));
                self.side(number, &join.right, (prefix, sends), Some(right));
                let name = join_state(join, prefix);
                (self.seen)(Part::State { stage: number, name });
            }
        }
        for step in &stage.steps {
            let name = match step {
                Step::Aggregate(_) => "Aggregate-Aggregate-Materialize".to_string(),
                Step::ForeignKey(_) => format!("{prefix}{sends}"),
                Step::ForeignKeyResult(_) => format!("{prefix}ForeignKeyJoin-results"),
                Step::ManyToManyResult(_) => format!("{prefix}ManyToManyJoin-results"),
                Step::Filter { .. } | Step::Project(_) | Step::FlatMap { .. } => continue,
            };
            (self.seen)(Part::State { stage: number, name });
        }
    }
}

/// What brings a side's rows.
struct Entry {
    /// Of the exchange.
    name: String,
    /// Of the state of what sends them, behind its prefix, where they are sent by another key than their own.
    sends: &'static str,
}

/// What exchanges of a join's sides are called.
fn entries(join: &Join, prefix: &str) -> [Entry; 2] {
    let entry = |name: String| Entry { name, sends: "ForeignKeyJoin-subscriptions" };
    let table = |side: &str| entry(format!("{prefix}{side}SourceKeyed-SelectKey"));
    let side = |side: &str| entry(format!("{prefix}{side}"));
    match join.method {
        JoinMethod::StreamStream { .. } => [side("Join-left"), side("Join-right")],
        JoinMethod::StreamTable => [side("Join"), table("Right")],
        JoinMethod::TableTable => [table("Left"), table("Right")],
        JoinMethod::ForeignKey { .. } => [side("ForeignKeyJoin-request"), table("Right")],
        JoinMethod::ManyToMany { .. } => [
            Entry { sends: "ManyToManyJoin-left-sent", ..side("ManyToManyJoin-left") },
            Entry { sends: "ManyToManyJoin-right-sent", ..side("ManyToManyJoin-right") },
        ],
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
        JoinMethod::ManyToMany { .. } => format!("{prefix}ManyToManyJoin"),
    }
}
