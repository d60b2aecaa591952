//! A site as its REST API shows it: what WordPress 6 answers to the requests of the connector, shape by shape, with the
//! rules that matter here: slugs are unique, a trashed post is gone from lists, and nothing recognises a repetition.

#![allow(dead_code, reason = "each test takes what it needs")]

use std::sync::Mutex;

use serde_json::{Value, json};

/// A request as the site gets it.
pub(crate) struct Asked<'a> {
    pub(crate) method: &'a str,
    /// With the query.
    pub(crate) path: &'a str,
    pub(crate) headers: &'a [(String, String)],
    pub(crate) body: &'a [u8],
}

/// Status, headers and body.
pub(crate) type Told = (u16, Vec<(String, String)>, Value);

/// A site.
#[derive(Default)]
pub(crate) struct Blog {
    state: Mutex<State>,
    /// The header that it wants to see, where it wants one.
    authorization: Option<String>,
}

#[derive(Default)]
struct State {
    posts: Vec<Value>,
    media: Vec<Value>,
    active: bool,
}

impl Blog {
    /// A site that knows everybody by this header.
    pub(crate) fn guarded(authorization: &str) -> Self {
        Self {
            authorization: Some(authorization.to_owned()),
            ..Self::default()
        }
    }

    /// The posts that are not in the trash.
    pub(crate) fn posts(&self) -> Vec<Value> {
        let state = self.state.lock().expect("no test panicked with it");
        let posts = state.posts.iter();
        posts
            .filter(|post| post["status"] != "trash")
            .cloned()
            .collect()
    }

    /// The posts that are in the trash.
    pub(crate) fn trashed(&self) -> usize {
        let state = self.state.lock().expect("no test panicked with it");
        state.posts.len()
            - state
                .posts
                .iter()
                .filter(|post| post["status"] != "trash")
                .count()
    }

    /// Files that were uploaded.
    pub(crate) fn media(&self) -> Vec<Value> {
        self.state
            .lock()
            .expect("no test panicked with it")
            .media
            .clone()
    }

    /// Answers a request.
    pub(crate) fn answer(&self, asked: &Asked<'_>) -> Told {
        let sent = asked
            .headers
            .iter()
            .find(|(name, _)| name == "authorization");
        if let Some(wanted) = &self.authorization
            && sent.map(|(_, value)| value) != Some(wanted)
        {
            return refused(
                401,
                "rest_not_logged_in",
                "You are not currently logged in.",
            );
        }
        let (path, query) = asked.path.split_once('?').unwrap_or((asked.path, ""));
        let Some(path) = path.strip_prefix("/wp-json/") else {
            return (404, Vec::new(), json!("<html>Not Found</html>"));
        };
        let mut state = self.state.lock().expect("no test panicked with it");
        let parts: Vec<&str> = path.split('/').collect();
        match (asked.method, parts.as_slice()) {
            ("GET", ["wp", "v2", "posts"]) => state.find(query),
            ("POST", ["wp", "v2", "posts"]) => state.create(&sent_json(asked.body)),
            (method, ["wp", "v2", "posts", id]) => state.one(method, id, &sent_json(asked.body)),
            ("GET", ["wp", "v2", "media"]) => {
                let slug = parameter(query, "slug").unwrap_or_default();
                let found = state
                    .media
                    .iter()
                    .filter(|file| file["slug"] == slug.as_str());
                listed(found.cloned().collect())
            }
            ("POST", ["wp", "v2", "media"]) => state.upload(asked, query),
            ("GET", ["wp", "v2", "plugins"]) => listed(vec![state.plugin()]),
            ("POST", ["wp", "v2", "plugins", "akismet", "akismet"]) => {
                state.active = sent_json(asked.body)["status"] == "active";
                ok(state.plugin())
            }
            (_, ["wp", "v2", "plugins", ..]) => {
                refused(404, "rest_plugin_not_found", "Plugin not found.")
            }
            ("GET", ["wp", "v2", "users"]) => listed(vec![user()]),
            ("GET", ["wp", "v2", "users", "me"]) => ok(user()),
            ("GET", ["wp", "v2", "settings"]) => ok(json!({
                "title": "Tea", "description": "All about tea", "url": "https://tea.example", "email": "ada@tea.example",
                "timezone": "Europe/Berlin", "date_format": "F j, Y", "time_format": "g:i a", "start_of_week": 1,
                "language": "en_US", "use_smilies": true, "default_category": 1, "posts_per_page": 10,
            })),
            ("GET", [""]) => ok(json!({
                "name": "Tea", "description": "All about tea", "url": "https://tea.example", "home": "https://tea.example",
                "timezone_string": "Europe/Berlin", "namespaces": ["oembed/1.0", "wp/v2", "wp-site-health/v1"],
            })),
            ("GET", ["wp-site-health", "v1", "tests", "https-status"]) => ok(json!({
                "label": "Your website is using an active HTTPS connection", "status": "good",
                "badge": {"label": "Security", "color": "blue"}, "description": "<p>…</p>", "actions": "", "test": "https_status",
            })),
            _ => refused(
                404,
                "rest_no_route",
                "No route was found matching the URL and request method.",
            ),
        }
    }
}

