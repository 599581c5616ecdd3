//! Outer joins of tables by what is neither one's key: a row alone has half of the key.

use super::*;

#[test]
fn rows_alone_through_a_restart() {
    let folder = tempfile::tempdir().unwrap();
    let mut t = Terminal::open(folder.path());
    for (name, columns, partitions) in [
        ("people", "id INT PRIMARY KEY, town STRING", 3),
        ("shops", "shop STRING PRIMARY KEY, town STRING, owner INT", 2),
        ("owners", "id INT PRIMARY KEY, name STRING", 2),
    ] {
        t.done(&format!(
            "CREATE TABLE {name} ({columns}) WITH (KAFKA_TOPIC='{name}', VALUE_FORMAT='JSON', PARTITIONS={partitions});"
        ));
    }
    let from = "FROM people p FULL JOIN shops s ON p.town = s.town";
    t.query(&format!(
        "CREATE TABLE near WITH (KEY_FORMAT='JSON') AS SELECT p.id, s.shop, p.town AS home, s.town AS place {from};"
    ));
    // What comes behind takes half keys for keys, too.
    t.query(&format!(
        "CREATE TABLE owned WITH (KEY_FORMAT='JSON') AS SELECT p.id, s.shop, o.name AS owner {from} LEFT JOIN owners o ON s.owner = o.id;"
    ));
    t.query("CREATE TABLE counts AS SELECT home, COUNT(*) AS n FROM near GROUP BY home;");
    for row in ["people VALUES (1, 'Ulm')", "people VALUES (2, NULL)", "owners VALUES (7, 'Ada')"] {
        t.done(&format!("INSERT INTO {row};"));
    }
    t.await_rows("SELECT * FROM near;", &[r#"Int(1) Null String("Ulm") Null"#, "Int(2) Null Null Null"]);
    for row in ["('tea', 'Ulm', 7)", "('ink', 'Bern', NULL)"] {
        t.done(&format!("INSERT INTO shops VALUES {row};"));
    }
    let tea = r#"Int(1) String("tea") String("Ulm") String("Ulm")"#;
    let ink = r#"Null String("ink") Null String("Bern")"#;
    t.await_rows("SELECT * FROM near;", &[tea, "Int(2) Null Null Null", ink]);
    let owned = [r#"Int(1) String("tea") String("Ada")"#, "Int(2) Null Null", r#"Null String("ink") Null"#];
    t.await_rows("SELECT * FROM owned;", &owned);
    t.await_rows("SELECT * FROM counts;", &[r#"String("Ulm") Bigint(1)"#]);
    drop(t);

    let mut t = Terminal::open(folder.path());
    t.done("INSERT INTO people VALUES (2, 'Bern');");
    t.done("DELETE FROM shops WHERE shop = 'tea';");
    let bern = r#"Int(2) String("ink") String("Bern") String("Bern")"#;
    t.await_rows("SELECT * FROM near;", &[r#"Int(1) Null String("Ulm") Null"#, bern]);
    t.await_rows("SELECT * FROM owned;", &["Int(1) Null Null", r#"Int(2) String("ink") Null"#]);
    t.await_rows("SELECT * FROM counts;", &[r#"String("Bern") Bigint(1)"#, r#"String("Ulm") Bigint(1)"#]);
}
