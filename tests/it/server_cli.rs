//! The commands of the binary on a server: `--server URL`.

use std::io::{Read, Write};
use std::path::Path;
use std::process::Stdio;

use crate::binary::{Ended, on, run, run_ok};
use crate::server::{ROWS, STREAM, Server, TABLE};

/// A command that works on a server; its own folder must stay as it is.
struct Client {
    folder: tempfile::TempDir,
    flags: Vec<String>,
}

impl Client {
    fn of(server: &Server, flags: &[&str]) -> Client {
        let mut all = vec!["--server".to_owned(), server.address.clone()];
        all.extend(flags.iter().map(|flag| (*flag).to_owned()));
        Client { folder: tempfile::tempdir().unwrap(), flags: all }
    }

    fn args<'a>(&'a self, args: &[&'a str]) -> Vec<&'a str> {
        self.flags.iter().map(String::as_str).chain(args.iter().copied()).collect()
    }

    fn run(&self, args: &[&str]) -> Ended {
        run(self.folder.path(), &self.args(args))
    }

    fn ok(&self, args: &[&str]) -> String {
        run_ok(self.folder.path(), &self.args(args))
    }

    /// With something to read on stdin.
    fn fed(&self, args: &[&str], input: &str) -> String {
        let mut child = on(self.folder.path(), &self.args(args)).stdin(Stdio::piped()).spawn().unwrap();
        child.stdin.take().unwrap().write_all(input.as_bytes()).unwrap();
        let mut text = String::new();
        child.stdout.take().unwrap().read_to_string(&mut text).unwrap();
        let status = child.wait().unwrap();
        assert!(status.success(), "{args:?}: {text}");
        text
    }
}

#[test]
fn every_command_works_on_a_server() {
    let server = Server::start(&[]);
    let client = Client::of(&server, &[]);
    client.ok(&["-e", STREAM, "-e", TABLE, "-e", ROWS]);
    server.await_rows("SELECT n FROM t WHERE id = 1;", &serde_json::json!([[2]]));
    assert_eq!(client.ok(&["--output", "json", "-e", "SELECT * FROM t WHERE id = 1;"]).trim(), r#"{"ID":1,"N":2}"#);
    let file = client.folder.path().join("statements.sql");
    std::fs::write(&file, "DEFINE which = '2';\nSELECT v FROM s WHERE id = ${which} EMIT CHANGES LIMIT 1;\n").unwrap();
    assert!(client.ok(&["-f", file.to_str().unwrap()]).contains("| b "));
    assert!(client.fed(&[], "SELECT id FROM s;\nDESCRIBE t;\n").contains("N"));

    client.ok(&["topic", "create", "lines", "--partitions", "2"]);
    client.fed(&["topic", "produce", "lines", "--key-separator", ":"], "a:1\nb:2\na:3\n");
    let consumed = client.ok(&["topic", "consume", "lines", "--from-beginning", "--until-end"]);
    assert_eq!(consumed.lines().count(), 3, "{consumed}");
    assert!(client.ok(&["topic", "list"]).contains("lines"));
    client.ok(&["topic", "alter", "lines", "--partitions", "3"]);
    assert!(client.ok(&["topic", "describe", "lines"]).contains("lines"));
    client.ok(&["topic", "consume", "lines", "--until-end", "--group", "g", "--from-beginning"]);
    assert!(client.ok(&["group", "list"]).contains('g'));
    client.ok(&["topic", "empty", "lines"]);
    client.ok(&["topic", "delete", "lines"]);
    client.ok(&["datagen", "people", "--count", "20"]);
    let people = client.ok(&["topic", "consume", "people", "--from-beginning", "--until-end"]);
    assert_eq!(people.lines().count(), 20);

    // A mistake is shown in its place, as in a terminal of the folder.
    let wrong = client.run(&["-e", "SELECT nope FROM s;"]);
    assert_eq!(wrong.code, Some(1), "{wrong:?}");
    assert!(wrong.stderr.contains("line 1:8") && wrong.stderr.contains("       ^"), "{wrong:?}");
    for own in [&["run", "x.sql"][..], &["server"], &["test", "x.sql"]] {
        let refused = client.run(own);
        assert_eq!(refused.code, Some(2), "{refused:?}");
    }
    assert!(!client.folder.path().join("log").exists(), "nothing is made in the folder");
}

#[test]
fn a_server_that_is_not_there_is_named() {
    let folder = tempfile::tempdir().unwrap();
    // A port that was free a moment ago.
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    drop(listener);
    let refused = run(folder.path(), &["--server", &url, "-e", "SHOW STREAMS;"]);
    assert_eq!(refused.code, Some(3), "{refused:?}");
    assert!(refused.stderr.contains(&url) && refused.stderr.contains("millpond server"), "{refused:?}");
}

fn access(folder: &Path, args: &[&str], input: &str) -> String {
    let mut child = on(folder, &[&["access"], args].concat()).stdin(Stdio::piped()).spawn().unwrap();
    child.stdin.take().unwrap().write_all(input.as_bytes()).unwrap();
    let output = child.wait_with_output().unwrap();
    assert!(output.status.success());
    String::from_utf8(output.stdout).unwrap().trim().to_owned()
}

#[test]
fn who_asks_is_said_and_the_certificate_is_checked() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name).to_str().unwrap().to_owned();
    let made = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
    std::fs::write(path("key.pem"), made.signing_key.serialize_pem()).unwrap();
    std::fs::write(path("cert.pem"), made.cert.pem()).unwrap();
    access(folder.path(), &["user", "ann", "--role", "admin", "--file", &path("access")], "secret\n");
    let token = access(folder.path(), &["token", "ci", "--role", "read", "--file", &path("access")], "");
    std::fs::write(path("token"), format!("{token}\n")).unwrap();
    std::fs::write(path("password"), "secret\n").unwrap();
    std::fs::write(path("wrong"), "public\n").unwrap();
    let flags = ["--access", &path("access"), "--tls-cert", &path("cert.pem"), "--tls-key", &path("key.pem")];
    let server = Server::start(&flags);
    let url = format!("https://localhost:{}", server.address.rsplit(':').next().unwrap());
    let ask = |flags: &[&str], sql: &str| {
        run(folder.path(), &[&["--server", &url, "--tls-ca", &path("cert.pem")], flags, &["-e", sql]].concat())
    };
    let ann = ask(&["--user", "ann", "--password-file", &path("password")], STREAM);
    assert_eq!(ann.code, Some(0), "{ann:?}");
    let reader = ask(&["--token-file", &path("token")], "SHOW STREAMS;");
    assert!(reader.stdout.contains("| S "), "{reader:?}");
    let refused = ask(&["--token-file", &path("token")], "DROP STREAM s;");
    assert_eq!(refused.code, Some(3), "{refused:?}");
    assert!(refused.stderr.contains("role admin"), "{refused:?}");
    for flags in [&[][..], &["--user", "ann", "--password-file", &path("wrong")]] {
        let refused = ask(flags, "SHOW STREAMS;");
        assert_eq!(refused.code, Some(3), "{refused:?}");
        assert!(refused.stderr.contains("--user"), "{refused:?}");
    }
    // A certificate that nobody vouches for.
    std::fs::write(path("other.pem"), rcgen::generate_simple_self_signed(["x".to_owned()]).unwrap().cert.pem())
        .unwrap();
    let args =
        ["--server", &url, "--tls-ca", &path("other.pem"), "--token-file", &path("token"), "-e", "SHOW STREAMS;"];
    let refused = run(folder.path(), &args);
    assert_eq!(refused.code, Some(3), "{refused:?}");
    assert!(refused.stderr.contains("certificate"), "{refused:?}");
}
