//! `defrost serve` over real connections: its answers are those of `predict`, and whatever arrives, it stays answerable.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::process::{Child, Stdio};
use std::sync::LazyLock;
use std::time::Duration;

use defrost::data::{Drawing, draw};
use serde_json::{Value, json};

use crate::Program;

/// A run of small pictures, trained once for all tests; each test's server works on its own copy where it writes.
static TRAINED: LazyLock<Program> = LazyLock::new(|| {
    let program = Program::new();
    draw(&program.path().join("pictures"), &Drawing { per_class: 4, size: 64, seed: 3 }).unwrap();
    let train =
        ["train", "pictures", "--input-size", "64", "--augment", "none", "--epochs", "1,0", "--out", "run", "-q"];
    program.stdout(&train);
    program
});

struct Server {
    child: Child,
    address: SocketAddr,
}

struct Answer {
    status: u16,
    head: String,
    body: Vec<u8>,
}

impl Answer {
    fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_else(|_| panic!("{}", String::from_utf8_lossy(&self.body)))
    }

    fn text(&self) -> String {
        String::from_utf8(self.body.clone()).unwrap()
    }

    /// The remedy, which every refusal has.
    fn refusal(&self) -> (u16, String) {
        let object = self.json();
        assert!(!object["hint"].as_str().unwrap().is_empty());
        (self.status, object["error"].as_str().unwrap().to_owned())
    }
}

impl Server {
    fn start(more: &[&str]) -> Server {
        Server::start_on("run", more)
    }

    fn start_on(run: &str, more: &[&str]) -> Server {
        let mut child = std::process::Command::new(assert_cmd::cargo::cargo_bin("defrost"))
            .args([&["serve", run, "--addr", "127.0.0.1:0", "--json", "-q"], more].concat())
            .current_dir(TRAINED.path())
            .env_clear()
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut line = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
        let listening: Value = serde_json::from_str(&line).unwrap();
        assert_eq!((&listening["version"], &listening["run"]), (&json!(1), &json!(run)));
        Server { child, address: listening["address"].as_str().unwrap().parse().unwrap() }
    }

    /// Sends the head of a request and so much of its body.
    fn begin(&self, line: &str, headers: &[&str], length: usize, body: &[u8]) -> TcpStream {
        let mut stream = TcpStream::connect(self.address).unwrap();
        stream.set_read_timeout(Some(Duration::from_secs(60))).unwrap();
        let host = format!("Host: {}", self.address);
        let named = headers.iter().any(|header| header.starts_with("Host:"));
        let host = if named { Vec::new() } else { vec![host.as_str()] };
        let head = [&[&format!("{line} HTTP/1.1"), "Connection: close"][..], &host, headers].concat().join("\r\n");
        write!(stream, "{head}\r\nContent-Length: {length}\r\n\r\n").unwrap();
        stream.write_all(body).unwrap();
        stream
    }

    fn ask(&self, line: &str, headers: &[&str], body: &[u8]) -> Answer {
        answer(self.begin(line, headers, body.len(), body))
    }

    fn get(&self, path: &str) -> Answer {
        self.ask(&format!("GET {path}"), &[], b"")
    }

    fn send(&self, path: &str, picture: &[u8]) -> Answer {
        self.ask(&format!("POST {path}"), &["Content-Type: image/jpeg"], picture)
    }

    fn stop(mut self) {
        terminate(&self.child);
        assert_eq!(self.child.wait().unwrap().code(), Some(0));
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
    }
}

fn terminate(child: &Child) {
    assert!(std::process::Command::new("kill").arg(child.id().to_string()).status().unwrap().success());
}

fn answer(mut stream: TcpStream) -> Answer {
    let mut bytes = Vec::new();
    stream.read_to_end(&mut bytes).unwrap();
    let end = bytes.windows(4).position(|window| window == b"\r\n\r\n").unwrap();
    let head = String::from_utf8(bytes[..end].to_vec()).unwrap().to_ascii_lowercase();
    Answer { status: head[9..12].parse().unwrap(), head, body: bytes[end + 4..].to_vec() }
}

fn read(path: &str) -> Vec<u8> {
    defrost::fs::read(&TRAINED.path().join(path)).unwrap()
}

