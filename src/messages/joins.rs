//! JOIN: which sources, how, within what, on what.

use super::{kind_word, not_supported, statement};
use crate::catalog::{SourceKind, SourceWindow};
use crate::error::Error;
use crate::sql::ast::JoinKind;
use crate::types::SqlType;

const LEAD: &str = "an equality must lead: ON left.column = right.column AND ...";

const TWO_TABLES: &str = "filter the tables first, in queries in FROM";

const NO_WINDOWS: &str = "join unwindowed tables";

/// A join as the messages show it.
pub struct Shown<'a> {
    /// The source on the left, and what it is.
    pub left: (&'a str, SourceKind),
    pub kind: JoinKind,
    /// The source on the right, and what it is.
    pub right: (&'a str, SourceKind),
}

impl Shown<'_> {
    /// `S (stream) LEFT [OUTER] JOIN T (table)`.
    fn text(&self) -> String {
        let kind = match self.kind {
            JoinKind::Inner => "[INNER] JOIN",
            JoinKind::Left => "LEFT [OUTER] JOIN",
            JoinKind::Right => "RIGHT [OUTER] JOIN",
            JoinKind::Full => "FULL [OUTER] JOIN",
        };
        let ((left, left_kind), (right, right_kind)) = (self.left, self.right);
        format!("{left} ({}) {kind} {right} ({})", kind_word(left_kind), kind_word(right_kind))
    }

    /// The same with the sides changed.
    fn turned(&self) -> String {
        format!("{} JOIN {}", self.right.0, self.left.0)
    }
}

/// None of the conditions of ON leads.
pub fn no_equality(on: &str) -> Error {
    invalid("none of the conditions is an equality of an expression of each side", on).hint(LEAD)
}

/// The only condition is none.
pub fn not_an_equality(on: &str) -> Error {
    invalid("only an equality of two expressions joins", on).hint(LEAD)
}

pub fn either_of_conditions(on: &str) -> Error {
    invalid("conditions that OR joins can't lead", on)
        .hint("rows meet by an equality: ON left.column = right.column AND (... OR ...); to join by either of two equalities write two queries, the second with INSERT INTO")
}

/// One side of the equality `on`, with its type.
pub struct TypedSide<'a> {
    pub text: &'a str,
    pub ty: &'a SqlType,
}

/// `cast`: the side that a CAST makes like the other one's type; `keyed`: the other one is a table's key.
pub fn types(first: &TypedSide, second: &TypedSide, cast: (&str, &SqlType), keyed: bool) -> Error {
    let side = |side: &TypedSide| format!("{}{{{}}}", side.text, side.ty);
    let cast = format!("CAST({} AS {})", cast.0, cast.1);
    invalid("types don't match", &format!("{} = {}", side(first), side(second))).hint(match keyed {
        true => format!("{cast}; a table's key can't be cast"),
        false => cast,
    })
}

/// A side of the equality reads several sources, or none.
pub fn side_of_several_sources(side: &str, on: &str) -> Error {
    statement(format!(
        "Invalid comparison expression '{side}' in join '{on}'. Each side of the join comparison must contain references from exactly one source."
    ))
    .hint("one side of ON must be of the source that is joined, the other of one before it")
}

/// `joined`: the source that is joined; `left` and `right`: those that the equality's sides read.
pub fn sides_of_other_sources(joined: &str, left: &str, right: &str) -> Error {
    statement(format!(
        "A join criteria is expected to reference the source (`{joined}`) in the FROM clause, instead the right source references `{right}` and the left source references `{left}`"
    ))
    .hint("one side of ON must be of the source that is joined, the other of one before it")
}

/// `later`: a source that stands behind this join.
pub fn joined_later(later: &str, on: &str) -> Error {
    invalid(&format!("`{later}` is joined later"), on).hint(format!("it is for the ON of {later}, or for WHERE"))
}

pub fn table_with_stream(join: &Shown) -> Error {
    statement(format!(
        "Invalid join order: table-stream joins are not supported; only stream-table joins. Got {}.",
        join.text()
    ))
    .hint(format!("begin FROM with the stream: {}", join.turned()))
}

/// Tables joined by the left one's key alone.
pub fn not_by_right_key(join: &Shown, on: &str) -> Error {
    invalid("table-table joins require to join on the primary key of the right input table", on)
        .hint(format!("the table whose key it is comes behind: {}", join.turned()))
}

pub fn not_by_table_key(on: &str) -> Error {
    invalid("stream-table joins require to join on the table's primary key", on).hint(
        "a table can't be given another key; its key column must be a single one and stand alone on one side of ON",
    )
}

pub fn no_within() -> Error {
    statement("Stream-Stream joins must have a WITHIN clause specified. None was provided.")
        .hint("say how near in time two rows must be: JOIN ... WITHIN 1 HOUR ON ...")
}

