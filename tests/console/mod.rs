//! What the tests of the console share: a browser without scripts.

#![allow(dead_code, reason = "each test binary takes what it needs")]

use polity_tests::Host;
use reqwest::{Client, Method, Response, redirect};
use serde_json::Value;

/// A browser: it keeps its cookie, says where its forms come from, and shows where it is sent instead of going there.
pub(crate) struct Browser<'h> {
    host: &'h Host,
    client: Client,
    cookie: Option<String>,
}

impl<'h> Browser<'h> {
    pub(crate) fn new(host: &'h Host) -> Self {
        let client = Client::builder()
            .no_proxy()
            .redirect(redirect::Policy::none())
            .build()
            .unwrap();
        Self {
            host,
            client,
            cookie: None,
        }
    }

    /// Comes in as an actor, by a link.
    pub(crate) async fn of(host: &'h Host, actor: &str) -> Self {
        let mut browser = Self::new(host);
        let link = link(host, actor).await;
        let response = browser.get(&link).await;
        assert_eq!(
            (response.status().as_u16(), location(&response)),
            (303, "/")
        );
        browser.keep(&response);
        browser
    }

    pub(crate) fn keep(&mut self, response: &Response) {
        let cookie = response.headers()["set-cookie"].to_str().unwrap();
        self.cookie = cookie.split(';').next().map(str::to_owned);
    }

    pub(crate) fn request(&self, method: Method, path: &str) -> reqwest::RequestBuilder {
        let request = self
            .client
            .request(method, format!("{}{path}", self.host.url));
        match &self.cookie {
            Some(cookie) => request.header("cookie", cookie),
            None => request,
        }
    }

    pub(crate) async fn get(&self, path: &str) -> Response {
        self.request(Method::GET, path).send().await.unwrap()
    }

    pub(crate) async fn page(&self, path: &str) -> String {
        let response = self.get(path).await;
        assert_eq!(response.status(), 200, "{path}");
        response.text().await.unwrap()
    }

    pub(crate) fn form(&self, path: &str, fields: &[(&str, &str)]) -> reqwest::RequestBuilder {
        let body: Vec<String> = fields
            .iter()
            .map(|(name, value)| format!("{name}={}", escaped(value)))
            .collect();
        self.request(Method::POST, path)
            .header("content-type", "application/x-www-form-urlencoded")
            .body(body.join("&"))
    }

    /// Sends a form from one of our own pages.
    pub(crate) async fn send(&self, path: &str, fields: &[(&str, &str)]) -> Response {
        self.form(path, fields)
            .header("sec-fetch-site", "same-origin")
            .send()
            .await
            .unwrap()
    }
}

fn escaped(text: &str) -> String {
    text.bytes()
        .map(|byte| {
            if byte.is_ascii_alphanumeric() {
                (byte as char).to_string()
            } else {
                format!("%{byte:02X}")
            }
        })
        .collect()
}

pub(crate) async fn link(host: &Host, actor: &str) -> String {
    let token = host.token_for(actor).await;
    let link = host
        .anonymous(Method::POST, "/api/console-links")
        .bearer_auth(token)
        .send()
        .await
        .unwrap();
    link.json::<Value>().await.unwrap()["path"]
        .as_str()
        .unwrap()
        .to_owned()
}

pub(crate) fn location(response: &Response) -> &str {
    response.headers()["location"].to_str().unwrap()
}
