//! Statements.

use super::{Row, no, partly, yes};

pub(super) const STATEMENTS: &[Row] = &[
    yes(
        "CREATE STREAM, CREATE TABLE",
        "columns inferred by a schema registry excepted",
        "engine::tests::language::stream_as_select_and_insert_values",
    ),
    yes("CREATE ... IF NOT EXISTS", "", "engine::tests::language::if_not_exists_changes_nothing"),
    yes(
        "CREATE OR REPLACE STREAM, TABLE",
        "value columns may be added",
        "engine::tests::replace::columns_that_the_source_got_meanwhile",
    ),
    yes(
        "CREATE OR REPLACE ... AS SELECT",
        "WHERE may change, columns may be added",
        "engine::tests::replace::a_stateless_query_goes_on_from_its_position",
    ),
    yes("CREATE SOURCE STREAM, SOURCE TABLE", "", "engine::tests::tables::a_source_table_follows_the_topic_of_today"),
    yes("CREATE STREAM ... AS SELECT", "", "engine::tests::language::stream_as_select_and_insert_values"),
    yes("CREATE TABLE ... AS SELECT", "", "engine::tests::language::table_as_select_answers_pull_queries"),
    yes(
        "INSERT INTO ... SELECT",
        "also into declared tables",
        "engine::tests::language::insert_select_writes_to_the_stream_of_another",
    ),
    yes("INSERT INTO ... VALUES", "one row a statement", "engine::tests::language::stream_as_select_and_insert_values"),
    yes("DELETE FROM table WHERE key = ...", "ksqlDB has none", "engine::tests::language::delete_takes_one_row"),
    yes("ALTER STREAM, TABLE ... ADD COLUMN", "", "engine::tests::language::alter_adds_columns"),
    yes(
        "DROP STREAM, TABLE [IF EXISTS] [DELETE TOPIC]",
        "",
        "engine::tests::language::drop_is_refused_while_it_is_used",
    ),
    yes("CREATE TYPE, DROP TYPE", "", "engine::tests::reopen::everything_is_back"),
    yes("TERMINATE", "", "engine::tests::language::a_terminated_query_leaves_neither_positions_nor_state"),
    yes("PAUSE, RESUME", "", "engine::tests::language::a_paused_query_waits_and_goes_on"),
    yes(
        "EXPLAIN",
        "a plan of its own, not Kafka Streams' topology; EXPLAIN ANALYZE tells what passed through its steps",
        "engine::tests::joins::a_plan_shows_its_joins_as_a_tree",
    ),
    partly("SHOW, LIST", "all but CONNECTORS and PLUGINS", "engine::tests::language::listings"),
    yes("DESCRIBE [EXTENDED]", "", "engine::tests::language::descriptions"),
    yes("DESCRIBE FUNCTION", "", "expr::functions::tests::every_function_is_described"),
    yes("PRINT", "", "engine::tests::language::print_shows_records"),
    yes("SET, UNSET", "", "engine::tests::settings::set_and_unset"),
    no("ALTER SYSTEM", "SET, or --set when starting", "sql::tests::statements::every_statement_is_read_and_written"),
    yes("DEFINE, UNDEFINE, ${name}", "", "engine::tests::language::variables"),
    yes("ASSERT TOPIC", "", "engine::tests::language::assert_topic"),
    no("ASSERT SCHEMA", "there is no schema registry", "sql::tests::statements::every_statement_is_read_and_written"),
    yes(
        "ASSERT VALUES, NULL VALUES, STREAM, TABLE",
        "in `millpond test`",
        "testing::tests::sql_tests_compare_the_next_record",
    ),
    yes("RUN SCRIPT, SPOOL", "", "sql::tests::statements::every_statement_is_read_and_written"),
    no(
        "CREATE CONNECTOR, DROP CONNECTOR",
        "`millpond topic produce`, or Kafka Connect beside the cluster",
        "sql::tests::statements::every_statement_is_read_and_written",
    ),
];
