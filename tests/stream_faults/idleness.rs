//! What is activity, and what is none.

use serde_json::json;
use streamspace_tests::{Backend, DEADLINE, Desktop, Installation, Viewer, on_both_backends, read_exactly};

use crate::ends::{KEY, REQUEST, count, events, shake_hands};

on_both_backends!(a_session_is_idle_when_nobody_does_anything_and_active_again);

fn a_session_is_idle_when_nobody_does_anything_and_active_again(backend: &Backend) {
    let desktop = Desktop::new();
    let host = Installation::on(backend).start();
    let (ada, _) = host.account("ada", &[]);
    host.run_session("s-1", "ada", &desktop.address(), json!({"idle_timeout_secs": 1}));
    let mut viewer = Viewer::with_ticket(&host, &ada, "s-1");
    let stream = desktop.accept();
    shake_hands(&mut viewer, &stream);
    let wait = |topic: &str, many: usize| {
        host.wait_for(DEADLINE, &format!("{many} {topic}"), || (count(&host, topic) >= many).then_some(()));
    };
    let is_idle = || host.api().get("/api/v1/sessions/s-1").expect(200).json()["idle"] == true;
    wait("session.idle", 1);
    assert!(is_idle());
    let idle = events(&host).into_iter().find(|event| event["topic"] == "session.idle").unwrap();
    assert!(idle["data"]["idleDuration"].as_u64().is_some_and(|secs| secs >= 1), "{idle}");

    // What no user does is no activity: it stays idle, and that is said once.
    let active = count(&host, "session.active");
    viewer.send(REQUEST);
    assert_eq!(read_exactly(&stream, REQUEST.len()), REQUEST);
    // A key is, and the session is idle once more afterwards. It says so in this order.
    host.wait_for(DEADLINE, "the session to be active", || {
        viewer.send(KEY);
        assert_eq!(read_exactly(&stream, KEY.len()), KEY);
        (count(&host, "session.active") > active).then_some(())
    });
    wait("session.idle", 2);

    // Nobody is there: idle all the same, since somebody was.
    viewer.0.close(None).unwrap();
    drop(stream);
    host.wait_connections("s-1", 0);
    let mut again = Viewer::with_ticket(&host, &ada, "s-1");
    let stream = desktop.accept();
    shake_hands(&mut again, &stream);
    again.0.close(None).unwrap();
    drop(stream);
    host.wait_connections("s-1", 0);
    wait("session.idle", 3);
    assert!(is_idle());
    assert_eq!(count(&host, "session.active"), active + 2);
}
