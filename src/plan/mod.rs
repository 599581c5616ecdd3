//! The steps of a query, and where it is cut into stages at exchanges. Doesn't know bytes.

mod partitions;

mod internal;

use std::sync::Arc;

use crate::catalog::{Source, SourceWindow};
use crate::expr::accumulator::{AggregateCall, BuildAccumulator};
use crate::expr::{TableCall, Typed};
use crate::format::Layout;
use crate::types::SqlType;

/// The columns that a step gives: first the key, then the value.
#[derive(Debug, Clone, PartialEq)]
pub struct Schema {
    pub columns: Vec<SchemaColumn>,
    pub keys: usize,
}

#[derive(Debug, Clone, PartialEq)]
pub struct SchemaColumn {
    pub name: String,
    pub ty: SqlType,
}

/// A continuous query: stages in the order of the data's way.
#[derive(Debug, Clone)]
pub struct Plan {
    pub stages: Vec<Stage>,
    /// What the last stage gives.
    pub schema: Schema,
    /// A stream of rows or the changes of a table.
    pub result: ResultKind,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ResultKind {
    Stream,
    Table { windowed: Option<SourceWindow> },
}

/// What one task per partition does between two exchanges; within a stage, a side of a join.
#[derive(Debug, Clone)]
pub struct Stage {
    pub input: StageInput,
    pub steps: Vec<Step>,
}

#[derive(Debug, Clone)]
pub enum StageInput {
    Scan(Scan),
    /// Rows of another stage, brought to the partition of their key.
    Exchange(Exchange),
    /// Rows of two sides that meet by their keys.
    Join(Box<Join>),
    /// UNION ALL: the rows of streams of the same columns, one beside the other.
    Union(Vec<Stage>),
}

/// The way of rows to the partition of their key.
#[derive(Debug, Clone)]
pub struct Exchange {
    /// Number of the stage that the rows come from; it stands before this one, and nobody else reads it.
    pub from: usize,
    /// Of the key, as it places the rows.
    pub key: Layout,
    /// Of the rows' columns, the keys first.
    pub types: Vec<SqlType>,
}

/// Meets the rows of two sides by their keys. Both sides' rows have key columns of `key_types`; windowed rows meet by their
/// windows, too.
///
/// Gives the key columns, then the left side's value columns, then the right side's. A column that nobody reads is an Arrow
/// `Null` column on both ways.
#[derive(Debug, Clone)]
pub struct Join {
    pub left: Stage,
    pub right: Stage,
    pub kind: JoinKind,
    pub method: JoinMethod,
    pub key_types: Vec<SqlType>,
    /// Of the sides' value columns.
    pub left_types: Vec<SqlType>,
    pub right_types: Vec<SqlType>,
    /// What else must be TRUE for two rows to match; reads what the join gives.
    pub condition: Option<Typed>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum JoinKind {
    Inner,
    Left,
    Right,
    Full,
}

/// How two sides meet, by what they are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum JoinMethod {
    /// Each pair of rows once, whose times are near each other: that of the right row is at most `before_ms` before that of
    /// the left one and at most `after_ms` after it.
    StreamStream {
        before_ms: i64,
        after_ms: i64,
        /// How long after its span a row without a match waits, in stream time, before it is given alone. None: a row is
        /// given alone at once when nothing matches it, and kept for a day.
        grace_ms: Option<i64>,
    },
    /// Each row of the left stream with the row that the right table has for its key just then.
    StreamTable,
    /// The changes of a table that has, for each key, the rows of both.
    TableTable,
    /// Messages about the rows of a left table, as a [`Step::ForeignKey`] makes them, with the right table whose key the left
    /// rows' foreign keys are. The left side's first `left_keys` value columns are the left table's own key; then come its
    /// value columns and the two of the message.
    ///
    /// Gives messages for a [`Step::ForeignKeyResult`]: the left table's key, its value columns, the right table's key and
    /// value columns (null where nothing matches), and the two of the message. The condition reads the columns before those.
    /// Only inner and left joins.
    ForeignKey { left_keys: usize },
    /// Messages about the rows of two tables, as a [`Step::ForeignKey`] makes them of each, by what the rows meet by. The first
    /// `left_keys` of the left side's value columns, `right_keys` of the right side's, are the table's own key; then come its value
    /// columns and the two of the message.
    ///
    /// Gives messages for a [`Step::ManyToManyResult`]: the left table's key, the right one's, the left table's value columns, the
    /// right one's (null where the pair isn't there), and [`PAIR_TYPES`]. The condition reads the columns before those; only inner
    /// joins have one. Of a row alone the other key is null.
    ManyToMany { left_keys: usize, right_keys: usize },
}

/// Types of the columns of messages behind those of the rows they tell of.
pub const MESSAGE_TYPES: [SqlType; 2] = [SqlType::Bigint, SqlType::Int];

/// Types of the columns of messages about pairs of rows behind those of the rows.
pub const PAIR_TYPES: [SqlType; 3] = [SqlType::Bigint, SqlType::Bigint, SqlType::Int];

/// Reads a source's topic. Its columns are all of the source's, then ROWTIME, ROWPARTITION, ROWOFFSET, and of a windowed
/// source WINDOWSTART and WINDOWEND; those that nobody reads are not decoded (an Arrow `Null` column stands there).
#[derive(Debug, Clone)]
pub struct Scan {
    pub source: Arc<Source>,
    pub wanted: Vec<bool>,
}

#[derive(Debug, Clone)]
pub enum Step {
    /// WHERE and HAVING: of a stream, rows pass or don't; of a table, a row that no longer passes becomes a tombstone.
    Filter {
        predicate: Typed,
        table: bool,
        name: &'static str,
    },
    /// New key and value columns.
    Project(Project),
    /// Table functions: a row for each of their values.
    FlatMap {
        calls: Vec<TableCall>,
    },
    Aggregate(Aggregate),
    /// The changes of a table, made messages to the partition of its foreign key.
    ForeignKey(ForeignKey),
    /// The results of a join by foreign key, back at the partition of the left table's key.
    ForeignKeyResult(ForeignKeyResult),
    /// The pairs of a many-to-many join, at the partition of both tables' keys.
    ManyToManyResult(ManyToManyResult),
    /// Where a query reads what another one in FROM gives.
    PseudoColumns(PseudoColumns),
}

/// Puts ROWTIME behind the columns, and of windowed keys WINDOWSTART and WINDOWEND: what the rows of a source have from their
/// records, those of a query have beside their columns.
///
/// A row that is replaced gets the row time of the one that replaces it: its own isn't known any more.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PseudoColumns {
    /// How many columns there are before these.
    pub columns: usize,
    pub windowed: bool,
}

