//! Models from a Hugging Face hub.

use std::io::{self, Read};
use std::path::Path;
use std::time::Duration;

use serde_json::Value;
use ureq::http::{HeaderMap, Response};
use ureq::{Agent, Body};

use super::error::Stop;
use super::files::{is_weights, wanted};
use super::name::ModelName;
use super::staging::{Checksum, save};
use super::{FetchError, ModelStore, Progress};
use crate::Error;
use crate::encoder::ModelError;

/// A machine without a network should know soon.
const CONNECT: Duration = Duration::from_secs(5);
/// For the beginning of an answer, and for each piece of it.
const ANSWER: Duration = Duration::from_secs(30);
/// The most bytes of a list of files.
const MOST_LISTING: u64 = 16 << 20;
/// The most times that an answer may point elsewhere.
const MOST_REDIRECTS: usize = 8;

/// Fetches `name` into the empty `folder`.
pub(super) fn fetch(
    store: &ModelStore,
    name: &ModelName,
    folder: &Path,
    progress: &mut dyn FnMut(Progress),
) -> Result<(), Stop> {
    let hub = Hub::new(store);
    let (revision, paths) = hub.list(name)?;
    let paths: Vec<&str> = paths.iter().map(String::as_str).collect();
    let files = wanted(&paths);
    if !files.iter().any(|file| is_weights(file)) {
        return Err(without_weights(name, &paths));
    }
    for file in files {
        hub.file(name, &revision, file, folder, progress)?;
    }
    Ok(())
}

/// The error for a repository that has no safetensors.
fn without_weights(name: &ModelName, paths: &[&str]) -> Stop {
    let others = [".bin", ".h5", ".onnx", ".msgpack", ".ot", ".gguf"];
    let other = paths
        .iter()
        .find(|path| others.iter().any(|ending| path.ends_with(ending)));
    match other {
        Some(other) => {
            let (at, found) = (format!("the repository {name}"), (*other).to_owned());
            Stop::Here(Error::Model(ModelError::UnsafeWeights { at, found }))
        }
        None => FetchError::Incomplete {
            file: super::files::WEIGHTS.to_owned(),
        }
        .into(),
    }
}

struct Hub<'a> {
    store: &'a ModelStore,
    agent: Agent,
}

