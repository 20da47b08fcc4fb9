use axum::{Router, extract::{FromRef, State}};
use sse_runtime::{Sse, routes, sse_route};

#[derive(Clone)]
struct Jobs;

#[derive(Clone)]
struct App {
    jobs: Jobs,
}

impl FromRef<App> for Jobs {
    fn from_ref(app: &App) -> Jobs {
        app.jobs.clone()
    }
}

#[derive(Clone)]
struct Other;

#[sse_route("/events")]
async fn events(sse: Sse, State(_jobs): State<Jobs>) {
    sse.send("tick").await.ok();
}

fn main() {
    let _app: Router = Router::new().merge(routes![events]).with_state(Other);
}