/// Makes of the messages of a [`JoinMethod::ManyToMany`] the changes of the joined table, with the rows that they replace. Gives
/// both tables' keys, then the other columns.
#[derive(Debug, Clone)]
pub struct ManyToManyResult {
    /// Of the left table's key, then of the right one's.
    pub key_types: Vec<SqlType>,
    /// Of the other columns, without those of the message.
    pub value_types: Vec<SqlType>,
}

/// Makes of the changes of a table, with the rows that they replace, messages keyed by its foreign key (or by what it meets
/// another table by that isn't the other one's key either). Gives the foreign key,
/// then the table's key and value columns, then the message's own ([`MESSAGE_TYPES`]).
#[derive(Debug, Clone)]
pub struct ForeignKey {
    /// The foreign key, over the table's columns. A row in which one of them is NULL matches nothing.
    pub keys: Vec<Typed>,
    /// How many columns the table has, its key among them.
    pub columns: usize,
}

/// Makes of the messages of a [`JoinMethod::ForeignKey`] the changes of the joined table, with the rows that they replace.
/// Gives the left table's key, its value columns, the right table's key and value columns.
#[derive(Debug, Clone)]
pub struct ForeignKeyResult {
    /// Of the left table's key.
    pub key_types: Vec<SqlType>,
    /// Of the other columns, without those of the message.
    pub value_types: Vec<SqlType>,
}

#[derive(Debug, Clone)]
pub struct Project {
    pub keys: Vec<Typed>,
    pub values: Vec<Typed>,
    pub names: Vec<String>,
    /// Keys are new (PARTITION BY, GROUP BY): the null-key marks are made anew from them.
    pub rekey: Rekey,
}

/// What a projection does to the key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Rekey {
    /// The key stays (a column may be renamed).
    Keep,
    /// PARTITION BY: a failed or null expression gives a null key.
    PartitionBy,
    /// GROUP BY: a row with a null in its key is dropped by the aggregation.
    GroupBy,
}

