//! A recorder for one thread, whose values can be read at any time and stay.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex};

use metrics::atomics::AtomicU64;
use metrics::{
    Counter, Gauge, Histogram, HistogramFn, Key, KeyName, LocalRecorderGuard, Metadata, Recorder,
    SharedString, Unit,
};

/// A metric's name, and its labels with their values.
type Series = (String, BTreeMap<String, String>);

#[derive(Clone, Default)]
pub(crate) struct Recorded(Arc<Mutex<State>>);

#[derive(Default)]
struct State {
    described: BTreeMap<String, &'static str>,
    counters: BTreeMap<Series, Arc<AtomicU64>>,
    gauges: BTreeMap<Series, Arc<AtomicU64>>,
    histograms: BTreeMap<Series, Arc<Observed>>,
}

#[derive(Default)]
struct Observed(Mutex<Vec<f64>>);

impl HistogramFn for Observed {
    fn record(&self, value: f64) {
        self.0.lock().expect("no panic").push(value);
    }
}

impl Recorded {
    /// Records what this thread does, until the guard is dropped.
    pub(crate) fn here(&self) -> LocalRecorderGuard<'_> {
        metrics::set_default_local_recorder(self)
    }

    fn with<T>(&self, read: impl FnOnce(&mut State) -> T) -> T {
        read(&mut self.0.lock().expect("no panic"))
    }

    /// The sum of a counter over all series that have these labels, and at least one must be there.
    pub(crate) fn counted(&self, name: &str, labels: &[(&str, &str)]) -> u64 {
        self.with(|state| {
            let values = matching(&state.counters, name, labels).map(|value| value.load(Ordering::Acquire));
            some(values, name, labels).sum()
        })
    }

    /// The same of a gauge.
    pub(crate) fn gauge(&self, name: &str, labels: &[(&str, &str)]) -> f64 {
        self.with(|state| {
            let values = matching(&state.gauges, name, labels)
                .map(|value| f64::from_bits(value.load(Ordering::Acquire)));
            some(values, name, labels).sum()
        })
    }

    /// What a histogram was told.
    pub(crate) fn observed(&self, name: &str, labels: &[(&str, &str)]) -> Vec<f64> {
        self.with(|state| {
            let values = matching(&state.histograms, name, labels)
                .map(|value| value.0.lock().expect("no panic").clone());
            some(values, name, labels).flatten().collect()
        })
    }

    /// Every value of a label, in all series of the metric.
    pub(crate) fn values_of(&self, label: &str) -> BTreeSet<String> {
        self.series().into_iter().filter_map(|(_, (_, mut labels))| labels.remove(label)).collect()
    }

    /// All series, with the type of each.
    pub(crate) fn series(&self) -> Vec<(&'static str, Series)> {
        self.with(|state| {
            let counters = state.counters.keys().map(|series| ("counter", series.clone()));
            let gauges = state.gauges.keys().map(|series| ("gauge", series.clone()));
            let histograms = state.histograms.keys().map(|series| ("histogram", series.clone()));
            counters.chain(gauges).chain(histograms).collect()
        })
    }

    /// The metrics that were described, with the type that was said.
    pub(crate) fn described(&self) -> BTreeMap<String, &'static str> {
        self.with(|state| state.described.clone())
    }

    fn describe(&self, name: &KeyName, kind: &'static str, unit: Option<Unit>, says: &str) {
        assert!(unit.is_some() && says.ends_with('.') && says.len() > 10, "{name:?}: {unit:?}, {says}");
        let known = self.with(|state| state.described.insert(name.as_str().to_owned(), kind));
        assert!(known.is_none_or(|known| known == kind), "{name:?}");
    }
}

fn matching<'a, V>(
    series: &'a BTreeMap<Series, Arc<V>>,
    name: &'a str,
    labels: &'a [(&str, &str)],
) -> impl Iterator<Item = &'a Arc<V>> {
    let fits = move |known: &BTreeMap<String, String>| {
        labels.iter().all(|(label, value)| known.get(*label).is_some_and(|known| known == value))
    };
    series.iter().filter(move |((known, has), _)| known == name && fits(has)).map(|(_, value)| value)
}

fn some<T>(values: impl Iterator<Item = T>, name: &str, labels: &[(&str, &str)]) -> impl Iterator<Item = T> {
    let values: Vec<_> = values.collect();
    assert!(!values.is_empty(), "no {name} with {labels:?}");
    values.into_iter()
}

fn series(key: &Key) -> Series {
    let labels = key.labels().map(|label| (label.key().to_owned(), label.value().to_owned()));
    (key.name().to_owned(), labels.collect())
}

impl Recorder for Recorded {
    fn describe_counter(&self, name: KeyName, unit: Option<Unit>, says: SharedString) {
        self.describe(&name, "counter", unit, &says);
    }

    fn describe_gauge(&self, name: KeyName, unit: Option<Unit>, says: SharedString) {
        self.describe(&name, "gauge", unit, &says);
    }

    fn describe_histogram(&self, name: KeyName, unit: Option<Unit>, says: SharedString) {
        self.describe(&name, "histogram", unit, &says);
    }

    fn register_counter(&self, key: &Key, _: &Metadata<'_>) -> Counter {
        Counter::from_arc(self.with(|state| Arc::clone(state.counters.entry(series(key)).or_default())))
    }

    fn register_gauge(&self, key: &Key, _: &Metadata<'_>) -> Gauge {
        Gauge::from_arc(self.with(|state| Arc::clone(state.gauges.entry(series(key)).or_default())))
    }

    fn register_histogram(&self, key: &Key, _: &Metadata<'_>) -> Histogram {
        Histogram::from_arc(self.with(|state| Arc::clone(state.histograms.entry(series(key)).or_default())))
    }
}
