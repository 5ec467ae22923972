"""Reads a mail with Python's own parser, which is not the one that wrote it, and prints what it sees as JSON.

    read.py FILE
"""

import email
import email.policy
import email.utils
import json
import sys

with open(sys.argv[1], "rb") as file:
    raw = file.read()
mail = email.message_from_bytes(raw, policy=email.policy.default)


def part(of):
    return {
        "type": of.get_content_type(),
        "charset": of.get_content_charset(),
        "encoding": str(of.get("Content-Transfer-Encoding", "")).lower(),
        "disposition": of.get_content_disposition(),
        "name": of.get_filename(),
        "text": of.get_content().replace("\r\n", "\n") if of.get_content_maintype() == "text" else None,
    }


def addresses(name):
    return [[one.display_name, one.addr_spec] for field in mail.get_all(name, []) for one in field.addresses]


json.dump(
    {
        "headers": [[name, str(value)] for name, value in mail.items()],
        "raw": raw.split(b"\r\n\r\n")[0].decode("ascii", "replace"),
        "from": addresses("From"),
        "to": addresses("To"),
        "cc": addresses("Cc"),
        "replyTo": addresses("Reply-To"),
        "date": email.utils.parsedate_to_datetime(mail["Date"]).timestamp(),
        "type": mail.get_content_type(),
        "parts": [part(one) for one in mail.walk() if not one.is_multipart()],
        "defects": [str(one) for one in mail.walk() for one in one.defects]
        + [f"{name}: {one}" for name, value in mail.items() for one in value.defects],
        "longest": max(len(line) for line in raw.split(b"\r\n")),
        "bare": raw.replace(b"\r\n", b"").count(b"\n") + raw.replace(b"\r\n", b"").count(b"\r"),
        "ascii": raw.isascii(),
    },
    sys.stdout,
)
