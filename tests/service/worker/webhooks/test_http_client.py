"""The guarded client against real servers on the loopback."""

import datetime as dt
import socket
import ssl
import threading
from contextlib import contextmanager
from datetime import timedelta
from ipaddress import ip_network
from time import monotonic, sleep

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from service.webhooks.states import AttemptError
from service.webhooks.url_policy import UrlPolicy
from service.worker.webhooks.http_client import SendFailed, WebhookClient, resolve_name, trust_store
from tests.receiver import Receiver

LOCAL = UrlPolicy(allow_http=True, networks=(ip_network("127.0.0.0/8"), ip_network("::1/128")))
STRICT = UrlPolicy(allow_http=True)
SHORT = timedelta(seconds=0.4)
LONG = timedelta(seconds=10)
AUTHORITIES = trust_store()


class Names:
    """A resolver that answers each question with the next of its answers, and keeps the questions."""

    def __init__(self, *answers):
        self.answers = list(answers)
        self.asked = []

    def __call__(self, host, port):
        self.asked.append((host, port))
        return self.answers.pop(0)


def client(allowed=LOCAL, *, timeout=LONG, authorities=AUTHORITIES, **options):
    return WebhookClient(allowed, timeout=timeout, authorities=authorities, **options)


def trouble(sender, url):
    with pytest.raises(SendFailed) as failed:
        sender.post(url, b"{}", {})
    return failed.value.trouble


def test_a_post_returns_the_status():
    with Receiver(503, headers={"Retry-After": "7"}) as receiver:
        answer = client().post(f"{receiver.url}?a=1", b'{"x":1}', {"webhook-id": "msg_1"})
    assert (answer.status, answer.retry_after) == (503, "7")
    (request,) = receiver.requests
    assert (request.path, request.body, request.headers["webhook-id"]) == ("/hook?a=1", b'{"x":1}', "msg_1")
    assert request.headers["host"] == f"127.0.0.1:{receiver.port}"


def test_a_redirect_is_returned_and_not_followed():
    with Receiver() as inside, Receiver(302, headers={"Location": inside.url}) as receiver:
        assert client().post(receiver.url, b"{}", {}).status == 302
    assert inside.requests == []


@pytest.mark.parametrize("variable", ["HTTP_PROXY", "http_proxy", "ALL_PROXY"])
def test_a_proxy_of_the_environment_is_not_used(monkeypatch, variable):
    with Receiver() as proxy, Receiver() as receiver:
        monkeypatch.setenv(variable, f"http://127.0.0.1:{proxy.port}")
        client().post(receiver.url, b"{}", {})
    assert (len(proxy.requests), len(receiver.requests)) == (0, 1)


def test_a_name_with_a_private_address_is_refused():
    with Receiver() as receiver:
        names = Names(["127.0.0.1"])
        assert (
            trouble(client(STRICT, resolve=names), f"http://evil.example:{receiver.port}/")
            == AttemptError.ADDRESS_REFUSED
        )
    assert receiver.requests == []


@pytest.mark.parametrize("inside", ["127.0.0.1", "::ffff:127.0.0.1", "169.254.169.254", "64:ff9b::7f00:1", "fe80::1%1"])
def test_one_private_address_refuses_the_whole_name(inside):
    names = Names(["93.184.215.14", inside])
    assert trouble(client(STRICT, resolve=names), "https://evil.example/") == AttemptError.ADDRESS_REFUSED


def test_a_rebinding_name_is_resolved_once_and_its_checked_address_used():
    with Receiver() as receiver:
        names = Names(["127.0.0.1"], ["10.0.0.1"])
        answer = client(resolve=names).post(f"http://rebinding.example:{receiver.port}/", b"{}", {})
        assert (answer.status, names.asked) == (204, [("rebinding.example", receiver.port)])
        assert receiver.requests[0].headers["host"] == f"rebinding.example:{receiver.port}"
        assert (
            trouble(client(resolve=names), f"http://rebinding.example:{receiver.port}/") == AttemptError.ADDRESS_REFUSED
        )


def test_a_stored_url_that_is_no_longer_allowed_is_not_sent_to():
    assert trouble(client(UrlPolicy()), "http://clinic.example/") == AttemptError.URL_REFUSED
    assert trouble(client(UrlPolicy()), "https://127.0.0.1/") == AttemptError.URL_REFUSED


@pytest.mark.parametrize("odd", ["0x7f.1", "2130706433", "0177.0.0.1", "127.1"])
def test_unusual_spellings_of_loopback_addresses_are_refused(odd):
    assert resolve_name(odd, 80) == ["127.0.0.1"]
    assert trouble(client(STRICT), f"http://{odd}/") == AttemptError.URL_REFUSED


