//! A scripted HTTP server on loopback for the tests of this folder: real sockets, any misbehaviour.

use std::{
    io::{BufRead as _, BufReader, Read as _, Write as _},
    net::{TcpListener, TcpStream},
    sync::{Arc, Mutex},
    thread,
    time::Duration,
};

/// What came in.
#[derive(Debug, Clone)]
pub(crate) struct Request {
    pub method: String,
    pub path: String,
    pub head: String,
    pub body: String,
}

/// What goes out.
pub(crate) enum Reply {
    /// A JSON document.
    Json(u16, String),
    /// Any text with its type.
    Text(u16, &'static str, String),
    /// These bytes as they are, then the end of the connection.
    Raw(Vec<u8>),
    /// A good head, then chunks of zeros until the client leaves.
    Endless,
    /// Nothing, while the client waits.
    Hang,
    /// A reset without a byte.
    Reset,
}

pub(crate) struct Server {
    pub url: String,
    pub seen: Arc<Mutex<Vec<Request>>>,
}

impl Server {
    pub(crate) fn start(script: impl Fn(&Request) -> Reply + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
        let url = format!("http://{}", listener.local_addr().expect("an address"));
        let seen = Arc::new(Mutex::new(Vec::new()));
        let (script, log) = (Arc::new(script), Arc::clone(&seen));
        thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let (script, log) = (Arc::clone(&script), Arc::clone(&log));
                thread::spawn(move || serve(stream, &*script, &log));
            }
        });
        Self { url, seen }
    }

    /// Method and path of each request so far.
    pub(crate) fn asked(&self) -> Vec<String> {
        let seen = self.seen.lock().expect("the log");
        seen.iter()
            .map(|r| format!("{} {}", r.method, r.path))
            .collect()
    }
}

/// An address where nothing listens.
pub(crate) fn nobody() -> String {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    format!("http://{}", listener.local_addr().expect("an address"))
}

fn serve(mut stream: TcpStream, script: &dyn Fn(&Request) -> Reply, log: &Mutex<Vec<Request>>) {
    let mut reader = BufReader::new(stream.try_clone().expect("a second handle"));
    while let Some(request) = read(&mut reader) {
        log.lock().expect("the log").push(request.clone());
        match script(&request) {
            Reply::Json(status, body) => answer(&mut stream, status, "application/json", &body),
            Reply::Text(status, kind, body) => answer(&mut stream, status, kind, &body),
            Reply::Raw(bytes) => {
                let _ = stream.write_all(&bytes);
                return;
            }
            Reply::Endless => {
                let head = "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ntransfer-encoding: chunked\r\n\r\n";
                let _ = stream.write_all(head.as_bytes());
                let chunk = [b"10000\r\n".as_slice(), &vec![b'0'; 0x1_0000], b"\r\n"].concat();
                while stream.write_all(&chunk).is_ok() {}
                return;
            }
            Reply::Hang => {
                thread::sleep(Duration::from_mins(1));
                return;
            }
            Reply::Reset => return,
        }
    }
}

fn read(reader: &mut BufReader<TcpStream>) -> Option<Request> {
    let mut head = String::new();
    loop {
        let mut line = String::new();
        if reader.read_line(&mut line).ok()? == 0 {
            return None;
        }
        if line == "\r\n" {
            break;
        }
        head.push_str(&line);
    }
    let mut first = head.lines().next()?.split(' ');
    let (method, path) = (first.next()?.to_owned(), first.next()?.to_owned());
    let length = head
        .lines()
        .filter_map(|line| line.split_once(':'))
        .find(|(name, _)| name.eq_ignore_ascii_case("content-length"))
        .and_then(|(_, value)| value.trim().parse().ok())
        .unwrap_or(0);
    let mut body = vec![0; length];
    reader.read_exact(&mut body).ok()?;
    Some(Request {
        method,
        path,
        head,
        body: String::from_utf8_lossy(&body).into_owned(),
    })
}

fn answer(stream: &mut TcpStream, status: u16, kind: &str, body: &str) {
    let head = format!(
        "HTTP/1.1 {status} X\r\ncontent-type: {kind}\r\ncontent-length: {}\r\n\r\n",
        body.len()
    );
    let _ = stream.write_all(&[head.as_bytes(), body.as_bytes()].concat());
}
