from ipaddress import ip_address, ip_network

import pytest

from service.errors.request import WebhookUrlRefused
from service.settings import Settings
from service.webhooks.url_policy import UrlPolicy, webhook_url_policy

STRICT = UrlPolicy()
INSIDE = UrlPolicy(allow_http=True, networks=(ip_network("10.1.0.0/16"), ip_network("fd00::/8")))

PUBLIC = ["1.1.1.1", "8.8.8.8", "100.63.255.255", "172.15.0.1", "192.169.0.1", "2606:4700:4700::1111", "2a00:1450::1"]
PRIVATE = [
    "0.0.0.0",
    "10.0.0.1",
    "100.64.0.1",
    "100.100.100.200",
    "127.0.0.1",
    "127.255.255.254",
    "168.63.129.16",
    "169.254.169.254",
    "172.16.0.1",
    "172.31.255.255",
    "192.0.0.192",
    "192.0.2.1",
    "192.88.99.1",
    "192.168.0.1",
    "198.18.0.1",
    "198.51.100.1",
    "203.0.113.1",
    "224.0.0.1",
    "240.0.0.1",
    "255.255.255.255",
    "::",
    "::1",
    "::7f00:1",
    "100::1",
    "2001::1",
    "2001:0:4136:e378:8000:63bf:3fff:fdd2",
    "2001:db8::1",
    "2002:7f00:1::",
    "2002:0808:0808::1",
    "3fff::1",
    "5f00::1",
    "64:ff9b:1::1",
    "fc00::1",
    "fd00:ec2::254",
    "fe80::1",
    "fe80::1%eth0",
    "fec0::1",
    "ff02::1",
]


@pytest.mark.parametrize("address", PUBLIC)
def test_public_addresses_are_permitted(address):
    assert STRICT.permits(ip_address(address))


@pytest.mark.parametrize("address", PRIVATE)
def test_addresses_that_are_not_public_are_refused(address):
    assert not STRICT.permits(ip_address(address))


@pytest.mark.parametrize("prefix", ["::ffff:", "64:ff9b::"])
def test_an_ipv4_address_inside_another_counts_as_itself(prefix):
    assert STRICT.permits(ip_address(f"{prefix}8.8.8.8"))
    for inner in ("127.0.0.1", "10.0.0.1", "169.254.169.254"):
        assert not STRICT.permits(ip_address(f"{prefix}{inner}"))
    assert INSIDE.permits(ip_address(f"{prefix}10.1.2.3"))


def test_the_operators_networks_are_permitted_besides_and_no_others():
    assert INSIDE.permits(ip_address("10.1.2.3"))
    assert INSIDE.permits(ip_address("fd12::1"))
    assert INSIDE.permits(ip_address("1.1.1.1"))
    assert not INSIDE.permits(ip_address("10.2.0.1"))
    assert not INSIDE.permits(ip_address("127.0.0.1"))


@pytest.mark.parametrize(
    ("url", "parts"),
    [
        ("https://clinic.example/hooks?a=1&b", ("clinic.example", 443, "/hooks?a=1&b", "clinic.example")),
        ("https://Clinic.Example:8443", ("clinic.example", 8443, "/", "clinic.example:8443")),
        ("HTTPS://xn--bcher-kva.example/", ("xn--bcher-kva.example", 443, "/", "xn--bcher-kva.example")),
        ("https://1.1.1.1/", ("1.1.1.1", 443, "/", "1.1.1.1")),
        ("https://[2606:4700::0001]:8443/", ("2606:4700::1", 8443, "/", "[2606:4700::1]:8443")),
    ],
)
def test_a_plain_url_is_taken_apart(url, parts):
    found = STRICT.parse(url)
    assert (found.host, found.port, found.target, found.authority) == parts


