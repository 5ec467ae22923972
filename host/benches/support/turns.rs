//! Ours and a peer in turn, so that what else the machine and its disk do meets both: the ratio is that of neighbours.

use std::time::{Duration, Instant};

pub(crate) fn heading() {
    println!("{:<32} {:>9} {:>9} {:>22}", "thousands a second", "ours", "peer", "ours / peer (quarters)");
}

/// Measures `rounds` rounds of `items` on both sides, unless the command line names something else.
pub(crate) fn measure(what: &str, items: u64, rounds: usize, mut ours: impl FnMut(), mut peer: impl FnMut()) {
    let mut names = std::env::args().skip(1).filter(|argument| !argument.starts_with("--")).peekable();
    if names.peek().is_some() && !names.any(|name| what.contains(&name)) {
        return;
    }
    // The first round fills caches.
    let _ = (time(&mut ours), time(&mut peer));
    let mut turns: Vec<(f64, f64)> = Vec::with_capacity(rounds);
    for _ in 0..rounds {
        turns.push((time(&mut ours).as_secs_f64(), time(&mut peer).as_secs_f64()));
    }
    let rate = |of: fn(&(f64, f64)) -> f64| items as f64 / quantile(turns.iter().map(of), 0.5) / 1000.0;
    let ratio = |at| quantile(turns.iter().map(|(ours, peer)| peer / ours), at);
    println!(
        "{what:<32} {:>9.1} {:>9.1} {:>8.2} ({:.2}–{:.2})",
        rate(|turn| turn.0),
        rate(|turn| turn.1),
        ratio(0.5),
        ratio(0.25),
        ratio(0.75)
    );
}

fn time(round: &mut impl FnMut()) -> Duration {
    let began = Instant::now();
    round();
    began.elapsed()
}

fn quantile(values: impl Iterator<Item = f64>, at: f64) -> f64 {
    let mut values: Vec<f64> = values.collect();
    values.sort_unstable_by(f64::total_cmp);
    values[((values.len() - 1) as f64 * at).round() as usize]
}
