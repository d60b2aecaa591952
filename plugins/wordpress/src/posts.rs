//! Posts, and how one is made once.
//!
//! WordPress has no key by which it would recognise a request that comes again. So a post carries a mark made of the
//! step's key, in a comment at its end or in a meta field, and creating one is:
//!
//! 1. look for the mark among the posts that have the slug which this step would give; where it is found, the post is
//!    there already;
//! 2. otherwise create it, as a draft;
//! 3. where a first attempt that everybody had given up has made it at the same moment after all, keep the older and put
//!    the newer into the trash: both are drafts, so nobody has seen either;
//! 4. give the one that is left the status that is wanted.
//!
//! Whatever the moment at which an attempt ends, the next one goes on from there.

use polity_sdk::{Problem, problem};
use polity_wire::Transport;
use serde::Deserialize;
use serde_json::{Map, Value, json};

use crate::failure::unreadable;
use crate::mark;
use crate::site::Site;

/// What is asked of a post; the rest of WordPress's answer describes links.
const FIELDS: &str = "id,date_gmt,modified_gmt,slug,status,link,title,content,excerpt,author,featured_media,categories,tags,meta";

/// Posts of a page.
const PER_PAGE: u32 = 20;

/// Which posts.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase", default)]
#[derive(Default)]
pub(crate) struct Which {
    status: Option<String>,
    search: Option<String>,
    slug: Option<String>,
    after: Option<String>,
    before: Option<String>,
    page: Option<u32>,
    per_page: Option<u32>,
}

/// One post.
#[derive(Deserialize)]
pub(crate) struct One {
    pub(crate) id: u64,
}

/// What a post is made of.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase", default)]
#[derive(Default)]
pub(crate) struct Draft {
    id: Option<u64>,
    title: Option<String>,
    content: Option<String>,
    excerpt: Option<String>,
    slug: Option<String>,
    status: Option<String>,
    date: Option<String>,
    author: Option<u64>,
    featured_media: Option<u64>,
    categories: Option<Vec<u64>>,
    tags: Option<Vec<u64>>,
}

pub(crate) fn list<T: Transport>(site: &Site<'_, T>, which: &Which) -> Result<Value, Problem> {
    let mut query = vec![
        ("context", "edit".to_owned()),
        ("_fields", FIELDS.to_owned()),
        (
            "status",
            which.status.clone().unwrap_or_else(|| "publish".to_owned()),
        ),
        ("per_page", which.per_page.unwrap_or(PER_PAGE).to_string()),
        ("page", which.page.unwrap_or(1).to_string()),
    ];
    for (name, value) in [
        ("search", &which.search),
        ("slug", &which.slug),
        ("after", &which.after),
        ("before", &which.before),
    ] {
        query.extend(value.clone().map(|value| (name, value)));
    }
    let (posts, total, pages) = site.get("wp/v2/posts", &query)?.list(site.name)?;
    let posts: Vec<Value> = posts.iter().map(seen).collect();
    Ok(json!({ "posts": posts, "total": total, "pages": pages }))
}

pub(crate) fn get<T: Transport>(site: &Site<'_, T>, id: u64) -> Result<Value, Problem> {
    let query = [
        ("context", "edit".to_owned()),
        ("_fields", FIELDS.to_owned()),
    ];
    let answer = site.get(&format!("wp/v2/posts/{id}"), &query)?;
    Ok(seen(&answer.body))
}

pub(crate) fn create<T: Transport>(
    site: &Site<'_, T>,
    mut draft: Draft,
    key: &str,
) -> Result<Value, Problem> {
    let mark = mark::of(key);
    let title = draft.title.as_deref().unwrap_or_default();
    let own = match &draft.slug {
        Some(slug) => slug.clone(),
        None => mark::slug(title),
    };
    // What is taken where another post has the slug already.
    let spare = format!("{own}-{}", &mark[..6])
        .trim_start_matches('-')
        .to_owned();
    let slugs = if own.is_empty() {
        spare.clone()
    } else {
        format!("{own},{spare}")
    };
    let there = by_slug(site, &slugs)?;
    let wanted = draft.status.take().unwrap_or_else(|| "draft".to_owned());
    let (post, created) = match earliest(site, &there, &mark) {
        Some(post) => (post.clone(), false),
        None => {
            let is_taken = there.iter().any(|post| post["slug"] == own.as_str());
            if is_taken && draft.slug.is_some() {
                let why = format!(
                    "{} has a post {own} already, and this step did not make it",
                    site.name
                );
                return Err(problem("conflict", why));
            }
            let slug = if is_taken || own.is_empty() {
                spare
            } else {
                own
            };
            (make(site, draft, (&slug, &slugs), &mark)?, true)
        }
    };
    let is_out = |status: &Value| status == "publish" || status == "future";
    let is_there =
        post["status"] == wanted.as_str() || (wanted == "publish" && is_out(&post["status"]));
    let post = if is_there {
        post
    } else {
        let id = number(site, &post)?;
        site.post(&format!("wp/v2/posts/{id}"), &json!({ "status": wanted }))?
            .body
    };
    let mut output = seen(&post);
    output["created"] = created.into();
    Ok(output)
}

