//! How many streams there may be: in all, for each client, for each route; and how fast new ones may come.
//!
//! A stream holds its [`Permit`] for its whole life, which is what a concurrency limit around the service cannot do: for
//! that the request is over when the response's head is there. Who comes when all is full is told to come back; nobody
//! who is in is put out for that, or clients would push each other out in circles.

mod client;
mod rate;

use std::collections::HashMap;
use std::fmt;
use std::net::IpAddr;
use std::ops::RangeInclusive;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use http::HeaderMap;
use tokio::time::Instant;
use tower_layer::Layer;

use super::{Mounted, pick};
use crate::observe::StreamMeter;
pub use client::ProxyError;
use client::{ClientKey, Proxies};
pub(crate) use rate::{Pace, Rate};

/// When those are told to come back who found everything full.
const RETRY: RangeInclusive<Duration> = Duration::from_secs(5)..=Duration::from_secs(15);

/// From how many known clients on those are forgotten who have no stream.
const SWEEP_AT: usize = 1024;

/// Limits how many streams are open, in all and for each client, and how fast new ones may begin. A layer; a route's own
/// limit is its option `max_streams`, which works without it.
///
/// ```
/// use std::time::Duration;
/// use axum::Router;
/// use sse_runtime::{Admission, Result, Sse, routes, sse_route};
///
/// #[sse_route("/ticks", max_streams = 5_000)]
/// async fn ticks(sse: Sse) -> Result<()> {
///     sse.send("tick").await?;
///     Ok(())
/// }
///
/// let admission = Admission::new()
///     .total(20_000)
///     .per_client(100)
///     .client_rate(60, Duration::from_secs(60))
///     .trusted_proxies(["10.0.0.0/8"])?;
/// let app: Router = routes![ticks].layer(admission);
/// # Ok::<(), sse_runtime::ProxyError>(())
/// ```
///
/// There is no limit that is not given. Of several such layers around a route, the innermost alone counts. A stream counts from before its handler's arguments are extracted until it is over.
///
/// # Who finds it full
///
/// An `EventSource` gives up for good on any other status than 200. So a GET that asks for `text/event-stream` and nothing
/// else is answered by a stream of one `sse-bye` event, data `{"reason":"Full"}`, with a `retry` of its own
/// ([`retry`](Self::retry)): it comes back by itself. Everyone else (and everyone on `bare` routes) gets 503 with
/// `Retry-After`. Nobody's stream is ended for another's.
///
/// # Who a client is
///
/// The address that the connection comes from: [`serve`](crate::serve) knows it; plain `axum::serve` has to be given
/// `app.into_make_service_with_connect_info::<SocketAddr>()`. IPv6 addresses count by their /64. Behind a proxy all clients
/// have the proxy's address, until [`trusted_proxies`](Self::trusted_proxies) says whose `X-Forwarded-For` is to be believed.
/// Where no address is known, the limits for each client do not apply.
#[derive(Clone)]
#[must_use = "it limits the routes that it is a layer of"]
pub struct Admission(Arc<Inner>);

struct Inner {
    limits: Limits,
    open: AtomicUsize,
    pace: Mutex<Option<Pace>>,
    clients: Mutex<Clients>,
}

#[derive(Clone)]
struct Limits {
    total: Option<usize>,
    per_client: Option<usize>,
    rate: Option<Rate>,
    client_rate: Option<Rate>,
    proxies: Proxies,
    retry: RangeInclusive<Duration>,
}

struct Clients {
    known: HashMap<ClientKey, Client>,
    sweep_at: usize,
}

struct Client {
    open: usize,
    pace: Pace,
}

/// Which limit it was. The name is what logs and metrics say.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Limit {
    Route,
    Total,
    Client,
    Rate,
    ClientRate,
    Runs,
    PrincipalRuns,
}

impl Limit {
    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Self::Route => "route",
            Self::Total => "total",
            Self::Client => "client",
            Self::Rate => "rate",
            Self::ClientRate => "client_rate",
            Self::Runs => "runs",
            Self::PrincipalRuns => "principal_runs",
        }
    }
}

/// Why there is no place, and when to come back.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Full {
    pub(crate) limit: Limit,
    pub(crate) retry: Duration,
}

