//! Every operation against a site, and what comes of one that is asked for twice.

mod site;

use std::cell::{Cell, RefCell};
use std::collections::VecDeque;

use polity_sdk::http::Request;
use polity_sdk::{Problem, problem};
use polity_wire::{Body, Transport};
use serde_json::{Value, json};
use site::{Asked, Blog};
use wordpress::WordPress;

/// The way to a site, which can break.
#[derive(Default)]
struct Way {
    blog: Blog,
    /// Requests so far, each `METHOD path`.
    sent: RefCell<Vec<String>>,
    /// After the site has taken this many requests, its answers are lost.
    breaks_after: Cell<Option<usize>>,
}

struct Page {
    status: u16,
    headers: Vec<(String, String)>,
    body: VecDeque<u8>,
}

impl Transport for Way {
    type Body = Page;

    fn fetch(&self, request: Request) -> Result<Page, Problem> {
        let path = request
            .url
            .strip_prefix("https://tea.example")
            .expect("it is asked for nothing else");
        self.sent.borrow_mut().push(format!(
            "{} {}",
            request.method,
            path.split('?').next().unwrap_or(path)
        ));
        let (status, headers, body) = self.blog.answer(&Asked {
            method: &request.method,
            path,
            headers: &request.headers,
            body: &request.body,
        });
        if self
            .breaks_after
            .get()
            .is_some_and(|count| self.sent.borrow().len() > count)
        {
            return Err(problem("connection", "the connection was reset"));
        }
        Ok(Page {
            status,
            headers,
            body: body.to_string().into_bytes().into(),
        })
    }
}

impl Body for Page {
    fn status(&self) -> u16 {
        self.status
    }

    fn headers(&self) -> Vec<(String, String)> {
        self.headers.clone()
    }

    fn read(&mut self, max: u32) -> Result<Option<Vec<u8>>, Problem> {
        let count = self.body.len().min(max as usize);
        Ok((count > 0).then(|| self.body.drain(..count).collect()))
    }
}

fn company() -> WordPress {
    serde_json::from_value(json!({"sites": {"tea": {"url": "https://tea.example/"}}})).unwrap()
}

fn call(way: &Way, operation: &str, input: Value, key: &str) -> Result<Value, Problem> {
    company().call(operation, &input.to_string(), key, way)
}

fn article(status: &str) -> Value {
    json!({"site": "tea", "title": "Ten kettles", "content": "<p>Kettles.</p>", "status": status})
}

#[test]
fn a_post_is_published_once_however_often_a_step_asks() {
    let way = Way::default();
    let first = call(&way, "create-post", article("publish"), "run-1/do/0").unwrap();
    assert_eq!(first["created"], true);
    assert_eq!(first["status"], "publish");
    assert_eq!(first["link"], "https://tea.example/ten-kettles/");
    let again = call(&way, "create-post", article("publish"), "run-1/do/0").unwrap();
    assert_eq!(
        (&again["id"], &again["created"]),
        (&first["id"], &json!(false))
    );
    assert_eq!(way.blog.posts().len(), 1);
    // It is shown to nobody before it is known to be the only one.
    assert_eq!(
        *way.sent.borrow(),
        [
            "GET /wp-json/wp/v2/posts",
            "POST /wp-json/wp/v2/posts",
            "POST /wp-json/wp/v2/posts/100",
            "GET /wp-json/wp/v2/posts"
        ]
    );
}

#[test]
fn an_attempt_that_breaks_off_anywhere_is_finished_by_the_next() {
    for breaks_after in 0..3 {
        let way = Way::default();
        way.breaks_after.set(Some(breaks_after));
        let broken = call(&way, "create-post", article("publish"), "k").unwrap_err();
        assert_eq!(broken.code, "connection");
        way.breaks_after.set(None);
        let done = call(&way, "create-post", article("publish"), "k").unwrap();
        assert_eq!(done["status"], "publish", "after {breaks_after}");
        assert_eq!(way.blog.posts().len(), 1, "after {breaks_after}");
    }
}