/// Makes a draft, and sees to it that it is the only one of its mark.
fn make<T: Transport>(
    site: &Site<'_, T>,
    draft: Draft,
    (slug, slugs): (&str, &str),
    mark: &str,
) -> Result<Value, Problem> {
    let content = draft.content.clone().unwrap_or_default();
    let mut fields = fields(draft);
    fields.insert("status".to_owned(), "draft".into());
    fields.insert("slug".to_owned(), slug.into());
    match site.key_meta {
        Some(name) => fields.insert("meta".to_owned(), json!({ name: mark })),
        None => {
            let marked = format!("{content}\n\n{}", mark::comment(mark));
            fields.insert("content".to_owned(), marked.into())
        }
    };
    let made = site.post("wp/v2/posts", &Value::Object(fields))?.body;
    if made["slug"] == slug {
        return Ok(made);
    }
    // Somebody was faster with the slug. Was it an earlier attempt at this very step?
    let there = by_slug(site, slugs)?;
    let id = number(site, &made)?;
    match earliest(site, &there, mark) {
        Some(first) if first["id"].as_u64().is_some_and(|other| other < id) => {
            trash(site, id)?;
            Ok(first.clone())
        }
        _ => Ok(made),
    }
}

pub(crate) fn update<T: Transport>(site: &Site<'_, T>, draft: Draft) -> Result<Value, Problem> {
    let id = draft.id.unwrap_or_default();
    let status = draft.status.clone();
    let mut fields = fields(draft);
    if let Some(status) = status {
        fields.insert("status".to_owned(), status.into());
    }
    let answer = site.post(&format!("wp/v2/posts/{id}"), &Value::Object(fields))?;
    Ok(seen(&answer.body))
}

/// Puts a post into the trash, from which people can take it back.
pub(crate) fn trash<T: Transport>(site: &Site<'_, T>, id: u64) -> Result<Value, Problem> {
    match site.delete(&format!("wp/v2/posts/{id}")) {
        Ok(_) => {}
        // It lies there already.
        Err(problem) if problem.detail.contains("rest_already_trashed") => {}
        Err(problem) => return Err(problem),
    }
    Ok(json!({ "id": id, "status": "trash" }))
}

/// Posts in any state but trash that have one of these slugs.
fn by_slug<T: Transport>(site: &Site<'_, T>, slugs: &str) -> Result<Vec<Value>, Problem> {
    let query = [
        ("context", "edit".to_owned()),
        ("_fields", FIELDS.to_owned()),
        ("status", "any".to_owned()),
        ("per_page", "100".to_owned()),
        ("slug", slugs.to_owned()),
    ];
    Ok(site.get("wp/v2/posts", &query)?.list(site.name)?.0)
}

/// The oldest post with a mark.
fn earliest<'p, T>(site: &Site<'_, T>, posts: &'p [Value], mark: &str) -> Option<&'p Value> {
    let comment = mark::comment(mark);
    let is_marked = |post: &&Value| match site.key_meta {
        Some(name) => post["meta"][name] == mark,
        None => raw(&post["content"]).contains(&comment),
    };
    posts
        .iter()
        .filter(is_marked)
        .min_by_key(|post| post["id"].as_u64())
}

/// The fields of a post in the words of WordPress, those alone that are given.
fn fields(draft: Draft) -> Map<String, Value> {
    let given = [
        ("title", draft.title.map(Value::from)),
        ("content", draft.content.map(Value::from)),
        ("excerpt", draft.excerpt.map(Value::from)),
        ("slug", draft.slug.map(Value::from)),
        (
            "date_gmt",
            draft.date.map(|date| date.trim_end_matches('Z').into()),
        ),
        ("author", draft.author.map(Value::from)),
        ("featured_media", draft.featured_media.map(Value::from)),
        ("categories", draft.categories.map(Value::from)),
        ("tags", draft.tags.map(Value::from)),
    ];
    given
        .into_iter()
        .filter_map(|(name, value)| Some((name.to_owned(), value?)))
        .collect()
}

/// A post as workflows see it: what was written, not what a theme makes of it.
fn seen(post: &Value) -> Value {
    json!({
        "id": post["id"],
        "link": post["link"],
        "slug": post["slug"],
        "status": post["status"],
        "title": raw(&post["title"]),
        "content": raw(&post["content"]),
        "excerpt": raw(&post["excerpt"]),
        "date": post["date_gmt"],
        "modified": post["modified_gmt"],
        "author": post["author"],
        "featuredMedia": post["featured_media"],
        "categories": post["categories"],
        "tags": post["tags"],
    })
}

fn raw(text: &Value) -> &str {
    let written = text["raw"].as_str().or_else(|| text["rendered"].as_str());
    written.unwrap_or_default()
}

fn number<T>(site: &Site<'_, T>, post: &Value) -> Result<u64, Problem> {
    let id = post["id"].as_u64();
    id.ok_or_else(|| unreadable(site.name, "a post without an id"))
}
