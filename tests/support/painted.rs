//! A desktop that speaks as much RFB as a viewer needs: one picture, and a pixel that changes.

use std::{
    io::{self, Read, Write},
    net::{TcpListener, TcpStream},
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    thread::{self, JoinHandle},
    time::Duration,
};

const WIDTH: u16 = 64;
const HEIGHT: u16 = 48;

/// A desktop on a port of its own, for as many viewers as come.
#[derive(Debug)]
pub struct PaintedDesktop {
    address: String,
    viewers: Arc<AtomicUsize>,
    ends: Arc<AtomicBool>,
    accepting: Option<JoinHandle<()>>,
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
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap().to_string();
        let (viewers, ends) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicBool::new(false)));
        let accepting = {
            let (viewers, ends) = (Arc::clone(&viewers), Arc::clone(&ends));
            thread::spawn(move || {
                while let Ok((stream, _)) = listener.accept() {
                    if ends.load(Ordering::Acquire) {
                        break;
                    }
                    let (viewers, ends) = (Arc::clone(&viewers), Arc::clone(&ends));
                    thread::spawn(move || {
                        viewers.fetch_add(1, Ordering::AcqRel);
                        // A viewer that goes is no fault.
                        let _ = serve(stream, &ends);
                        viewers.fetch_sub(1, Ordering::AcqRel);
                    });
                }
            })
        };
        Self { address, viewers, ends, accepting: Some(accepting) }
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

fn serve(mut stream: TcpStream, ends: &AtomicBool) -> io::Result<()> {
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
    while !ends.load(Ordering::Acquire) {
        match take::<1>(&mut stream)?[0] {
            0 => skip(&mut stream, 19)?,
            2 => {
                let head = take::<3>(&mut stream)?;
                skip(&mut stream, 4 * u64::from(u16::from_be_bytes([head[1], head[2]])))?;
            }
            3 => {
                let [incremental, ..] = take::<9>(&mut stream)?;
                updates += 1;
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