def test_an_unresolved_name_is_reported():
    def unknown(host, port):
        raise socket.gaierror

    assert trouble(client(resolve=unknown), "https://nowhere.example/") == AttemptError.NAME_NOT_RESOLVED
    assert trouble(client(resolve=Names([])), "https://nowhere.example/") == AttemptError.NAME_NOT_RESOLVED


def test_a_closed_port_is_reported(closed_port):
    assert trouble(client(), f"http://127.0.0.1:{closed_port}/") == AttemptError.CONNECTION


def test_the_next_address_is_tried_when_one_does_not_answer():
    with Receiver() as receiver:
        names = Names(["127.0.0.99", "127.0.0.1"])
        assert client(resolve=names).post(f"http://two.example:{receiver.port}/", b"{}", {}).status == 204


def took(call):
    started = monotonic()
    call()
    return monotonic() - started


def test_a_receiver_that_hangs_costs_at_most_the_timeout():
    with Receiver(hangs=True) as receiver:
        seconds = took(lambda: trouble(client(timeout=SHORT), receiver.url))
    assert 0.3 < seconds < 15
    assert trouble(client(timeout=SHORT, resolve=lambda *_: sleep(2)), "https://slow.example/") == AttemptError.TIMEOUT


@contextmanager
def raw_server(talk):
    """Somebody who speaks as `talk(connection)` does, once."""
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def serve():
            connection, _ = listener.accept()
            with connection:
                try:
                    talk(connection)
                except OSError:
                    return  # the client has gone

        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        yield f"http://127.0.0.1:{listener.getsockname()[1]}/"
        thread.join(60)
        assert not thread.is_alive()


def dribble(connection):
    for letter in b"HTTP/1.1 200 OK\r\n" + b"x: y\r\n" * 1000:
        connection.sendall(bytes([letter]))
        sleep(0.05)


def flood_of_headers(connection):
    connection.recv(65536)
    connection.sendall(b"HTTP/1.1 200 OK\r\n")
    while True:
        connection.sendall(b"x: " + b"y" * 1000 + b"\r\n")


def flood_of_body(connection):
    connection.recv(65536)
    connection.sendall(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
    while True:
        connection.sendall(b"3e8\r\n" + b"y" * 1000 + b"\r\n")


def nonsense(connection):
    connection.recv(65536)
    connection.sendall(b"SSH-2.0-OpenSSH_9.6\r\n")
    connection.shutdown(socket.SHUT_WR)
    while connection.recv(65536):
        pass  # closing with something unread would reset the connection


def test_a_slow_receiver_is_cut_off_at_the_deadline():
    with raw_server(dribble) as url:
        assert took(lambda: trouble(client(timeout=SHORT), url)) < 30


def test_endless_headers_are_not_read():
    with raw_server(flood_of_headers) as url:
        assert trouble(client(), url) == AttemptError.PROTOCOL


def test_an_endless_body_is_not_read():
    with raw_server(flood_of_body) as url:
        assert took(lambda: client().post(url, b"{}", {})) < 30


def test_a_response_that_is_not_http_is_reported():
    with raw_server(nonsense) as url:
        assert trouble(client(), url) == AttemptError.PROTOCOL


@pytest.fixture(scope="module")
def certificate(tmp_path_factory):
    """A certificate for receiver.example that signs itself, and its key."""
    file = tmp_path_factory.mktemp("tls") / "receiver.pem"
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "receiver.example")])
    moment = dt.datetime.now(dt.UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(moment - timedelta(days=1))
        .not_valid_after(moment + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName("receiver.example")]), critical=False)
        .sign(key, hashes.SHA256())
    )
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    file.write_bytes(private + made.public_bytes(serialization.Encoding.PEM))
    return file


@pytest.fixture
def secure_receiver(certificate):
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    tls.load_cert_chain(certificate)
    with Receiver(tls=tls) as receiver:
        yield receiver


def test_the_tls_certificate_is_checked_against_the_host_name(secure_receiver, certificate):
    trusting = ssl.create_default_context(cafile=certificate)
    sender = client(resolve=lambda *_: ["127.0.0.1"], authorities=trusting)
    assert sender.post(f"https://receiver.example:{secure_receiver.port}/", b"{}", {}).status == 204
    assert trouble(sender, f"https://other.example:{secure_receiver.port}/") == AttemptError.TLS
    assert trouble(sender, f"https://127.0.0.1:{secure_receiver.port}/") == AttemptError.TLS


def test_a_certificate_of_an_unknown_authority_is_refused(secure_receiver):
    sender = client(resolve=lambda *_: ["127.0.0.1"])
    assert trouble(sender, f"https://receiver.example:{secure_receiver.port}/") == AttemptError.TLS
    assert secure_receiver.requests == []