/// Groups by the key columns; the calls' arguments are columns of the input. Gives the key and one value column a call.
#[derive(Debug, Clone)]
pub struct Aggregate {
    pub key_types: Vec<SqlType>,
    pub calls: Vec<AggregateStep>,
    pub window: Option<Window>,
    pub emit_final: bool,
    /// Gives each group's first row and nothing more of it; a NULL in the key is a value like others. Without calls.
    pub distinct: bool,
    /// The input is the changes of a table: old rows are taken out again.
    pub table_input: bool,
}

#[derive(Debug, Clone)]
pub struct AggregateStep {
    pub call: AggregateCall,
    /// Builds the accumulator.
    pub build: BuildAccumulator,
    /// Columns of the input.
    pub args: Vec<usize>,
    pub returns: SqlType,
}

/// A window, all in ms.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Window {
    pub kind: WindowKind,
    /// How long after its end a window still takes rows, in stream time.
    pub grace_ms: i64,
    /// How long after its start (of a session: its end) a window is kept; at least size (gap) and grace.
    pub retention_ms: i64,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum WindowKind {
    Tumbling { size_ms: i64 },
    Hopping { size_ms: i64, advance_ms: i64 },
    Session { gap_ms: i64 },
}

impl Window {
    /// How it stands in keys.
    pub fn in_keys(&self) -> SourceWindow {
        match self.kind {
            WindowKind::Tumbling { size_ms } => SourceWindow::Time { size_ms, hopping: false },
            WindowKind::Hopping { size_ms, .. } => SourceWindow::Time { size_ms, hopping: true },
            WindowKind::Session { .. } => SourceWindow::Session,
        }
    }
}

impl Plan {
    /// All sources that it reads, in the order of the stages and their inputs.
    pub fn scans(&self) -> impl Iterator<Item = &Scan> {
        self.stages.iter().flat_map(Stage::inputs).filter_map(|input| match input {
            StageInput::Scan(scan) => Some(scan),
            StageInput::Exchange(_) | StageInput::Join(_) | StageInput::Union(_) => None,
        })
    }

    /// Whether rows of a stream meet a table that the same query makes: of what an aggregate or a join held back they would miss the
    /// changes.
    pub fn meets_what_it_makes(&self) -> bool {
        self.stages.iter().any(|stage| self.meets_made(stage))
    }

    fn meets_made(&self, stage: &Stage) -> bool {
        match &stage.input {
            StageInput::Scan(_) | StageInput::Exchange(_) => false,
            StageInput::Union(sides) => sides.iter().any(|side| self.meets_made(side)),
            StageInput::Join(join) => {
                let here = join.method == JoinMethod::StreamTable && self.is_made(&join.right);
                here || self.meets_made(&join.left) || self.meets_made(&join.right)
            }
        }
    }

    /// Whether rows of this stage or side come out of a step that keeps state.
    fn is_made(&self, stage: &Stage) -> bool {
        let made = stage
            .steps
            .iter()
            .any(|step| matches!(step, Step::Aggregate(_) | Step::ForeignKeyResult(_) | Step::ManyToManyResult(_)));
        made || match &stage.input {
            StageInput::Scan(_) => false,
            StageInput::Join(_) => true,
            StageInput::Exchange(exchange) => self.stages.get(exchange.from).is_some_and(|from| self.is_made(from)),
            StageInput::Union(sides) => sides.iter().any(|side| self.is_made(side)),
        }
    }

    /// Whether some step looks at the rows that the rows of an input replace. A join knows them by itself.
    pub fn wants_old_rows(&self, stage: usize, input: usize) -> bool {
        let Some(read) = self.stages.get(stage) else { return false };
        let mut inputs = 0;
        match read.way_of(input, &mut inputs) {
            Some(Way { wants: true, .. }) => true,
            Some(Way { joined: false, .. }) => self.stages.iter().enumerate().any(|(number, next)| {
                let from =
                    |input: &&StageInput| matches!(input, StageInput::Exchange(exchange) if exchange.from == stage);
                let reads = next.inputs().iter().position(from);
                reads.is_some_and(|input| self.wants_old_rows(number, input))
            }),
            _ => false,
        }
    }

    /// Whether it reads the rows of queries in FROM.
    pub fn has_subqueries(&self) -> bool {
        self.steps().any(|step| matches!(step, Step::PseudoColumns(_)))
    }

    /// Whether rows of several inputs meet.
    pub fn joins(&self) -> bool {
        self.stages.iter().any(|stage| stage.inputs().len() > 1)
    }

    /// Whether it has state that must survive.
    pub fn keeps_state(&self) -> bool {
        self.stages.iter().any(|stage| !stage.states().is_empty())
    }

