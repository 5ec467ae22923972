//! A desktop that speaks as much RFB as a viewer needs: one picture, and a pixel that changes; or a picture that says when it was.

use std::{
    io::{self, Read, Write},
    net::{TcpListener, TcpStream},
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU32, AtomicUsize, Ordering},
    },
    thread::{self, JoinHandle},
    time::{Duration, Instant},
};

const WIDTH: u16 = 64;
const HEIGHT: u16 = 48;

/// A desktop on a port of its own, for as many viewers as come.
#[derive(Debug)]
pub struct PaintedDesktop {
    address: String,
    viewers: Arc<AtomicUsize>,
    counter: Arc<Counter>,
    ends: Arc<AtomicBool>,
    accepting: Option<JoinHandle<()>>,
}

/// What time it is, on a picture.
#[derive(Debug)]
struct Counter {
    began: Instant,
    /// What was sent last.
    sent: AtomicU32,
    is_shown: bool,
}

impl Default for PaintedDesktop {
    fn default() -> Self {
        Self::new()
    }
}

impl PaintedDesktop {
    /// Listens.
    ///
    /// # Panics
    ///
    /// When there is no port.
    #[must_use]
    pub fn new() -> Self {
        Self::listening(false)
    }

    /// The same, of which each picture says how many milliseconds the desktop is old: as the colour of its left edge. The rest is
    /// noise, which nothing compresses.
    ///
    /// # Panics
    ///
    /// When there is no port.
    #[must_use]
    pub fn counting() -> Self {
        Self::listening(true)
    }

    fn listening(is_shown: bool) -> Self {
        let counter = Arc::new(Counter { began: Instant::now(), sent: AtomicU32::new(0), is_shown });
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap().to_string();
        let (viewers, ends) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicBool::new(false)));
        let accepting = {
            let (viewers, ends, counter) = (Arc::clone(&viewers), Arc::clone(&ends), Arc::clone(&counter));
            thread::spawn(move || {
                while let Ok((stream, _)) = listener.accept() {
                    if ends.load(Ordering::Acquire) {
                        break;
                    }
                    let (viewers, ends, counter) =
                        (Arc::clone(&viewers), Arc::clone(&ends), Arc::clone(&counter));
                    thread::spawn(move || {
                        viewers.fetch_add(1, Ordering::AcqRel);
                        // A viewer that goes is no fault.
                        let _ = serve(stream, &ends, &counter);
                        viewers.fetch_sub(1, Ordering::AcqRel);
                    });
                }
            })
        };
        Self { address, viewers, counter, ends, accepting: Some(accepting) }
    }

    /// `host:port`.
    #[must_use]
    pub fn address(&self) -> &str {
        &self.address
    }

    /// How many look on.
    #[must_use]
    pub fn viewers(&self) -> usize {
        self.viewers.load(Ordering::Acquire)
    }

    /// What the last picture that was sent says, if pictures say anything.
    #[must_use]
    pub fn counter(&self) -> u32 {
        self.counter.sent.load(Ordering::Acquire)
    }
}

impl Drop for PaintedDesktop {
    fn drop(&mut self) {
        self.ends.store(true, Ordering::Release);
        // So that it looks.
        let _ = TcpStream::connect(&self.address);
        if let Some(accepting) = self.accepting.take() {
            let _ = accepting.join();
        }
    }
}

fn take<const N: usize>(stream: &mut TcpStream) -> io::Result<[u8; N]> {
    let mut bytes = [0; N];
    stream.read_exact(&mut bytes)?;
    Ok(bytes)
}

fn skip(stream: &mut TcpStream, count: u64) -> io::Result<()> {
    io::copy(&mut stream.take(count), &mut io::sink()).map(drop)
}

/// A whole picture, in the pixels that a viewer has asked for: how far left red, green and blue are.
fn dated(counter: &Counter, shifts: [u8; 3], seed: u32) -> Vec<u8> {
    // A test takes less than the four hours that there are numbers for.
    let now = u32::try_from(counter.began.elapsed().as_millis()).unwrap_or(u32::MAX) & 0x00ff_ffff;
    let mut noise = now ^ seed.wrapping_mul(0x9e37_79b9) | 1;
    let mut update = vec![0, 0, 0, 1, 0, 0, 0, 0];
    update.extend(WIDTH.to_be_bytes());
    update.extend(HEIGHT.to_be_bytes());
    update.extend(0_u32.to_be_bytes());
    for at in 0..u32::from(WIDTH) * u32::from(HEIGHT) {
        // Xorshift.
        noise ^= noise << 13;
        noise ^= noise >> 17;
        noise ^= noise << 5;
        let colour = if at % u32::from(WIDTH) < 8 { now } else { noise };
        let [_, red, green, blue] = colour.to_be_bytes();
        let pixel = [red, green, blue].into_iter().zip(shifts).map(|(part, shift)| u32::from(part) << shift);
        update.extend(pixel.fold(0, |all, part| all | part).to_le_bytes());
    }
    counter.sent.store(now, Ordering::Release);
    update
}

fn serve(mut stream: TcpStream, ends: &AtomicBool, counter: &Counter) -> io::Result<()> {
    // Nobody waits for it longer than a test does.
    stream.set_read_timeout(Some(Duration::from_secs(120)))?;
    stream.set_nodelay(true)?;
    stream.write_all(b"RFB 003.008\n")?;
    take::<12>(&mut stream)?;
    stream.write_all(&[1, 1])?;
    take::<1>(&mut stream)?;
    stream.write_all(&[0; 4])?;
    take::<1>(&mut stream)?;
    let format = [32, 24, 0, 1, 0, 255, 0, 255, 0, 255, 16, 8, 0, 0, 0, 0];
    let name = b"desktop";
    let size = [WIDTH.to_be_bytes(), HEIGHT.to_be_bytes()].concat();
    let length = u32::try_from(name.len()).unwrap_or(0).to_be_bytes();
    stream.write_all(&[&size[..], &format, &length, name].concat())?;
    let mut updates = 0_u32;
    let mut shifts = [16, 8, 0];
    while !ends.load(Ordering::Acquire) {
        match take::<1>(&mut stream)?[0] {
            0 => {
                let wanted = take::<19>(&mut stream)?;
                shifts = [wanted[13] & 31, wanted[14] & 31, wanted[15] & 31];
            }
            2 => {
                let head = take::<3>(&mut stream)?;
                skip(&mut stream, 4 * u64::from(u16::from_be_bytes([head[1], head[2]])))?;
            }
            3 => {
                let [incremental, ..] = take::<9>(&mut stream)?;
                updates += 1;
                if counter.is_shown {
                    stream.write_all(&dated(counter, shifts, updates))?;
                    continue;
                }
                let (width, height) = if incremental == 0 { (WIDTH, HEIGHT) } else { (1, 1) };
                let mut update = vec![0, 0, 0, 1, 0, 0, 0, 0];
                update.extend(width.to_be_bytes());
                update.extend(height.to_be_bytes());
                update.extend(0_u32.to_be_bytes());
                for _ in 0..u32::from(width) * u32::from(height) {
                    update.extend((updates.wrapping_mul(0x0012_3457) & 0x00ff_ffff).to_le_bytes());
                }
                stream.write_all(&update)?;
            }
            4 => skip(&mut stream, 7)?,
            5 => skip(&mut stream, 5)?,
            6 => {
                let head = take::<7>(&mut stream)?;
                skip(&mut stream, u64::from(u32::from_be_bytes([head[3], head[4], head[5], head[6]])))?;
            }
            _ => return Ok(()),
        }
    }
    Ok(())
}