#[test]
fn two_steps_with_one_title_make_two_posts_and_a_given_slug_is_not_given_twice() {
    let way = Way::default();
    let one = call(&way, "create-post", article("draft"), "run-1").unwrap();
    let other = call(&way, "create-post", article("draft"), "run-2").unwrap();
    assert_ne!(one["id"], other["id"]);
    let slug = other["slug"].as_str().unwrap();
    assert!(
        slug.starts_with("ten-kettles-") && slug.len() == 18,
        "{slug}"
    );
    let mut named = article("draft");
    named["slug"] = "ten-kettles".into();
    let taken = call(&way, "create-post", named.clone(), "run-3").unwrap_err();
    assert_eq!(taken.code, "conflict");
    // The step that made it still has it.
    assert_eq!(
        call(&way, "create-post", named, "run-1").unwrap()["id"],
        one["id"]
    );
}

#[test]
fn an_earlier_attempt_that_arrives_late_leaves_one_post() {
    let late = Way::default();
    // The first attempt was given up; the site makes its post between the second's look and the second's own.
    struct Late<'w>(&'w Way, Cell<bool>);
    impl Transport for Late<'_> {
        type Body = Page;
        fn fetch(&self, request: Request) -> Result<Page, Problem> {
            if request.method == "POST" && !self.1.replace(true) {
                let copy = Request {
                    method: request.method.clone(),
                    url: request.url.clone(),
                    headers: request.headers.clone(),
                    body: request.body.clone(),
                    timeout_ms: None,
                };
                self.0.fetch(copy)?;
            }
            self.0.fetch(request)
        }
    }
    let way = Late(&late, Cell::new(false));
    let done = company()
        .call("create-post", &article("publish").to_string(), "k", &way)
        .unwrap();
    assert_eq!(done["id"], 100);
    let posts = late.blog.posts();
    assert_eq!(posts.len(), 1);
    assert_eq!(
        (posts[0]["status"].as_str(), late.blog.trashed()),
        (Some("publish"), 1)
    );
}

#[test]
fn a_site_that_keeps_a_field_for_it_has_no_mark_in_its_posts() {
    let config =
        json!({"sites": {"tea": {"url": "https://tea.example", "key_meta": "polity_step"}}});
    let company: WordPress = serde_json::from_value(config).unwrap();
    let way = Way::default();
    let input = article("draft").to_string();
    company.call("create-post", &input, "k", &way).unwrap();
    company.call("create-post", &input, "k", &way).unwrap();
    let posts = way.blog.posts();
    assert_eq!(posts.len(), 1);
    assert_eq!(posts[0]["content"]["raw"], "<p>Kettles.</p>");
    assert_eq!(
        posts[0]["meta"]["polity_step"].as_str().map(str::len),
        Some(16)
    );
}

#[test]
fn posts_are_listed_read_changed_and_put_into_the_trash() {
    let way = Way::default();
    let made = call(&way, "create-post", article("draft"), "k").unwrap();
    let id = &made["id"];
    let drafts = call(
        &way,
        "list-posts",
        json!({"site": "tea", "status": "draft"}),
        "",
    )
    .unwrap();
    assert_eq!(
        (&drafts["total"], &drafts["posts"][0]["id"]),
        (&json!(1), id)
    );
    let change = json!({"site": "tea", "id": id, "title": "Nine kettles", "status": "publish", "date": "2026-04-01T08:00:00Z"});
    let changed = call(&way, "update-post", change, "").unwrap();
    assert_eq!(
        (&changed["title"], &changed["date"]),
        (&json!("Nine kettles"), &json!("2026-04-01T08:00:00"))
    );
    let read = call(&way, "get-post", json!({"site": "tea", "id": id}), "").unwrap();
    assert_eq!(read, changed);
    for _ in 0..2 {
        let trashed = call(&way, "trash-post", json!({"site": "tea", "id": id}), "").unwrap();
        assert_eq!(trashed["status"], "trash");
    }
    assert!(way.blog.posts().is_empty());
    let gone = call(&way, "get-post", json!({"site": "tea", "id": 4711}), "").unwrap_err();
    assert_eq!(gone.code, "not-found");
}

