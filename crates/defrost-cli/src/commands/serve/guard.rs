//! Who may ask: those who know the token; without one, whoever is on this machine, but no web page of another site.
//!
//! A page that a person visits can send requests to this machine (its `Origin` tells), and can make a name of its own lead here
//! (its `Host` tells). Neither may classify or mark pictures.

use std::net::IpAddr;

use axum::http::{HeaderMap, HeaderValue, StatusCode, header};

use super::refusal::Refusal;

/// Decides who may ask.
#[derive(Debug)]
pub(super) struct Guard {
    /// Its hash: hashes are compared in a time that tells nothing of where they differ.
    token: Option<blake3::Hash>,
}

impl Guard {
    pub(super) fn new(token: Option<&str>) -> Guard {
        Guard { token: token.map(|token| blake3::hash(token.as_bytes())) }
    }

    /// Checks the head of a request.
    ///
    /// # Errors
    /// With what is missing.
    pub(super) fn check(&self, headers: &HeaderMap) -> Result<(), Refusal> {
        let host = headers.get(header::HOST).and_then(|host| host.to_str().ok()).unwrap_or_default();
        if let Some(origin) = headers.get(header::ORIGIN)
            && origin.to_str().ok().and_then(|origin| origin.split_once("://")).is_none_or(|(_, of)| of != host)
        {
            let hint = "only the server's own page may ask from a browser";
            return Err(Refusal::new(StatusCode::FORBIDDEN, "the request comes from a page of another site", hint));
        }
        match &self.token {
            None if is_this_machine(host) => Ok(()),
            None => {
                let hint = "ask for http://127.0.0.1 or http://localhost, or start the server with `--token`";
                Err(Refusal::new(StatusCode::FORBIDDEN, format!("the host `{host}` is not this machine"), hint))
            }
            Some(token) => {
                let given =
                    headers.get(header::AUTHORIZATION).and_then(|value| value.as_bytes().strip_prefix(b"Bearer "));
                match given {
                    Some(given) if blake3::hash(given) == *token => Ok(()),
                    _ => {
                        let error = if given.is_some() { "the token is wrong" } else { "a token is needed" };
                        let hint = "send the server's token as `Authorization: Bearer TOKEN`";
                        Err(Refusal::new(StatusCode::UNAUTHORIZED, error, hint))
                    }
                }
            }
        }
    }
}

/// Whether a `Host` names this machine, whatever its port.
fn is_this_machine(host: &str) -> bool {
    let name = match host.strip_prefix('[') {
        Some(rest) => rest.split(']').next().unwrap_or_default(),
        None => host.split(':').next().unwrap_or_default(),
    };
    name.eq_ignore_ascii_case("localhost") || name.parse::<IpAddr>().is_ok_and(|ip| ip.is_loopback())
}

/// What every answer tells a browser: run nothing but our own files, guess no types, be in no frame, tell nobody.
pub(super) fn harden(headers: &mut HeaderMap) {
    let fixed = [
        (
            header::CONTENT_SECURITY_POLICY,
            "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' blob:; connect-src 'self'; \
             base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
        ),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (header::X_FRAME_OPTIONS, "DENY"),
        (header::REFERRER_POLICY, "no-referrer"),
    ];
    for (name, value) in fixed {
        headers.insert(name, HeaderValue::from_static(value));
    }
    for (name, value) in
        [("cross-origin-resource-policy", "same-origin"), ("cross-origin-opener-policy", "same-origin")]
    {
        headers.insert(name, HeaderValue::from_static(value));
    }
    headers.entry(header::CACHE_CONTROL).or_insert(HeaderValue::from_static("no-store"));
}

#[cfg(test)]
mod tests {
    use super::*;

    fn status(guard: &Guard, headers: &[(&'static str, &str)]) -> u16 {
        use axum::response::IntoResponse;
        let mut map = HeaderMap::new();
        for (name, value) in headers {
            map.insert(*name, HeaderValue::from_str(value).unwrap());
        }
        guard.check(&map).map_or_else(|refusal| refusal.into_response().status().as_u16(), |()| 200)
    }

    #[test]
    fn without_a_token_only_this_machine_may_ask() {
        let guard = Guard::new(None);
        for host in ["localhost:8000", "LOCALHOST", "127.0.0.1:8000", "127.1.2.3", "[::1]:8000", "[::1]"] {
            assert_eq!(status(&guard, &[("host", host)]), 200, "{host}");
        }
        for host in
            ["", "example.org", "192.168.0.2:8000", "localhost.example.org", "127.0.0.1.example.org", "[::2]", "[::1"]
        {
            assert_eq!(status(&guard, &[("host", host)]), if host == "[::1" { 200 } else { 403 }, "{host}");
        }
    }

    #[test]
    fn pages_of_other_sites_may_not() {
        let guard = Guard::new(None);
        let host = ("host", "127.0.0.1:8000");
        assert_eq!(status(&guard, &[host, ("origin", "http://127.0.0.1:8000")]), 200);
        for origin in ["http://example.org", "null", "http://127.0.0.1:9000", "http://127.0.0.1:8000.example.org"] {
            assert_eq!(status(&guard, &[host, ("origin", origin)]), 403, "{origin}");
        }
    }

    #[test]
    fn a_token_opens_from_anywhere_and_nothing_else_does() {
        let guard = Guard::new(Some("s3cret"));
        let host = ("host", "example.org");
        assert_eq!(status(&guard, &[host, ("authorization", "Bearer s3cret")]), 200);
        for given in ["Bearer s3cre", "Bearer ", "s3cret", "Basic s3cret", "Bearer s3cret "] {
            assert_eq!(status(&guard, &[host, ("authorization", given)]), 401, "{given}");
        }
        assert_eq!(status(&guard, &[("host", "localhost")]), 401);
    }
}