    /// All steps, in the order of the stages; of a join first those of the left side, then of the right.
    pub fn steps(&self) -> impl Iterator<Item = &Step> {
        self.stages.iter().flat_map(Stage::all_steps)
    }
}

impl Stage {
    /// What comes into it from outside: scans and exchanges, those of a join's left side first, those of a union in its order.
    pub fn inputs(&self) -> Vec<&StageInput> {
        match &self.input {
            StageInput::Scan(_) | StageInput::Exchange(_) => vec![&self.input],
            StageInput::Join(join) => [join.left.inputs(), join.right.inputs()].concat(),
            StageInput::Union(sides) => sides.iter().flat_map(Stage::inputs).collect(),
        }
    }

    /// How long what it gives has the versions of its rows, ms: a table that keeps them, some of its rows, some of its columns. What
    /// is joined or aggregated has the newest rows only.
    pub fn versions_retention_ms(&self) -> Option<i64> {
        let StageInput::Scan(scan) = &self.input else { return None };
        let keeps = |step: &Step| matches!(step, Step::Filter { .. } | Step::Project(_) | Step::PseudoColumns(_));
        scan.source.versions_retention_ms.filter(|_| self.steps.iter().all(keeps))
    }

    /// Its steps and those of its sides; these first.
    pub fn all_steps(&self) -> Vec<&Step> {
        let mut steps = match &self.input {
            StageInput::Scan(_) | StageInput::Exchange(_) => Vec::new(),
            StageInput::Join(join) => [join.left.all_steps(), join.right.all_steps()].concat(),
            StageInput::Union(sides) => sides.iter().flat_map(Stage::all_steps).collect(),
        };
        steps.extend(&self.steps);
        steps
    }

    /// What of it keeps state that must survive, in the order in which rows come there: first those of a join's sides.
    pub fn states(&self) -> Vec<State<'_>> {
        let mut states = match &self.input {
            StageInput::Scan(_) | StageInput::Exchange(_) => Vec::new(),
            StageInput::Join(join) => {
                let mut states = [join.left.states(), join.right.states()].concat();
                states.push(State::Join(join));
                states
            }
            StageInput::Union(sides) => sides.iter().flat_map(Stage::states).collect(),
        };
        states.extend(self.steps.iter().filter_map(|step| match step {
            Step::Aggregate(aggregate) => Some(State::Aggregate(aggregate)),
            Step::ForeignKey(keys) => Some(State::ForeignKey(keys)),
            Step::ForeignKeyResult(result) => Some(State::ForeignKeyResult(result)),
            Step::ManyToManyResult(result) => Some(State::ManyToManyResult(result)),
            Step::Filter { .. } | Step::Project(_) | Step::FlatMap { .. } | Step::PseudoColumns(_) => None,
        }));
        states
    }
}

/// What becomes of the rows of an input within a stage.
struct Way {
    /// Some step before the first join looks at the rows that they replace.
    wants: bool,
    /// They come to a join.
    joined: bool,
}

impl Stage {
    /// `inputs`: counts those that stand before this stage or side. None: the input isn't here.
    fn way_of(&self, input: usize, inputs: &mut usize) -> Option<Way> {
        let way = match &self.input {
            StageInput::Scan(_) | StageInput::Exchange(_) => {
                *inputs += 1;
                (*inputs - 1 == input).then_some(Way { wants: false, joined: false })?
            }
            StageInput::Join(join) => {
                let way = join.left.way_of(input, inputs).or_else(|| join.right.way_of(input, inputs))?;
                Way { joined: true, ..way }
            }
            StageInput::Union(sides) => sides.iter().find_map(|side| side.way_of(input, inputs))?,
        };
        let looks = |step: &Step| match step {
            Step::Filter { table, .. } => *table,
            Step::Aggregate(aggregate) => aggregate.table_input,
            Step::ForeignKey(_) => true,
            Step::Project(_)
            | Step::FlatMap { .. }
            | Step::ForeignKeyResult(_)
            | Step::ManyToManyResult(_)
            | Step::PseudoColumns(_) => false,
        };
        Some(Way { wants: way.wants || (!way.joined && self.steps.iter().any(looks)), ..way })
    }
}

/// A part of a stage that keeps state.
#[derive(Debug, Clone, Copy)]
pub enum State<'a> {
    Aggregate(&'a Aggregate),
    Join(&'a Join),
    ForeignKey(&'a ForeignKey),
    ForeignKeyResult(&'a ForeignKeyResult),
    ManyToManyResult(&'a ManyToManyResult),
}
