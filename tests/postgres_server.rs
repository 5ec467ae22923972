//! The databases that suites get are made, and gone, as they should be.
#![forbid(unsafe_code)]

use postgres::{Client, NoTls};
use streamspace_tests::{DEADLINE, PostgresDatabase, PostgresServer, wait_for};

fn count(client: &mut Client, query: &str) -> i64 {
    client.query_one(query, &[]).expect("an answer").get(0)
}

#[test]
fn a_database_belongs_to_a_role_that_is_no_superuser_and_may_make_roles() {
    let database = PostgresDatabase::new();
    let mut owner = database.owner();
    let row = owner
        .query_one("SELECT rolsuper, rolcreaterole FROM pg_roles WHERE rolname = current_user", &[])
        .expect("the role");
    assert_eq!((row.get::<_, bool>(0), row.get::<_, bool>(1)), (false, true));
    owner.batch_execute("CREATE SCHEMA streamspace; CREATE TABLE streamspace.t (a int)").expect("it may");
}

#[test]
fn a_database_goes_with_its_roles_although_others_are_connected() {
    let (mut root, name, role);
    {
        let database = PostgresDatabase::new();
        let mut owner = database.owner();
        name = database.url().rsplit('/').next().expect("a name").to_owned();
        role = format!("plugin_{name}");
        owner
            .batch_execute(&format!("CREATE ROLE {role} LOGIN; GRANT CONNECT ON DATABASE {name} TO {role}"))
            .expect("the owner may make roles");
        let url = std::env::var("STREAMSPACE_TEST_POSTGRES").expect("a server");
        root = Client::connect(&url, NoTls).expect("a connection");
        assert_eq!(count(&mut root, &format!("SELECT count(*) FROM pg_roles WHERE rolname = '{role}'")), 1);
        drop(database);
        assert!(owner.batch_execute("SELECT 1").is_err(), "the connection is cut");
    }
    let left = format!(
        "SELECT (SELECT count(*) FROM pg_roles WHERE rolname IN ('{role}', '{name}'))
              + (SELECT count(*) FROM pg_database WHERE datname = '{name}')"
    );
    assert_eq!(count(&mut root, &left), 0);
}

#[test]
fn a_server_of_its_own_comes_back_with_what_it_had() {
    let server = PostgresServer::start();
    let database = server.database();
    database.owner().batch_execute("CREATE TABLE kept AS SELECT 7 AS a").expect("a table");
    for stop in [PostgresServer::kill, PostgresServer::stop] {
        stop(&server);
        assert!(Client::connect(database.url(), NoTls).is_err(), "the server is away");
        server.start_again();
        let mut owner = wait_for(DEADLINE, "a connection", || Client::connect(database.url(), NoTls).ok());
        assert_eq!(count(&mut owner, "SELECT a::bigint FROM kept"), 7);
    }
}