REFUSED = {
    "https://": [
        "http://clinic.example/",
        "ftp://clinic.example/",
        "clinic.example",
        "//clinic.example",
        "https:/clinic.example",
        "https:clinic.example",
        "https:///hooks",
        "javascript:alert(1)",
    ],
    "user": [
        "https://user@clinic.example/",
        "https://user:secret@127.0.0.1/",
        "https://clinic.example:443@evil.example/",
    ],
    "fragment": ["https://clinic.example/#x", "https://clinic.example/#", "https://clinic.example#@10.0.0.1/"],
    "printable ASCII": [
        "https://clinic.example/a b",
        "https://clinic.example/\n",
        "https://cl\tinic.example/",
        "https://clinic.example\\@evil.example/",
        "https://bücher.example/",
        "https://\uff11\uff12\uff17.\uff10.\uff10.\uff11/",
        "https://127。0。0。1/",
        "https://ⓛocalhost/",
        "https://cl\u0456nic.example/",
        "",
    ],
    "not public": [
        "https://127.0.0.1/",
        "https://10.1.2.3:8443/x",
        "https://169.254.169.254/latest/meta-data",
        "https://[::1]/",
        "https://[::ffff:127.0.0.1]/",
        "https://[::ffff:7f00:1]/",
        "https://[64:ff9b::a9fe:a9fe]/",
        "https://[fd00:ec2::254]/",
    ],
    "looks like a number": [
        "https://2130706433/",
        "https://0x7f000001/",
        "https://0x7f.1/",
        "https://127.1/",
        "https://0177.0.0.1/",
        "https://127.0.0.01/",
        "https://1.2.3.4.5/",
        "https://127.0.0.0x1/",
        "https://256.256.256.256/",
        "https://1e100.0x/",
    ],
    "letters, digits and hyphens": [
        "https://127.0.0.1./",
        "https://clinic.example./",
        "https://localhost./",
        "https://clinic..example/",
        "https://%31%32%37.0.0.1/",
        "https://cli_nic.example/",
        "https://-clinic.example/",
        "https://clinic.example,evil.example/",
        f"https://{'a' * 64}.example/",
        f"https://{'a.' * 130}example/",
    ],
    "local network": [
        "https://localhost/",
        "https://hooks.localhost/",
        "https://intranet/",
        "https://printer.local/",
        "https://metadata.google.internal/",
    ],
    "port": [
        "https://clinic.example:0/",
        "https://clinic.example:22/",
        "https://clinic.example:65536/",
    ],
    "cannot be read": [
        "https://clinic.example:http/",
        "https://clinic.example:-1/",
        "https://clinic.example:1:2/",
        "https://[::1/",
        "https://[fe80::zz]/",
        "https://[v1.a]/",
        "https://[2606:4700::1]evil.example/",
        "https://a[::1]/",
    ],
    "at most 2048": [f"https://clinic.example/{'x' * 2048}"],
}


@pytest.mark.parametrize(("reason", "url"), [(reason, url) for reason, urls in REFUSED.items() for url in urls])
def test_any_other_form_is_refused_with_a_reason_that_quotes_nothing(reason, url):
    with pytest.raises(WebhookUrlRefused) as refusal:
        STRICT.parse(url)
    assert reason in refusal.value.detail
    assert not url or url not in refusal.value.detail


def test_zones_of_addresses_are_refused():
    with pytest.raises(WebhookUrlRefused):
        INSIDE.parse("https://[fd00::1%25eth0]/")


def test_where_private_receivers_are_allowed_their_names_and_http_are_too():
    for url in ("http://localhost:8080/", "http://receiver/", "https://hooks.internal/", "http://10.1.2.3/"):
        INSIDE.parse(url)
    with pytest.raises(WebhookUrlRefused, match="not public"):
        INSIDE.parse("http://127.0.0.1/")


def test_the_policy_follows_the_settings():
    policy = webhook_url_policy(Settings(webhook_networks=("127.0.0.0/8",), webhook_allow_http=True))
    assert policy == UrlPolicy(allow_http=True, networks=(ip_network("127.0.0.0/8"),))
    assert webhook_url_policy(Settings()) == STRICT