impl State {
    fn find(&self, query: &str) -> Told {
        let slugs = parameter(query, "slug");
        let status = parameter(query, "status").unwrap_or_else(|| "publish".to_owned());
        let is_wanted = |post: &&Value| {
            let slug = post["slug"].as_str().unwrap_or_default();
            post["status"] != "trash"
                && (status == "any" || post["status"] == status.as_str())
                && slugs
                    .as_ref()
                    .is_none_or(|slugs| slugs.split(',').any(|wanted| wanted == slug))
        };
        listed(self.posts.iter().filter(is_wanted).cloned().collect())
    }

    fn create(&mut self, sent: &Value) -> Told {
        if sent["title"].as_str().is_none_or(str::is_empty)
            && sent["content"].as_str().is_none_or(str::is_empty)
        {
            return refused(
                400,
                "empty_content",
                "Content, title, and excerpt are empty.",
            );
        }
        let wanted = sent["slug"].as_str().unwrap_or_default().to_owned();
        let is_taken = |slug: &str| self.posts.iter().any(|post| post["slug"] == slug);
        let slug = (1..)
            .map(|n| {
                if n == 1 {
                    wanted.clone()
                } else {
                    format!("{wanted}-{n}")
                }
            })
            .find(|slug| !is_taken(slug))
            .unwrap_or_default();
        let id = 100 + self.posts.len();
        let mut post = json!({
            "id": id, "date": "2026-03-02T10:00:00", "date_gmt": "2026-03-02T09:00:00",
            "guid": {"rendered": format!("https://tea.example/?p={id}"), "raw": format!("https://tea.example/?p={id}")},
            "modified": "2026-03-02T10:00:00", "modified_gmt": "2026-03-02T09:00:00", "password": "",
            "slug": slug, "status": "draft", "type": "post", "link": format!("https://tea.example/?p={id}"),
            "title": {"raw": "", "rendered": ""},
            "content": {"raw": "", "rendered": "", "protected": false, "block_version": 0},
            "excerpt": {"raw": "", "rendered": "", "protected": false},
            "author": 2, "featured_media": 0, "comment_status": "open", "ping_status": "open", "sticky": false,
            "template": "", "format": "standard", "meta": {"footnotes": ""}, "categories": [1], "tags": [],
            "permalink_template": "https://tea.example/%postname%/", "generated_slug": slug,
        });
        set(&mut post, sent);
        self.posts.push(post.clone());
        (201, Vec::new(), post)
    }

    fn one(&mut self, method: &str, id: &str, sent: &Value) -> Told {
        let Some(post) = self
            .posts
            .iter_mut()
            .find(|post| post["id"].as_u64() == id.parse().ok())
        else {
            return refused(404, "rest_post_invalid_id", "Invalid post ID.");
        };
        match method {
            "POST" => set(post, sent),
            "DELETE" if post["status"] == "trash" => {
                return refused(
                    410,
                    "rest_already_trashed",
                    "The post has already been deleted.",
                );
            }
            "DELETE" => {
                post["status"] = "trash".into();
                post["slug"] =
                    format!("{}__trashed", post["slug"].as_str().unwrap_or_default()).into();
            }
            _ => {}
        }
        ok(post.clone())
    }

