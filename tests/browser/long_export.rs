//! The page of the example `long_export`, with less time.

use sse_tests::Example;

use crate::cable::Cable;
use crate::chromium::Chromium;

#[tokio::test]
async fn an_export_goes_on_without_its_tab_and_ends_with_a_link() {
    let example = Example::start_with("long_export", &[("EXPORT_SECONDS", "6")]).await;
    let cable = Cable::to(example.address()).await;
    let chromium = Chromium::launch().await;
    let page = chromium.open(&cable.url("/")).await;
    page.run("element('begin').click(); null").await;
    page.wait_until("element('bar').value > 1000").await;
    let before = page.run("element('bar').value").await;
    page.close().await;

    let page = chromium.open(&cable.url("/")).await;
    page.wait_until(&format!("element('bar').value > {before}")).await;
    cable.cut();
    page.wait_until("element('state').textContent === 'Reconnecting'").await;
    cable.mend();
    page.wait_until("!element('link').hidden").await;
    assert_eq!(
        page.run("element('link').href.endsWith(`/exports/${localStorage.run}/orders.csv`)").await,
        true
    );
    let lines =
        "fetch(element('link').href).then(answer => answer.text()).then(text => text.split('\\n').length)";
    assert_eq!(page.run(lines).await, 90_002);
    page.wait_until("source.readyState === EventSource.CLOSED").await;

    // The link is there for as long as the export is kept; and another can be begun, and cancelled.
    page.leave_by("location.reload()").await;
    page.wait_until("!element('link').hidden").await;
    page.run("element('begin').click(); null").await;
    page.wait_until("element('bar').value > 0 && !element('cancel').disabled && element('link').hidden")
        .await;
    page.run("element('cancel').click(); null").await;
    page.wait_until("element('state').textContent === 'Cancelled'").await;
    example.wait_for_line(|line| line.ends_with("an export is over: Cancelled")).await;
}