fn form(files: &[(&str, &[u8])]) -> Vec<u8> {
    let part = |(name, bytes): &(&str, &[u8])| {
        let head = format!("--edge\r\nContent-Disposition: form-data; name=\"f\"; filename=\"{name}\"\r\n\r\n");
        [head.as_bytes(), bytes, b"\r\n"].concat()
    };
    [files.iter().map(part).collect::<Vec<_>>().concat(), b"--edge--\r\n".to_vec()].concat()
}

const FORM: &str = "Content-Type: multipart/form-data; boundary=edge";

#[test]
fn answers_are_those_of_predict() {
    let server = Server::start(&[]);
    let paths = ["pictures/apple/apple_001.jpg", "pictures/fish/fish_002.jpg", "pictures/tree/tree_003.jpg"];
    let mut said = TRAINED.json(&[&["predict", "run"], &paths[..], &["--top-k", "4", "--json"]].concat());
    for prediction in said["predictions"].as_array_mut().unwrap() {
        let path = prediction["path"].as_str().unwrap();
        prediction["path"] = json!(path.rsplit('/').next().unwrap());
    }
    let pictures: Vec<Vec<u8>> = paths.iter().map(|path| read(path)).collect();
    let names = paths.map(|path| path.rsplit('/').next().unwrap());
    let files: Vec<(&str, &[u8])> = names.into_iter().zip(pictures.iter().map(Vec::as_slice)).collect();
    assert_eq!(server.ask("POST /predict?top_k=4", &[FORM], &form(&files)).json(), said);
    for (index, (name, picture)) in files.iter().enumerate() {
        let one = server.send(&format!("/predict?top_k=4&name={name}"), picture).json();
        assert_eq!((&one["run"], &one["predictions"][0]), (&said["run"], &said["predictions"][index]));
    }
    let unsure = server.send("/predict?top_k=1&min_probability=1", &pictures[0]).json();
    assert_eq!(unsure["predictions"][0]["class"], Value::Null);
    // A broken one among others is listed, as in the terminal.
    let mixed = server.ask("POST /predict", &[FORM], &form(&[files[0], ("x", b"no picture")])).json();
    assert!(mixed["predictions"][0]["error"].is_null() && mixed["predictions"][1]["class"].is_null());
    assert!(mixed["predictions"][1]["error"].as_str().unwrap().starts_with("not a picture"));

    let model = server.get("/model").json();
    assert_eq!(model["classes"].as_array().unwrap().len(), 6);
    assert_eq!((&model["data"], &model["figures"]["val_samples"]), (&json!("pictures"), &json!(6)));
    let metrics = server.get("/metrics").text();
    for line in [
        "defrost_requests_total{path=\"/predict\",status=\"200\"} 6",
        "defrost_request_seconds_count 6",
        "defrost_pictures_total{result=\"predicted\"} 8",
        "defrost_pictures_total{result=\"unreadable\"} 1",
        "defrost_batch_pictures_sum 9.0",
        "defrost_in_flight 0",
        "defrost_queue 0",
    ] {
        assert!(metrics.lines().any(|own| own == line), "{line}\n{metrics}");
    }
    server.stop();
}

#[test]
fn the_description_names_every_path_and_field() {
    let server = Server::start(&[]);
    let description = server.get("/openapi.json").json();
    for (path, methods) in description["paths"].as_object().unwrap() {
        let asked = server.ask(&format!("PATCH {}", path.replace("{content}", "0")), &[], b"");
        assert_eq!(asked.status, 405, "{path}");
        for method in methods.as_object().unwrap().keys() {
            assert!(asked.head.contains(&method.to_ascii_lowercase()), "{path} {method}: {}", asked.head);
        }
    }
    let schemas = &description["components"]["schemas"];
    let described = |value: &Value, schema: &str| {
        let fields = schemas[schema]["properties"].as_object().unwrap();
        let own: Vec<&String> = value.as_object().unwrap().keys().collect();
        assert_eq!(own, fields.keys().collect::<Vec<_>>(), "{schema}");
    };
    let answer = server.send("/predict", &read("pictures/fish/fish_001.jpg")).json();
    described(&answer, "Predictions");
    described(&answer["predictions"][0], "Prediction");
    described(&server.get("/model").json(), "Model");
    described(&server.get("/nowhere").json(), "Refusal");
}

