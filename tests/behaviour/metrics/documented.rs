//! The table in the guide, the dashboard and the alerts: each speaks of metrics that there are, and of all of them.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;
use sse_runtime::testing::TestClient;
use sse_runtime::{DisconnectReason, Hub, Result, Sse, routes, sse_route};

use super::recorder::Recorded;

const GUIDE: &str = include_str!("../../../sse-runtime/docs/observability.md");
const DASHBOARD: &str = include_str!("../../../dashboards/sse-runtime.json");
const ALERTS: &str = include_str!("../../../dashboards/alerts.yml");

#[sse_route("/documented/{id}")]
async fn documented(_sse: Sse, id: u8) -> Result<()> {
    let _ = id;
    Ok(())
}

/// What a metric is: its type, and the names of its labels.
type Form = (String, BTreeSet<String>);

/// The text between backticks.
fn quoted(cell: &str) -> impl Iterator<Item = String> {
    cell.split('`').skip(1).step_by(2).map(str::to_owned)
}

/// The rows of the table below this head, by what stands in their first cell.
fn table(head: &str) -> BTreeMap<String, Vec<String>> {
    let mut lines = GUIDE.lines().skip_while(|line| !line.starts_with(head));
    assert!(lines.next().is_some(), "no table {head}");
    let rows = lines.skip(1).take_while(|line| line.starts_with('|')).map(|line| {
        let cells: Vec<_> = line.trim_matches('|').split(" | ").map(|cell| cell.trim().to_owned()).collect();
        let name = quoted(&cells[0]).next().unwrap_or_else(|| panic!("no name: {line}"));
        (name, cells)
    });
    rows.collect()
}

fn metrics_in_the_guide() -> BTreeMap<String, Form> {
    let form = |cells: &Vec<String>| (cells[1].clone(), quoted(&cells[2]).collect());
    table("| metric |").iter().map(|(name, cells)| (name.clone(), form(cells))).collect()
}

/// Every metric that there is, after one stream and one look at a hub.
async fn recorded() -> Recorded {
    let recorded = Recorded::default();
    let _guard = recorded.here();
    TestClient::new(routes![documented]).get("/documented/7").response().await;
    Hub::in_memory().build().record_metrics("a hub");
    recorded.clone()
}

#[tokio::test(start_paused = true)]
async fn the_table_has_every_metric_with_its_type_and_labels_and_no_other() {
    let recorded = recorded().await;
    let mut there: BTreeMap<String, Form> = BTreeMap::new();
    for (kind, (name, labels)) in recorded.series() {
        let form = (kind.to_owned(), labels.into_keys().collect());
        let known = there.entry(name.clone()).or_insert_with(|| form.clone());
        assert_eq!(*known, form, "two series of {name} differ in their labels");
    }
    assert_eq!(metrics_in_the_guide(), there);
    let described: BTreeMap<_, _> = there.into_iter().map(|(name, (kind, _))| (name, kind)).collect();
    let said = recorded.described().into_iter().map(|(name, kind)| (name, kind.to_owned()));
    assert_eq!(said.collect::<BTreeMap<_, _>>(), described);
}

#[tokio::test(start_paused = true)]
async fn names_follow_the_conventions_of_prometheus() {
    for (name, (kind, _)) in metrics_in_the_guide() {
        assert!(name.starts_with("sse_"), "{name}");
        assert!(name.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'_'), "{name}");
        assert_eq!(name.ends_with("_total"), kind == "counter", "{name}");
        assert_eq!(name.ends_with("_seconds"), kind == "histogram", "{name}");
        // A histogram's own series have these ends.
        assert!(!["_count", "_sum", "_bucket"].iter().any(|end| name.ends_with(end)), "{name}");
    }
}

#[tokio::test(start_paused = true)]
async fn labels_have_the_values_that_the_table_states_and_all_of_them_from_the_first_stream_on() {
    let recorded = recorded().await;
    let stated = table("| label |");
    let labels: BTreeSet<_> = stated.keys().cloned().collect();
    let used: BTreeSet<_> = metrics_in_the_guide().into_values().flat_map(|(_, labels)| labels).collect();
    assert_eq!(labels, used);

    let stated = |label: &str| -> BTreeSet<String> {
        let values = quoted(&stated[label][1])
            .filter(|value| value.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'_'));
        values.collect()
    };
    let mut limits = stated("limit");
    assert!(limits.remove("max_streams"), "that is the option's name");
    assert_eq!(recorded.values_of("limit"), limits);
    assert_eq!(recorded.values_of("outcome"), stated("outcome"));
    assert_eq!(recorded.values_of("route"), ["/documented/{id}".to_owned()].into());
    assert_eq!(recorded.values_of("hub"), ["a hub".to_owned()].into());
    let reasons = recorded.values_of("reason");
    for reason in [DisconnectReason::PeerVanished, DisconnectReason::Kicked, DisconnectReason::Completed] {
        assert!(reasons.contains(reason.as_str()), "{reasons:?}");
    }
}

