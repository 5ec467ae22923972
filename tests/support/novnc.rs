//! A viewer that was not written here: noVNC, in a browser.

use std::{
    env, fs,
    io::{BufRead, BufReader, Write},
    process::{Child, ChildStdin, Command, Stdio},
    sync::mpsc::{self, Receiver},
    thread,
    time::{Duration, Instant},
};

use serde_json::{Value, json};
use tempfile::TempDir;

use crate::{DEADLINE, Host, workspace, xvnc::Picture, xvnc::skipped};

/// What the script ends with where there is no Node.js, no browser, or nothing to install from.
const MISSING: i32 = 77;
/// How long a browser may take for what it is told. Its first start is slow.
const SLOW: Duration = Duration::from_secs(60);

/// noVNC in Chromium. Ends when it is dropped.
#[derive(Debug)]
pub struct NoVnc {
    process: Child,
    orders: Option<ChildStdin>,
    answers: Receiver<String>,
    folder: TempDir,
}

impl NoVnc {
    /// Starts a browser. `None`, with a line that says so, where there is none; a failure if `CI` is `true`.
    ///
    /// # Panics
    ///
    /// When it does not start.
    #[must_use]
    pub fn start() -> Option<Self> {
        let mut command = Command::new(workspace().join("scripts/novnc"));
        if env::var_os("CARGO_TARGET_DIR").is_none() {
            command.env("CARGO_TARGET_DIR", workspace().join("target"));
        }
        let mut process = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
        let output = BufReader::new(process.stdout.take().unwrap());
        let (sender, answers) = mpsc::channel();
        thread::spawn(move || {
            for line in output.lines().map_while(Result::ok) {
                if sender.send(line).is_err() {
                    return;
                }
            }
        });
        let orders = process.stdin.take();
        // The first time, it installs what it needs.
        if answers.recv_timeout(SLOW * 3).is_err() {
            process.kill().ok();
            let ended = process.wait().unwrap();
            assert_eq!(ended.code(), Some(MISSING), "scripts/novnc started no browser");
            skipped("a browser with noVNC: sudo apt-get install chromium nodejs npm, and access to npm");
            return None;
        }
        Some(Self { process, orders, answers, folder: TempDir::new().unwrap() })
    }

    /// Looks at a WebSocket of a host. Answers how large the screen is.
    ///
    /// # Panics
    ///
    /// When it does not come to be connected.
    pub fn open(&mut self, host: &Host, path: &str) -> (usize, usize) {
        let url = format!("ws://{}{path}", host.address());
        let answer = self.order(&json!({"open": url, "origin": format!("http://{}", host.address())}));
        size(&answer)
    }

    /// Goes to a page of a host.
    ///
    /// # Panics
    ///
    /// When it is not there.
    pub fn go(&mut self, host: &Host, path: &str) {
        let _ = self.order(&json!({"page": format!("http://{}{path}", host.address())}));
    }

    /// Presses a button of the page, by its text, once it is there: in a row of a table that has this text, if that is not empty.
    ///
    /// # Panics
    ///
    /// When it does not come.
    pub fn button(&mut self, label: &str, row: &str) {
        let _ = self.order(&json!({"button": label, "row": row}));
    }

    /// Types into a field of the page.
    ///
    /// # Panics
    ///
    /// When there is none.
    pub fn type_into(&mut self, selector: &str, text: &str) {
        let _ = self.order(&json!({"type": [selector, text]}));
    }

    /// Chooses an option, by its value.
    ///
    /// # Panics
    ///
    /// When there is none.
    pub fn choose(&mut self, selector: &str, value: &str) {
        let _ = self.order(&json!({"choose": [selector, value]}));
    }

    /// Ticks a box of the page, or takes the tick away.
    ///
    /// # Panics
    ///
    /// When there is none.
    pub fn tick(&mut self, selector: &str) {
        let _ = self.order(&json!({ "tick": selector }));
    }

    /// Moves a slider of the page to a part of its way.
    ///
    /// # Panics
    ///
    /// When there is none.
    pub fn slide(&mut self, selector: &str, part: f64) {
        let _ = self.order(&json!({"slide": [selector, part]}));
    }

    /// What is to be read in the first element of the page that the selector names; nothing if there is none.
    pub fn text(&mut self, selector: &str) -> String {
        self.order(&json!({ "text": selector }))["text"].as_str().unwrap_or_default().to_owned()
    }

    /// Waits until this can be read there, and gives what can be.
    ///
    /// # Panics
    ///
    /// When it does not come.
    pub fn wait_text(&mut self, selector: &str, such: impl Fn(&str) -> bool) -> String {
        let until = Instant::now() + DEADLINE;
        loop {
            let text = self.text(selector);
            if such(&text) {
                return text;
            }
            assert!(Instant::now() < until, "waited in vain for a text: {selector} says {text:?}");
            thread::sleep(Duration::from_millis(100));
        }
    }

    /// What it shows.
    ///
    /// # Panics
    ///
    /// When nothing is open.
    pub fn picture(&mut self) -> Picture {
        let file = self.folder.path().join("picture.rgba");
        let answer = self.order(&json!({ "picture": file }));
        let (width, height) = size(&answer);
        Picture::of_rgba(width, height, &fs::read(file).unwrap())
    }

    /// Looks until it shows this, and gives what it shows in the end.
    pub fn until(&mut self, deadline: Duration, wanted: impl Fn(&Picture) -> bool) -> Picture {
        let until = Instant::now() + deadline;
        loop {
            let shown = self.picture();
            if wanted(&shown) || Instant::now() > until {
                return shown;
            }
            thread::sleep(Duration::from_millis(100));
        }
    }

    /// Clicks on the screen.
    pub fn click(&mut self, x: usize, y: usize) {
        let _ = self.order(&json!({ "click": [x, y] }));
    }

    /// Presses and releases a key, by the name that browsers have for it.
    pub fn press(&mut self, key: &str) {
        let _ = self.order(&json!({ "press": key }));
    }

    /// Whether it is connected.
    pub fn is_connected(&mut self) -> bool {
        self.order(&json!({"state": true}))["connected"] == true
    }

    /// Ends the connection.
    pub fn close(&mut self) {
        let _ = self.order(&json!({"close": true}));
    }

    fn order(&mut self, order: &Value) -> Value {
        let orders = self.orders.as_mut().expect("it runs");
        writeln!(orders, "{order}").unwrap();
        let answer = self.answers.recv_timeout(SLOW).expect("an answer of the browser");
        let answer: Value = serde_json::from_str(&answer).unwrap();
        assert!(answer.get("error").is_none(), "{order}: {answer}");
        answer
    }
}

impl Drop for NoVnc {
    fn drop(&mut self) {
        // Without orders it ends, and its browser with it.
        self.orders = None;
        let until = Instant::now() + Duration::from_secs(10);
        while matches!(self.process.try_wait(), Ok(None)) && Instant::now() < until {
            thread::sleep(Duration::from_millis(20));
        }
        self.process.kill().ok();
        self.process.wait().ok();
    }
}

fn size(answer: &Value) -> (usize, usize) {
    let number = |name: &str| usize::try_from(answer[name].as_u64().unwrap()).unwrap();
    (number("width"), number("height"))
}
