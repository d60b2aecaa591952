//! A connector at work in workflows: posts on a site that runs WordPress, once each, with a password that the plugin never
//! sees.

#[path = "../plugins/wordpress/tests/site/mod.rs"]
mod site;
mod workflows;

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use polity_tests::{Answer, Gate, Host, Options, Request, Upstream};
use serde_json::{Value, json};
use site::{Asked, Blog};
use workflows::{POLITY, ended, id};

/// Of the user `polity`; the site wants it as RFC 7617 says.
const PASSWORD: &str = "abcd EFGH 1234 ijkl MNOP 6789";
const AUTHORIZATION: &str = "Basic cG9saXR5OmFiY2QgRUZHSCAxMjM0IGlqa2wgTU5PUCA2Nzg5";

const PUBLISH: &str = "
document: {dsl: 1.0.3, namespace: press, name: publish, version: 1.0.0}
do:
  - post:
      call: create-post:0.1@wordpress
      with: {site: '${ .site }', title: '${ .title }', content: <p>Kettles.</p>, status: publish}
      timeout: {after: PT1M}
      metadata: {action: site.publish, effect: idempotent}
      output: {as: '{id, link, status, created}'}
";

/// A site on the loopback interface. `answer` may change what it answers.
async fn press(
    blog: &Arc<Blog>,
    answer: impl Fn(&Request, Answer) -> Answer + Send + Sync + 'static,
) -> Upstream {
    let blog = blog.clone();
    Upstream::start(move |request| {
        let (status, headers, body) = blog.answer(&Asked {
            method: &request.method,
            path: &request.path,
            headers: &request.headers,
            body: &request.body,
        });
        let told = Answer::json(status, body.to_string());
        let told = headers
            .iter()
            .fold(told, |told, (name, value)| told.header(name, value));
        answer(request, told)
    })
    .await
}

fn company(options: Options, site: &Upstream, workflow: &str) -> Options {
    let address = site.address();
    let grant = format!(
        "[[http]]\nhost = \"{address}\"\nmethods = [\"GET\", \"POST\", \"DELETE\"]\npaths = [\"/wp-json/*\"]\nplain = true\nprivate = true\n\
         [[secret]]\nhost = \"{address}\"\nheader = \"authorization\"\nuser = \"polity\"\nenv = \"WORDPRESS_TEA_PASSWORD\"\n\
         [config.sites.tea]\nurl = \"http://{address}\"\n"
    );
    options
        .without_bundled()
        .first_party("wordpress")
        .grant("wordpress", &grant)
        .environment("WORDPRESS_TEA_PASSWORD", PASSWORD)
        .file("workflows/publish.yaml", workflow)
}

fn article() -> Value {
    json!({"site": "tea", "title": "Ten kettles"})
}

async fn run(host: &Host, input: Value) -> Value {
    workflows::run(host, "publish", input).await
}

/// The request that makes a post, as the site sees it.
fn is_creation(request: &Request) -> bool {
    request.method == "POST" && request.path.ends_with("/posts")
}

#[tokio::test]
async fn an_article_is_published_and_no_guest_or_record_has_the_password() {
    let blog = Arc::new(Blog::guarded(AUTHORIZATION));
    let site = press(&blog, |_, told| told).await;
    let host = Host::start(POLITY, |options| company(options, &site, PUBLISH)).await;
    let done = run(&host, article()).await;
    assert_eq!(
        done["output"],
        json!({"id": 100, "link": "https://tea.example/ten-kettles/", "status": "publish", "created": true}),
        "{done}"
    );
    let posts = blog.posts();
    assert_eq!((posts.len(), &posts[0]["status"]), (1, &json!("publish")));
    // Another run is another article.
    let other = run(&host, article()).await;
    assert_eq!(other["output"]["created"], true, "{other}");
    assert_eq!(blog.posts().len(), 2);

    let events = host.read("/api/ledger?limit=500").await.to_string();
    let story = host
        .read(&format!("/api/instances/{}/events", id(&done)))
        .await
        .to_string();
    for told in [events, story, host.log()] {
        for secret in [PASSWORD, &AUTHORIZATION["Basic ".len()..]] {
            assert!(!told.contains(secret), "{told}");
        }
    }
    let plugins = host.read("/api/plugins").await.to_string();
    assert!(plugins.contains("create-post"), "{plugins}");
}

#[tokio::test]
async fn a_kill_between_the_post_and_the_journal_leaves_one_post() {
    let blog = Arc::new(Blog::guarded(AUTHORIZATION));
    let (gate, asked) = (Gate::new(), Arc::new(AtomicUsize::new(0)));
    let (held, count) = (gate.clone(), asked.clone());
    // The site has made the post, and its answer does not arrive.
    let site = press(&blog, move |request, told| {
        if is_creation(request) && count.fetch_add(1, Ordering::Relaxed) == 0 {
            return told.pass(&held);
        }
        told
    })
    .await;
    let mut host = Host::start(POLITY, |options| company(options, &site, PUBLISH)).await;
    let body = json!({ "input": article() });
    let begun = host
        .json(host.post("/api/workflows/publish/runs").json(&body))
        .await;
    site.arrived(2).await;
    assert_eq!(blog.posts()[0]["status"], "draft");
    host.kill9().await;
    gate.open();
    host.restart().await;
    let done = ended(&host, &id(&begun)).await;
    assert_eq!(done["output"]["created"], false, "{done}");
    assert_eq!(done["output"]["status"], "publish");
    assert_eq!((blog.posts().len(), blog.trashed()), (1, 0));
    assert_eq!(asked.load(Ordering::Relaxed), 1);
}

