"""Schemathesis against the schemas: whatever is asked, the answer is one that was agreed on.

    pip install schemathesis==4.32.5
    cargo xtask demo --records 200 --listen 127.0.0.1:9410
    cd tests/schemathesis
    schemathesis run http://127.0.0.1:9410/graphql -H "Authorization: Bearer $TOKEN" \
        -c answers_as_agreed,negative_data_rejection,response_schema_conformance \
        --phases fuzzing -n 50 --suppress-health-check all --warnings off

The tool's own `not_a_server_error` and `positive_data_acceptance` are left out: to them every error
of a field is the server's, and a value that no schema can describe (an id that is not there) a valid
one. Likewise at /metadata, with `--exclude-name Mutation.signOut`, which would end the session. The
data is that of the demo, so it is not worth keeping afterwards.
"""

import atexit
import collections
import json

import schemathesis
from hypothesis import strategies as st
from schemathesis.graphql import nodes

# What a client can be at fault for, and what happens to its data. Not UNAUTHENTICATED, which would
# make every test pass; not TIMEOUT, UNAVAILABLE, PLUGIN_FAILED and INTERNAL, which are ours.
CODES = {
    "BAD_INPUT",
    "NOT_FOUND",
    "FORBIDDEN",
    "VERSION_CONFLICT",
    "UNIQUE_VIOLATION",
    "REFERENCED",
    "VALIDATION_FAILED",
    "STAGE_GATE",
    "PLUGIN_REJECTED",
    "LIMIT_EXCEEDED",
    "CONFLICT",
}

SAFE_INT = 2**53 - 1

counted = collections.Counter()


@schemathesis.check
def answers_as_agreed(ctx, response, case):
    assert response.status_code < 500, f"HTTP {response.status_code}: {response.text}"
    body = json.loads(response.text)
    errors = body.get("errors", [])
    counted.update([error.get("extensions", {}).get("code") for error in errors] or ["answered"])
    for error in errors:
        assert error.get("extensions", {}).get("code") in CODES, error
        assert error.get("message"), error
    assert "data" in body or errors, body
    for error in errors:
        assert has_place(error, is_executed="data" in body), error


def has_place(error, is_executed):
    """An error of a field says which; one of the request where in it, in the text or the values."""
    if is_executed:
        return bool(error.get("path"))
    issues = error["extensions"].get("issues", [])
    return "locations" in error or (issues and all(issue["path"] for issue in issues))


@atexit.register
def tell():
    print(dict(counted))


def texts(values):
    return values.map(nodes.String)


ODD = st.sampled_from(
    ["", "0", "-1", "null", "公司", "\U0001f600", "' OR 1=1 --", "%_\\", "a" * 300, "x.y", "relata.membership"]
)
INSTANTS = st.datetimes().map(lambda at: at.isoformat() + "Z")
INSTANTS_ODD = st.sampled_from(
    ["0001-01-01T00:00:00Z", "9999-12-31T23:59:59.999999Z", "2026-03-29T02:30:00+01:00", "x"]
)
DATES_ODD = st.sampled_from(["9999-12-31", "0001-01-01", "2026-02-30"])
DECIMALS = st.decimals(min_value=-(10**12), max_value=10**12, places=4).map(str)


def mostly(good, odd):
    """A value that is wrong hides what comes after it, so it is rare."""
    return st.integers(0, 15).flatmap(lambda chance: odd if chance == 0 else good)


schemathesis.graphql.scalar(
    "SafeInt", mostly(st.integers(0, 10), st.integers(-SAFE_INT, SAFE_INT)).map(nodes.Int)
)
schemathesis.graphql.scalar(
    "Decimal", texts(mostly(DECIMALS, st.sampled_from(["1e400", "0.1", "x", "-0"])))
)
schemathesis.graphql.scalar("Date", texts(mostly(st.dates().map(str), DATES_ODD)))
schemathesis.graphql.scalar("DateTime", texts(mostly(INSTANTS, INSTANTS_ODD)))
schemathesis.graphql.scalar("ID", texts(mostly(st.uuids().map(str), ODD)))
schemathesis.graphql.scalar(
    "JSON",
    texts(ODD)
    | st.integers(-3, 3).map(nodes.Int)
    | st.just(nodes.Object(fields=[]))
    | st.just(nodes.List(values=[]))
    | st.just(nodes.Null),
)