/// `left`: what is joined with a table.
pub fn within_of_table(left: SourceKind) -> Error {
    let kinds = match left {
        SourceKind::Stream => "Stream-Table",
        SourceKind::Table => "Table-Table",
    };
    statement(format!(
        "A window definition was provided for a {kinds} join. These joins are not windowed. Please drop the window definition (ie. the WITHIN clause) and try to execute your join again."
    ))
}

/// A RIGHT or FULL JOIN of a stream and a table.
pub fn outer_of_stream_and_table(join: &Shown) -> Error {
    let outer = if join.kind == JoinKind::Full { "full-outer" } else { "right-outer" };
    statement(format!("Invalid join type: {outer} join not supported for stream-table join. Got {}.", join.text()))
        .hint("only rows of the stream make rows: [INNER] JOIN or LEFT JOIN")
}

/// A RIGHT or FULL JOIN by a foreign key.
pub fn outer_by_foreign_key(join: &Shown) -> Error {
    let outer = if join.kind == JoinKind::Full { "FULL OUTER JOIN" } else { "RIGHT OUTER JOIN" };
    statement(format!("Invalid join type: {outer} on a foreign key is not supported. Got {}.", join.text()))
        .hint("only rows of the left table make rows: [INNER] JOIN or LEFT JOIN")
}

pub fn foreign_key_of_windowed(on: &str) -> Error {
    invalid("foreign-key joins of windowed tables are not supported", on).hint(NO_WINDOWS)
}

pub fn many_to_many_of_windowed(on: &str) -> Error {
    invalid("many-to-many joins of windowed tables are not supported", on).hint(NO_WINDOWS)
}

pub fn full_with_conditions(on: &str) -> Error {
    invalid("a FULL OUTER JOIN of tables takes the equality of their keys only", on)
        .hint("two rows that don't match would have one key, and replace each other: join LEFT or RIGHT, or filter the tables first")
}

/// The same of one that nobody has the text of any more.
pub fn full_with_more_than_keys() -> Error {
    not_supported(
        "a FULL OUTER JOIN of tables with more than the equality of their keys in ON",
        "its two rows of one key would replace each other: filter the tables first, or join them LEFT or RIGHT",
    )
}

pub fn outer_many_to_many_with_conditions(on: &str) -> Error {
    invalid("an outer join of tables by what is neither one's primary key takes one equality only", on).hint(TWO_TABLES)
}

/// A side's source, and its windows.
pub type Windowed<'a> = (&'a str, Option<SourceWindow>);

pub fn windows_of_other_kinds(left: Windowed, right: Windowed) -> Error {
    let what = match (left.1, right.1) {
        (Some(_), Some(_)) => "Can not join sources with windows of different kinds.",
        _ => "Can not join windowed source to non-windowed source.",
    };
    let describe = |(name, window): Windowed| {
        let kind = match window {
            None => "not windowed",
            Some(SourceWindow::Session) => "SESSION windowed",
            Some(SourceWindow::Time { hopping: false, .. }) => "TUMBLING windowed",
            Some(SourceWindow::Time { hopping: true, .. }) => "HOPPING windowed",
        };
        format!("`{name}` is {kind}")
    };
    statement(format!("{what}\n{}\n{}", describe(left), describe(right)))
        .hint("rows of windows meet those of the same windows: give both the same WINDOW, or neither")
}

pub fn windows_of_other_sizes(left_ms: i64, right_ms: i64) -> Error {
    no_repartitioning().hint(format!("the windows must have one size; they have {left_ms} and {right_ms} ms"))
}

/// Windowed rows would have to get another key.
pub fn rekeys_windowed() -> Error {
    no_repartitioning().hint("join by the key of the windowed source, or PARTITION BY in a query before")
}

fn no_repartitioning() -> Error {
    statement("Implicit repartitioning of windowed sources is not supported.")
}

/// The partitions of what meets must be as many. `join`: else the sources are united.
pub fn partitions(left: (&str, u32), right: (&str, u32), join: bool) -> Error {
    let ((left, left_count), (right, right_count)) = (left, right);
    let (what, then) = match join {
        true => (format!("Can't join `{left}` with `{right}`"), "join"),
        false => (format!("Can't unite `{left}` and `{right}`"), "unite"),
    };
    statement(format!(
        "{what} since the number of partitions don't match. `{left}` partitions = {left_count}; `{right}` partitions = {right_count}."
    ))
    .hint(format!(
        "repartition either one: CREATE STREAM | TABLE ... WITH (PARTITIONS={left_count}) AS SELECT * FROM {right}; and {then} that"
    ))
}

/// A stream-table join that looks at versions needs the table's rows where its topic has them.
pub fn versions_of_other_key_format(table: &str) -> Error {
    not_supported(
        format!(
            "a join of a stream with {table}, whose VERSIONS_RETENTION_MS is set and whose keys have another format,"
        ),
        "give both the same KEY_FORMAT",
    )
}

/// `why`: what the condition `on` isn't.
fn invalid(why: &str, on: &str) -> Error {
    statement(format!("Invalid join condition: {why}. Got {on}."))
}
