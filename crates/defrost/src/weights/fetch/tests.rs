//! Against a server on this machine whose answers are written out byte by byte.

use super::*;
use crate::progress::Observer;
use std::io::{BufRead, BufReader};
use std::net::{TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

const CONTENT: &[u8] = b"0123456789abcdefghij";

/// How the server answers one request.
#[derive(Clone, Copy)]
enum Answer {
    Whole,
    /// Promises the whole, sends so many bytes and hangs up.
    CutAfter(usize),
    /// What was asked for by `Range`.
    Rest,
    Altered,
    Redirect,
    NotFound,
    OutOfRange,
    /// The whole without saying how long it is.
    Unsized,
}

struct Server {
    url: String,
    /// The `Range` of each request.
    requests: Arc<Mutex<Vec<Option<String>>>>,
}

impl Server {
    /// Answers one request after the other, then closes.
    fn start(answers: Vec<Answer>) -> Server {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}/weights.h5", listener.local_addr().unwrap());
        let requests = Arc::new(Mutex::new(Vec::new()));
        let (seen, location) = (requests.clone(), url.clone());
        std::thread::spawn(move || {
            for answer in answers {
                let (stream, _) = listener.accept().unwrap();
                let range = read_request(&stream);
                seen.lock().unwrap().push(range.clone());
                respond(&stream, answer, range.as_deref(), &location);
            }
        });
        Server { url, requests }
    }

    fn source<'a>(&'a self, hash: Hash<'a>) -> Source<'a> {
        Source { url: &self.url, file_name: "weights.h5", hash, licence: "Apache-2.0" }
    }

    fn ranges(&self) -> Vec<Option<String>> {
        self.requests.lock().unwrap().clone()
    }
}

fn read_request(stream: &TcpStream) -> Option<String> {
    let mut range = None;
    for line in BufReader::new(stream).lines() {
        let line = line.unwrap();
        if line.is_empty() {
            break;
        }
        if let Some((name, value)) = line.split_once(": ")
            && name.eq_ignore_ascii_case("range")
        {
            range = Some(value.to_owned());
        }
    }
    range
}

fn respond(mut stream: &TcpStream, answer: Answer, range: Option<&str>, location: &str) {
    let len = CONTENT.len();
    let first = range.and_then(|r| r.strip_prefix("bytes=")?.strip_suffix('-')?.parse().ok()).unwrap_or(0);
    let altered: Vec<u8> = CONTENT.iter().map(|byte| byte ^ 1).collect();
    let (status, headers, body): (&str, String, &[u8]) = match answer {
        Answer::Whole => ("200 OK", format!("Content-Length: {len}\r\n"), CONTENT),
        Answer::CutAfter(bytes) => ("200 OK", format!("Content-Length: {len}\r\n"), &CONTENT[..bytes]),
        Answer::Altered => ("200 OK", format!("Content-Length: {len}\r\n"), &altered),
        Answer::Unsized => ("200 OK", String::new(), CONTENT),
        Answer::Rest => (
            "206 Partial Content",
            format!("Content-Length: {}\r\nContent-Range: bytes {first}-{}/{len}\r\n", len - first, len - 1),
            &CONTENT[first..],
        ),
        Answer::Redirect => ("302 Found", format!("Location: {location}\r\nContent-Length: 0\r\n"), b""),
        Answer::NotFound => ("404 Not Found", "Content-Length: 4\r\n".into(), b"gone"),
        Answer::OutOfRange => {
            ("416 Range Not Satisfiable", format!("Content-Range: bytes */{len}\r\nContent-Length: 0\r\n"), b"")
        }
    };
    write!(stream, "HTTP/1.1 {status}\r\n{headers}Connection: close\r\n\r\n").unwrap();
    stream.write_all(body).unwrap();
}

fn md5() -> String {
    md5::Md5::digest(CONTENT).iter().map(|byte| format!("{byte:02x}")).collect()
}

#[test]
fn a_file_is_downloaded_once_and_then_taken_from_the_cache() {
    let (server, cache, md5) = (Server::start(vec![Answer::Whole]), tempfile::tempdir().unwrap(), md5());
    let source = server.source(Hash::Md5(&md5));
    let first = fetch(&source, cache.path(), Progress::none()).unwrap();
    assert_eq!(first, Fetched { path: source.path(cache.path()), downloaded: true, verified: true });
    assert_eq!(fs::read(&first.path).unwrap(), CONTENT);
    let second = fetch(&source, cache.path(), Progress::none()).unwrap();
    assert_eq!(second, Fetched { downloaded: false, ..first });
    assert_eq!(server.ranges().len(), 1);
    assert!(!cache.path().join("weights.h5.part").exists());
}

