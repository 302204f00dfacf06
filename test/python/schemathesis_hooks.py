"""What Schemathesis is to know of this server beyond its OpenAPI document."""

import cbor2
import schemathesis


@schemathesis.serializer("application/cbor")
def write_cbor(context, value):
    """Bodies in CBOR, of the same values as those in JSON."""
    return cbor2.dumps(value)


@schemathesis.deserializer("application/cbor")
def read_cbor(context, response):
    """Answers in CBOR are held against their schemas as those in JSON are."""
    return cbor2.loads(response.content)


@schemathesis.hook
def before_call(context, case, kwargs):
    path = case.operation.path
    # A profile takes as long as was asked for: a second will do in place of any other valid time.
    if path == "/debug/profile":
        for place in (case.query, case.body):
            if isinstance(place, dict) and is_long(place.get("seconds")):
                place["seconds"] = 1
    # NaN is a bare word in answers, which is no JSON, unless a client asks for a text.
    if path.endswith("/infer") and case.media_type == "application/json":
        case.headers["Accept"] = "application/json; strict=true"


def is_long(seconds):
    return isinstance(seconds, (int, float)) and not isinstance(seconds, bool) and 1 < seconds <= 60
