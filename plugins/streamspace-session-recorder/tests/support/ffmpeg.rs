//! FFmpeg, which knows WebM and AV1 from elsewhere.

use std::{
    path::Path,
    process::{Command, Stdio},
};

use serde_json::Value;

/// Whether it is installed; that is a failure where CI=true says that it should be.
pub(crate) fn installed() -> bool {
    let runs = |program| {
        let mut command = Command::new(program);
        command.arg("-version").stdout(Stdio::null()).stderr(Stdio::null());
        command.status().is_ok_and(|status| status.success())
    };
    if runs("ffprobe") && runs("ffmpeg") {
        return true;
    }
    let missing = "ffprobe and ffmpeg were not found. Install them: apt-get install ffmpeg";
    assert!(std::env::var("CI").as_deref() != Ok("true"), "{missing}");
    #[expect(clippy::print_stderr, reason = "a test that shows nothing says so")]
    {
        eprintln!("Skipped: {missing}");
    }
    false
}

/// What `ffprobe` says of a file: its format, its stream and all of its packets. Nothing that it complains of is left out.
pub(crate) fn probe(file: &Path) -> Value {
    let output = Command::new("ffprobe")
        .args(["-v", "warning", "-of", "json", "-show_format", "-show_streams", "-show_packets"])
        .args(["-show_chapters", "-count_frames"])
        .arg(file)
        .output()
        .expect("ffprobe runs");
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success() && said.is_empty(), "ffprobe: {said}");
    serde_json::from_slice(&output.stdout).expect("JSON")
}

/// The first picture at or after `seconds`, decoded from the key frame before it, as red, green and blue.
pub(crate) fn picture(file: &Path, seconds: f64) -> Vec<[u8; 3]> {
    let output = Command::new("ffmpeg")
        .args(["-v", "warning", "-nostdin", "-ss", &seconds.to_string(), "-i"])
        .arg(file)
        .args(["-frames:v", "1", "-vf", "scale=in_color_matrix=bt709:in_range=tv:flags=neighbor"])
        .args(["-f", "rawvideo", "-pix_fmt", "rgb24", "-"])
        .output()
        .expect("ffmpeg runs");
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success() && said.is_empty(), "ffmpeg: {said}");
    output.stdout.as_chunks().0.to_vec()
}