#[tokio::test]
async fn what_may_be_posted_once_at_most_is_left_to_people_after_a_kill() {
    let blog = Arc::new(Blog::guarded(AUTHORIZATION));
    let gate = Gate::new();
    let held = gate.clone();
    let site = press(&blog, move |request, told| match is_creation(request) {
        true => told.pass(&held),
        false => told,
    })
    .await;
    let once = PUBLISH.replace("effect: idempotent", "effect: at-most-once");
    let mut host = Host::start(POLITY, |options| company(options, &site, &once)).await;
    let body = json!({ "input": article() });
    let begun = host
        .json(host.post("/api/workflows/publish/runs").json(&body))
        .await;
    site.arrived(2).await;
    host.kill9().await;
    gate.open();
    host.restart().await;
    let done = ended(&host, &id(&begun)).await;
    let why = done["error"]["detail"].as_str().unwrap();
    assert!(why.contains("it may have happened"), "{why}");
    assert_eq!((site.requests().len(), blog.posts().len()), (2, 1));
}

#[tokio::test]
async fn a_site_that_is_down_is_asked_again_and_each_refusal_has_its_class() {
    let blog = Arc::new(Blog::guarded(AUTHORIZATION));
    let asked = Arc::new(AtomicUsize::new(0));
    let site = press(&blog, move |request, told| {
        // The second request of the first run finds the site closed for maintenance, after it has done its work.
        if is_creation(request) && asked.fetch_add(1, Ordering::Relaxed) == 0 {
            return Answer::status(503).send("<html>Briefly unavailable</html>");
        }
        told
    })
    .await;
    let patient = "
document: {dsl: 1.0.3, namespace: press, name: publish, version: 1.0.0}
do:
  - patiently:
      try:
        - post:
            call: create-post:0.1@wordpress
            with: {site: '${ .site }', title: '${ .title }', content: <p>Kettles.</p>, status: publish}
            metadata: {effect: idempotent}
            output: {as: '{created}'}
      catch:
        errors: {with: {status: 502}}
        retry: {delay: {milliseconds: 20}, limit: {attempt: {count: 3}}}
";
    let switch = "
document: {dsl: 1.0.3, namespace: press, name: switch, version: 1.0.0}
do:
  - on:
      call: set-plugin:0.1@wordpress
      with: {plugin: '${ .plugin }', active: '${ .active }'}
      metadata: {effect: idempotent}
";
    let wrong = PUBLISH
        .replace("name: publish", "name: version")
        .replace("create-post:0.1", "create-post:9.9");
    let host = Host::start(POLITY, |options| {
        company(options, &site, patient)
            .file("workflows/switch.yaml", switch)
            .file("workflows/version.yaml", wrong)
    })
    .await;
    let begun = run(&host, article()).await;
    let done = ended(&host, &id(&begun)).await;
    assert_eq!(done["output"], json!({"created": false}), "{done}");
    assert_eq!(blog.posts().len(), 1);

    let nowhere = run(&host, json!({"site": "coffee", "title": "Beans"})).await;
    assert_eq!(nowhere["error"]["status"], 404, "{nowhere}");
    let why = nowhere["error"]["detail"].as_str().unwrap();
    assert!(why.contains("only tea"), "{why}");
    for (input, status) in [
        (json!({"plugin": "akismet/akismet", "active": true}), 0),
        (json!({"plugin": "no/such", "active": true}), 404),
        (json!({"plugin": "../../users", "active": true}), 400),
        (json!({"plugin": "akismet/akismet"}), 400),
    ] {
        let done = workflows::run(&host, "switch", input.clone()).await;
        assert_eq!(
            done["error"]["status"].as_u64().unwrap_or(0),
            status,
            "{input}: {done}"
        );
    }
    let other = workflows::run(&host, "version", article()).await;
    let why = other["error"]["detail"].as_str().unwrap();
    assert!(why.contains("create-post:0.1.0@wordpress"), "{why}");
}

#[tokio::test]
async fn a_wrong_password_is_an_error_that_says_where_to_make_one() {
    let blog = Arc::new(Blog::guarded("Basic b3RoZXI="));
    let site = press(&blog, |_, told| told).await;
    let host = Host::start(POLITY, |options| company(options, &site, PUBLISH)).await;
    let done = run(&host, article()).await;
    assert_eq!(done["error"]["status"], 401, "{done}");
    let why = done["error"]["detail"].as_str().unwrap();
    assert!(why.contains("Application Passwords"), "{why}");
    assert!(blog.posts().is_empty());
}

#[tokio::test]
async fn a_kill_at_every_other_request_to_a_site_leaves_one_post() {
    let blog = Arc::new(Blog::guarded(AUTHORIZATION));
    let site = press(&blog, |_, told| told).await;
    let mut host = Host::start(POLITY, |options| company(options, &site, PUBLISH)).await;
    let body = json!({ "input": article() });
    let begun = host
        .json(host.post("/api/workflows/publish/runs").json(&body))
        .await;
    // At the look, at the post, at its publication: the site has done what it was asked each time.
    for requests in 1..=3 {
        let before = site.requests().len();
        site.arrived(before.max(1).max(requests)).await;
        host.kill9().await;
        host.restart().await;
    }
    let done = ended(&host, &id(&begun)).await;
    assert_eq!(done["output"]["status"], "publish", "{done}");
    assert_eq!((blog.posts().len(), blog.trashed()), (1, 0));
}