/// The names of ours in an expression, without a histogram's ends.
fn names_in(text: &str) -> BTreeSet<String> {
    let words = text.split(|character: char| !character.is_ascii_alphanumeric() && character != '_');
    let ours = words.filter(|word| word.starts_with("sse_"));
    ours.map(|name| name.strip_suffix("_bucket").unwrap_or(name).to_owned()).collect()
}

/// The labels that an expression selects or groups by.
fn labels_in(expression: &str) -> BTreeSet<String> {
    let mut labels = BTreeSet::new();
    for selector in expression.split('{').skip(1).filter_map(|rest| rest.split('}').next()) {
        labels.extend(
            selector
                .split(',')
                .filter_map(|part| part.split(['=', '!']).next())
                .map(|label| label.trim().to_owned()),
        );
    }
    for group in expression.split("by (").skip(1).filter_map(|rest| rest.split(')').next()) {
        labels.extend(group.split(',').map(|label| label.trim().to_owned()));
    }
    labels
}

/// What an expression says can be: its metrics are there, and have its labels.
fn check(expression: &str) -> BTreeSet<String> {
    let known = metrics_in_the_guide();
    let names = names_in(expression);
    assert!(!names.is_empty(), "{expression}");
    let mut labels: BTreeSet<String> = ["le".to_owned()].into();
    for name in &names {
        labels.extend(known.get(name).unwrap_or_else(|| panic!("no {name}: {expression}")).1.clone());
    }
    let asked = labels_in(expression);
    assert!(asked.is_subset(&labels), "{asked:?} of {labels:?}: {expression}");
    names
}

#[test]
fn the_dashboard_shows_every_metric_and_no_other() {
    let dashboard: Value = serde_json::from_str(DASHBOARD).expect("JSON");
    // What Grafana asks of an import.
    for member in ["title", "uid", "schemaVersion", "panels", "templating", "time", "timezone", "refresh"] {
        assert!(!dashboard[member].is_null(), "no {member}");
    }
    assert!(dashboard["id"].is_null(), "an id is given by the Grafana that it is imported to");
    let variables = dashboard["templating"]["list"].as_array().expect("variables");
    let variables: BTreeSet<_> =
        variables.iter().map(|variable| variable["name"].as_str().expect("a name")).collect();
    assert_eq!(variables, ["datasource", "route"].into());

    let panels = dashboard["panels"].as_array().expect("panels");
    let (mut ids, mut places, mut shown) = (BTreeSet::new(), Vec::new(), BTreeSet::new());
    for panel in panels {
        let title = panel["title"].as_str().expect("a title");
        assert!(ids.insert(panel["id"].as_u64().expect("an id")), "{title}: an id of another panel");
        let side =
            |name: &str| panel["gridPos"][name].as_u64().unwrap_or_else(|| panic!("{title}: no {name}"));
        let (x, y, w, h) = (side("x"), side("y"), side("w"), side("h"));
        assert!(x + w <= 24, "{title} sticks out");
        let overlaps =
            |&(x2, y2, w2, h2): &(u64, u64, u64, u64)| x < x2 + w2 && x2 < x + w && y < y2 + h2 && y2 < y + h;
        assert!(!places.iter().any(overlaps), "{title} covers another panel");
        places.push((x, y, w, h));
        if panel["type"] == "row" {
            continue;
        }
        assert!(panel["fieldConfig"]["defaults"].is_object() && panel["options"].is_object(), "{title}");
        assert_eq!(panel["datasource"]["uid"], "${datasource}", "{title}");
        let targets = panel["targets"].as_array().expect("targets");
        assert!(!targets.is_empty(), "{title}");
        for target in targets {
            assert!(target["refId"].is_string() && target["legendFormat"].is_string(), "{title}");
            shown.extend(check(target["expr"].as_str().expect("an expression")));
        }
    }
    let all: BTreeSet<_> = metrics_in_the_guide().into_keys().collect();
    assert_eq!(shown, all);
}

#[test]
fn the_alerts_are_those_of_the_guide_and_ask_for_what_there_is() {
    let named = |line: &str| line.trim().strip_prefix("- alert: ").map(str::to_owned);
    let alerts: BTreeSet<_> = ALERTS.lines().filter_map(named).collect();
    assert_eq!(table("| alert |").into_keys().collect::<BTreeSet<_>>(), alerts);
    for rule in ALERTS.split("- alert: ").skip(1) {
        let expression =
            rule.split("expr:").nth(1).and_then(|rest| rest.split("labels:").next()).expect("an expression");
        check(expression);
    }
}
