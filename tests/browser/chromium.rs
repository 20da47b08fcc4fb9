//! A real headless Chromium, driven over the DevTools protocol: one WebSocket, numbered commands with
//! their replies, and events, which are kept for whoever asks later.

use std::{
    collections::HashMap,
    env,
    path::PathBuf,
    process::Stdio,
    sync::{
        Arc, Mutex,
        atomic::{AtomicU64, Ordering},
    },
};

use futures_util::{SinkExt, StreamExt};
use rustix::process::{Pid, Signal, kill_process_group};
use serde_json::{Value, json};
use sse_tests::within_limit;
use tempfile::TempDir;
use tokio::{
    io::{AsyncBufReadExt, BufReader},
    process::{Child, ChildStderr, Command},
    sync::{mpsc, oneshot, watch},
};
use tokio_tungstenite::{connect_async, tungstenite::Message};

use crate::page::Page;

/// Quiet, self-contained, and able to run as root in a container.
const FLAGS: [&str; 9] = [
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--remote-debugging-port=0",
];

/// A browser with a fresh profile. It ends when dropped.
pub(crate) struct Chromium {
    child: Child,
    devtools: Arc<Devtools>,
    /// Removed after the browser has been killed.
    _profile: TempDir,
}

impl Chromium {
    pub(crate) async fn launch() -> Self {
        Self::launch_with(&[]).await
    }

    /// One that takes any certificate, as a user does who clicks the warning away.
    pub(crate) async fn launch_trusting() -> Self {
        Self::launch_with(&["--ignore-certificate-errors"]).await
    }

    /// One that takes a name for 127.0.0.1, whatever resolvers say.
    pub(crate) async fn launch_resolving(name: &str) -> Self {
        Self::launch_with(&[&format!("--host-resolver-rules=MAP {name} 127.0.0.1")]).await
    }

    async fn launch_with(flags: &[&str]) -> Self {
        let profile = tempfile::tempdir().expect("a folder for the profile");
        let mut child = Command::new(program())
            .args(FLAGS)
            .args(flags)
            .arg(format!("--user-data-dir={}", profile.path().display()))
            // What a killed browser leaves behind is then removed with the profile.
            .env("TMPDIR", profile.path())
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            // Its own group: a kill then reaches the processes that it starts, too.
            .process_group(0)
            .kill_on_drop(true)
            .spawn()
            .expect("Chromium starts");
        let stderr = child.stderr.take().expect("stderr is piped");
        let address = within_limit("waiting for Chromium's DevTools", devtools_address(stderr)).await;
        Self { child, devtools: Devtools::connect(&address).await, _profile: profile }
    }

    /// Opens a tab with this page.
    pub(crate) async fn open(&self, url: &str) -> Page {
        let page = self.tab().await;
        page.go_to(url).await;
        page
    }

    /// Opens a tab with an empty page of the test's own, on the origin of `url`.
    pub(crate) async fn open_blank(&self, url: &str) -> Page {
        let page = self.tab().await;
        page.go_to_blank(url).await;
        page
    }

    /// Opens a tab with this page, as a browser would that lacks something: `script` runs before those of the page.
    pub(crate) async fn open_after(&self, script: &str, url: &str) -> Page {
        let page = self.tab().await;
        page.before_others(script).await;
        page.go_to(url).await;
        page
    }

    /// Opens a tab with this page that shares no cookies with others, as in a private window.
    pub(crate) async fn open_private(&self, url: &str) -> Page {
        let mut window = self.devtools.command(None, "Target.createBrowserContext", json!({})).await;
        let tab = json!({ "url": "about:blank", "browserContextId": window["browserContextId"].take() });
        let page = self.attach(tab).await;
        page.go_to(url).await;
        page
    }

    async fn tab(&self) -> Page {
        self.attach(json!({ "url": "about:blank" })).await
    }

    async fn attach(&self, tab: Value) -> Page {
        let tab = self.devtools.command(None, "Target.createTarget", tab).await;
        let attach = json!({ "targetId": tab["targetId"], "flatten": true });
        let session = self.devtools.command(None, "Target.attachToTarget", attach).await;
        let session = session["sessionId"].as_str().expect("a session").to_owned();
        Page::attach(Arc::clone(&self.devtools), tab["targetId"].clone(), session).await
    }
}

