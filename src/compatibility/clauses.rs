//! Clauses of queries, and rules.

use super::{Row, no, partly, yes};

pub(super) const QUERIES: &[Row] = &[
    yes(
        "Push queries (EMIT CHANGES), LIMIT",
        "",
        "engine::tests::language::push_query_sees_what_comes_and_stops_at_its_limit",
    ),
    yes(
        "Push queries that begin with a table's rows (`push.snapshot`)",
        "ksqlDB has none",
        "engine::tests::push_snapshot::a_snapshot_and_the_changes_behind_it_have_no_gap",
    ),
    yes(
        "Pull queries",
        "of any table that a query makes",
        "engine::tests::language::table_as_select_answers_pull_queries",
    ),
    yes(
        "Pull queries with GROUP BY, HAVING, DISTINCT, joins, subqueries",
        "ksqlDB has none; over tables and streams",
        "engine::tests::pull::joins_and_groups_of_tables",
    ),
    yes("ORDER BY of pull queries", "ksqlDB has none", "engine::tests::pull::rows_of_a_table_in_order"),
    yes("WHERE, HAVING", "", "engine::tests::replace::an_aggregate_keeps_its_state_while_its_filter_changes"),
    yes(
        "GROUP BY of streams and tables",
        "",
        "engine::tests::subqueries::a_query_over_queries_gives_what_it_gives_through_streams_and_tables",
    ),
    yes(
        "PARTITION BY",
        "",
        "engine::tests::subqueries::a_query_over_queries_gives_what_it_gives_through_streams_and_tables",
    ),
    yes("WINDOW TUMBLING, GRACE PERIOD, RETENTION", "", "dataflow::aggregate::tests::tumbling"),
    yes("WINDOW HOPPING", "", "dataflow::aggregate::tests::hopping"),
    yes("WINDOW SESSION", "", "dataflow::aggregate::tests::session"),
    yes("EMIT FINAL", "", "it::golden::daily_final"),
    yes(
        "Joins of streams WITHIN a span, INNER, LEFT, RIGHT, FULL",
        "more conditions than one equality, too",
        "engine::tests::join_conditions::streams",
    ),
    yes("Joins of a stream with a table", "", "engine::tests::join_conditions::a_stream_and_a_table_through_a_restart"),
    yes("Joins of tables by their keys", "", "engine::tests::join_conditions::tables"),
    yes("Joins of tables by a foreign key", "", "engine::tests::foreign_keys::chains_equal_a_plain_recomputation"),
    yes(
        "Joins of tables by what is neither one's key, INNER, LEFT, RIGHT, FULL",
        "ksqlDB has none",
        "dataflow::join::many_to_many::tests::gives_what_a_walk_through_all_rows_gives",
    ),
    yes("Joins of several sources", "", "analyze::join::tests::keys_of_chains"),
    yes(
        "A topic that a query reads several times: joins with itself, unions, queries in FROM, two sources over it",
        "ksqlDB refuses it",
        "dataflow::run::tests::self_joins::a_stream_united_with_itself",
    ),
    yes(
        "Subqueries in FROM",
        "ksqlDB has none; in persistent and push queries",
        "engine::tests::subqueries::a_query_over_queries_gives_what_it_gives_through_streams_and_tables",
    ),
    yes(
        "WITH name AS (query)",
        "ksqlDB has none; not RECURSIVE",
        "engine::tests::subqueries::rows_of_queries_over_queries_for_a_reader",
    ),
    partly(
        "UNION ALL",
        "ksqlDB has none; of streams",
        "engine::tests::subqueries::a_query_over_queries_gives_what_it_gives_through_streams_and_tables",
    ),
    no(
        "Subqueries in expressions (IN, EXISTS, scalars)",
        "join the inner query in FROM",
        "sql::tests::errors::what_is_not_there_says_so",
    ),
    no("OFFSET", "", "sql::tests::errors::what_is_not_there_says_so"),
    no("UNION without ALL, INTERSECT, EXCEPT", "", "sql::tests::errors::what_is_not_there_says_so"),
    no("OVER", "GROUP BY with a WINDOW clause", "sql::tests::errors::what_is_not_there_says_so"),
    no("CROSS, NATURAL JOIN, USING", "JOIN ... ON", "sql::tests::errors::what_is_not_there_says_so"),
];

pub(super) const RULES: &[Row] = &[
    yes("Case of names, quoted names", "", "sql::tests::statements::every_statement_is_read_and_written"),
    yes("Operators and what binds how", "", "sql::tests::statements::operators_bind_as_they_should"),
    yes("Comparisons with NULL, logic of two values", "", "expr::tests::oracle::columns_equal_the_plain_evaluation"),
    yes(
        "Generated names of columns and keys",
        "",
        "analyze::join::tests::columns_are_named_after_their_sources_where_several_have_them",
    ),
    yes("TIMESTAMP, TIMESTAMP_FORMAT", "", "it::golden::bad_records"),
    yes(
        "PARTITIONS, REPLICAS, RETENTION_MS",
        "",
        "engine::tests::topics::a_sink_has_what_its_source_has_unless_it_says_otherwise",
    ),
    yes("Defaults of formats and names by settings", "", "engine::tests::settings::defaults_of_formats_and_names"),
    partly(
        "Formats",
        "JSON, DELIMITED, KAFKA and NONE; none of a schema registry",
        "engine::tests::settings::defaults_of_formats_and_names",
    ),
    yes("cache.max.bytes.buffering", "", "engine::tests::settings::caching_gives_only_the_last_change_of_a_key"),
    yes("processing.guarantee", "exactly once unless said otherwise", "engine::tests::settings::processing_guarantee"),
    yes("auto.offset.reset", "", "engine::tests::settings::auto_offset_reset"),
    yes(
        "ksql.fail.on.deserialization.error",
        "the query fails, with the record's place",
        "engine::tests::settings::fail_on_deserialization_error",
    ),
    yes(
        "ksql.timestamp.throw.on.invalid",
        "the query fails, with the record's place",
        "engine::tests::settings::throw_on_an_invalid_timestamp",
    ),
    yes(
        "ksql.new.query.planner.enabled",
        "the order of a sink's key columns: the source's, or the SELECT list's",
        "engine::tests::settings::key_columns_stand_as_in_their_source_or_as_listed",
    ),
    partly(
        "ksql.nested.error.set.null, ksql.cast.strings.preserve.nulls",
        "true only",
        "engine::tests::settings::ksqldbs_own_settings",
    ),
    partly(
        "Other settings of ksqlDB and Kafka Streams in SET",
        "taken, with a note that they have no effect here; refused where results would differ",
        "engine::tests::settings::ksqldbs_own_settings",
    ),
    yes(
        "The processing log as a stream",
        "",
        "engine::tests::bad::the_processing_log_has_the_place_of_every_bad_record",
    ),
];