impl<'a> Hub<'a> {
    fn new(store: &'a ModelStore) -> Hub<'a> {
        // Redirects are followed here: the hub gives a file's hash on the way to it.
        let config = Agent::config_builder()
            .http_status_as_error(false)
            .max_redirects(0)
            .max_redirects_will_error(false)
            .timeout_resolve(Some(CONNECT))
            .timeout_connect(Some(CONNECT))
            .timeout_recv_response(Some(ANSWER))
            .timeout_per_read(Some(ANSWER))
            .user_agent(concat!("kenning/", env!("CARGO_PKG_VERSION")))
            .build();
        let agent = config.into();
        Hub { store, agent }
    }

    /// The revision of the main branch, and the paths of its files.
    fn list(&self, name: &ModelName) -> Result<(String, Vec<String>), FetchError> {
        let url = format!("{}/api/models/{name}/revision/main", self.store.endpoint);
        let answer = self.get(&url)?;
        let mut bytes = Vec::new();
        let mut body = answer.response.into_body().into_reader().take(MOST_LISTING);
        body.read_to_end(&mut bytes)
            .map_err(|error| unreachable(&url, error))?;
        let wrong = || FetchError::Answer {
            url: url.clone(),
            found: format!("{} bytes of something else", bytes.len()),
            expected: "a JSON object with the revision sha and the files, siblings",
        };
        let json: Value = serde_json::from_slice(&bytes).map_err(|_| wrong())?;
        let is_revision =
            |sha: &&str| !sha.is_empty() && sha.bytes().all(|b| b.is_ascii_hexdigit());
        let revision = json["sha"].as_str().filter(is_revision).ok_or_else(wrong)?;
        let siblings = json["siblings"].as_array().ok_or_else(wrong)?;
        let paths = siblings
            .iter()
            .filter_map(|sibling| sibling["rfilename"].as_str());
        Ok((revision.to_owned(), paths.map(str::to_owned).collect()))
    }

    /// Downloads one file and checks its hash.
    fn file(
        &self,
        name: &ModelName,
        revision: &str,
        file: &str,
        folder: &Path,
        progress: &mut dyn FnMut(Progress),
    ) -> Result<(), Stop> {
        let url = format!("{}/{name}/resolve/{revision}/{file}", self.store.endpoint);
        let answer = self.get(&url)?;
        if is_weights(file) && !matches!(answer.checksum, Some(Checksum::Sha256(_))) {
            return Err(FetchError::NoHash {
                file: file.to_owned(),
            }
            .into());
        }
        let body = answer.response.into_body();
        let size = body.content_length();
        let mut copied = |done| {
            progress(Progress {
                file: format!("{file} of {name} from {}", self.store.endpoint),
                done,
                total: size,
            });
        };
        copied(0);
        let broken = |error: io::Error| unreachable(&url, error);
        let checks = (size, answer.checksum.as_ref());
        save(
            &mut body.into_reader(),
            folder,
            file,
            checks,
            &broken,
            &mut copied,
        )
    }

    /// Asks for `url` and goes where the answers point.
    fn get(&self, url: &str) -> Result<Answer, FetchError> {
        let mut at = url.to_owned();
        let mut checksum = None;
        for _ in 0..MOST_REDIRECTS {
            let mut request = self.agent.get(&at).header("Accept-Encoding", "identity");
            // The token is for the hub, not for the stores of files that it points to.
            if let Some(token) = &self.store.token
                && origin(&at) == origin(&self.store.endpoint)
            {
                request = request.header("Authorization", format!("Bearer {}", token.0));
            }
            let response = request.call().map_err(|error| unreachable(&at, error))?;
            let headers = response.headers();
            checksum = checksum.or_else(|| linked_checksum(headers));
            let status = response.status();
            if status.is_redirection() {
                at = target(&at, header(headers, "location").unwrap_or_default())?;
                continue;
            }
            if !status.is_success() {
                return Err(FetchError::Status {
                    url: at,
                    status: status.as_u16(),
                });
            }
            let checksum = checksum.or_else(|| own_checksum(headers));
            return Ok(Answer { response, checksum });
        }
        Err(FetchError::Answer {
            url: url.to_owned(),
            found: format!("{MOST_REDIRECTS} redirects"),
            expected: "a file",
        })
    }
}

/// What came, and the hash it should have.
struct Answer {
    response: Response<Body>,
    checksum: Option<Checksum>,
}

fn unreachable(url: &str, error: impl std::fmt::Display) -> FetchError {
    FetchError::Connection {
        url: url.to_owned(),
        reason: error.to_string(),
    }
}

fn header<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    headers.get(name)?.to_str().ok()
}

/// The hash that the hub gives for a file that lies elsewhere.
fn linked_checksum(headers: &HeaderMap) -> Option<Checksum> {
    header(headers, "x-linked-etag").and_then(checksum)
}

fn own_checksum(headers: &HeaderMap) -> Option<Checksum> {
    header(headers, "etag").and_then(checksum)
}

/// An etag of the hub as a hash: 64 hex digits are a SHA-256, 40 the id of a git blob.
fn checksum(etag: &str) -> Option<Checksum> {
    let digits = etag.trim_start_matches("W/").trim_matches('"');
    let is_hex = digits.bytes().all(|b| b.is_ascii_hexdigit());
    match digits.len() {
        64 if is_hex => Some(Checksum::Sha256(digits.to_owned())),
        40 if is_hex => Some(Checksum::GitBlob(digits.to_owned())),
        _ => None,
    }
}

/// Scheme, host and port of an address.
fn origin(url: &str) -> &str {
    let start = url.find("://").map_or(0, |at| at + 3);
    let end = url[start..]
        .find(['/', '?', '#'])
        .map_or(url.len(), |at| start + at);
    &url[..end]
}

/// Where a redirect from `url` leads.
fn target(url: &str, location: &str) -> Result<String, FetchError> {
    if location.starts_with("https://") || location.starts_with("http://") {
        Ok(location.to_owned())
    } else if location.starts_with('/') && !location.starts_with("//") {
        Ok(format!("{}{location}", origin(url)))
    } else {
        Err(FetchError::Answer {
            url: url.to_owned(),
            found: format!("a redirect to {location:?}"),
            expected: "a redirect to a path or an address",
        })
    }
}