#[test]
fn redirects_are_followed() {
    let server = Server::start(vec![Answer::Redirect, Answer::Redirect, Answer::Whole]);
    let (cache, md5) = (tempfile::tempdir().unwrap(), md5());
    assert!(fetch(&server.source(Hash::Md5(&md5)), cache.path(), Progress::none()).unwrap().downloaded);
    assert_eq!(server.ranges().len(), 3);
}

#[test]
fn a_broken_transfer_is_taken_up_where_it_broke() {
    let server = Server::start(vec![Answer::CutAfter(7), Answer::Rest]);
    let (cache, md5) = (tempfile::tempdir().unwrap(), md5());
    let fetched = fetch(&server.source(Hash::Md5(&md5)), cache.path(), Progress::none()).unwrap();
    assert_eq!(fs::read(&fetched.path).unwrap(), CONTENT);
    assert_eq!(server.ranges(), [None, Some("bytes=7-".to_owned())]);
}

#[test]
fn a_killed_run_is_taken_up_by_the_next() {
    let (cache, md5) = (tempfile::tempdir().unwrap(), md5());
    fs::write_atomic(&cache.path().join("weights.h5.part"), &CONTENT[..12]).unwrap();
    let server = Server::start(vec![Answer::Rest]);
    let fetched = fetch(&server.source(Hash::Md5(&md5)), cache.path(), Progress::none()).unwrap();
    assert_eq!(fs::read(&fetched.path).unwrap(), CONTENT);
    assert_eq!(server.ranges(), [Some("bytes=12-".to_owned())]);
}

#[test]
fn a_server_without_ranges_sends_all_again() {
    let (cache, md5) = (tempfile::tempdir().unwrap(), md5());
    fs::write_atomic(&cache.path().join("weights.h5.part"), b"another start").unwrap();
    let server = Server::start(vec![Answer::Whole]);
    let fetched = fetch(&server.source(Hash::Md5(&md5)), cache.path(), Progress::none()).unwrap();
    assert_eq!(fs::read(&fetched.path).unwrap(), CONTENT);
}

#[test]
fn a_part_that_is_already_whole_is_only_verified() {
    let (cache, md5) = (tempfile::tempdir().unwrap(), md5());
    fs::write_atomic(&cache.path().join("weights.h5.part"), CONTENT).unwrap();
    let server = Server::start(vec![Answer::OutOfRange]);
    assert!(fetch(&server.source(Hash::Md5(&md5)), cache.path(), Progress::none()).unwrap().downloaded);
}

#[test]
fn a_part_that_is_too_long_is_thrown_away() {
    let (cache, md5) = (tempfile::tempdir().unwrap(), md5());
    fs::write_atomic(&cache.path().join("weights.h5.part"), &[b'x'; 100]).unwrap();
    let server = Server::start(vec![Answer::OutOfRange, Answer::Whole]);
    let fetched = fetch(&server.source(Hash::Md5(&md5)), cache.path(), Progress::none()).unwrap();
    assert_eq!(fs::read(&fetched.path).unwrap(), CONTENT);
}

#[test]
fn a_transfer_that_keeps_breaking_is_an_error_and_keeps_what_came() {
    let server = Server::start(vec![Answer::CutAfter(7), Answer::NotFound]);
    let (cache, md5) = (tempfile::tempdir().unwrap(), md5());
    let error = fetch(&server.source(Hash::Md5(&md5)), cache.path(), Progress::none()).unwrap_err();
    assert!(matches!(*error.failure, Failure::Status(404)), "{error}");
    assert_eq!(fs::read(&cache.path().join("weights.h5.part")).unwrap(), &CONTENT[..7]);

    let server = Server::start(vec![Answer::CutAfter(0)]);
    let cache = tempfile::tempdir().unwrap();
    let error = fetch(&server.source(Hash::Md5(&md5)), cache.path(), Progress::none()).unwrap_err();
    assert!(matches!(*error.failure, Failure::Interrupted { got: 0, expected: Some(20) }), "{error}");
    assert!(error.to_string().contains("broke off after 0 bytes of 20"), "{error}");
    // Nothing came, so nothing is left.
    assert_eq!(std::fs::read_dir(cache.path()).unwrap().count(), 0);
}

