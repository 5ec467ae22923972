"""A mail server for tests: aiosmtpd, which takes mail into a folder and answers to some addresses as servers do on bad days.

    server.py OPTIONS   a JSON object: folder, security (starttls, tls or none), certificate, key, user, password, token

Prints the port that it listens on, and ends with its standard input. What the first part of a recipient's address begins
with is what becomes of it:

    nobody   550 5.1.1          policy   550 5.7.1          bare     550 without another code
    grey     451 the first time (of each address)           full     452 each time
    leave    421, and the connection is closed              hang     no answer, ever
    spam     taken, and the message refused with 554        tired    taken, and the message 451 the first time

A sender whose address begins with `stranger` is refused (553). Every mail becomes NUMBER.eml and NUMBER.json: the envelope, and
how it came.
"""

import asyncio
import base64
import json
import ssl
import sys
import threading
from pathlib import Path

from aiosmtpd.smtp import SMTP, AuthResult, LoginPassword

OPTIONS = json.loads(sys.argv[1])
FOLDER = Path(OPTIONS["folder"])


class Server(SMTP):
    """One that numbers its connections."""

    connections = 0

    def connection_made(self, transport):
        if self._original_transport is None:  # a handshake later makes it anew
            Server.connections += 1
            self.number = Server.connections
        super().connection_made(transport)


class Handler:
    def __init__(self):
        self.seen = set()
        self.mails = 0

    def first_time(self, address):
        if address in self.seen:
            return False
        self.seen.add(address)
        return True

    async def handle_MAIL(self, server, session, envelope, address, options):
        if address.startswith("stranger"):
            return "553 5.7.1 This sender is not yours"
        envelope.mail_from = address
        envelope.mail_options.extend(options)
        return "250 2.1.0 OK"

    async def handle_RCPT(self, server, session, envelope, address, options):
        if address.startswith("nobody"):
            return "550 5.1.1 There is nobody of that name"
        if address.startswith("policy"):
            return "550 5.7.1 Not from you"
        if address.startswith("bare"):
            return "550 No"
        if address.startswith("grey") and self.first_time(address):
            return "451 4.7.1 Greylisted, try again later"
        if address.startswith("full"):
            return "452 4.2.2 The mailbox is full"
        if address.startswith("leave"):
            server.transport.write(b"421 4.3.2 Closing\r\n")
            server.transport.close()
            return "421 4.3.2 Closing"
        if address.startswith("hang"):
            await asyncio.sleep(3600)
        envelope.rcpt_tos.append(address)
        return "250 2.1.5 OK"

    async def handle_DATA(self, server, session, envelope):
        if any(to.startswith("spam") for to in envelope.rcpt_tos):
            return "554 5.6.0 This is not wanted"
        if any(to.startswith("tired") and self.first_time(to) for to in envelope.rcpt_tos):
            return "451 4.3.0 Later"
        self.mails += 1
        told = {
            "from": envelope.mail_from,
            "options": envelope.mail_options,
            "to": envelope.rcpt_tos,
            "tls": server.transport.get_extra_info("sslcontext") is not None,
            "hello": session.host_name,
            "user": session.auth_data if isinstance(session.auth_data, str) else None,
            "mechanism": getattr(session, "mechanism", None),
            "connection": server.number,
        }
        (FOLDER / f"{self.mails}.eml").write_bytes(envelope.original_content)
        # Whoever looks for this one finds the other complete.
        fresh = FOLDER / f"{self.mails}.json.new"
        fresh.write_text(json.dumps(told))
        fresh.rename(FOLDER / f"{self.mails}.json")
        return f"250 2.0.0 Taken as {self.mails}"

    async def auth_XOAUTH2(self, server, args):
        wanted = f"user={OPTIONS['user']}\x01auth=Bearer {OPTIONS['token']}\x01\x01"
        if len(args) == 2 and base64.b64decode(args[1]).decode() == wanted:
            server.session.mechanism = "XOAUTH2"
            return AuthResult(success=True, auth_data=OPTIONS["user"])
        # What is wrong is said in a challenge, which the client has to answer.
        await server.push("334 " + base64.b64encode(b'{"status":"401"}').decode())
        await server._reader.readline()
        return AuthResult(success=False, handled=False)


def authenticator(server, session, envelope, mechanism, data):
    if not isinstance(data, LoginPassword):
        return AuthResult(success=False, handled=False)
    right = (OPTIONS.get("user") or "").encode(), (OPTIONS.get("password") or "").encode()
    if (data.login, data.password) != right:
        return AuthResult(success=False, handled=False)
    session.mechanism = mechanism
    return AuthResult(success=True, auth_data=OPTIONS["user"])


async def main():
    security = OPTIONS["security"]
    context = None
    if security != "none":
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(OPTIONS["certificate"], OPTIONS["key"])
    handler = Handler()
    without = ["XOAUTH2"] if OPTIONS.get("token") is None else []
    without += OPTIONS.get("without") or []

    def server():
        return Server(
            handler,
            hostname="mail.test",
            tls_context=context if security == "starttls" else None,
            require_starttls=security == "starttls",
            auth_required=OPTIONS.get("user") is not None,
            auth_require_tls=security == "starttls",
            auth_exclude_mechanism=without,
            authenticator=authenticator,
            data_size_limit=OPTIONS.get("size") or 1_000_000,
            loop=asyncio.get_running_loop(),
        )

    loop = asyncio.get_running_loop()
    implicit = context if security == "tls" else None
    listening = await loop.create_server(server, "127.0.0.1", 0, ssl=implicit)
    print(listening.sockets[0].getsockname()[1], flush=True)
    ended = asyncio.Event()

    def wait():
        sys.stdin.read()
        loop.call_soon_threadsafe(ended.set)

    threading.Thread(target=wait, daemon=True).start()
    await ended.wait()


asyncio.run(main())