#[test]
fn a_file_is_uploaded_once() {
    let way = Way::default();
    let file = json!({"site": "tea", "filename": "Kettle 1.png".replace(' ', "-"), "type": "image/png", "data": "iVBORw0KGgo=", "alt": "A kettle"});
    let first = call(&way, "upload-media", file.clone(), "k").unwrap();
    assert_eq!(
        first["url"],
        "https://tea.example/wp-content/uploads/2026/03/Kettle-1.png"
    );
    assert_eq!(first["alt"], "A kettle");
    let again = call(&way, "upload-media", file, "k").unwrap();
    assert_eq!(
        (&again["id"], &again["created"]),
        (&first["id"], &json!(false))
    );
    assert_eq!(way.blog.media()[0]["bytes"], 8);
    let wrong =
        json!({"site": "tea", "filename": "a.png", "type": "image/png", "data": "not base64!"});
    assert_eq!(
        call(&way, "upload-media", wrong, "x").unwrap_err().code,
        "invalid"
    );
}

#[test]
fn a_site_is_looked_after() {
    let way = Way::default();
    let on = json!({"site": "tea", "plugin": "akismet/akismet", "active": true});
    for _ in 0..2 {
        assert_eq!(
            call(&way, "set-plugin", on.clone(), "").unwrap()["active"],
            true
        );
    }
    let plugins = call(&way, "list-plugins", json!({"site": "tea"}), "").unwrap();
    assert_eq!(plugins["plugins"][0]["active"], true);
    let users = call(
        &way,
        "list-users",
        json!({"site": "tea", "role": "editor"}),
        "",
    )
    .unwrap();
    assert_eq!(users["users"][0]["roles"], json!(["editor"]));
    let settings = call(&way, "get-settings", json!({"site": "tea"}), "").unwrap();
    assert_eq!(settings["timezone"], "Europe/Berlin");
    let well = call(
        &way,
        "check-site",
        json!({"site": "tea", "tests": ["https-status"]}),
        "",
    )
    .unwrap();
    assert_eq!(
        (&well["user"]["username"], &well["tests"][0]["status"]),
        (&json!("polity"), &json!("good"))
    );
}

#[test]
fn a_site_that_is_not_there_is_named_with_those_that_are() {
    let way = Way::default();
    let wrong = call(&way, "list-posts", json!({"site": "coffee"}), "").unwrap_err();
    assert_eq!(wrong.code, "not-found");
    assert!(
        wrong.detail.contains("only tea") && wrong.detail.contains("[config.sites.coffee]"),
        "{}",
        wrong.detail
    );
    // With one site alone its name can be left out.
    assert_eq!(call(&way, "list-posts", json!({}), "").unwrap()["total"], 0);
    assert_eq!(
        call(&way, "list-sites", json!({}), "").unwrap()["sites"][0]["site"],
        "tea"
    );
    assert_eq!(
        call(&way, "fly", json!({}), "").unwrap_err().code,
        "not-found"
    );
    let nothing: WordPress = serde_json::from_value(json!({})).unwrap();
    let none = nothing.call("list-posts", "{}", "", &way).unwrap_err();
    assert!(
        none.detail.contains("no site is configured"),
        "{}",
        none.detail
    );
}

#[test]
fn what_every_operation_takes_is_a_schema_that_names_its_fields() {
    use polity_sdk::connector::Connector;
    for operation in wordpress::Plugin::operations() {
        let schema: Value = serde_json::from_str(&operation.input_schema).unwrap();
        assert_eq!(schema["additionalProperties"], false, "{}", operation.name);
        for required in schema["required"].as_array().unwrap() {
            let name = required.as_str().unwrap();
            assert!(
                schema["properties"][name].is_object(),
                "{} {name}",
                operation.name
            );
        }
        assert!(operation.idempotent);
    }
}
