//! Queries over several sources: what the catalog, the topics and other statements know of them.

use std::collections::BTreeMap;

use super::*;
use crate::engine::Trial;
use crate::log::{Log, TopicPartition};

/// A stream of orders and a table of items, by other columns than the stream's key.
fn shop(t: &mut Terminal) {
    t.done("CREATE STREAM orders (id INT KEY, item STRING, n INT) WITH (KAFKA_TOPIC='orders', VALUE_FORMAT='DELIMITED', PARTITIONS=2);");
    t.done("CREATE TABLE items (name STRING PRIMARY KEY, price INT) WITH (KAFKA_TOPIC='items', VALUE_FORMAT='JSON', PARTITIONS=3);");
    t.done("INSERT INTO items VALUES ('tea', 5);");
}

const PRICED: &str = "CREATE STREAM priced AS SELECT item, o.id, n * price AS cost FROM orders o JOIN items i ON item = i.name EMIT CHANGES;";

#[test]
fn a_join_is_named_after_its_sources_and_made_like_the_leftmost() {
    on_both(|t| {
        shop(t);
        t.query(PRICED);
        let described = t.text_of_source("PRICED");
        assert_eq!(described, "`ITEM` STRING KEY, `ID` INTEGER, `COST` INTEGER");
        let source = t.engine.catalog().source("PRICED").unwrap().clone();
        assert_eq!((source.value.format.name(), source.key.format.name()), ("DELIMITED", "KAFKA"));
        // The stream goes to where the table's rows are; its own topic's partitions are those of the result.
        assert_eq!(t.engine.inner.log.partitions("PRICED"), Some(2));
        assert_eq!(t.engine.catalog().query("CSAS_PRICED_2").unwrap().sources, ["ORDERS", "ITEMS"]);
        t.await_rows("SELECT name FROM items_of_all;", &[]);
    });
}