    fn upload(&mut self, asked: &Asked<'_>, query: &str) -> Told {
        let header = |name: &str| {
            let found = asked.headers.iter().find(|(key, _)| key == name);
            found.map(|(_, value)| value.clone()).unwrap_or_default()
        };
        let name = header("content-disposition");
        let Some(name) = name
            .strip_prefix("attachment; filename=\"")
            .and_then(|rest| rest.strip_suffix('"'))
        else {
            return refused(
                400,
                "rest_upload_no_content_disposition",
                "No Content-Disposition supplied.",
            );
        };
        let id = 500 + self.media.len();
        let file = json!({
            "id": id, "slug": parameter(query, "slug"), "status": "inherit", "type": "attachment",
            "link": format!("https://tea.example/?attachment_id={id}"), "alt_text": parameter(query, "alt_text"),
            "media_type": "image", "mime_type": header("content-type"), "bytes": asked.body.len(),
            "source_url": format!("https://tea.example/wp-content/uploads/2026/03/{name}"),
        });
        self.media.push(file.clone());
        (201, Vec::new(), file)
    }

    fn plugin(&self) -> Value {
        json!({
            "plugin": "akismet/akismet", "status": if self.active { "active" } else { "inactive" }, "name": "Akismet",
            "plugin_uri": "https://akismet.com/", "author": "Automattic", "version": "5.3", "network_only": false,
            "requires_wp": "5.8", "requires_php": "5.6.20", "textdomain": "akismet",
        })
    }
}

fn set(post: &mut Value, sent: &Value) {
    for (name, value) in sent.as_object().into_iter().flatten() {
        match name.as_str() {
            "title" | "content" | "excerpt" => {
                post[name]["raw"] = value.clone();
                post[name]["rendered"] = value.clone();
            }
            "slug" => {}
            "meta" => {
                for (name, value) in value.as_object().into_iter().flatten() {
                    post["meta"][name] = value.clone();
                }
            }
            _ => post[name] = value.clone(),
        }
    }
    if post["status"] == "publish" {
        post["link"] = format!(
            "https://tea.example/{}/",
            post["slug"].as_str().unwrap_or_default()
        )
        .into();
    }
}

fn user() -> Value {
    json!({
        "id": 2, "username": "polity", "name": "Polity", "first_name": "", "last_name": "", "email": "polity@tea.example",
        "url": "", "description": "", "link": "https://tea.example/author/polity/", "locale": "en_US", "nickname": "polity",
        "slug": "polity", "roles": ["editor"], "registered_date": "2026-01-01T00:00:00+00:00",
        "capabilities": {"edit_posts": true, "publish_posts": true}, "extra_capabilities": {"editor": true}, "meta": [],
    })
}

fn sent_json(body: &[u8]) -> Value {
    serde_json::from_slice(body).unwrap_or_default()
}

fn parameter(query: &str, name: &str) -> Option<String> {
    let pair = query
        .split('&')
        .find_map(|pair| pair.split_once('=').filter(|(key, _)| *key == name));
    let mut bytes = Vec::new();
    let mut rest = pair?.1.bytes();
    while let Some(byte) = rest.next() {
        bytes.push(match byte {
            b'%' => {
                let digits = [rest.next()?, rest.next()?];
                u8::from_str_radix(std::str::from_utf8(&digits).ok()?, 16).ok()?
            }
            other => other,
        });
    }
    String::from_utf8(bytes).ok()
}

fn ok(body: Value) -> Told {
    (200, Vec::new(), body)
}

fn listed(items: Vec<Value>) -> Told {
    let count = items.len().to_string();
    let headers = vec![
        ("x-wp-total".to_owned(), count),
        ("x-wp-totalpages".to_owned(), "1".to_owned()),
    ];
    (200, headers, Value::Array(items))
}

fn refused(status: u16, code: &str, message: &str) -> Told {
    (
        status,
        Vec::new(),
        json!({"code": code, "message": message, "data": {"status": status}}),
    )
}
