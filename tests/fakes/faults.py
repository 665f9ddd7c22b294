"""What the fake provider may do wrong."""

from enum import StrEnum


class Fault(StrEnum):
    """What may go wrong. Those from `CUT` on happen after something was written, and billed."""

    OVERLOADED = "429"
    BROKEN = "500"
    GATEWAY_TIMEOUT = "504"
    TIMEOUT = "408"
    CONFLICT = "409"
    NO_MONEY = "402"
    NO_QUOTA = "quota"
    FORBIDDEN = "403"
    BAD_REQUEST = "400"
    REDIRECT = "redirect"
    HANG = "hang"
    DRIP_HEADERS = "drip headers"
    RESET = "reset"
    HTML = "html"
    ERROR_BODY = "error body"
    BAD_JSON = "bad json"
    NOT_UTF8 = "not utf-8"
    NO_EVENTS = "no events"
    NO_CHOICES = "no choices"
    ODD_EVENTS = "odd events"
    FLOOD = "flood"
    COMPRESSED = "compressed"
    ENDLESS_ERROR = "endless error"
    CUT = "cut"
    CUT_CLEANLY = "cut cleanly"
    CUT_BEFORE_USAGE = "cut before usage"
    ERROR_INSIDE = "error inside"
    STALL = "stall"
    DRIP = "drip"
    FILTERED = "filtered"
    REFUSED = "refused"
    NEVER_ENDS = "never ends"
    NO_USAGE = "no usage"
    NEGATIVE_USAGE = "negative usage"
    ABSURD_USAGE = "absurd usage"


STATUSES = {
    Fault.OVERLOADED: 429,
    Fault.NO_QUOTA: 429,
    Fault.BROKEN: 500,
    Fault.GATEWAY_TIMEOUT: 504,
    Fault.TIMEOUT: 408,
    Fault.CONFLICT: 409,
    Fault.NO_MONEY: 402,
    Fault.FORBIDDEN: 403,
    Fault.BAD_REQUEST: 400,
}
