//! Load for `defrost serve`: pictures over many connections, as fast as they are answered or at a given rate.
//!
//! ```text
//! rustc --edition 2024 -O crates/defrost-cli/examples/load.rs -o load
//! ./load 127.0.0.1:8000 --connections 64 --seconds 10 photos/*/*.jpg
//! ```
//!
//! It needs the standard library alone, so nothing else has to be built for it.
//!
//! At a rate, a request's time counts from when it was due, so that a server that stalls can't hide those that had to wait.

#![expect(
    clippy::unwrap_used,
    clippy::print_stdout,
    reason = "a tool that measures: what it can't do, it may say by failing"
)]

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::path::PathBuf;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

/// What is asked for.
struct Args {
    server: SocketAddr,
    pictures: Vec<PathBuf>,
    connections: usize,
    seconds: f64,
    /// Requests a second; as many as are answered where it is left out.
    rate: Option<f64>,
}

impl Args {
    fn parse() -> Args {
        let mut words = std::env::args().skip(1);
        let server = words.next().unwrap().parse().unwrap();
        let mut args = Args { server, pictures: Vec::new(), connections: 64, seconds: 10.0, rate: None };
        while let Some(word) = words.next() {
            let mut value = || words.next().unwrap();
            match word.as_str() {
                "--connections" => args.connections = value().parse().unwrap(),
                "--seconds" => args.seconds = value().parse().unwrap(),
                "--rate" => args.rate = Some(value().parse().unwrap()),
                _ => args.pictures.push(word.into()),
            }
        }
        args
    }
}

/// What one connection saw.
#[derive(Default)]
struct Seen {
    /// Seconds of those that were answered with 200.
    times: Vec<f64>,
    statuses: BTreeMap<u16, usize>,
    /// 503 without `Retry-After`.
    unhelpful: usize,
    /// Connections that broke.
    broken: usize,
}

fn main() {
    let args = Args::parse();
    let bodies: Vec<Vec<u8>> = args.pictures.iter().map(|path| std::fs::read(path).unwrap()).collect();
    let (next, cpu, begun) = (AtomicUsize::new(0), cpu_seconds(), Instant::now());
    let seen: Vec<Seen> = std::thread::scope(|scope| {
        let threads: Vec<_> =
            (0..args.connections).map(|_| scope.spawn(|| connection(&args, &bodies, &next, begun))).collect();
        threads.into_iter().map(|thread| thread.join().unwrap()).collect()
    });
    let seconds = begun.elapsed().as_secs_f64();
    let mut times: Vec<f64> = seen.iter().flat_map(|seen| &seen.times).copied().collect();
    times.sort_by(f64::total_cmp);
    let mut statuses = BTreeMap::<u16, usize>::new();
    for (status, count) in seen.iter().flat_map(|seen| &seen.statuses) {
        *statuses.entry(*status).or_default() += count;
    }
    let quantile = |share: f64| {
        let place = ((share * times.len() as f64) as usize).min(times.len().saturating_sub(1));
        times.get(place).map_or(0.0, |seconds| 1000.0 * seconds)
    };
    let count = |of: fn(&Seen) -> usize| seen.iter().map(of).sum::<usize>();
    let statuses: Vec<String> = statuses.iter().map(|(status, count)| format!("\"{status}\": {count}")).collect();
    println!(
        "{{\"seconds\": {seconds}, \"statuses\": {{{}}}, \"per_second\": {}, \"milliseconds\": {{\"p50\": {}, \"p90\": {}, \
         \"p99\": {}, \"max\": {}}}, \"without_retry_after\": {}, \"broken_connections\": {}, \"cpu_seconds\": {}}}",
        statuses.join(", "),
        times.len() as f64 / seconds,
        quantile(0.5),
        quantile(0.9),
        quantile(0.99),
        quantile(1.0),
        count(|seen| seen.unhelpful),
        count(|seen| seen.broken),
        cpu_seconds() - cpu,
    );
}

/// One connection, kept as long as the server keeps it.
fn connection(args: &Args, bodies: &[Vec<u8>], next: &AtomicUsize, begun: Instant) -> Seen {
    let mut seen = Seen::default();
    let mut stream = None;
    loop {
        let number = next.fetch_add(1, Ordering::Relaxed);
        let due = args.rate.map_or_else(|| begun.elapsed().as_secs_f64(), |rate| number as f64 / rate);
        if due >= args.seconds {
            return seen;
        }
        std::thread::sleep(Duration::from_secs_f64(due).saturating_sub(begun.elapsed()));
        let connected = stream.take().or_else(|| Some(BufReader::new(TcpStream::connect(args.server).ok()?)));
        let answer = connected.and_then(|mut stream| {
            let answer = ask(&mut stream, args.server, &bodies[number % bodies.len()]).ok()?;
            Some((stream, answer))
        });
        let Some((kept, Answer { status, helpful, closing })) = answer else {
            seen.broken += 1;
            continue;
        };
        stream = (!closing).then_some(kept);
        *seen.statuses.entry(status).or_default() += 1;
        if status == 200 {
            seen.times.push(begun.elapsed().as_secs_f64() - due);
        }
        seen.unhelpful += usize::from(status == 503 && !helpful);
    }
}

struct Answer {
    status: u16,
    /// Whether it says when to come again.
    helpful: bool,
    closing: bool,
}

fn ask(stream: &mut BufReader<TcpStream>, host: SocketAddr, body: &[u8]) -> std::io::Result<Answer> {
    let head = format!(
        "POST /predict HTTP/1.1\r\nHost: {host}\r\nContent-Type: image/jpeg\r\nContent-Length: {}\r\n\r\n",
        body.len()
    );
    stream.get_mut().write_all(&[head.as_bytes(), body].concat())?;
    let (mut line, mut length) = (String::new(), 0);
    stream.read_line(&mut line)?;
    let status = line.get(9..12).and_then(|status| status.parse().ok()).ok_or(std::io::ErrorKind::UnexpectedEof)?;
    let mut answer = Answer { status, helpful: false, closing: false };
    loop {
        line.clear();
        stream.read_line(&mut line)?;
        let Some((name, value)) = line.trim().split_once(": ") else { break };
        match name.to_ascii_lowercase().as_str() {
            "content-length" => length = value.parse().unwrap(),
            "retry-after" => answer.helpful = value.parse::<u32>().is_ok(),
            "connection" => answer.closing = value == "close",
            _ => {}
        }
    }
    stream.read_exact(&mut vec![0; length])?;
    Ok(answer)
}

/// Time that this process has had a core.
fn cpu_seconds() -> f64 {
    const TICKS_PER_SECOND: f64 = 100.0;
    let stat = std::fs::read_to_string("/proc/self/stat").unwrap();
    let fields: Vec<&str> = stat.rsplit(") ").next().unwrap().split(' ').collect();
    [11, 12].map(|at: usize| fields[at].parse::<f64>().unwrap()).iter().sum::<f64>() / TICKS_PER_SECOND
}
