"""Verifies the DKIM signature of a mail with dkimpy, and prints `True` or `False`.

    verify.py FILE NAME RECORD    RECORD is what the DNS says of NAME, such as selector._domainkey.example.com
"""

import sys

import dkim

file, name, record = sys.argv[1:]


def dns(asked, timeout=5):
    return record.encode() if asked.decode().rstrip(".") == name else None


with open(file, "rb") as mail:
    print(dkim.verify(mail.read(), dnsfunc=dns))