impl Admission {
    /// No limit but those given to it.
    pub fn new() -> Self {
        Self::with(Limits {
            total: None,
            per_client: None,
            rate: None,
            client_rate: None,
            proxies: Proxies::default(),
            retry: RETRY,
        })
    }

    fn with(limits: Limits) -> Self {
        let clients = Clients { known: HashMap::new(), sweep_at: SWEEP_AT };
        Self(Arc::new(Inner {
            limits,
            open: AtomicUsize::new(0),
            pace: Mutex::new(None),
            clients: Mutex::new(clients),
        }))
    }

    fn change(self, change: impl FnOnce(&mut Limits)) -> Self {
        let mut limits = self.0.limits.clone();
        change(&mut limits);
        Self::with(limits)
    }

    /// At most so many streams in all.
    pub fn total(self, streams: usize) -> Self {
        self.change(|limits| limits.total = Some(streams))
    }

    /// At most so many streams for each client.
    pub fn per_client(self, streams: usize) -> Self {
        self.change(|limits| limits.per_client = Some(streams))
    }

    /// New streams, all clients together: `streams` at once, and on average no more in each `per`. Against storms, as when
    /// all come back at once.
    ///
    /// # Panics
    /// If `streams` is 0.
    pub fn rate(self, streams: u32, per: Duration) -> Self {
        self.change(|limits| limits.rate = Some(Rate::new(streams, per)))
    }

    /// New streams of one client: `streams` at once, and on average no more in each `per`. Against one that reconnects without
    /// rest.
    ///
    /// # Panics
    /// If `streams` is 0.
    pub fn client_rate(self, streams: u32, per: Duration) -> Self {
        self.change(|limits| limits.client_rate = Some(Rate::new(streams, per)))
    }

    /// Proxies (addresses, or networks such as `10.0.0.0/8`) whose `X-Forwarded-For` says who the client is. It is read from
    /// its end, for as long as the addresses there are those of such proxies: what clients write themselves does not count.
    ///
    /// # Errors
    /// If one of them is neither an address nor a network; the error names it.
    pub fn trusted_proxies<T: AsRef<str>>(
        self,
        proxies: impl IntoIterator<Item = T>,
    ) -> Result<Self, ProxyError> {
        let proxies = Proxies::read(proxies)?;
        Ok(self.change(|limits| limits.proxies = proxies))
    }

    /// When those who find it full are told to come back: each at a time of its own within this. Default 5 to 15 s. Who
    /// comes too fast is told to wait at least until it may come.
    pub fn retry(self, retry: RangeInclusive<Duration>) -> Self {
        self.change(|limits| limits.retry = retry)
    }

    /// The number of streams that are open under these limits.
    #[must_use]
    pub fn open_streams(&self) -> usize {
        self.0.open.load(Ordering::Relaxed)
    }

    /// The client that a request comes from, as its connection and trusted proxies tell.
    pub(crate) fn client(&self, peer: IpAddr, headers: &HeaderMap) -> IpAddr {
        self.0.limits.proxies.client(peer, headers)
    }

    fn full(&self, limit: Limit, wait: Duration) -> Full {
        Full { limit, retry: pick(&self.0.limits.retry).max(wait) }
    }

    /// A place for one stream of `client`.
    fn enter(&self, client: Option<IpAddr>) -> Result<Place, Full> {
        let Inner { limits, open, pace, .. } = &*self.0;
        let counted = limits.per_client.is_some() || limits.client_rate.is_some();
        let key = client.filter(|_| counted).map(ClientKey::new);
        // Counted first and taken back if need be, so that no two take the last place. What has been counted so far is
        // given back by its destructor.
        let before = open.fetch_add(1, Ordering::Relaxed);
        let mut place = Place { admission: self.clone(), client: None };
        if limits.total.is_some_and(|total| before >= total) {
            return Err(self.full(Limit::Total, Duration::ZERO));
        }
        let now = Instant::now();
        // Who is refused because of the others keeps its own rate, and who is for a reason of its own takes nothing from
        // the others: counted is who gets past both.
        let mut pace = limits.rate.map(|rate| (rate, pace.lock().unwrap_or_else(PoisonError::into_inner)));
        let mut counted = None;
        if let Some((rate, pace)) = &pace {
            let counted = counted.insert(pace.unwrap_or(Pace::new(now)));
            rate.take(counted, now).map_err(|wait| self.full(Limit::Rate, wait))?;
        }
        if let Some(key) = key {
            self.enter_client(key, now)?;
            place.client = Some(key);
        }
        if let Some((_, pace)) = &mut pace {
            **pace = counted;
        }
        Ok(place)
    }

