//! A hub for one test: it answers what it was told to.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::thread;

use serde_json::json;
use sha1::{Digest, Sha1};

use super::fixture;
use crate::encoder::{hex, sha256_hex};

/// An answer.
#[derive(Clone)]
pub struct Reply {
    pub body: Vec<u8>,
    /// What the hub says about the file, quotes left out.
    pub etag: Option<String>,
    /// Where the file is instead.
    pub location: Option<String>,
    /// End the connection in the middle of the body.
    pub cut: bool,
}

impl Reply {
    fn of(body: Vec<u8>, etag: Option<String>) -> Reply {
        Reply {
            body,
            etag,
            location: None,
            cut: false,
        }
    }

    /// A redirect to the same file on another server, with its hash, as the hub does for large files.
    pub fn elsewhere(server: &Server, file: &str) -> Reply {
        let location = format!("{}/org/tiny/resolve/abc123/{file}", server.address());
        let etag = Some(sha256_hex(&fixture(file)));
        Reply {
            location: Some(location),
            ..Reply::of(Vec::new(), etag)
        }
    }
}

#[derive(Default)]
struct State {
    replies: BTreeMap<String, Reply>,
    requests: Vec<String>,
}

/// A server on a port of its own, until the test ends.
pub struct Server {
    port: u16,
    state: Arc<Mutex<State>>,
}

/// An address where nobody listens.
pub fn closed() -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    format!("http://{}", listener.local_addr().unwrap())
}

impl Server {
    /// One that knows nothing.
    pub fn new() -> Server {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let state = Arc::new(Mutex::new(State::default()));
        let shared = Arc::clone(&state);
        thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let shared = Arc::clone(&shared);
                thread::spawn(move || answer(stream, &shared));
            }
        });
        Server { port, state }
    }

    /// One that lists files and has none of them.
    pub fn with_listing(files: &[&str]) -> Server {
        let mut server = Server::new();
        let siblings: Vec<_> = files
            .iter()
            .map(|file| json!({ "rfilename": file }))
            .collect();
        let listing = json!({ "sha": "abc123", "siblings": siblings }).to_string();
        server.set(
            "/api/models/org/tiny/revision/main",
            Reply::of(listing.into_bytes(), None),
        );
        server
    }

    /// One that has the files of the fixture, with hashes as the hub gives them: SHA-256 for weights, a
    /// git blob's id for the rest.
    pub fn with_model(files: &[&str]) -> Server {
        let mut listed = files.to_vec();
        listed.extend(["README.md", "pytorch_model.bin", "onnx/model.onnx"]);
        let mut server = Server::with_listing(&listed);
        for file in files {
            let body = fixture(file);
            let etag = if file.ends_with(".safetensors") {
                sha256_hex(&body)
            } else {
                let mut hash = Sha1::new_with_prefix(format!("blob {}\0", body.len()));
                hash.update(&body);
                hex(&hash.finalize())
            };
            server.set(
                &format!("/org/tiny/resolve/abc123/{file}"),
                Reply::of(body, Some(etag)),
            );
        }
        server
    }

    pub fn address(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    pub fn set(&mut self, path: &str, reply: Reply) {
        self.state
            .lock()
            .unwrap()
            .replies
            .insert(path.to_owned(), reply);
    }

    pub fn change(&mut self, path: &str, change: impl FnOnce(&mut Reply)) {
        change(self.state.lock().unwrap().replies.get_mut(path).unwrap());
    }

    /// Turns a bit of a file; its hash stays.
    pub fn damage(&mut self, file: &str) {
        self.change(&format!("/org/tiny/resolve/abc123/{file}"), |reply| {
            let middle = reply.body.len() / 2;
            reply.body[middle] ^= 1;
        });
    }

    /// Heads of the requests so far.
    pub fn requests(&self) -> Vec<String> {
        self.state.lock().unwrap().requests.clone()
    }

    pub fn asked(&self) -> usize {
        self.requests().len()
    }
}

/// Answers one request and closes the connection.
fn answer(mut stream: TcpStream, state: &Mutex<State>) {
    let mut head = String::new();
    let mut lines = BufReader::new(stream.try_clone().unwrap());
    while !head.ends_with("\r\n\r\n") {
        if lines.read_line(&mut head).unwrap_or(0) == 0 {
            return;
        }
    }
    let path = head.split(' ').nth(1).unwrap_or_default().to_owned();
    let reply = {
        let mut state = state.lock().unwrap();
        state.requests.push(head);
        state.replies.get(&path).cloned()
    };
    let Some(reply) = reply else {
        let _ = stream
            .write_all(b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\nConnection: close\r\n\r\n");
        return;
    };
    let status = if reply.location.is_some() {
        "302 Found"
    } else {
        "200 OK"
    };
    let mut text = format!(
        "HTTP/1.1 {status}\r\nContent-Length: {}\r\nConnection: close\r\n",
        reply.body.len()
    );
    if let Some(etag) = &reply.etag {
        let name = if reply.location.is_some() {
            "X-Linked-Etag"
        } else {
            "ETag"
        };
        text += &format!("{name}: \"{etag}\"\r\n");
    }
    if let Some(location) = &reply.location {
        text += &format!("Location: {location}\r\n");
    }
    let sent = if reply.cut {
        reply.body.len() / 2
    } else {
        reply.body.len()
    };
    let _ = stream.write_all(format!("{text}\r\n").as_bytes());
    let _ = stream.write_all(&reply.body[..sent]);
}
