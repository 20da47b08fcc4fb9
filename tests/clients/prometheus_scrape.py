"""Scrapes as Prometheus does, and reads the answer with the parser of its own client library. Argument: the address of
the metrics; prints one JSON value for each metric family."""

import json
import sys
import urllib.request

from prometheus_client.parser import text_string_to_metric_families

_, address = sys.argv
request = urllib.request.Request(address, headers={"Accept": "text/plain;version=0.0.4"})
with urllib.request.build_opener(urllib.request.ProxyHandler({})).open(request) as response:
    content_type = response.headers["content-type"]
    assert content_type == "text/plain; version=0.0.4; charset=utf-8", content_type
    text = response.read().decode()

for family in text_string_to_metric_families(text):
    samples = [[sample.name, sample.labels, sample.value] for sample in family.samples]
    print(json.dumps({"name": family.name, "type": family.type, "help": family.documentation, "samples": samples}))