    fn enter_client(&self, key: ClientKey, now: Instant) -> Result<(), Full> {
        let Limits { per_client, client_rate, .. } = self.0.limits;
        let mut clients = self.clients();
        clients.sweep(now);
        let client = clients.known.entry(key).or_insert(Client { open: 0, pace: Pace::new(now) });
        if per_client.is_some_and(|most| client.open >= most) {
            return Err(self.full(Limit::Client, Duration::ZERO));
        }
        if let Some(rate) = client_rate {
            rate.take(&mut client.pace, now).map_err(|wait| self.full(Limit::ClientRate, wait))?;
        }
        client.open += 1;
        Ok(())
    }

    fn clients(&self) -> MutexGuard<'_, Clients> {
        self.0.clients.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Clients {
    /// Forgets clients of which nothing need be known, whenever there are twice as many as had to be kept last time.
    fn sweep(&mut self, now: Instant) {
        if self.known.len() >= self.sweep_at {
            self.known.retain(|_, client| client.open > 0 || !client.pace.is_fresh(now));
            self.sweep_at = (2 * self.known.len()).max(SWEEP_AT);
        }
    }
}

/// A place under the limits of an [`Admission`]; given back when dropped.
struct Place {
    admission: Admission,
    client: Option<ClientKey>,
}

impl Drop for Place {
    fn drop(&mut self) {
        self.admission.0.open.fetch_sub(1, Ordering::Relaxed);
        let Some(key) = self.client else { return };
        let mut clients = self.admission.clients();
        if let Some(client) = clients.known.get_mut(&key) {
            client.open -= 1;
            if client.open == 0 && self.admission.0.limits.client_rate.is_none() {
                clients.known.remove(&key);
            }
        }
    }
}

/// A stream's right to be there; given back when dropped.
pub(crate) struct Permit {
    route: Arc<Mounted>,
    _place: Option<Place>,
}

impl Permit {
    pub(crate) fn take(
        route: &Arc<Mounted>,
        admission: Option<&Admission>,
        client: Option<IpAddr>,
    ) -> Result<Self, Full> {
        let before = route.open.fetch_add(1, Ordering::Relaxed);
        let mut permit = Self { route: Arc::clone(route), _place: None };
        if route.meta.max_streams.is_some_and(|most| before >= most) {
            let retry = admission.map_or(&RETRY, |admission| &admission.0.limits.retry);
            return Err(Full { limit: Limit::Route, retry: pick(retry) });
        }
        permit._place = admission.map(|admission| admission.enter(client)).transpose()?;
        Ok(permit)
    }

    #[cfg(feature = "inspector")]
    pub(crate) fn route(&self) -> &Arc<Mounted> {
        &self.route
    }

    pub(crate) fn meter(&self) -> StreamMeter {
        self.route.meter.stream()
    }
}

impl Drop for Permit {
    fn drop(&mut self) {
        self.route.open.fetch_sub(1, Ordering::Relaxed);
    }
}

impl Default for Admission {
    fn default() -> Self {
        Self::new()
    }
}

impl fmt::Debug for Admission {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Limits { total, per_client, rate, client_rate, .. } = &self.0.limits;
        f.debug_struct("Admission")
            .field("total", total)
            .field("per_client", per_client)
            .field("rate", rate)
            .field("client_rate", client_rate)
            .field("open_streams", &self.open_streams())
            .finish_non_exhaustive()
    }
}

/// Limits the routes below.
impl<S> Layer<S> for Admission {
    type Service = axum::middleware::AddExtension<S, Self>;

    fn layer(&self, inner: S) -> Self::Service {
        axum::Extension(self.clone()).layer(inner)
    }
}

#[cfg(test)]
mod tests;
