//! A desktop in a browser, with parts that were not written here: TigerVNC's server on one side of the host, noVNC in Chromium on the
//! other.
#![forbid(unsafe_code)]
#![expect(clippy::unwrap_used, reason = "a test stops at the first surprise")]

use std::{thread, time::Duration};

use serde_json::json;
use streamspace_tests::{Backend, DEADLINE, Installation, NoVnc, Xvnc};

#[test]
fn what_is_on_the_desktop_is_in_the_browser() {
    let (Some(mut desktop), Some(mut viewer)) = (Xvnc::start(800, 600), NoVnc::start()) else { return };
    let host = Installation::on(&Backend::Sqlite).start();
    host.run_session("s-1", "admin", &desktop.address(), json!({}));
    desktop.fill("#336699");
    desktop.run(
        "xterm",
        &[
            "-geometry",
            "60x12+40+40",
            "-e",
            "for n in 1 2 3 4 5; do ls -l /; done; read line; ls -R /etc; sleep 60",
        ],
    );

    let ticket = host.api().post("/api/v1/sessions/s-1/tickets").expect(201).json();
    assert_eq!(viewer.open(&host, ticket["path"].as_str().unwrap()), (800, 600));
    // A pixel for a pixel, of a screen that stands still.
    let shown = viewer.until(DEADLINE, |shown| shown.colours() > 2 && *shown == desktop.picture());
    assert_eq!(shown.differences(&desktop.picture()), 0);
    assert!(shown.colours() > 2, "a terminal with text");

    // A key goes the other way, and what it does comes back.
    let before = desktop.picture();
    viewer.click(100, 100);
    viewer.press("Enter");
    let after =
        viewer.until(DEADLINE, |shown| shown.differences(&before) > 1000 && *shown == desktop.picture());
    assert!(after.differences(&before) > 1000, "the terminal goes on");
    assert_eq!(after.differences(&desktop.picture()), 0);
    assert!(viewer.is_connected());

    // The desktop ends, and the browser knows.
    drop(desktop);
    let gone = (0..100).any(|_| {
        thread::sleep(Duration::from_millis(100));
        !viewer.is_connected()
    });
    assert!(gone, "the browser still believes that it is connected");
}
