//! What it costs to load plugins: from the file to a root that is checked, and from there to a plugin that runs.
//!
//! Each sample is a process of its own, since a library is loaded once in a process. The plugins are copies of one
//! library, each with some bytes of its own at the end: to the host, and to the system's loader, they are different
//! files. Beside it, in the same run: what the system's loader takes alone.

#![expect(clippy::print_stdout, reason = "a benchmark answers on the standard output")]

#[path = "support/plugin.rs"]
mod plugin;

use std::{
    env,
    fs::{self, File, OpenOptions},
    io::Write,
    path::{Path, PathBuf},
    process::Command,
    time::Instant,
};

use rustix::fs::{Advice, fadvise};
use serde::{Deserialize, Serialize};
use slog::{Discard, Logger, o};
use streamspace_host::{
    config,
    loader::{Identity, Library, Loader, probed},
    store::DataDir,
};

const COUNTS: [usize; 3] = [1, 12, 100];
const SAMPLES: usize = 15;
const IDENTITY: Identity<'static> =
    Identity { name: "fixture-touch", version: streamspace_plugin::SDK_VERSION };

/// What a process measures.
#[derive(Clone, Copy, PartialEq)]
enum What {
    /// `dlopen` alone.
    Open,
    /// The host's loader: what the file says, the hash, the verdict, `dlopen`, the root.
    Load,
    /// As `Load`, and the plugin's life up to `enable`.
    Start,
}

/// What is warm before it begins.
#[derive(Clone, Copy, PartialEq)]
enum Warm {
    /// Nothing: the files are not in memory, and none was tried before.
    Nothing,
    /// The files were tried before; they are not in memory.
    Verdicts,
    /// The files were tried before and are in memory.
    All,
}

#[derive(Serialize, Deserialize)]
struct Sample {
    micros: f64,
    /// What the process has in memory more than before.
    kib: f64,
}

fn main() {
    let arguments: Vec<String> = env::args().collect();
    let texts: Vec<&str> = arguments.iter().map(String::as_str).collect();
    match *texts.as_slice() {
        // The loader tries libraries in a child of its own program, which is this one.
        [_, "probe", file] => probed(Path::new(file), &mut std::io::stdout()).expect("written"),
        [_, "sample", what, folder, count] => {
            let what = match what {
                "open" => What::Open,
                "load" => What::Load,
                _ => What::Start,
            };
            let sample = sample(what, Path::new(folder), count.parse().expect("a number"));
            println!("{}", serde_json::to_string(&sample).expect("JSON"));
        }
        _ => all(),
    }
}

fn all() {
    let folder = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).expect("a folder");
    for number in 0..COUNTS.into_iter().max().unwrap_or_default() {
        let path = file(folder.path(), number);
        fs::copy(plugin::library(), &path).expect("copied");
        let mut copy = OpenOptions::new().append(true).open(path).expect("opened");
        writeln!(copy, "{number}").expect("written");
        copy.sync_all().expect("written");
    }
    let bytes = fs::metadata(plugin::library()).expect("a library").len();
    println!("A plugin of {bytes} bytes. µs and KiB a plugin, medians of {SAMPLES} (the first row: of 3).\n");
    println!("{:44} {}", "", COUNTS.map(|count| format!("{count:>9} plugins")).join(" "));
    let row = |name: &str, what: What, warm: Warm, samples: usize| {
        let medians = COUNTS.map(|count| median(folder.path(), what, warm, count, samples));
        println!("{name:44} {}", medians.each_ref().map(|of| format!("{:>14.0} µs", of.micros)).join(" "));
        println!("{:44} {}", "", medians.each_ref().map(|of| format!("{:>13.0} KiB", of.kib)).join(" "));
    };
    row("loader, first load of all (a child each)", What::Load, Warm::Nothing, 3);
    row("loader, tried before, files not in memory", What::Load, Warm::Verdicts, SAMPLES);
    row("loader, tried before, files in memory", What::Load, Warm::All, SAMPLES);
    row("  and create, load, enable", What::Start, Warm::All, SAMPLES);
    row("floor: dlopen alone, files not in memory", What::Open, Warm::Verdicts, SAMPLES);
    row("floor: dlopen alone, files in memory", What::Open, Warm::All, SAMPLES);
}

fn file(folder: &Path, number: usize) -> PathBuf {
    folder.join(format!("libplugin{number}.so"))
}

fn median(folder: &Path, what: What, warm: Warm, count: usize, samples: usize) -> Sample {
    let mut all: Vec<Sample> = (0..samples)
        .map(|_| {
            if warm == Warm::Nothing {
                let _ = fs::remove_dir_all(folder.join("data"));
            } else {
                run(What::Load, folder, count);
            }
            if warm != Warm::All {
                for number in 0..count {
                    let file = File::open(file(folder, number)).expect("opened");
                    fadvise(&file, 0, None, Advice::DontNeed).expect("forgotten");
                }
            }
            run(what, folder, count)
        })
        .collect();
    let middle = |mut of: Vec<f64>| {
        of.sort_by(f64::total_cmp);
        of.get(of.len() / 2).copied().unwrap_or_default()
    };
    let micros = middle(all.iter().map(|sample| sample.micros).collect());
    Sample { micros, kib: middle(all.drain(..).map(|sample| sample.kib).collect()) }
}

fn run(what: What, folder: &Path, count: usize) -> Sample {
    let what = match what {
        What::Open => "open",
        What::Load => "load",
        What::Start => "start",
    };
    let output = Command::new(env::current_exe().expect("this program"))
        .args(["sample", what])
        .arg(folder)
        .arg(count.to_string())
        .output()
        .expect("a process");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    serde_json::from_slice(&output.stdout).expect("a sample")
}

fn sample(what: What, folder: &Path, count: usize) -> Sample {
    let data = DataDir::open(&folder.join("data")).expect("a data folder");
    let loader =
        Loader::open(&data, &config::Plugins::default(), &Logger::root(Discard, o!())).expect("a loader");
    let before = resident_kib();
    let began = Instant::now();
    for number in 0..count {
        let file = file(folder, number);
        match what {
            What::Open => open(&file),
            What::Load => drop(load(&loader, &file)),
            What::Start => {
                plugin::start(&load(&loader, &file));
            }
        }
    }
    let micros = began.elapsed().as_secs_f64() * 1e6;
    let count = count as f64;
    Sample { micros: micros / count, kib: (resident_kib() - before) / count }
}

fn load(loader: &Loader, file: &Path) -> Library {
    let admitted = loader.admit(file, file, IDENTITY).expect("a plugin");
    loader.load(&admitted).expect("a plugin")
}

#[expect(unsafe_code, reason = "the peer is the system's loader itself")]
fn open(file: &Path) {
    use libloading::os::unix::{Library, RTLD_LOCAL, RTLD_NOW};
    // SAFETY: the fixture's initializers are those of the standard library.
    let library = unsafe { Library::open(Some(file), RTLD_NOW | RTLD_LOCAL) }.expect("a library");
    std::mem::forget(library);
}

fn resident_kib() -> f64 {
    let status = fs::read_to_string("/proc/self/status").expect("Linux");
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).expect("VmRSS");
    line.trim().trim_end_matches(" kB").trim().parse().expect("a number")
}