#[test]
fn an_altered_file_is_never_kept() {
    let server = Server::start(vec![Answer::Altered, Answer::Whole]);
    let (cache, md5) = (tempfile::tempdir().unwrap(), md5());
    let source = server.source(Hash::Md5(&md5));
    let error = fetch(&source, cache.path(), Progress::none()).unwrap_err();
    assert!(matches!(&*error.failure, Failure::WrongHash { expected, .. } if *expected == md5), "{error}");
    assert_eq!(std::fs::read_dir(cache.path()).unwrap().count(), 0);
    // And nothing of it is taken up by the next try.
    assert!(fetch(&source, cache.path(), Progress::none()).unwrap().downloaded);
    assert_eq!(server.ranges(), [None, None]);
}

#[test]
fn a_damaged_copy_in_the_cache_is_found() {
    let (cache, md5) = (tempfile::tempdir().unwrap(), md5());
    fs::write_atomic(&cache.path().join("weights.h5"), b"something else").unwrap();
    let source =
        Source { url: "http://127.0.0.1:9/", file_name: "weights.h5", hash: Hash::Md5(&md5), licence: "Apache-2.0" };
    let error = fetch(&source, cache.path(), Progress::none()).unwrap_err();
    assert!(matches!(*error.failure, Failure::DamagedCopy { kind: "MD5", .. }), "{error}");
}

#[test]
fn without_a_published_hash_the_first_download_counts() {
    let cache = tempfile::tempdir().unwrap();
    // What is half there can't be trusted, so nothing is taken up.
    fs::write_atomic(&cache.path().join("weights.h5.part"), b"xyz").unwrap();
    let server = Server::start(vec![Answer::CutAfter(4), Answer::Unsized]);
    let source = server.source(Hash::Unverified);
    let fetched = fetch(&source, cache.path(), Progress::none()).unwrap();
    assert!(fetched.downloaded && !fetched.verified);
    assert_eq!(fs::read(&fetched.path).unwrap(), CONTENT);
    assert_eq!(server.ranges(), [None, None]);
    assert!(!fetch(&source, cache.path(), Progress::none()).unwrap().downloaded);
    fs::write_atomic(&fetched.path, b"altered afterwards").unwrap();
    let error = fetch(&source, cache.path(), Progress::none()).unwrap_err();
    assert!(matches!(*error.failure, Failure::DamagedCopy { kind: "SHA-256", .. }), "{error}");
}

#[test]
fn an_error_names_the_three_ways() {
    let server = Server::start(vec![Answer::NotFound]);
    let cache = tempfile::tempdir().unwrap();
    let error = fetch(&server.source(Hash::Unverified), cache.path(), Progress::none()).unwrap_err();
    let expected = format!(
        "can't get weights.h5 from {}: the server answers 404; download again, give the file with `--weights FILE`, or put \
         it into {}",
        server.url,
        cache.path().display()
    );
    assert_eq!(error.to_string(), expected);
}

#[test]
fn a_second_process_is_told_to_wait() {
    let cache = tempfile::tempdir().unwrap();
    let _held = Part::lock(&cache.path().join("weights.h5")).unwrap();
    let source =
        Source { url: "http://127.0.0.1:9/", file_name: "weights.h5", hash: Hash::Unverified, licence: "Apache-2.0" };
    let error = fetch(&source, cache.path(), Progress::none()).unwrap_err();
    assert!(matches!(*error.failure, Failure::Busy), "{error}");
}

#[test]
fn progress_counts_bytes_and_cancelling_keeps_the_part() {
    #[derive(Default)]
    struct Bytes {
        total: AtomicU64,
        done: AtomicU64,
    }
    impl Observer for Bytes {
        fn begin(&self, phase: Phase, total: u64, _: &str) {
            assert_eq!(phase, Phase::Download);
            self.total.store(total, Ordering::Relaxed);
            self.done.store(0, Ordering::Relaxed);
        }
        fn advance(&self, units: u64) {
            self.done.fetch_add(units, Ordering::Relaxed);
        }
        fn end(&self) {}
    }
    let (observer, cancel) = (Bytes::default(), AtomicBool::new(true));
    let (cache, md5) = (tempfile::tempdir().unwrap(), md5());
    let server = Server::start(vec![Answer::Whole, Answer::CutAfter(5), Answer::Rest]);
    let source = server.source(Hash::Md5(&md5));
    let error = fetch(&source, cache.path(), Progress::new(&observer, &cancel)).unwrap_err();
    assert!(matches!(*error.failure, Failure::Cancelled), "{error}");
    cancel.store(false, Ordering::Relaxed);
    fetch(&source, cache.path(), Progress::new(&observer, &cancel)).unwrap();
    assert_eq!(observer.total.load(Ordering::Relaxed), 20);
    assert_eq!(observer.done.load(Ordering::Relaxed), 20);
}
