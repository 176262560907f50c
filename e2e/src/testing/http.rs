//! One plain request to a server on this machine: the admin servers of controllers, and etcd.

use anyhow::{Context, Result, bail};
use std::io::{Read, Write};
use std::net::TcpStream;

/// Sends a request and returns the body of the response.
///
/// # Errors
/// If there is no response, or one with another code than 200.
pub(super) fn request(port: u16, method: &str, path: &str, body: &str) -> Result<String> {
    let mut stream = TcpStream::connect(("127.0.0.1", port))?;
    // HTTP/1.0: the response is not chunked, and ends with the connection.
    write!(
        stream,
        "{method} {path} HTTP/1.0\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\r\n{body}",
        body.len()
    )?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer)?;
    let (head, body) = answer.split_once("\r\n\r\n").context("no answer")?;
    let status = head.lines().next().unwrap_or_default();
    if status.split(' ').nth(1) != Some("200") {
        bail!("{status}: {body}");
    }
    Ok(body.to_owned())
}