impl Drop for Chromium {
    fn drop(&mut self) {
        let pid = self.child.id().and_then(|id| i32::try_from(id).ok()).and_then(Pid::from_raw);
        if let Some(group) = pid {
            // It may have ended by itself; then there is nothing left to kill.
            let _ = kill_process_group(group, Signal::KILL);
        }
    }
}

/// The DevTools connection that all tabs share.
pub(crate) struct Devtools {
    outgoing: mpsc::UnboundedSender<Message>,
    replies: Mutex<HashMap<u64, oneshot::Sender<Value>>>,
    next_id: AtomicU64,
    /// Every event so far: `{ method, params, sessionId }`.
    events: watch::Sender<Vec<Value>>,
}

impl Devtools {
    async fn connect(address: &str) -> Arc<Self> {
        let (socket, _) = connect_async(address).await.expect("Chromium accepts the connection");
        let (mut sink, mut source) = socket.split();
        let (outgoing, mut queue) = mpsc::unbounded_channel();
        let devtools = Arc::new(Self {
            outgoing,
            replies: Mutex::default(),
            next_id: AtomicU64::new(1),
            events: watch::Sender::default(),
        });
        tokio::spawn(async move {
            while let Some(message) = queue.recv().await {
                sink.send(message).await.expect("Chromium reads commands");
            }
        });
        let receiver = Arc::clone(&devtools);
        tokio::spawn(async move {
            while let Some(Ok(message)) = source.next().await {
                if let Message::Text(text) = message {
                    receiver.accept(serde_json::from_str(&text).expect("DevTools speaks JSON"));
                }
            }
        });
        devtools
    }

    fn accept(&self, message: Value) {
        let Some(id) = message["id"].as_u64() else {
            self.events.send_modify(|events| events.push(message));
            return;
        };
        if let Some(waiting) = self.replies.lock().expect("not poisoned").remove(&id) {
            // A test that no longer waits has failed already, and says why itself.
            let _ = waiting.send(message);
        }
    }

    /// Sends a command, to a tab or to the browser, and returns its result.
    pub(crate) async fn command(&self, session: Option<&str>, method: &str, params: Value) -> Value {
        let id = self.next_id.fetch_add(1, Ordering::Relaxed);
        let (reply, replied) = oneshot::channel();
        self.replies.lock().expect("not poisoned").insert(id, reply);
        let mut command = json!({ "id": id, "method": method, "params": params });
        if let Some(session) = session {
            command["sessionId"] = session.into();
        }
        self.outgoing.send(Message::text(command.to_string())).expect("Chromium is connected");
        let mut reply = within_limit(method, replied).await.expect("Chromium is connected");
        assert!(reply.get("error").is_none(), "{method}: {}", reply["error"]);
        reply["result"].take()
    }

    /// Every event so far, and word of each new one.
    pub(crate) fn events(&self) -> watch::Receiver<Vec<Value>> {
        self.events.subscribe()
    }
}

/// The browser to start: `$CHROMIUM`, or the first on `PATH` that looks like one.
fn program() -> PathBuf {
    if let Some(chosen) = env::var_os("CHROMIUM") {
        return chosen.into();
    }
    let folders: Vec<_> = env::split_paths(&env::var_os("PATH").unwrap_or_default()).collect();
    let names = ["chromium", "chromium-browser", "google-chrome"];
    let found = names
        .iter()
        .flat_map(|name| folders.iter().map(move |folder| folder.join(name)))
        .find(|program| program.is_file());
    found.expect("no Chromium on PATH: run .ci/packages, or name one in $CHROMIUM")
}

/// Reads the WebSocket address that Chromium prints, and then keeps its stderr from filling up.
async fn devtools_address(stderr: ChildStderr) -> String {
    let mut lines = BufReader::new(stderr).lines();
    let mut said = Vec::new();
    while let Some(line) = lines.next_line().await.expect("stderr is text") {
        if let Some(address) = line.strip_prefix("DevTools listening on ") {
            let address = address.to_owned();
            tokio::spawn(async move { while let Ok(Some(_)) = lines.next_line().await {} });
            return address;
        }
        said.push(line);
    }
    panic!("Chromium ended before it could be driven: {said:#?}");
}