#[test]
fn refusals_have_a_status_a_reason_and_a_remedy() {
    let server = Server::start(&["--max-bytes", "200k", "--max-pixels", "4000"]);
    let picture = read("pictures/fish/fish_001.jpg");
    let refused = |answer: Answer, status: u16, reason: &str| {
        let (own, error) = answer.refusal();
        assert_eq!(own, status, "{error}");
        assert!(error.contains(reason), "{error}");
    };
    refused(server.send("/predict", b"no picture"), 415, "not a picture: the file starts with \"no picture\"");
    refused(server.send("/predict", b""), 422, "the file is empty");
    refused(server.send("/predict", &picture[..picture.len() / 2]), 422, "ends before its picture does");
    refused(server.send("/predict", &picture), 413, "at most 4000 (`max_pixels`) are decoded");
    refused(server.send("/predict", &vec![0; 300_000]), 413, "more than 200000 bytes");
    refused(server.ask("POST /predict", &["Content-Type: text/plain"], b"x"), 415, "`text/plain` is no picture");
    refused(server.ask("POST /predict", &[], b"x"), 415, "no `Content-Type`");
    refused(server.ask("POST /predict", &[FORM], &form(&[])), 422, "the form has no file");
    refused(server.ask("POST /predict", &[FORM], b"--edge\r\n"), 400, "can't be read");
    refused(server.ask("POST /predict", &[FORM], &form(&[("a", b"x"), ("b", b"y")])), 415, "none of the 2 pictures");
    refused(server.send("/predict?top=3", &picture), 400, "unknown field `top`");
    refused(server.send("/predict?top_k=0", &picture), 400, "at least 1");
    refused(server.get("/predict"), 405, "`GET` is not possible here");
    refused(server.get("/nowhere"), 404, "no `/nowhere`");
    refused(server.send("/relabel?class=cat", &picture), 400, "no class `cat`");
    let many: Vec<(&str, &[u8])> = vec![("a", b"x"); 65];
    refused(server.ask("POST /predict", &[FORM], &form(&many)), 413, "at most 64 pictures");
    assert_eq!(server.get("/healthz").json(), json!({ "status": "ok" }));
    server.stop();
}

#[test]
fn only_who_may_ask_is_answered() {
    let server = Server::start(&["--token", "secret"]);
    assert_eq!((server.get("/").status, server.get("/healthz").status), (200, 200));
    assert!(server.get("/").head.contains("content-security-policy: default-src 'none'"));
    for path in ["/model", "/metrics", "/relabel"] {
        let answer = server.get(path);
        assert_eq!(answer.refusal(), (401, "a token is needed".to_owned()));
        assert!(answer.head.contains("www-authenticate: bearer"));
        let with =
            |token: &str| server.ask(&format!("GET {path}"), &[&format!("Authorization: Bearer {token}")], b"").status;
        assert_eq!((with("secret"), with("secres")), (200, 401));
    }
    assert_eq!(server.send("/predict", b"x").status, 401);
    let server = Server::start(&[]);
    assert_eq!(server.ask("GET /model", &["Host: example.org"], b"").refusal().0, 403);
    let page = ["Content-Type: image/jpeg", "Origin: http://example.org"];
    assert_eq!(server.ask("POST /relabel?class=fish", &page, b"x").refusal().0, 403);
}

#[test]
fn too_many_requests_are_asked_to_come_again_and_slow_ones_end() {
    let server = Server::start(&["--max-in-flight", "1", "--timeout", "2"]);
    let picture = read("pictures/fish/fish_001.jpg");
    let (first, rest) = picture.split_at(100);
    let image = ["Content-Type: image/jpeg"];
    let mut slow = server.begin("POST /predict", &image, picture.len(), first);
    // The other connection's thread may be quicker.
    while !server.get("/metrics").text().contains("defrost_in_flight 1") {}
    let busy = server.send("/predict", &picture);
    assert_eq!(busy.refusal(), (503, "1 requests are in flight, or 512 MiB of pictures".to_owned()));
    assert!(busy.head.contains("retry-after: 1"), "{}", busy.head);
    assert_eq!(server.get("/healthz").status, 200);
    slow.write_all(rest).unwrap();
    assert_eq!(answer(slow).status, 200);
    assert_eq!(server.send("/predict", &picture).status, 200);
    let stuck = server.begin("POST /predict", &image, picture.len(), first);
    assert_eq!(answer(stuck).refusal(), (408, "the request has not arrived within 2 s".to_owned()));
    server.stop();
}

#[test]
fn what_is_in_flight_is_finished_before_the_end() {
    let mut server = Server::start(&[]);
    let picture = read("pictures/fish/fish_001.jpg");
    let (first, rest) = picture.split_at(100);
    let mut slow = server.begin("POST /predict", &["Content-Type: image/jpeg"], picture.len(), first);
    while !server.get("/metrics").text().contains("defrost_in_flight 1") {}
    terminate(&server.child);
    while TcpStream::connect(server.address).is_ok() {}
    slow.write_all(rest).unwrap();
    assert_eq!(answer(slow).status, 200);
    assert_eq!(server.child.wait().unwrap().code(), Some(0));
}

#[test]
fn wrong_answers_are_marked_and_learned_from() {
    let copied = std::process::Command::new("cp").args(["-r", "run", "marked"]).current_dir(TRAINED.path()).status();
    assert!(copied.unwrap().success());
    let server = Server::start_on("marked", &[]);
    let known = read("pictures/apple/apple_001.jpg");
    let new = TRAINED.path().join("new");
    draw(&new, &Drawing { per_class: 1, size: 64, seed: 9 }).unwrap();
    let stranger = read("new/house/house_001.jpg");
    assert_eq!(server.send("/relabel?class=fish&name=a.jpg", b"no picture").status, 415);
    assert!(!TRAINED.path().join("marked/relabel.csv").exists());
    server.send("/relabel?class=tree&name=a.jpg", &known).json();
    server.send("/relabel?class=fish&name=a.jpg", &known).json();
    let marks = server.send("/relabel?class=tree&name=b%2C%22.jpg", &stranger).json();
    let list: Vec<(&str, &str)> = marks["marks"]
        .as_array()
        .unwrap()
        .iter()
        .map(|mark| (mark["name"].as_str().unwrap(), mark["class"].as_str().unwrap()))
        .collect();
    assert_eq!(list, [("a.jpg", "fish"), ("b,\".jpg", "tree")]);
    assert_eq!(server.get("/relabel").json(), marks);
    let path = |mark: usize| format!("marked/{}", marks["marks"][mark]["path"].as_str().unwrap());
    assert!(read(&path(0)) == known && read(&path(1)) == stranger);

    let train = ["train", "pictures", "--relabel", "marked/relabel.csv", "--input-size", "64", "--epochs", "1,0"];
    let more = ["--augment", "none", "--out", "again", "--json"];
    let outcome = TRAINED.json(&[&train[..], &more].concat());
    assert_eq!((&outcome["relabelled"], &outcome["added"]), (&json!(1), &json!(1)));
    assert_eq!(outcome["train_samples"].as_u64().unwrap() + outcome["val_samples"].as_u64().unwrap(), 25);
    let split = String::from_utf8(read("again/split.csv")).unwrap();
    assert!(split.contains("apple_001.jpg,fish,") && split.contains(&format!("{},tree,train,", path(1))), "{split}");

    let content = marks["marks"][1]["content"].as_str().unwrap();
    let left = server.ask(&format!("DELETE /relabel/{content}"), &[], b"").json();
    assert_eq!(left["marks"].as_array().unwrap().len(), 1);
    assert!(!TRAINED.path().join(path(1)).exists() && TRAINED.path().join(path(0)).exists());
}

#[test]
fn mistakes_are_told_before_anything_is_served() {
    let mistake = TRAINED.mistake(&["serve", "run", "--addr", "0.0.0.0:0"]);
    assert!(mistake.contains("a token is needed") && mistake.contains("DEFROST_TOKEN"), "{mistake}");
    assert!(TRAINED.mistake(&["serve", "pictures"]).contains("pictures is not a run"));
    let server = Server::start(&[]);
    let taken = TRAINED.mistake(&["serve", "run", "--addr", &server.address.to_string()]);
    assert!(taken.contains("can't listen at 127.0.0.1:") && taken.contains("--addr"), "{taken}");
}
